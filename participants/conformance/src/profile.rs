//! A profile: what a participant offers to sagas, told as data, so that it can be asked without generated code.

use std::collections::BTreeMap;

use serde::Deserialize;
use toml::{Table, Value};

use crate::cases;

/// The profiles of the participants that come with Backstitch, by name.
const BUILT_IN: [(&str, &str); 6] = [
    ("cart", include_str!("../profiles/cart.toml")),
    ("inventory", include_str!("../profiles/inventory.toml")),
    ("notification", include_str!("../profiles/notification.toml")),
    ("order", include_str!("../profiles/order.toml")),
    ("payment", include_str!("../profiles/payment.toml")),
    ("shipping", include_str!("../profiles/shipping.toml")),
];

/// What is said for a local action about cases that need an outside one.
const LOCAL: &str = "its effect is local: it is there or not, never under way";

/// What is said for an action after the pivot about refusals.
const AFTER_PIVOT: &str = "it comes after the pivot and cannot refuse";

/// A profile that cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ProfileError {
    /// No profile of this name is built in.
    #[error("there is no built-in profile `{0}`; there are {known}; for another participant give --profile FILE", known = names().join(", "))]
    Unknown(String),
    /// It is no TOML, or a key is none of a profile's.
    #[error("the profile cannot be read: {0}")]
    Syntax(#[from] Box<toml::de::Error>),
    /// A key's value cannot be.
    #[error("the profile's {at}: {why}")]
    Value {
        /// Which key.
        at: String,
        /// What is wrong with it, and what to do.
        why: String,
    },
}

impl ProfileError {
    pub(crate) fn at(at: impl Into<String>, why: impl Into<String>) -> Self {
        Self::Value { at: at.into(), why: why.into() }
    }
}

/// The names of the built-in profiles.
pub fn names() -> Vec<&'static str> {
    BUILT_IN.iter().map(|(name, _)| *name).collect()
}

/// A participant as the kit meets it.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Profile {
    /// Its name in the contract; it speaks as `NAME.backstitch`.
    pub participant: String,
    /// The full name of its gRPC service.
    pub service: String,
    /// Calls outside any saga that come before every trial, in this order.
    #[serde(default)]
    pub(crate) setup: Vec<Setup>,
    /// Sagas older than this are answered Expired.
    pub(crate) expires_after_days: Option<u32>,
    /// Why no saga is ever Expired.
    pub(crate) never_expires: Option<String>,
    /// Cases that do not apply.
    #[serde(default)]
    pub(crate) not_applicable: Vec<NotApplicable>,
    /// What it offers to sagas.
    #[serde(rename = "action")]
    pub(crate) actions: Vec<Action>,
}

/// A case that does not apply, and why.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NotApplicable {
    pub(crate) case: String,
    /// To this action only; to all of them if it is absent.
    pub(crate) action: Option<String>,
    pub(crate) why: String,
}

/// A call outside any saga.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Setup {
    pub(crate) call: String,
    #[serde(default)]
    pub(crate) request: Table,
    /// Placeholder and the path of the answer's field that it stands for from then on.
    #[serde(default)]
    pub(crate) save: BTreeMap<String, String>,
}

/// One action, and perhaps its undo.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Action {
    pub(crate) name: String,
    #[serde(rename = "do")]
    pub(crate) rpc: String,
    /// A request that is done.
    pub(crate) request: Table,
    /// Fields that make it another request.
    pub(crate) other: Table,
    /// Actions that are done before it in the same saga, in this order; their own `before` is not followed.
    #[serde(default)]
    pub(crate) before: Vec<String>,
    pub(crate) undo: Option<Undo>,
    no_undo: Option<String>,
    /// Whether its effect is at a provider.
    #[serde(default)]
    pub(crate) outside: bool,
    /// Whether it comes after the pivot, and so cannot refuse.
    #[serde(default)]
    pub(crate) after_pivot: bool,
    pub(crate) refused: Option<Refused>,
    never_refused: Option<String>,
    pub(crate) slow: Option<Variant>,
    never_slow: Option<String>,
    pub(crate) pending: Option<Pending>,
    never_pending: Option<String>,
    pub(crate) effect: Option<Effect>,
    unobserved: Option<String>,
}

