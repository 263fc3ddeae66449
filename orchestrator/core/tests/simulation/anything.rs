//! Events in any order and of any content, believable or not, at times that jump: the table answers each with records
//! that fold to its state, or with an error that changes nothing, and never falls silent.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use backstitch_core::{End, Event, Instructions, Op, Outcome, Refusal, Saga, StepId, Timestamp, begin, next};
use bytes::Bytes;
use proptest::prelude::*;
use proptest::test_runner::{TestError, TestRunner};
use prost::Message;
use uuid::Uuid;

use crate::laws;
use crate::plan::{Answer, Plan, any_plan, input};
use crate::tape::Tape;

fn an_op(tape: &mut Tape) -> Op {
    [Op::Do, Op::Undo, Op::Close][tape.weighted(&[2, 1, 1])]
}

fn a_while(tape: &mut Tape) -> Duration {
    Duration::from_millis([0, 1_000, u64::MAX][tape.pick(3)])
}

fn an_outcome(tape: &mut Tape) -> Outcome {
    let answer = |nonce, lies| Outcome::Done(Answer { nonce, lies }.encode_to_vec().into());
    let why = || "because".to_owned();
    match tape.weighted(&[6, 1, 1, 1, 2, 2, 2, 1, 1]) {
        0 => answer(tape.pick(4) as u64, false),
        1 => answer(0, true),
        2 => Outcome::Done(Bytes::from_static(&[0xff])),
        3 => Outcome::Refused(Refusal::new("NO", "because")),
        4 => Outcome::NotNow { after: a_while(tape), why: why() },
        5 => Outcome::Pending { next_action: Instructions(Bytes::from_static(b"act")) },
        6 => Outcome::Unknown { after: a_while(tape), why: why() },
        7 => Outcome::Broken(why()),
        _ => Outcome::Superseded(why()),
    }
}

/// Of up to seven steps, eight are asked about.
fn a_step(tape: &mut Tape) -> StepId {
    StepId::new(tape.pick(8)).unwrap()
}

fn an_attempt(tape: &mut Tape) -> u32 {
    u32::try_from(tape.pick(6)).unwrap()
}

fn an_event(tape: &mut Tape) -> Event {
    let why = || "because".to_owned();
    match tape.weighted(&[30, 12, 1, 1, 1, 1, 1, 1, 4, 1, 3, 2]) {
        0 => Event::Replied {
            step: a_step(tape),
            op: an_op(tape),
            attempt: an_attempt(tape),
            outcome: an_outcome(tape),
        },
        1 => Event::RetryDue { step: a_step(tape), op: an_op(tape), attempt: an_attempt(tape) },
        2 => Event::Own { recovered: tape.pick(2) == 1 },
        3 => Event::DeadlinePassed,
        4 => Event::Cancel { why: why() },
        5 => Event::Wake,
        6 => Event::Available { participant: "participant".into() },
        7 => Event::Poison { why: why() },
        8 => Event::Resume { why: why() },
        9 => Event::Note { text: format!("note {}", tape.pick(3)) },
        10 => Event::MakeGood { why: why(), return_saga: a_return(tape) },
        _ => Event::Returned {
            return_saga: a_return(tape),
            end: [End::Completed, End::Compensated][tape.pick(2)],
            why: why(),
        },
    }
}

fn a_return(tape: &mut Tape) -> Uuid {
    Uuid::from_u128(tape.pick(2) as u128)
}

/// Around the budgets and the deadline, in no order, sometimes far off.
fn a_time(tape: &mut Tape) -> i64 {
    let near = i64::try_from(tape.pick(15_000)).unwrap();
    [near, 4 * near, i64::MAX, i64::MIN][tape.weighted(&[20, 3, 1, 1])]
}

fn run(plan: &Plan, tape: &[u16], mut story: Option<&mut Vec<String>>) -> Result<(), String> {
    let definition = plan.build();
    let id = Uuid::from_u128(1);
    let (mut saga, first) = begin(&definition, id, id, input(), String::new(), Timestamp(0));
    let mut journal = vec![first];
    let mut tape = Tape::new(tape);
    let mut event = Event::Own { recovered: false };
    while !tape.is_used_up() {
        if let Some(story) = &mut story {
            story.push(format!("{event:?}"));
        }
        let before = saga.clone();
        let (at, jitter) = (Timestamp(a_time(&mut tape)), u32::try_from(tape.pick(65_536)).unwrap() * 65_537);
        match next(&definition, &mut saga, event.clone(), at, jitter) {
            Err(illegal) if before != saga => {
                return Err(format!("{event:?}: {illegal}, yet the state changed"));
            }
            Err(_) => {}
            Ok(transition) => {
                laws::transition(&definition, &saga, &transition).map_err(|e| format!("{event:?}: {e}"))?;
                if let Some(story) = &mut story {
                    story.extend(transition.records.iter().map(|entry| format!("    + {entry:?}")));
                }
                journal.extend(transition.records);
            }
        }
        event = an_event(&mut tape);
    }
    let folded = Saga::replay(&definition, id, &journal).map_err(|e| e.to_string())?;
    laws::fold_is_live(&folded, &saga)
}

#[test]
fn any_event_at_any_time_is_answered_or_refused_and_never_panics() {
    let config = crate::config();
    let seed = config.rng_seed;
    let case = (any_plan(), prop::collection::vec(any::<u16>(), 0..400));
    let result = TestRunner::new(config)
        .run(&case, |(plan, tape)| run(&plan, &tape, None).map_err(TestCaseError::fail));
    match result {
        Ok(()) => {}
        Err(TestError::Fail(reason, (plan, tape))) => {
            let mut story = Vec::new();
            let told = catch_unwind(AssertUnwindSafe(|| run(&plan, &tape, Some(&mut story))));
            panic!("{reason}\n\nseed {seed}\n{plan:#?}\n\n{}\n{told:?}", story.join("\n"));
        }
        Err(other) => panic!("seed {seed}: {other}"),
    }
}
