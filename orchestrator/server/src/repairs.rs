//! Repairs: an object at the payment provider that nobody owns is taken back by a saga of its own.
//!
//! Whoever wants that has looked at the provider. Here is looked at the family of the saga that made the object, after that
//! and once more: what it has made is its own until it has ended, and while a return, a case or another repair of it
//! is under way, what the object has taken may be on its way back.

use std::time::Duration;

use backstitch_engine::{NewRun, StartError, Started};
use backstitch_proto::ids::born_ms;
use backstitch_proto::operator::RepairObjectRequest;
use backstitch_proto::operator::operator_client::OperatorClient;
use backstitch_proto::returns::RepairInput;
use backstitch_sagas::definition;
use backstitch_store::Status;
use prost::Message as _;
use tonic::transport::Channel;
use uuid::Uuid;

use crate::app::{App, now_ms};
use crate::operator::Detail;
use crate::peers::{self, Act, Asker, Here, handed_on};
use crate::problem::{Problem, kind};
use crate::request::Canonical;
use crate::sagas::{self, MAX_REASON};
use crate::{failures, fields};

/// Whose keys they are: nobody's who asks through a face.
const SCOPE: &str = "backstitch/repair";
/// The states in which an object holds or has taken something.
const STATES: [&str; 2] = ["authorized", "captured"];
/// A provider's id has at most so many characters; with a state it fits a key.
const MAX_PROVIDER_ID: usize = 200;

/// A repair as it was asked for, valid by itself.
pub(crate) struct Repair {
    message: RepairObjectRequest,
    /// The saga that made the object.
    saga: Option<Uuid>,
}

impl Repair {
    pub(crate) fn check(message: RepairObjectRequest) -> Result<Self, Problem> {
        fields::words("/provider_id", &message.provider_id, MAX_PROVIDER_ID)?;
        if !STATES.contains(&message.state.as_str()) {
            let detail = format!("It must be one of {}.", STATES.join(", "));
            return Err(Problem::new(&kind::INVALID_FIELD, detail).at("/state"));
        }
        fields::words("/reason", &message.reason, MAX_REASON)?;
        let saga = match message.saga_id.as_str() {
            "" => None,
            id => Some(fields::id("/saga_id", id)?),
        };
        Ok(Self { message, saga })
    }

    /// The same object in the same state, of the same saga, is the same repair, whatever the reason. Another saga makes
    /// another one: that of the wrong saga is refused.
    fn key(&self) -> String {
        let object = format!("{}/{}", self.message.state, self.message.provider_id);
        self.saga.map_or(object.clone(), |saga| format!("{object}/{saga}"))
    }

    fn run(&self) -> NewRun {
        let RepairObjectRequest { provider_id, state, reason, .. } = self.message.clone();
        let mut hash = Canonical::new("repair/1");
        hash.bytes(self.key().as_bytes());
        NewRun {
            id: Uuid::now_v7(),
            root: self.saga,
            definition: definition::REPAIR.to_owned(),
            scope: SCOPE.to_owned(),
            key: Some(self.key()),
            request_hash: hash.finish(),
            input: RepairInput { provider_id, state, reason }.encode_to_vec().into(),
            traceparent: String::new(),
        }
    }
}

/// Starts a repair, or finds the one that the same object in the same state has already.
pub(crate) async fn start(app: &App, repair: Repair, asker: Asker) -> Result<Detail, Problem> {
    // One that there is already is found, however its family stands by now.
    let known = app.engine.store().key(SCOPE, &repair.key()).await.map_err(failures::store)?;
    if let (Some(saga), None) = (repair.saga, known) {
        settled(app, saga).await?;
    }
    let started = peers::bridged(app, asker, &repair).await;
    let started = started.map_err(|not_done| failures::start_of_family(&app.engine, not_done))?;
    sagas::get(app, started.id()).await
}

impl Act for Repair {
    type Done = Started;
    type Error = StartError;

    async fn here(&self, app: &App) -> Here<Started, StartError> {
        peers::begun(app.engine.start(self.run()).await)
    }

    async fn there(&self, owner: Channel) -> Result<Started, tonic::Status> {
        let answer = OperatorClient::new(owner).repair_object(handed_on(self.message.clone())).await?;
        peers::started(&answer.into_inner())
    }
}