/// The undo of an action.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Undo {
    pub(crate) rpc: String,
    pub(crate) request: Table,
}

/// Fields that replace some of a request's, and of the requests before it.
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Variant {
    #[serde(default)]
    pub(crate) with: Table,
    /// By the name of an action in `before`.
    #[serde(default)]
    pub(crate) before: BTreeMap<String, Table>,
}

/// A request that is refused.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Refused {
    pub(crate) reason: String,
    #[serde(default)]
    with: Table,
    #[serde(default)]
    before: BTreeMap<String, Table>,
    /// Calls after which the same request would be done, were its refusal not stored.
    #[serde(default)]
    pub(crate) relief: Vec<Setup>,
    pub(crate) no_relief: Option<String>,
}

/// A request that waits for the customer.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Pending {
    #[serde(default)]
    with: Table,
    #[serde(default)]
    before: BTreeMap<String, Table>,
    /// The field of the answer that is set exactly while it waits.
    pub(crate) field: String,
}

/// How an effect is seen.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Effect {
    pub(crate) read: String,
    #[serde(default)]
    pub(crate) request: Table,
    /// Path in the answer: names and indexes with dots between, `#` for how many; empty behind the end of a list.
    pub(crate) field: String,
    /// What is there before it happened.
    pub(crate) none: Value,
    /// What is there once it happened.
    pub(crate) once: Value,
    /// What is there after it was taken back; as `none` unless told.
    pub(crate) undone: Option<Value>,
    /// What is there after it was refused; as `none` unless told.
    pub(crate) refused: Option<Value>,
}

impl Profile {
    /// The built-in profile of this name.
    ///
    /// # Errors
    /// There is none.
    pub fn built_in(name: &str) -> Result<Self, ProfileError> {
        let found = BUILT_IN.iter().find(|(known, _)| *known == name);
        let (_, text) = found.ok_or_else(|| ProfileError::Unknown(name.to_owned()))?;
        Self::parse(text)
    }

    /// Reads a profile and checks what can be checked without the participant.
    ///
    /// # Errors
    /// Names the key that is wrong.
    pub fn parse(text: &str) -> Result<Self, ProfileError> {
        let profile: Self = toml::from_str(text).map_err(Box::new)?;
        profile.check()?;
        Ok(profile)
    }

    /// The action of this name.
    pub(crate) fn action(&self, name: &str) -> Option<&Action> {
        self.actions.iter().find(|action| action.name == name)
    }

    /// Why sagas never expire; `None` if they do.
    pub(crate) fn why_never_expires(&self) -> Option<&str> {
        self.never_expires.as_deref()
    }

    /// Why a case does not apply to an action, if it was declared.
    pub(crate) fn declared(&self, case: &str, action: &str) -> Option<&str> {
        let applies =
            |n: &&NotApplicable| n.case == case && n.action.as_deref().is_none_or(|name| name == action);
        self.not_applicable.iter().find(applies).map(|n| n.why.as_str())
    }

    fn check(&self) -> Result<(), ProfileError> {
        if self.actions.is_empty() {
            return Err(ProfileError::at("`action`", "there must be at least one"));
        }
        one_of(
            "expiry",
            ("expires_after_days", self.expires_after_days.is_some()),
            ("never_expires", self.never_expires.as_deref()),
        )?;
        for declared in &self.not_applicable {
            let at = format!("`not_applicable` of `{}`", declared.case);
            if !cases::all().any(|case| case.id == declared.case) {
                let known = cases::all().map(|case| case.id).collect::<Vec<_>>().join(", ");
                return Err(ProfileError::at(at, format!("there is no such case; there are {known}")));
            }
            if declared.why.trim().is_empty() {
                return Err(ProfileError::at(at, "`why` must say why"));
            }
            if let Some(name) = declared.action.as_deref().filter(|name| self.action(name).is_none()) {
                return Err(ProfileError::at(at, format!("there is no action `{name}`")));
            }
        }
        for (n, action) in self.actions.iter().enumerate() {
            if self.actions[..n].iter().any(|earlier| earlier.name == action.name) {
                return Err(ProfileError::at(format!("action `{}`", action.name), "is there twice"));
            }
            action.check(self)?;
        }
        Ok(())
    }
}

