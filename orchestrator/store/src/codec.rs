//! Journal records as bytes: the core's words to the wire's and back.
//!
//! Both directions name every variant, so that a record which the core learns does not compile until it can be
//! stored. Decoding believes nothing: what the core could not have written is an error, never a default.

use backstitch_core::{Cause, Entry, Instructions, ParkedBy, Record, Refusal, Start, StepId, Timestamp};
use backstitch_proto::journal::{self as wire, record::Kind, turned_back};
use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

/// Bytes that are no record of this program: another version's, or damaged.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("record {seq} cannot be read: {why}")]
pub struct DecodeError {
    /// The record's number.
    pub seq: u32,
    /// What does not fit.
    pub why: String,
}

/// The bytes of a journal entry. The same entry has the same bytes, always: a re-append is recognised by them.
pub fn encode(entry: &Entry) -> Bytes {
    let kind = match entry.record.clone() {
        Record::Started(start) => Kind::Started(started(*start)),
        Record::StepDone { step, output, attempts, valid_until } => Kind::StepDone(wire::StepDone {
            step: number(step),
            output,
            attempts,
            valid_until_unix_ms: valid_until.map(|until| until.0),
        }),
        Record::StepRefused { step, refusal, attempts, called } => Kind::StepRefused(wire::StepRefused {
            step: number(step),
            refusal: Some(wire::Refusal {
                reason: refusal.reason,
                detail: refusal.detail,
                metadata: refusal.metadata,
            }),
            attempts,
            called,
        }),
        Record::StepWaiting { step, next_action, until } => {
            let Instructions(next_action) = next_action;
            Kind::StepWaiting(wire::StepWaiting { step: number(step), next_action, until_unix_ms: until.0 })
        }
        Record::PivotIntent => Kind::PivotIntent(wire::PivotIntent {}),
        Record::CloseIntent { step } => Kind::CloseIntent(wire::CloseIntent { step: number(step) }),
        Record::TurnedBack { cause } => Kind::TurnedBack(turned_back(cause)),
        Record::UndoDone { step, attempts } => {
            Kind::UndoDone(wire::UndoDone { step: number(step), attempts })
        }
        Record::StepParked { step, why, by, attempts } => {
            Kind::StepParked(wire::StepParked { step: number(step), why, attempts, by: parked_by(by).into() })
        }
        Record::UndoParked { step, why, by, attempts } => {
            Kind::UndoParked(wire::UndoParked { step: number(step), why, attempts, by: parked_by(by).into() })
        }
        Record::Poisoned { why } => Kind::Poisoned(wire::Poisoned { why }),
        Record::Noted { text } => Kind::Noted(wire::Noted { text }),
        Record::MadeGood { why, return_saga } => {
            let return_saga = Bytes::copy_from_slice(return_saga.as_bytes());
            Kind::MadeGood(wire::MadeGood { why, return_saga })
        }
        Record::NotMadeGood { why } => Kind::NotMadeGood(wire::NotMadeGood { why }),
        Record::Completed => Kind::Completed(wire::Completed {}),
        Record::Compensated => Kind::Compensated(wire::Compensated {}),
        Record::Resumed { why, only } => {
            Kind::Resumed(wire::Resumed { why, only: only.iter().map(number).collect() })
        }
    };
    Bytes::from(wire::Record { at_unix_ms: entry.at.0, kind: Some(kind) }.encode_to_vec())
}

/// The journal entry that record number `seq` holds.
///
/// # Errors
/// Bytes that [`encode`] never answers.
pub fn decode(seq: u32, record: &Bytes) -> Result<Entry, DecodeError> {
    read(record).map_err(|why| DecodeError { seq, why })
}

/// A whole journal, as [`StoredSaga`](crate::StoredSaga) holds it.
///
/// # Errors
/// The first record that cannot be read.
pub fn decode_all(records: &[Bytes]) -> Result<Vec<Entry>, DecodeError> {
    (1..).zip(records).map(|(seq, record)| decode(seq, record)).collect()
}

fn started(start: Start) -> wire::Started {
    let Start { definition, version, fingerprint, input, deadline, traceparent, root } = start;
    let root = Bytes::copy_from_slice(root.as_bytes());
    wire::Started { definition, version, fingerprint, input, deadline_unix_ms: deadline.0, traceparent, root }
}

