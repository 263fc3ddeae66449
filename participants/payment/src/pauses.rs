//! How long what did not succeed is left alone.

/// After the first try, in milliseconds.
const FIRST_MS: i64 = 1_000;
/// The longest pause: an hour.
const LONGEST_MS: i64 = 60 * 60 * 1_000;

/// The pause after so many tries before this one, in milliseconds: twice as long every time.
pub(crate) fn after(tries: i64) -> i64 {
    up_to(tries, LONGEST_MS)
}

/// The same with a longest pause of one's own.
pub(crate) fn up_to(tries: i64, longest_ms: i64) -> i64 {
    let doublings = u32::try_from(tries.clamp(0, 32)).unwrap_or(32);
    (FIRST_MS << doublings).min(longest_ms)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pauses_double_up_to_an_hour() {
        assert_eq!([0, 1, 2].map(after), [1_000, 2_000, 4_000]);
        assert_eq!([12, 99, i64::MAX].map(after), [LONGEST_MS; 3]);
        assert_eq!(after(-1), FIRST_MS);
    }
}