impl Refused {
    pub(crate) fn variant(&self) -> Variant {
        Variant { with: self.with.clone(), before: self.before.clone() }
    }
}

impl Pending {
    pub(crate) fn variant(&self) -> Variant {
        Variant { with: self.with.clone(), before: self.before.clone() }
    }
}

impl Action {
    fn check(&self, profile: &Profile) -> Result<(), ProfileError> {
        let at = |key: &str| format!("action `{}`, `{key}`", self.name);
        if self.other.is_empty() {
            return Err(ProfileError::at(at("other"), "must change at least one field"));
        }
        one_of(&at("undo"), ("undo", self.undo.is_some()), ("no_undo", self.no_undo.as_deref()))?;
        one_of(&at("effect"), ("effect", self.effect.is_some()), ("unobserved", self.unobserved.as_deref()))?;
        if self.after_pivot && (self.refused.is_some() || self.never_refused.is_some()) {
            return Err(ProfileError::at(
                at("refused"),
                "an action after the pivot has none: it cannot refuse",
            ));
        }
        if !self.after_pivot {
            let never = self.never_refused.as_deref();
            one_of(&at("refused"), ("refused", self.refused.is_some()), ("never_refused", never))?;
        }
        if let Some(refused) = &self.refused {
            let relief = ("relief", !refused.relief.is_empty());
            one_of(&at("refused"), relief, ("no_relief", refused.no_relief.as_deref()))?;
        }
        if self.outside {
            one_of(&at("slow"), ("slow", self.slow.is_some()), ("never_slow", self.never_slow.as_deref()))?;
            let never = self.never_pending.as_deref();
            one_of(&at("pending"), ("pending", self.pending.is_some()), ("never_pending", never))?;
        } else if self.slow.is_some() || self.pending.is_some() {
            return Err(ProfileError::at(
                at("slow"),
                "only an action with `outside = true` can be slow or pending",
            ));
        }
        let variants = [
            self.refused.as_ref().map(|r| &r.before),
            self.slow.as_ref().map(|s| &s.before),
            self.pending.as_ref().map(|p| &p.before),
        ];
        let mut overlaid = variants.into_iter().flatten().flat_map(BTreeMap::keys);
        if let Some(name) = overlaid.find(|name| !self.before.contains(name)) {
            return Err(ProfileError::at(at("before"), format!("`{name}` is not done before it")));
        }
        match self.before.iter().find(|name| profile.action(name).is_none() || **name == self.name) {
            Some(name) => Err(ProfileError::at(at("before"), format!("there is no other action `{name}`"))),
            None => Ok(()),
        }
    }

    /// Why it has no undo; `None` if it has.
    pub(crate) fn why_no_undo(&self) -> Option<&str> {
        self.no_undo.as_deref()
    }

    /// Why it is never refused; `None` if it can be.
    pub(crate) fn why_never_refused(&self) -> Option<&str> {
        if self.after_pivot { Some(AFTER_PIVOT) } else { self.never_refused.as_deref() }
    }

    /// Why it is never slow; `None` if it can be.
    pub(crate) fn why_never_slow(&self) -> Option<&str> {
        if self.outside { self.never_slow.as_deref() } else { Some(LOCAL) }
    }

    /// Why it never waits for the customer; `None` if it can.
    pub(crate) fn why_never_pending(&self) -> Option<&str> {
        if self.outside { self.never_pending.as_deref() } else { Some(LOCAL) }
    }

    /// Why its effect is not looked at; `None` if it is.
    pub(crate) fn why_unobserved(&self) -> Option<&str> {
        self.unobserved.as_deref()
    }
}

/// What is there must be told, or why it is not; never both.
fn one_of(at: &str, there: (&str, bool), why_not: (&str, Option<&str>)) -> Result<(), ProfileError> {
    let ((key, is_there), (not, why)) = (there, why_not);
    match (is_there, why) {
        (true, None) => Ok(()),
        (false, Some(why)) if !why.trim().is_empty() => Ok(()),
        (true, Some(_)) => Err(ProfileError::at(at, format!("`{key}` and `{not}` exclude each other"))),
        (false, _) => Err(ProfileError::at(at, format!("give `{key}`, or say why not as `{not} = \"…\"`"))),
    }
}