fn turned_back(cause: Cause) -> wire::TurnedBack {
    let (cause, step, detail) = match cause {
        Cause::Refused(step) => (turned_back::Cause::Refused, Some(step), String::new()),
        Cause::GaveUp { step, last } => (turned_back::Cause::GaveUp, Some(step), last),
        Cause::Deadline => (turned_back::Cause::Deadline, None, String::new()),
        Cause::Cancelled(why) => (turned_back::Cause::Cancelled, None, why),
        Cause::Expired(step) => (turned_back::Cause::Expired, Some(step), String::new()),
        Cause::Unfinished(step) => (turned_back::Cause::Unfinished, Some(step), String::new()),
    };
    wire::TurnedBack { cause: cause.into(), step: step.map(number), detail }
}

fn read(record: &Bytes) -> Result<Entry, String> {
    let wire::Record { at_unix_ms, kind } =
        wire::Record::decode(record.clone()).map_err(|error| error.to_string())?;
    let record = match kind.ok_or("it is of no kind that this version knows")? {
        Kind::Started(started) => Record::Started(Box::new(read_start(started)?)),
        Kind::StepDone(wire::StepDone { step, output, attempts, valid_until_unix_ms }) => {
            let valid_until = valid_until_unix_ms.map(Timestamp);
            Record::StepDone { step: id(step)?, output, attempts, valid_until }
        }
        Kind::StepRefused(wire::StepRefused { step, refusal, attempts, called }) => {
            let wire::Refusal { reason, detail, metadata } = refusal.ok_or("a refusal without its reason")?;
            let refusal = Refusal { reason, detail, metadata };
            Record::StepRefused { step: id(step)?, refusal, attempts, called }
        }
        Kind::StepWaiting(wire::StepWaiting { step, next_action, until_unix_ms }) => {
            let (next_action, until) = (Instructions(next_action), Timestamp(until_unix_ms));
            Record::StepWaiting { step: id(step)?, next_action, until }
        }
        Kind::PivotIntent(wire::PivotIntent {}) => Record::PivotIntent,
        Kind::CloseIntent(wire::CloseIntent { step }) => Record::CloseIntent { step: id(step)? },
        Kind::TurnedBack(turned) => Record::TurnedBack { cause: read_cause(turned)? },
        Kind::UndoDone(wire::UndoDone { step, attempts }) => Record::UndoDone { step: id(step)?, attempts },
        Kind::StepParked(wire::StepParked { step, why, attempts, by }) => {
            Record::StepParked { step: id(step)?, why, by: read_parked_by(by)?, attempts }
        }
        Kind::UndoParked(wire::UndoParked { step, why, attempts, by }) => {
            Record::UndoParked { step: id(step)?, why, by: read_parked_by(by)?, attempts }
        }
        Kind::Poisoned(wire::Poisoned { why }) => Record::Poisoned { why },
        Kind::Noted(wire::Noted { text }) => Record::Noted { text },
        Kind::MadeGood(wire::MadeGood { why, return_saga }) => {
            let id = Uuid::from_slice(&return_saga);
            let return_saga = id.map_err(|_| format!("a return's id has {} bytes", return_saga.len()))?;
            Record::MadeGood { why, return_saga }
        }
        Kind::NotMadeGood(wire::NotMadeGood { why }) => Record::NotMadeGood { why },
        Kind::Completed(wire::Completed {}) => Record::Completed,
        Kind::Compensated(wire::Compensated {}) => Record::Compensated,
        Kind::Resumed(wire::Resumed { why, only }) => {
            let only = only.into_iter().map(id).collect::<Result<_, _>>()?;
            Record::Resumed { why, only }
        }
    };
    Ok(Entry { at: Timestamp(at_unix_ms), record })
}

fn read_start(started: wire::Started) -> Result<Start, String> {
    let wire::Started { definition, version, fingerprint, input, deadline_unix_ms, traceparent, root } =
        started;
    let root = Uuid::from_slice(&root).map_err(|_| format!("a root id has {} bytes", root.len()))?;
    let deadline = Timestamp(deadline_unix_ms);
    Ok(Start { definition, version, fingerprint, input, deadline, traceparent, root })
}