/// Refuses while the saga's family may still do something with what it made: something of it is live or parked, or the saga
/// is not known here and not old enough to have been forgotten.
async fn settled(app: &App, saga: Uuid) -> Result<(), Problem> {
    let made_by = app.engine.store().load(saga).await.map_err(failures::store)?;
    // A root may be forgotten before the last of its family has ended.
    let root = made_by.as_ref().map_or(saga, |stored| stored.row.root);
    ended(app, saga, made_by.map(|stored| stored.row.status))?;
    match app.engine.store().family(root).await.map_err(failures::store)?.first() {
        None => Ok(()),
        Some(row) => {
            let (id, status) = (row.id.to_string(), row.status.as_str());
            let detail =
                format!("Of the family of the saga that made it, `{}` {id} is {status}.", row.definition);
            Err(Problem::new(&kind::NOT_SETTLED, detail)
                .at("/saga_id")
                .with("saga_id", id)
                .with("saga_status", status))
        }
    }
}

/// Whether the saga itself has ended; `status`: as it is known here.
fn ended(app: &App, saga: Uuid, status: Option<Status>) -> Result<(), Problem> {
    let not_settled = |detail: String| {
        Problem::new(&kind::NOT_SETTLED, detail).at("/saga_id").with("saga_id", saga.to_string())
    };
    match status {
        Some(status) if status.is_final() => Ok(()),
        Some(status) => {
            let status = status.as_str();
            Err(not_settled(format!("The saga that made it is {status}.")).with("saga_status", status))
        }
        None => {
            let kept = app.engine.retention().max(longest_deadline(app));
            let gone_before = now_ms().saturating_sub(i64::try_from(kept.as_millis()).unwrap_or(i64::MAX));
            match born_ms(saga) {
                Some(born) if born < gone_before => Ok(()),
                Some(_) => Err(not_settled(
                    "The saga that made it is not known here, and would be if it had been accepted and ended; \
                     it may be on its way."
                        .to_owned(),
                )),
                None => {
                    let detail = "No saga has such an id: it must be a UUIDv7. Leave it out where the object names none.";
                    Err(Problem::new(&kind::INVALID_FIELD, detail).at("/saga_id"))
                }
            }
        }
    }
}

fn longest_deadline(app: &App) -> Duration {
    app.engine.catalog().all().map(|definition| definition.deadline).max().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked() -> RepairObjectRequest {
        RepairObjectRequest {
            provider_id: "pi_7".into(),
            state: "captured".into(),
            saga_id: String::new(),
            reason: "nobody's".into(),
        }
    }

    #[test]
    fn what_cannot_be_repaired_is_named() {
        type Edit = fn(&mut RepairObjectRequest);
        let cases: [(Edit, &str); 6] = [
            (|r| r.provider_id.clear(), "/provider_id"),
            (|r| r.provider_id = "x".repeat(201), "/provider_id"),
            (|r| r.state = "cancelled".into(), "/state"),
            (|r| r.reason.clear(), "/reason"),
            (|r| r.reason = "x".repeat(501), "/reason"),
            (|r| r.saga_id = "seven".into(), "/saga_id"),
        ];
        for (edit, field) in cases {
            let mut message = asked();
            edit(&mut message);
            let problem = Repair::check(message).map(drop).unwrap_err();
            assert_eq!(problem.field(), Some(field));
        }
        let saga_id = Uuid::now_v7().to_string();
        let most = RepairObjectRequest { provider_id: "x".repeat(200), saga_id, ..asked() };
        assert!(Repair::check(most).unwrap().key().len() <= 255);
    }

    #[test]
    fn the_reason_makes_no_other_repair_of_it_and_the_state_does() {
        let run = |message| Repair::check(message).unwrap().run();
        let (one, other) = (run(asked()), run(RepairObjectRequest { reason: "really".into(), ..asked() }));
        assert_eq!((&one.key, one.request_hash), (&other.key, other.request_hash));
        let held = run(RepairObjectRequest { state: "authorized".into(), ..asked() });
        assert_ne!(one.key, held.key);
        let of_a_saga = run(RepairObjectRequest { saga_id: Uuid::from_u128(7).to_string(), ..asked() });
        assert_ne!(one.key, of_a_saga.key);
    }
}
