//! One saga's dealings with one step: what a case is made of.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use backstitch_proto::contract::{Op, keys};
use bytes::Bytes;
use toml::Table;
use tonic::{Code, Status};
use uuid::Uuid;

use crate::Failure;
use crate::bench::{Bench, CALL, set_up};
use crate::profile::{Action, Profile, Variant};
use crate::reply::{Reply, Sent};
use crate::values::{Values, at_path, overlaid};

/// Metadata that every call of the contract carries.
pub(crate) const REQUIRED: [&str; 7] = [
    keys::SAGA_ID,
    keys::SAGA_ROOT,
    keys::SAGA_NAME,
    keys::SAGA_STEP,
    keys::SAGA_OP,
    keys::SAGA_ATTEMPT,
    keys::IDEMPOTENCY_KEY,
];

/// An action with one of its requests.
#[derive(Clone)]
pub(crate) struct Plan<'a> {
    pub(crate) action: &'a Action,
    variant: Variant,
    alone: bool,
}

impl<'a> Plan<'a> {
    /// With the request that is done.
    pub(crate) fn sample(action: &'a Action) -> Self {
        Self { action, variant: Variant::default(), alone: false }
    }

    /// The same, but with nothing done before it that should be.
    pub(crate) fn alone(action: &'a Action) -> Self {
        Self { alone: true, ..Self::sample(action) }
    }

    /// With the request that is refused.
    pub(crate) fn refused(action: &'a Action) -> Option<Self> {
        Some(Self { variant: action.refused.as_ref()?.variant(), ..Self::sample(action) })
    }

    /// With the request whose do takes long.
    pub(crate) fn slow(action: &'a Action) -> Option<Self> {
        Some(Self { variant: action.slow.clone()?, ..Self::sample(action) })
    }

    /// With the request that waits for the customer.
    pub(crate) fn pending(action: &'a Action) -> Option<Self> {
        Some(Self { variant: action.pending.as_ref()?.variant(), ..Self::sample(action) })
    }

    pub(crate) fn request(&self) -> Table {
        overlaid(&self.action.request, &self.variant.with)
    }

    pub(crate) fn other(&self) -> Table {
        overlaid(&self.request(), &self.action.other)
    }

    /// The actions that are done before it, with their requests.
    pub(crate) fn before<'p>(&self, profile: &'p Profile) -> Vec<(&'p Action, Table)> {
        let earlier =
            self.action.before.iter().filter(|_| !self.alone).filter_map(|name| profile.action(name));
        let none = Table::new();
        let request = |a: &Action| overlaid(&a.request, self.variant.before.get(&a.name).unwrap_or(&none));
        earlier.map(|action| (action, request(action))).collect()
    }
}

/// A saga at its step.
pub(crate) struct Trial<'a> {
    pub(crate) bench: &'a Bench,
    pub(crate) action: &'a Action,
    pub(crate) saga: Uuid,
    pub(crate) step: String,
    pub(crate) body: Bytes,
    pub(crate) other: Bytes,
    undo: Option<Bytes>,
    values: Values,
    pending_field: Option<&'a str>,
}

/// What is there of a step's effect.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Seen {
    Nothing,
    Once,
    Undone,
    Refused,
}