fn read_cause(turned: wire::TurnedBack) -> Result<Cause, String> {
    let cause = turned_back::Cause::try_from(turned.cause).map_err(|error| error.to_string())?;
    let step = turned.step.map(id).transpose()?;
    match (cause, step) {
        (turned_back::Cause::Refused, Some(step)) => Ok(Cause::Refused(step)),
        (turned_back::Cause::GaveUp, Some(step)) => Ok(Cause::GaveUp { step, last: turned.detail }),
        (turned_back::Cause::Deadline, None) => Ok(Cause::Deadline),
        (turned_back::Cause::Cancelled, None) => Ok(Cause::Cancelled(turned.detail)),
        (turned_back::Cause::Expired, Some(step)) => Ok(Cause::Expired(step)),
        (turned_back::Cause::Unfinished, Some(step)) => Ok(Cause::Unfinished(step)),
        (turned_back::Cause::Unspecified, _) => Err("it turned back without a cause".to_owned()),
        (cause, step) => Err(format!("it turned back by {cause:?} with step {step:?}")),
    }
}

fn parked_by(by: ParkedBy) -> wire::ParkedBy {
    match by {
        ParkedBy::Silence => wire::ParkedBy::Silence,
        ParkedBy::Fault => wire::ParkedBy::Fault,
    }
}

fn read_parked_by(by: i32) -> Result<ParkedBy, String> {
    match wire::ParkedBy::try_from(by).map_err(|error| error.to_string())? {
        wire::ParkedBy::Silence => Ok(ParkedBy::Silence),
        wire::ParkedBy::Fault => Ok(ParkedBy::Fault),
        wire::ParkedBy::Unspecified => Err("it was parked by nothing".to_owned()),
    }
}

fn number(step: StepId) -> u32 {
    u32::try_from(step.index()).unwrap_or(u32::MAX)
}

