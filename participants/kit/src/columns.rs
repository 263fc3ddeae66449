//! Values that columns of a participant's tables hold as text, read back as what they are.

use backstitch_proto::money::Currency;
use sqlx::Row as _;
use sqlx::any::AnyRow;

/// The row's column `currency`.
///
/// # Errors
/// That there is no such column, or that it holds no currency.
pub fn currency(row: &AnyRow) -> Result<Currency, sqlx::Error> {
    let code: &str = row.try_get("currency")?;
    Currency::parse(code).map_err(|error| sqlx::Error::Decode(error.into()))
}