impl<'a> Trial<'a> {
    /// A new saga whose set-up and earlier actions are done, and whose step is not called yet.
    pub(crate) async fn begin(bench: &'a Bench, plan: &Plan<'a>) -> Result<Trial<'a>, Failure> {
        Self::begin_in(bench, plan, Uuid::now_v7(), "").await
    }

    /// Another step of the same saga, about other things.
    pub(crate) async fn beside(&self, plan: &Plan<'a>) -> Result<Trial<'a>, Failure> {
        Self::begin_in(self.bench, plan, self.saga, "-beside").await
    }

    /// A step of `saga`; `salt` tells its things and its name from those of other steps of the saga.
    pub(crate) async fn begin_in(
        bench: &'a Bench,
        plan: &Plan<'a>,
        saga: Uuid,
        salt: &str,
    ) -> Result<Trial<'a>, Failure> {
        let mut values = Values::new(saga, salt);
        set_up(bench, &bench.profile.setup, &mut values).await?;
        let bytes = |rpc: &str, request: &Table| {
            let request = values.request(request).and_then(|r| bench.schema.encode(rpc, r));
            request.map_err(|why| Failure::Failed(format!("the profile's request of {rpc}: {why}")))
        };
        let trial = |action: &'a Action, body: Bytes, other: Bytes, undo: Option<Bytes>| Trial {
            bench,
            action,
            saga,
            step: format!("{}{salt}", action.name),
            body,
            other,
            undo,
            values: values.clone(),
            pending_field: action.pending.as_ref().map(|p| p.field.as_str()),
        };
        for (earlier, request) in plan.before(&bench.profile) {
            let body = bytes(&earlier.rpc, &request)?;
            trial(earlier, body.clone(), body, None)
                .ask(Op::Do)
                .settle()
                .await
                .done("an action before this one")?;
        }
        let undo = plan.action.undo.as_ref().map(|undo| bytes(&undo.rpc, &undo.request)).transpose()?;
        let (body, other) =
            (bytes(&plan.action.rpc, &plan.request())?, bytes(&plan.action.rpc, &plan.other())?);
        Ok(trial(plan.action, body, other, undo))
    }

    /// A call of this step, with nothing wrong about it.
    pub(crate) fn ask(&self, op: Op) -> Call<'_, 'a> {
        let undo = self.action.undo.as_ref().filter(|_| op == Op::Undo);
        let rpc = undo.map_or(&self.action.rpc, |undo| &undo.rpc);
        let body = self.undo.as_ref().filter(|_| op == Op::Undo).unwrap_or(&self.body);
        let key = format!("{}/{}/{op}", self.saga, self.step);
        let saga = self.saga.to_string();
        let metadata = [
            (keys::SAGA_ID, saga.clone()),
            (keys::SAGA_ROOT, saga),
            (keys::SAGA_NAME, "conformance".to_owned()),
            (keys::SAGA_STEP, self.step.clone()),
            (keys::SAGA_OP, op.to_string()),
            (keys::SAGA_ATTEMPT, "1".to_owned()),
            (keys::IDEMPOTENCY_KEY, key),
        ];
        Call {
            trial: self,
            rpc: rpc.clone(),
            body: body.clone(),
            metadata: metadata.into_iter().map(|(key, value)| (key.to_owned(), value)).collect(),
            what: format!("{op} of {rpc}, step `{}`", self.step).into(),
            timeout: CALL,
        }
    }

    /// The first do, which is done; its answer.
    pub(crate) async fn done(&self) -> Result<Bytes, Failure> {
        self.ask(Op::Do).settle().await.done("an absent row: the effect happens and is answered")
    }

    /// Runs the calls after which a refused request would be done.
    pub(crate) async fn relieve(&self) -> Result<(), Failure> {
        let relief = self.action.refused.as_ref().map(|r| r.relief.as_slice()).unwrap_or_default();
        set_up(self.bench, relief, &mut self.values.clone()).await
    }

    /// Insists on what is there of the effect, if it can be looked at.
    pub(crate) async fn sees(&self, seen: Seen, why: &str) -> Result<(), Failure> {
        let Some(effect) = &self.action.effect else { return Ok(()) };
        let (found, wanted) = (self.found().await?, self.wanted(seen)?);
        if found == wanted {
            return Ok(());
        }
        let sent = format!("{} to see the effect of step `{}`", effect.read, self.step);
        Err(Failure::breach(
            &sent,
            format!("{} = {found}", effect.field),
            &format!("{} = {wanted}: {why}", effect.field),
        ))
    }

    /// Whether the effect is there once; `None` if it cannot be looked at.
    pub(crate) async fn is_there(&self) -> Result<Option<bool>, Failure> {
        match &self.action.effect {
            Some(_) => Ok(Some(self.found().await? == self.wanted(Seen::Once)?)),
            None => Ok(None),
        }
    }

    fn wanted(&self, seen: Seen) -> Result<String, Failure> {
        let Some(effect) = &self.action.effect else { return Ok(String::new()) };
        let value = match seen {
            Seen::Nothing => &effect.none,
            Seen::Once => &effect.once,
            Seen::Undone => effect.undone.as_ref().unwrap_or(&effect.none),
            Seen::Refused => effect.refused.as_ref().unwrap_or(&effect.none),
        };
        let told = match value {
            toml::Value::String(text) => self.values.text(text),
            other => Ok(other.to_string()),
        };
        told.map_err(Failure::Failed)
    }

    async fn found(&self) -> Result<String, Failure> {
        let Some(effect) = &self.action.effect else { return Ok(String::new()) };
        let failed =
            |why: String| Failure::Failed(format!("the effect cannot be read by {}: {why}", effect.read));
        let request = self.values.request(&effect.request).map_err(failed)?;
        match self.bench.plain(&effect.read, request).await.map_err(failed)? {
            Ok(answer) => at_path(&answer, &effect.field).map_err(failed),
            Err(status) if status.code() == Code::NotFound => Ok("NOT_FOUND".into()),
            Err(status) => Err(failed(status.to_string())),
        }
    }
}

