//! Statements over many rows: one statement with a row of placeholders per line, never a statement per line.
//!
//! 1000 lines of two values stay far below SQLite's limit of 32 766 variables and Postgres's of 65 535.

use std::fmt::Write as _;

use sqlx::AssertSqlSafe;

/// `template` with `{rows}` replaced by `count` rows of `width` placeholders each, numbered after the `shared` ones
/// that the template itself uses. Only numbers are written into the statement.
pub(super) fn with_rows(
    template: &'static str,
    shared: usize,
    count: usize,
    width: usize,
) -> AssertSqlSafe<String> {
    let mut rows = String::with_capacity(count * width * 7);
    for row in 0..count {
        rows.push_str(if row == 0 { "(" } else { ", (" });
        for column in 0..width {
            let separator = if column == 0 { "" } else { ", " };
            // Writing to a String cannot fail.
            let _ = write!(rows, "{separator}${}", shared + row * width + column + 1);
        }
        rows.push(')');
    }
    AssertSqlSafe(template.replace("{rows}", &rows))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn placeholders_count_on_after_the_shared_ones() {
        assert_eq!(with_rows("x = $1 IN {rows}", 1, 2, 2).0, "x = $1 IN ($2, $3), ($4, $5)");
        assert_eq!(with_rows("{rows}", 0, 3, 1).0, "($1), ($2), ($3)");
    }
}