fn id(step: u32) -> Result<StepId, String> {
    usize::try_from(step).ok().and_then(StepId::new).ok_or_else(|| format!("there is no step {step}"))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn steps() -> impl Strategy<Value = StepId> {
        (0_usize..64).prop_map(|index| StepId::new(index).unwrap())
    }

    fn bytes() -> impl Strategy<Value = Bytes> {
        proptest::collection::vec(any::<u8>(), 0..40).prop_map(Bytes::from)
    }

    fn parkers() -> impl Strategy<Value = ParkedBy> {
        prop_oneof![Just(ParkedBy::Silence), Just(ParkedBy::Fault)]
    }

    fn causes() -> impl Strategy<Value = Cause> {
        prop_oneof![
            steps().prop_map(Cause::Refused),
            (steps(), any::<String>()).prop_map(|(step, last)| Cause::GaveUp { step, last }),
            Just(Cause::Deadline),
            any::<String>().prop_map(Cause::Cancelled),
            steps().prop_map(Cause::Expired),
            steps().prop_map(Cause::Unfinished),
        ]
    }

    fn starts() -> impl Strategy<Value = Start> {
        (any::<String>(), any::<u32>(), bytes(), bytes(), any::<i64>(), any::<String>(), any::<u128>())
            .prop_map(|(definition, version, fingerprint, input, deadline, traceparent, root)| Start {
                definition,
                version,
                fingerprint,
                input,
                deadline: Timestamp(deadline),
                traceparent,
                root: Uuid::from_u128(root),
            })
    }

    fn refusals() -> impl Strategy<Value = Refusal> {
        let metadata = proptest::collection::btree_map(any::<String>(), any::<String>(), 0..4);
        (any::<String>(), any::<String>(), metadata).prop_map(|(reason, detail, metadata)| Refusal {
            reason,
            detail,
            metadata,
        })
    }

    fn records() -> impl Strategy<Value = Record> {
        let text = any::<String>;
        prop_oneof![
            starts().prop_map(|start| Record::Started(Box::new(start))),
            (steps(), bytes(), any::<u32>(), any::<Option<i64>>()).prop_map(
                |(step, output, attempts, valid_until)| Record::StepDone {
                    step,
                    output,
                    attempts,
                    valid_until: valid_until.map(Timestamp)
                }
            ),
            (steps(), refusals(), any::<u32>(), any::<bool>()).prop_map(
                |(step, refusal, attempts, called)| {
                    Record::StepRefused { step, refusal, attempts, called }
                }
            ),
            (steps(), bytes(), any::<i64>()).prop_map(|(step, next_action, until)| Record::StepWaiting {
                step,
                next_action: Instructions(next_action),
                until: Timestamp(until)
            }),
            Just(Record::PivotIntent),
            steps().prop_map(|step| Record::CloseIntent { step }),
            causes().prop_map(|cause| Record::TurnedBack { cause }),
            (steps(), any::<u32>()).prop_map(|(step, attempts)| Record::UndoDone { step, attempts }),
            (steps(), text(), parkers(), any::<u32>())
                .prop_map(|(step, why, by, attempts)| Record::StepParked { step, why, by, attempts }),
            (steps(), text(), parkers(), any::<u32>())
                .prop_map(|(step, why, by, attempts)| Record::UndoParked { step, why, by, attempts }),
            text().prop_map(|why| Record::Poisoned { why }),
            text().prop_map(|text| Record::Noted { text }),
            (text(), any::<u128>())
                .prop_map(|(why, id)| { Record::MadeGood { why, return_saga: Uuid::from_u128(id) } }),
            text().prop_map(|why| Record::NotMadeGood { why }),
            Just(Record::Completed),
            Just(Record::Compensated),
            (text(), proptest::collection::vec(steps(), 0..4))
                .prop_map(|(why, only)| Record::Resumed { why, only: only.into_iter().collect() }),
        ]
    }

    proptest! {
        #[test]
        fn every_entry_comes_back_as_it_went(at in any::<i64>(), record in records()) {
            let entry = Entry { at: Timestamp(at), record };
            let encoded = encode(&entry);
            prop_assert_eq!(&encoded, &encode(&entry), "the same bytes every time");
            prop_assert_eq!(decode(1, &encoded), Ok(entry));
        }

        #[test]
        fn any_bytes_are_read_or_refused_and_what_is_read_is_not_reinterpreted(bytes in bytes()) {
            if let Ok(entry) = decode(1, &bytes) {
                prop_assert_eq!(decode(1, &encode(&entry)), Ok(entry));
            }
        }
    }

    fn refused(kind: Kind) -> String {
        let bytes = wire::Record { at_unix_ms: 1, kind: Some(kind) }.encode_to_vec();
        decode(9, &Bytes::from(bytes)).unwrap_err().to_string()
    }

    #[test]
    fn what_the_core_cannot_have_written_is_refused_with_its_number() {
        let turned = |cause: turned_back::Cause, step| {
            Kind::TurnedBack(wire::TurnedBack { cause: cause.into(), step, detail: String::new() })
        };
        for (kind, word) in [
            (Kind::CloseIntent(wire::CloseIntent { step: 64 }), "no step 64"),
            (turned(turned_back::Cause::Unspecified, None), "without a cause"),
            (turned(turned_back::Cause::Refused, None), "Refused"),
            (turned(turned_back::Cause::Deadline, Some(1)), "Deadline"),
            (
                Kind::Started(wire::Started { root: Bytes::from_static(b"abc"), ..Default::default() }),
                "3 bytes",
            ),
            (
                Kind::MadeGood(wire::MadeGood {
                    return_saga: Bytes::from_static(b"ab"),
                    ..Default::default()
                }),
                "2 bytes",
            ),
            (Kind::StepRefused(wire::StepRefused::default()), "without its reason"),
            (Kind::UndoParked(wire::UndoParked::default()), "parked by nothing"),
        ] {
            let why = refused(kind);
            assert!(why.contains(word) && why.starts_with("record 9 "), "{why}");
        }
        assert!(decode(2, &Bytes::new()).unwrap_err().why.contains("no kind"));
    }

    #[test]
    fn a_journal_is_numbered_from_one() {
        let good = encode(&Entry { at: Timestamp(5), record: Record::PivotIntent });
        let bad = Bytes::from_static(&[0xff]);
        assert_eq!(decode_all(&[good.clone(), good.clone()]).unwrap().len(), 2);
        assert_eq!(decode_all(&[good, bad]).unwrap_err().seq, 2);
    }
}
