//! Whether a webhook is Stripe's: an HMAC-SHA256 over its time and body under a secret that Stripe and we share.
//!
//! Pure; the time is given. Several secrets are good at once while one is being replaced by the next.

use std::fmt;
use std::time::Duration;

use hmac::{Hmac, Mac as _};
use sha2::Sha256;

/// How old a webhook may be, and how far ahead its clock, unless told.
pub const TOLERANCE: Duration = Duration::from_secs(5 * 60);

/// The signature's scheme. Others in the same header are of no use to us.
const SCHEME: &str = "v1";

/// The secrets that sign webhooks. Do not print.
#[derive(Clone)]
pub struct Secrets(Vec<Box<str>>);

impl Secrets {
    /// One secret a line; empty lines and spaces around them do not count.
    ///
    /// # Errors
    /// That there is none.
    pub fn parse(text: &str) -> Result<Self, String> {
        let secrets: Vec<Box<str>> =
            text.lines().map(str::trim).filter(|line| !line.is_empty()).map(Into::into).collect();
        if secrets.is_empty() {
            return Err("must hold a secret, one on a line (whsec_…)".into());
        }
        Ok(Self(secrets))
    }
}

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Secrets({} redacted)", self.0.len())
    }
}

/// Why a webhook is not believed to be Stripe's.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Unsigned {
    #[error("the Stripe-Signature header is missing")]
    Missing,
    #[error("the Stripe-Signature header has no time (t=) or no v1 signature")]
    Malformed,
    #[error("no v1 signature is of this body under a secret that is configured here")]
    Forged,
    #[error("signed {0} seconds from now, which is beyond the tolerance: compare the clocks")]
    Stale(u64),
}

/// Whether `header` signs `body` under one of `secrets`, not longer from `now_ms` than `tolerance`.
pub(crate) fn verify(
    header: Option<&str>,
    body: &[u8],
    secrets: &Secrets,
    tolerance: Duration,
    now_ms: i64,
) -> Result<(), Unsigned> {
    let header = header.ok_or(Unsigned::Missing)?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let time = parts().find(|(name, _)| *name == "t").map(|(_, time)| time).ok_or(Unsigned::Malformed)?;
    let at: i64 = time.parse().map_err(|_| Unsigned::Malformed)?;
    let signatures: Vec<Vec<u8>> =
        parts().filter(|(name, _)| *name == SCHEME).filter_map(|(_, value)| decode_hex(value)).collect();
    if signatures.is_empty() {
        return Err(Unsigned::Malformed);
    }
    let signed = |secret: &str, signature: &[u8]| {
        let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(secret.as_bytes()) else { return false };
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        // In constant time.
        mac.verify_slice(signature).is_ok()
    };
    if !secrets.0.iter().any(|secret| signatures.iter().any(|signature| signed(secret, signature))) {
        return Err(Unsigned::Forged);
    }
    // Last, so that only Stripe is told about our clock.
    let away = at.abs_diff(now_ms.div_euclid(1_000));
    if away > tolerance.as_secs() {
        return Err(Unsigned::Stale(away));
    }
    Ok(())
}

fn decode_hex(text: &str) -> Option<Vec<u8>> {
    if !text.is_ascii() || !text.len().is_multiple_of(2) {
        return None;
    }
    (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    const BODY: &[u8] = br#"{"id":"evt_1"}"#;
    const NOW_MS: i64 = 1_700_000_000_500;
    const NOW: i64 = 1_700_000_000;

    fn sign(secret: &str, at: i64, body: &[u8]) -> String {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).unwrap();
        mac.update(format!("{at}.").as_bytes());
        mac.update(body);
        mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect()
    }

    fn header(secret: &str, at: i64) -> String {
        format!("t={at},v1={}", sign(secret, at, BODY))
    }

    fn check(header: Option<&str>, body: &[u8]) -> Result<(), Unsigned> {
        verify(header, body, &Secrets::parse("new\nold\n").unwrap(), TOLERANCE, NOW_MS)
    }

    #[test]
    fn a_known_answer_is_verified() {
        // HMAC-SHA256 of "1700000000.{}" under "whsec_test", by another implementation.
        let known = "t=1700000000,v1=35495024f4ef3f94e5a93e22221544c4b75e9a42300cd965ab81cb85cd994e91";
        let secrets = Secrets::parse("whsec_test").unwrap();
        assert_eq!(verify(Some(known), b"{}", &secrets, TOLERANCE, NOW_MS), Ok(()));
    }

    #[test]
    fn each_secret_and_each_signature_of_a_header_may_be_the_one() {
        for secret in ["new", "old"] {
            assert_eq!(check(Some(&header(secret, NOW)), BODY), Ok(()), "{secret}");
        }
        let both = format!("t={NOW}, v1={}, v1={}, v0=00", sign("other", NOW, BODY), sign("old", NOW, BODY));
        assert_eq!(check(Some(&both), BODY), Ok(()));
    }

    #[test]
    fn another_body_time_or_secret_is_forged() {
        let good = header("new", NOW);
        assert_eq!(check(Some(&good), br#"{"id":"evt_2"}"#), Err(Unsigned::Forged));
        assert_eq!(check(Some(&good.replace("t=1700000000", "t=1700000001")), BODY), Err(Unsigned::Forged));
        assert_eq!(check(Some(&header("other", NOW)), BODY), Err(Unsigned::Forged));
        let cut = &good[..good.len() - 2];
        assert_eq!(check(Some(cut), BODY), Err(Unsigned::Forged), "a prefix is no signature");
    }

    #[test]
    fn what_is_no_signature_is_told_from_what_is_a_wrong_one() {
        assert_eq!(check(None, BODY), Err(Unsigned::Missing));
        for bad in
            ["", "t=1700000000", "v1=00", "t=x,v1=00", "t=1700000000,v0=00", "t=1700000000,v1=0", "t=1,v1=ä"]
        {
            assert_eq!(check(Some(bad), BODY), Err(Unsigned::Malformed), "{bad}");
        }
    }

    #[test]
    fn the_time_is_tolerated_up_to_the_limit_on_both_sides_and_not_one_second_more() {
        for (at, result) in [
            (NOW - 300, Ok(())),
            (NOW - 301, Err(Unsigned::Stale(301))),
            (NOW + 300, Ok(())),
            (NOW + 301, Err(Unsigned::Stale(301))),
        ] {
            assert_eq!(check(Some(&header("new", at)), BODY), result, "{at}");
        }
    }

    #[test]
    fn secrets_are_one_a_line_and_do_not_print() {
        assert!(Secrets::parse(" \n\n").is_err());
        let secrets = Secrets::parse(" whsec_a \n\nwhsec_b").unwrap();
        assert_eq!(secrets.0.iter().map(|s| &**s).collect::<Vec<_>>(), ["whsec_a", "whsec_b"]);
        assert!(!format!("{secrets:?}").contains("whsec"));
    }
}