/// A call that is about to be sent, right as it is until somebody changes it.
#[derive(Clone)]
pub(crate) struct Call<'t, 'a> {
    trial: &'t Trial<'a>,
    rpc: String,
    body: Bytes,
    metadata: Vec<(String, String)>,
    what: Cow<'static, str>,
    timeout: Duration,
}

impl Call<'_, '_> {
    /// With another message.
    pub(crate) fn body(mut self, body: &Bytes, what: &str) -> Self {
        self.body = body.clone();
        self.saying(what)
    }

    /// To another method.
    pub(crate) fn to(mut self, rpc: &str) -> Self {
        self.rpc = rpc.to_owned();
        self.saying(&format!("to {rpc}"))
    }

    /// With another value of `key`, or one that was not there.
    pub(crate) fn with(mut self, key: &str, value: &str) -> Self {
        self.metadata.retain(|(known, _)| known != key);
        self.metadata.push((key.to_owned(), value.to_owned()));
        self.saying(&format!("{key} = `{value}`"))
    }

    /// Without `key`.
    pub(crate) fn without(mut self, key: &str) -> Self {
        self.metadata.retain(|(known, _)| known != key);
        self.saying(&format!("without {key}"))
    }

    /// With a deadline of its own.
    pub(crate) fn within(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self.saying(&format!("deadline {timeout:?}"))
    }

    /// With more about it for a person.
    pub(crate) fn saying(mut self, what: &str) -> Self {
        self.what = format!("{}, {what}", self.what).into();
        self
    }

    /// Sends it once.
    pub(crate) async fn send(&self) -> Sent {
        let Self { trial, rpc, body, metadata, .. } = self;
        let key = metadata.iter().find(|(key, _)| key == keys::IDEMPOTENCY_KEY).map_or("", |(_, v)| v);
        let reply = match trial.bench.raw(rpc, body.clone(), metadata, self.timeout).await {
            Ok(Ok(answer)) => self.trial.done_or_pending(answer, rpc),
            Ok(Err(status)) => Reply::of(status, &trial.bench.profile.participant, key),
            Err(why) => Reply::Lost(why),
        };
        Sent { what: self.what.to_string(), reply }
    }

    /// Sends it again and again, as an orchestrator would, until it is answered by what holds for good or patience ends.
    pub(crate) async fn settle(&self) -> Sent {
        let begun = Instant::now();
        loop {
            let sent = self.send().await;
            if !sent.reply.is_open() {
                return sent;
            }
            if begun.elapsed() > self.trial.bench.patience {
                let what = format!("{}, repeated for {:?}", sent.what, self.trial.bench.patience);
                return Sent { what, ..sent };
            }
            tokio::time::sleep(sent.reply.pause()).await;
        }
    }
}

impl Trial<'_> {
    fn done_or_pending(&self, answer: Bytes, rpc: &str) -> Reply {
        match self.pending_field.filter(|_| rpc == self.action.rpc) {
            Some(field) => match self.bench.schema.has(rpc, &answer, field) {
                Ok(true) => Reply::Pending(answer),
                Ok(false) => Reply::Done(answer),
                Err(why) => Reply::Unknown(Status::internal(why), "the answer cannot be read".into()),
            },
            None => Reply::Done(answer),
        }
    }
}
