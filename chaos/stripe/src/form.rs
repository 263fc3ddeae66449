//! Parameters, as Stripe's clients write them: `metadata[saga]=…&expand[0]=…`.

use std::collections::BTreeMap;

use crate::refusal::Refusal;

/// The parameters of a request, in the order in which they came.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub(crate) struct Form(Vec<(String, String)>);

impl Form {
    pub(crate) fn parse(text: &[u8]) -> Self {
        Self(form_urlencoded::parse(text).into_owned().collect())
    }

    /// The same parameters with the same values are the same, in whatever order.
    pub(crate) fn sorted(&self) -> Vec<(String, String)> {
        let mut all = self.0.clone();
        all.sort();
        all
    }

    /// The names of parameters, without what is in brackets.
    pub(crate) fn names(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(|(name, _)| name.split('[').next().unwrap_or_default())
    }

    /// The value of `name`; an empty one counts as none.
    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, value)| n == name && !value.is_empty()).map(|(_, value)| value.as_str())
    }

    pub(crate) fn integer(&self, name: &str) -> Result<Option<i64>, Refusal> {
        let Some(text) = self.text(name) else { return Ok(None) };
        let refusal =
            || Refusal::parameter(name, "parameter_invalid_integer", format!("Invalid integer: {text}"));
        text.parse().map(Some).map_err(|_| refusal())
    }

    pub(crate) fn flag(&self, name: &str) -> Result<Option<bool>, Refusal> {
        match self.text(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(other) => Err(Refusal::invalid(name, format!("Invalid boolean: {other}"))),
        }
    }

    /// The pairs of `name[key]`.
    pub(crate) fn map(&self, name: &str) -> BTreeMap<String, String> {
        let inside = |n: &str| {
            let rest = n.strip_prefix(name)?.strip_prefix('[')?.strip_suffix(']')?;
            Some(rest.to_owned())
        };
        self.0.iter().filter_map(|(n, value)| Some((inside(n)?, value.clone()))).collect()
    }

    /// The values of `name[]` or `name[0]`, `name[1]`…
    pub(crate) fn list(&self, name: &str) -> Vec<String> {
        let is_item = |n: &str| n.strip_prefix(name).is_some_and(|rest| rest.starts_with('['));
        self.0.iter().filter(|(n, _)| is_item(n)).map(|(_, value)| value.clone()).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn brackets_make_maps_and_lists() {
        let form =
            Form::parse(b"amount=7&metadata%5Bsaga%5D=a%20b&expand[0]=latest_charge&expand[]=x&reason=");
        assert_eq!(form.integer("amount").unwrap(), Some(7));
        assert_eq!(form.map("metadata"), BTreeMap::from([("saga".to_owned(), "a b".to_owned())]));
        assert_eq!(form.list("expand"), ["latest_charge", "x"]);
        assert_eq!(form.text("reason"), None);
        assert_eq!(form.names().collect::<Vec<_>>(), ["amount", "metadata", "expand", "expand", "reason"]);
    }

    #[test]
    fn what_is_no_number_is_refused_by_name() {
        let form = Form::parse(b"amount=1.5");
        assert_eq!(form.integer("amount").unwrap_err().code(), Some("parameter_invalid_integer"));
    }
}
