//! The participant contract as cases: what a participant in any language must answer, and must never do, asked over
//! gRPC from the outside.
//!
//! A [`Profile`] tells what to send; messages are encoded from the participant's own reflection, so nothing is
//! generated and nothing of it is linked. Knows the contract and no participant beyond the profiles, which are data.

#![cfg_attr(test, allow(clippy::unwrap_used))]

mod bench;
mod cases;
mod profile;
mod reply;
mod report;
mod schema;
mod trial;
mod values;
mod wire;

use std::time::Duration;

use futures::StreamExt as _;
use futures::future::BoxFuture;

use crate::bench::Bench;
pub use crate::cases::{Case, all as cases};
pub use crate::profile::{Profile, ProfileError, names as built_in_names};
pub use crate::report::{Outcome, Report, Row, Verdict};

/// Kills the participant as a crash would and starts it again; returns when both are done, or why not.
pub type Restart = Box<dyn Fn() -> BoxFuture<'static, Result<(), String>> + Send + Sync>;

/// How to run the cases.
pub struct Options {
    /// Where the participant is, e.g. `http://127.0.0.1:50051`.
    pub address: String,
    /// Only these cases; all if it is empty.
    pub only: Vec<String>,
    /// How long a call that is to be asked again may take to be settled, and a restarted participant to serve.
    pub patience: Duration,
    /// Needed by the cases that crash the participant.
    pub restart: Option<Restart>,
}

/// Why no case was run.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The profile does not fit the participant.
    #[error(transparent)]
    Profile(#[from] ProfileError),
    /// No such case.
    #[error("there is no case `{name}`; there are {known}")]
    UnknownCase {
        /// As it was asked for.
        name: String,
        /// Those that there are.
        known: String,
    },
    /// The address is none.
    #[error("the address `{address}` is no URI such as http://127.0.0.1:50051: {why}")]
    Address {
        /// As it was given.
        address: String,
        /// Why not.
        why: String,
    },
    /// Nobody answers.
    #[error("nobody can be reached at {address}: {why}; start the participant, or give another --address")]
    Unreachable {
        /// Where.
        address: String,
        /// Why.
        why: String,
    },
    /// Somebody else answers.
    #[error(
        "{address} does not serve `{service}`; it serves {listed}; give another --address or another profile"
    )]
    OtherService {
        /// Where.
        address: String,
        /// What the profile names.
        service: String,
        /// What reflection lists.
        listed: String,
    },
    /// Its messages are not known.
    #[error("the participant at {address} does not describe itself: {why}")]
    Reflection {
        /// Where.
        address: String,
        /// Why.
        why: String,
    },
}

/// What a participant did that the contract does not allow, or what kept a case from being asked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The participant breaks the contract, or its profile does not say what is so.
    Failed(String),
    /// What the case is about did not come about.
    NotRun(String),
}

impl Failure {
    /// The contract wanted something else.
    pub(crate) fn breach(sent: &str, came: impl std::fmt::Display, want: &str) -> Self {
        Failure::Failed(format!("sent: {sent}\ncame back: {came}\nthe contract wants: {want}"))
    }
}

/// Cases that run at a time; trials share nothing, and a slow provider is mostly waited for.
const AT_ONCE: usize = 6;

/// Runs the cases of the contract against the participant that `profile` tells of.
///
/// # Errors
/// That no case could be run at all; what a case finds is in the report.
pub async fn run(profile: Profile, options: Options) -> Result<Report, Error> {
    let chosen = chosen(&options.only)?;
    let address = options.address.clone();
    let bench = Bench::open(profile, options).await?;
    let (crashing, calm): (Vec<&Case>, Vec<&Case>) = chosen.iter().partition(|case| case.crashes());
    let mut rows: Vec<Row> =
        futures::stream::iter(calm).map(|case| case.run(&bench)).buffered(AT_ONCE).collect().await;
    // One crash at a time, and nothing else meanwhile.
    for case in crashing {
        rows.push(case.run(&bench).await);
    }
    let actions = bench.profile.actions.iter();
    let unobserved = actions.clone().filter_map(|a| Some((a.name.clone(), a.why_unobserved()?.to_owned())));
    Ok(Report {
        participant: bench.profile.participant.clone(),
        address,
        unobserved: unobserved.collect(),
        actions: actions.map(|a| a.name.clone()).collect(),
        rows,
    })
}

fn chosen(only: &[String]) -> Result<Vec<&'static Case>, Error> {
    if let Some(name) = only.iter().find(|name| !cases().any(|case| case.id == **name)) {
        let known = cases().map(|case| case.id).collect::<Vec<_>>().join(", ");
        return Err(Error::UnknownCase { name: name.clone(), known });
    }
    Ok(cases().filter(|case| only.is_empty() || only.iter().any(|name| name == case.id)).collect())
}
