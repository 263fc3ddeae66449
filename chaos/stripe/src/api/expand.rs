//! `expand`: members shown whole instead of as an id.

use crate::form::Form;
use crate::refusal::Refusal;

/// Whether `member` is to be shown whole; any other that is asked for cannot be.
pub(super) fn expanded(form: &Form, member: &str) -> Result<bool, Refusal> {
    let asked = form.list("expand");
    match asked.iter().find(|path| *path != member) {
        None => Ok(!asked.is_empty()),
        Some(other) => {
            Err(Refusal::invalid("expand", format!("This property cannot be expanded ({other}).")))
        }
    }
}
