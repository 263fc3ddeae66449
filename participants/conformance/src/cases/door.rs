//! The door: health, reflection, methods and messages that nobody knows.

use backstitch_proto::contract::{Op, Verdict};
use bytes::{BufMut as _, BytesMut};
use prost::encoding::{WireType, encode_key, encode_varint};
use tonic::Code;
use tonic_health::pb::health_check_response::ServingStatus;

use super::{Ask, Case, Checked, case, fresh};
use crate::Failure;
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::Reply;
use crate::schema;
use crate::trial::Seen;

pub(super) const CASES: &[Case] = &[
    Case {
        id: "health",
        law: "gRPC health says SERVING of the service and of the whole",
        needs: &[],
        ask: Ask::Service(|b| Box::pin(health(b))),
    },
    Case {
        id: "reflection",
        law: "gRPC reflection lists the service",
        needs: &[],
        ask: Ask::Service(|b| Box::pin(reflection(b))),
    },
    case("unknown-method", "A method that there is not is UNIMPLEMENTED and no verdict", &[], |b, a| {
        Box::pin(unknown_method(b, a))
    }),
    case(
        "oversized-request",
        "A request of 5 MiB is done once or turned away, and the key stays good either way",
        &[],
        |b, a| Box::pin(oversized(b, a)),
    ),
];

async fn health(bench: &Bench) -> Checked {
    for service in [bench.profile.service.as_str(), ""] {
        let sent = format!("grpc.health.v1.Health/Check of `{service}`");
        match bench.health(service).await {
            Ok(ServingStatus::Serving) => {}
            Ok(other) => return Err(Failure::breach(&sent, format!("{other:?}"), "SERVING")),
            Err(status) => return Err(Failure::breach(&sent, status, "SERVING")),
        }
    }
    Ok(())
}

async fn reflection(bench: &Bench) -> Checked {
    let sent = "reflection, list of services";
    let listed = schema::listed(&bench.channel).await;
    let listed = listed.map_err(|why| Failure::breach(sent, why, "a list"))?;
    if listed.contains(&bench.profile.service) {
        return Ok(());
    }
    Err(Failure::breach(sent, listed.join(", "), &format!("`{}` among them", bench.profile.service)))
}

async fn unknown_method(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let sent = trial.ask(Op::Do).to("NoSuchMethod").send().await;
    match &sent.reply {
        Reply::Unknown(status, _) if status.code() == Code::Unimplemented && status.details().is_empty() => {
            Ok(())
        }
        _ => Err(sent.breach("UNIMPLEMENTED without any ErrorInfo")),
    }
}

async fn oversized(bench: &Bench, action: &Action) -> Checked {
    const PADDING: usize = 5 << 20;
    let trial = fresh(bench, action).await?;
    // A field that no schema has: who reads the message all the same reads the same request.
    let mut body = BytesMut::from(&trial.body[..]);
    encode_key(536_870_000, WireType::LengthDelimited, &mut body);
    encode_varint(u64::try_from(PADDING).unwrap_or_default(), &mut body);
    body.put_bytes(0, PADDING);
    let sent = trial.ask(Op::Do).body(&body.freeze(), "with 5 MiB in an unknown field").send().await;
    if let Reply::Verdict(Verdict::Refused(_) | Verdict::Superseded(_), _) = &sent.reply {
        return Err(sent.breach("Done, Broken, NotNow or a status without a verdict"));
    }
    let answer = trial.done().await?;
    if let Reply::Done(_) = &sent.reply {
        sent.done_with(&answer, "both tell the stored answer")?;
    }
    trial.sees(Seen::Once, "one of the two was done").await
}
