//! Calls, one after the other: keys, faults, execution, the answer; and what tests tell.

use std::sync::Arc;
use std::time::Duration;

use serde::Serialize;
use serde_json::Value;
use tokio::sync::Mutex;

use crate::answer::Answer;
use crate::api::{self, Call};
use crate::control::{Ask, Done};
use crate::faults::Kind;
use crate::keys::{self, Use};
use crate::refusal::Refusal;
use crate::world::World;

/// Answers a call that was let in; `None` breaks the connection.
pub(crate) async fn call(world: &Arc<Mutex<World>>, call: Call, path: &str) -> Option<Answer> {
    let mut at = world.lock().await;
    let number = at.done.len();
    let (operation, id, key) = (call.operation, call.id.clone(), call.key.clone());
    at.done.push(Done { operation, id, key, status: 0, replayed: false });
    let fault = at.faults.draw(operation);
    let answer = match fault {
        Some(Kind::Reset) => None,
        Some(Kind::RateLimited(seconds)) => Some(Answer::refusal(&limited(seconds))),
        Some(Kind::KeyInUse) => Some(Answer::refusal(&keys::in_use(call.key().unwrap_or("none")))),
        Some(Kind::ErrorUnexecuted) => Some(Answer::refusal(&trouble())),
        _ => {
            let begun = match call.key() {
                Some(key) => {
                    let (path, parameters) = (path.to_owned(), call.form.sorted());
                    let now = at.clock.now();
                    at.keys.begin(key, Use { path, parameters }, now)
                }
                None => Ok(()),
            };
            match begun {
                Err(instead) => Some(instead),
                Ok(()) => {
                    if let Some(Kind::Slow(milliseconds)) = fault {
                        drop(at);
                        tokio::time::sleep(Duration::from_millis(milliseconds)).await;
                        at = world.lock().await;
                    }
                    Some(execute(&mut at, &call, fault).await)
                }
            }
        }
    };
    if let Some(answer) = &answer
        && fault != Some(Kind::ReplyLost)
    {
        (at.done[number].status, at.done[number].replayed) = (answer.status, answer.replayed);
    }
    drop(at);
    match fault {
        Some(Kind::ReplyLost) => None,
        Some(Kind::Late(milliseconds)) => {
            tokio::time::sleep(Duration::from_millis(milliseconds)).await;
            answer
        }
        _ => answer,
    }
}

/// Does it, and lets its key remember the answer.
async fn execute(world: &mut World, call: &Call, fault: Option<Kind>) -> Answer {
    let overtaken = match fault {
        Some(Kind::Overtaken) => api::captured_by_another(world, &call.id, i64::MAX).await,
        Some(Kind::OvertakenInPart(most)) => api::captured_by_another(world, &call.id, most).await,
        _ => Ok(()),
    };
    let result = match (fault, overtaken) {
        (_, Err(refusal)) => Err(refusal),
        (Some(Kind::ErrorStored), Ok(())) => Err(trouble().stored()),
        (_, Ok(())) => api::run(world, call).await,
    };
    let result = match fault {
        Some(Kind::ErrorExecuted) => Err(trouble().stored()),
        _ => result,
    };
    let stored = result.as_ref().err().is_none_or(|refusal| refusal.stored);
    let answer = Answer::of(result);
    if let Some(key) = call.key() {
        if stored { world.keys.store(key, &answer) } else { world.keys.forget(key) }
    }
    answer
}

fn trouble() -> Refusal {
    Refusal::internal("An unknown error occurred")
}

fn limited(seconds: u64) -> Refusal {
    let message = "Request rate limit exceeded.";
    let mut refusal = Refusal::new(429, "invalid_request_error", Some("rate_limit"), message);
    refusal.retry_after = Some(seconds);
    refusal
}

/// What a test tells or asks.
pub(crate) async fn control(world: &Arc<Mutex<World>>, ask: Ask) -> Result<Value, Refusal> {
    let mut at = world.lock().await;
    match ask {
        Ask::Fault(fault) => at.faults.add(fault),
        Ask::Storm(storm) => at.faults.storm(storm),
        Ask::Calm => at.faults.clear(),
        Ask::Customer(settle) => api::customer(&mut at, &settle.id, settle.succeeds).await?,
        Ask::Refund(settle) => api::settle(&mut at, &settle.id, settle.succeeds)?,
        Ask::Turn(turn) => api::turn(&mut at, turn.seconds.into()).await?,
        Ask::Lax(lax) => at.lax = lax,
        Ask::Webhooks(to) => at.events.send_to(to),
        Ask::Treat(treatment) => at.events.treat(treatment),
        Ask::Deliver(ids) => {
            let letters = at.events.letters(&ids);
            let letters = letters.map_err(|why| Refusal::new(400, "invalid_request_error", None, why))?;
            let courier = at.events.courier().clone();
            // The endpoint may ask this for the object before it answers.
            drop(at);
            let mut statuses = Vec::new();
            for letter in &letters {
                statuses.push(courier.deliver(letter).await);
            }
            return Ok(json(&statuses));
        }
        Ask::Events => return Ok(json(&at.events.seen())),
        Ask::Delivered => return Ok(json(&at.events.delivered())),
        Ask::Calls => return Ok(json(&at.done)),
        Ask::Statement => return Ok(json(&at.statement)),
    }
    Ok(Value::Null)
}

fn json<T: Serialize>(value: &T) -> Value {
    serde_json::to_value(value).expect("words of ours are JSON")
}

/// The page where a customer proves who it is; a browser that says how is sent back to the shop.
pub(crate) async fn page(
    world: &Arc<Mutex<World>>,
    intent: &str,
    outcome: Option<&str>,
) -> Result<Answer, Refusal> {
    let mut at = world.lock().await;
    let succeeds = match outcome {
        Some("succeed") => true,
        Some("fail") => false,
        _ => return Err(Refusal::invalid("outcome", "Say ?outcome=succeed or ?outcome=fail.")),
    };
    let back = at.intent(intent)?.return_url.clone();
    let back =
        back.ok_or_else(|| Refusal::invalid("return_url", "There is no URL to send the customer back to."))?;
    api::customer(&mut at, intent, succeeds).await?;
    let secret = at.intent(intent)?.upstream["client_secret"].as_str().unwrap_or_default().to_owned();
    let joint = if back.contains('?') { '&' } else { '?' };
    let status = if succeeds { "succeeded" } else { "failed" };
    let query =
        format!("payment_intent={intent}&payment_intent_client_secret={secret}&redirect_status={status}");
    Ok(Answer::elsewhere(format!("{back}{joint}{query}")))
}
