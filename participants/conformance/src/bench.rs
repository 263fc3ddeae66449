//! The participant under test: where it is, how its messages look, how it is restarted.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bytes::Bytes;
use tonic::Status;
use tonic::transport::{Channel, Endpoint};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;
use uuid::Uuid;

use crate::profile::{Profile, ProfileError, Setup};
use crate::schema::{self, Schema};
use crate::trial::Plan;
use crate::values::Values;
use crate::{Error, Failure, Options, Restart, wire};

/// How long one call may take.
pub(crate) const CALL: Duration = Duration::from_secs(15);
const CONNECT: Duration = Duration::from_secs(2);

pub(crate) struct Bench {
    pub(crate) profile: Profile,
    pub(crate) schema: Schema,
    pub(crate) channel: Channel,
    pub(crate) patience: Duration,
    restart: Option<Restart>,
}

impl Bench {
    /// Connects, learns the messages, and builds every request of the profile once, so that a mistake in it is told
    /// before anything is sent.
    pub(crate) async fn open(profile: Profile, options: Options) -> Result<Self, Error> {
        let Options { address, patience, restart, .. } = options;
        let bad = |why: String| Error::Address { address: address.clone(), why };
        if !address.starts_with("http://") {
            return Err(bad("it must begin with http://".into()));
        }
        let endpoint = Endpoint::from_shared(address.clone()).map_err(|e| bad(e.to_string()))?;
        let channel = endpoint.connect_timeout(CONNECT).tcp_nodelay(true).connect().await;
        let channel = channel.map_err(|e| Error::Unreachable { address: address.clone(), why: chain(&e) })?;
        let no_description = |why: String| Error::Reflection { address: address.clone(), why };
        let listed = schema::listed(&channel).await.map_err(no_description)?;
        // Many a server describes more than it serves.
        if !listed.contains(&profile.service) && health(&channel, &profile.service).await.is_err() {
            let (service, listed) = (profile.service, listed.join(", "));
            return Err(Error::OtherService { address, service, listed });
        }
        let schema = Schema::learn(&channel, &profile.service).await.map_err(no_description)?;
        let bench = Self { profile, schema, channel, patience, restart };
        bench.rehearse()?;
        Ok(bench)
    }

    /// Whether the participant can be crashed.
    pub(crate) fn can_restart(&self) -> bool {
        self.restart.is_some()
    }

    /// Crashes the participant and waits until it serves again.
    pub(crate) async fn restart(&self) -> Result<(), Failure> {
        let Some(restart) = &self.restart else {
            return Err(Failure::NotRun("needs --restart-command".into()));
        };
        restart().await.map_err(|why| Failure::Failed(format!("the restart failed: {why}")))?;
        let begun = Instant::now();
        loop {
            match self.health(&self.profile.service).await {
                Ok(ServingStatus::Serving) => return Ok(()),
                said if begun.elapsed() > self.patience => {
                    let said = said.map_or_else(|status| status.to_string(), |s| format!("{s:?}"));
                    return Err(Failure::Failed(format!(
                        "after the restart the participant did not serve within {:?}: {said}",
                        self.patience
                    )));
                }
                _ => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// What gRPC health says of `service`.
    pub(crate) async fn health(&self, service: &str) -> Result<ServingStatus, Status> {
        health(&self.channel, service).await
    }

    /// A call outside any saga; the answer as JSON.
    pub(crate) async fn plain(
        &self,
        method: &str,
        request: serde_json::Value,
    ) -> Result<Result<serde_json::Value, Status>, String> {
        let body = self.schema.encode(method, request)?;
        match self.raw(method, body, &[], CALL).await? {
            Ok(answer) => Ok(Ok(self.schema.decode(method, &answer)?)),
            Err(status) => Ok(Err(status)),
        }
    }

    pub(crate) async fn raw(
        &self,
        method: &str,
        body: Bytes,
        metadata: &[(String, String)],
        timeout: Duration,
    ) -> Result<Result<Bytes, Status>, String> {
        wire::call(&self.channel, &self.profile.service, method, body, metadata, timeout).await
    }

    /// Builds what would be sent, with a stand-in for everything that an answer will tell.
    fn rehearse(&self) -> Result<(), ProfileError> {
        let mut values = Values::new(Uuid::nil(), "");
        let reliefs = self.profile.actions.iter().filter_map(|a| a.refused.as_ref()).flat_map(|r| &r.relief);
        let setups: Vec<&Setup> = self.profile.setup.iter().chain(reliefs).collect();
        for name in setups.iter().flat_map(|setup| setup.save.keys()) {
            values.save(name, "0".into());
        }
        let encode = |at: String, method: &str, table: &toml::Table| {
            let request = values.request(table);
            let encoded = request.and_then(|request| self.schema.encode(method, request));
            encoded.map(drop).map_err(|why| ProfileError::at(at, why))
        };
        for setup in setups {
            encode(format!("setup or relief call `{}`", setup.call), &setup.call, &setup.request)?;
        }
        for action in &self.profile.actions {
            let at = |what: &str| format!("action `{}`, `{what}`", action.name);
            let plans = [
                ("request", Some(Plan::sample(action))),
                ("refused", Plan::refused(action)),
                ("slow", Plan::slow(action)),
                ("pending", Plan::pending(action)),
            ];
            for (what, plan) in plans.into_iter().filter_map(|(what, plan)| Some((what, plan?))) {
                encode(at(what), &action.rpc, &plan.request())?;
                encode(at("other"), &action.rpc, &plan.other())?;
                for (earlier, request) in plan.before(&self.profile) {
                    encode(at("before"), &earlier.rpc, &request)?;
                }
            }
            if let Some(undo) = &action.undo {
                encode(at("undo"), &undo.rpc, &undo.request)?;
            }
            if let Some(effect) = &action.effect {
                encode(at("effect"), &effect.read, &effect.request)?;
            }
            if let Some(pending) = &action.pending {
                let set = self.schema.has(&action.rpc, &Bytes::new(), &pending.field);
                set.map_err(|why| ProfileError::at(at("pending"), why))?;
            }
        }
        Ok(())
    }
}

async fn health(channel: &Channel, service: &str) -> Result<ServingStatus, Status> {
    let request = HealthCheckRequest { service: service.to_owned() };
    let mut client = HealthClient::new(channel.clone());
    let answer = tokio::time::timeout(CALL, client.check(request)).await;
    Ok(answer.map_err(|_| Status::deadline_exceeded("no answer"))??.into_inner().status())
}

/// Runs calls outside any saga, and saves what they tell.
pub(crate) async fn set_up(bench: &Bench, calls: &[Setup], values: &mut Values) -> Result<(), Failure> {
    for setup in calls {
        let failed = |why: String| Failure::Failed(format!("the set-up call {} failed: {why}", setup.call));
        let request = values.request(&setup.request).map_err(failed)?;
        let answer = bench.plain(&setup.call, request).await.map_err(failed)?;
        let answer = answer.map_err(|s| failed(format!("{:?} `{}`", s.code(), s.message())))?;
        let saved: BTreeMap<&String, Result<String, String>> =
            setup.save.iter().map(|(name, path)| (name, crate::values::at_path(&answer, path))).collect();
        for (name, value) in saved {
            values.save(name, value.map_err(failed)?);
        }
    }
    Ok(())
}

/// An error with its causes.
fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut next = error.source();
    while let Some(error) = next {
        text = format!("{text}: {error}");
        next = error.source();
    }
    text
}
