//! The same do again.

use backstitch_proto::contract::{Op, Verdict, keys};
use bytes::Bytes;
use futures::future::join_all;

use super::race::no_effect;
use super::{Case, Checked, case, fresh};
use crate::bench::Bench;
use crate::profile::Action;
use crate::reply::Reply;
use crate::trial::{Seen, Trial};

/// So many of one call at once.
const CROWD: usize = 8;

pub(super) const CASES: &[Case] = &[
    case("first-do", "The first do has its effect, once, and is answered Done", &[], |b, a| {
        Box::pin(first(b, a))
    }),
    case(
        "duplicate-do",
        "A do again is answered with the same bytes and has no second effect",
        &[],
        |b, a| Box::pin(duplicate(b, a)),
    ),
    case(
        "concurrent-duplicates",
        "Of the same do many times at once one has the effect, and all agree on the answer",
        &[],
        |b, a| Box::pin(concurrent(b, a)),
    ),
    case("other-body", "The same key with another request is Broken and changes nothing", &[], |b, a| {
        Box::pin(other_body(b, a))
    }),
    case("other-body-close", "A close with another request than was done is Broken", &[], |b, a| {
        Box::pin(other_body_close(b, a))
    }),
    case(
        "concurrent-bodies",
        "Of two requests at once under one key one is answered for good, and the other is Broken",
        &[],
        |b, a| Box::pin(bodies(b, a)),
    ),
    case(
        "other-encoding",
        "The same request in another order of its bytes is the same request",
        &[],
        |b, a| Box::pin(encoding(b, a)),
    ),
    case("attempt-number", "The attempt number decides nothing", &[], |b, a| Box::pin(attempts(b, a))),
    case("traceparent", "The trace context decides nothing, be it there, changed or gone", &[], |b, a| {
        Box::pin(traceparent(b, a))
    }),
    case("unrelated-metadata", "Metadata that is none of the contract's is ignored", &[], |b, a| {
        Box::pin(unrelated(b, a))
    }),
];

const STORED: &str = "a done row answers what is stored";

async fn first(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    trial.sees(Seen::Nothing, "nothing was asked yet").await?;
    trial.done().await?;
    trial.sees(Seen::Once, "the do was answered Done").await
}

async fn duplicate(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    for _ in 0..3 {
        trial.ask(Op::Do).saying("again").settle().await.done_with(&answer, STORED)?;
    }
    trial.sees(Seen::Once, "a repetition has no effect").await
}

async fn concurrent(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let call = trial.ask(Op::Do).saying("8 times at once");
    let crowd = join_all((0..CROWD).map(|_| call.send())).await;
    let answer = call.settle().await.done("an absent row: one of them has the effect")?;
    for sent in &crowd {
        if !sent.reply.is_open() {
            sent.done_with(&answer, "whoever answers Done answers what is stored")?;
        }
    }
    trial.sees(Seen::Once, "one of them had the effect").await
}

async fn other_body(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    let other = trial.ask(Op::Do).body(&trial.other, "another request under the same key");
    other.settle().await.broken("a done row with another hash")?;
    trial.sees(Seen::Once, "another request changes nothing").await?;
    trial.ask(Op::Do).saying("as at first").settle().await.done_with(&answer, STORED)
}

async fn other_body_close(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    let other = trial.ask(Op::Close).body(&trial.other, "with another request than was done");
    other.settle().await.broken("a done row with another hash")?;
    trial.ask(Op::Do).saying("as at first").settle().await.done_with(&answer, STORED)
}

async fn bodies(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let ours = trial.ask(Op::Do).saying("at the same time as another request");
    let theirs = trial.ask(Op::Do).body(&trial.other, "another request at the same time");
    futures::join!(ours.send(), theirs.send());
    // Whoever is asked first now may still be the first of all, if neither was done before.
    let (ours, theirs) = (ours.settle().await, theirs.settle().await);
    match (&ours.reply, &theirs.reply) {
        (Reply::Done(_), _) => {
            theirs.broken("the other request has the key")?;
            trial.sees(Seen::Once, "this request was done").await
        }
        // What the other request would leave behind is not in the profile.
        (_, Reply::Done(_)) => ours.broken("the other request has the key"),
        (_, Reply::Verdict(Verdict::Refused(_), _)) => {
            ours.broken("the other request has the key")?;
            no_effect(&trial, &ours, "the other request was refused").await
        }
        _ => Err(ours.breach("Done, or Broken because the other request was done or refused")),
    }
}

async fn encoding(bench: &Bench, action: &Action) -> Checked {
    let trial = fresh(bench, action).await?;
    let answer = trial.done().await?;
    let body = reordered(&trial.body);
    let again = trial.ask(Op::Do).body(&body, "fields in reverse order");
    again.settle().await.done_with(&answer, "the hash covers what the request says, not its bytes")?;
    trial.sees(Seen::Once, "a repetition has no effect").await
}

async fn attempts(bench: &Bench, action: &Action) -> Checked {
    same(bench, action, keys::SAGA_ATTEMPT, &["7", "1", "4294967295"]).await
}

async fn traceparent(bench: &Bench, action: &Action) -> Checked {
    let contexts = [
        "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01",
        "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00",
        "nonsense",
    ];
    same(bench, action, keys::TRACEPARENT, &contexts).await
}

async fn unrelated(bench: &Bench, action: &Action) -> Checked {
    same(bench, action, "x-request-id", &["a", "b"]).await
}

/// A do that is repeated with other values of `key`, the first of them new, is the same do.
async fn same(bench: &Bench, action: &Action, key: &str, values: &[&str]) -> Checked {
    let trial: Trial<'_> = fresh(bench, action).await?;
    let answer = trial.done().await?;
    for value in values {
        trial.ask(Op::Do).with(key, value).settle().await.done_with(&answer, STORED)?;
    }
    trial.sees(Seen::Once, "a repetition has no effect").await?;
    let other = fresh(bench, action).await?;
    let first = values.first().copied().unwrap_or_default();
    other.ask(Op::Do).with(key, first).settle().await.done("an absent row: the effect happens")?;
    other.sees(Seen::Once, "it is a do like any other").await
}

/// The same message with its fields in descending order of their numbers; values of one field keep their order.
fn reordered(message: &Bytes) -> Bytes {
    let mut fields = Vec::<(u64, &[u8])>::new();
    let mut rest = &message[..];
    while !rest.is_empty() {
        let Some((number, length)) = field(rest) else { return message.clone() };
        let (this, behind) = rest.split_at(length);
        fields.push((number, this));
        rest = behind;
    }
    fields.sort_by_key(|(number, _)| std::cmp::Reverse(*number));
    fields.into_iter().flat_map(|(_, bytes)| bytes.iter().copied()).collect()
}

/// Number and whole length of the field that `bytes` begin with.
fn field(bytes: &[u8]) -> Option<(u64, usize)> {
    let (tag, head) = varint(bytes)?;
    let value = &bytes[head..];
    let length = match tag & 7 {
        0 => varint(value)?.1,
        1 => 8,
        2 => {
            let (length, prefix) = varint(value)?;
            prefix.checked_add(usize::try_from(length).ok()?)?
        }
        5 => 4,
        _ => return None,
    };
    (length <= value.len()).then_some((tag >> 3, head + length))
}

/// A number and how many bytes it takes.
fn varint(bytes: &[u8]) -> Option<(u64, usize)> {
    let mut value = 0u64;
    for (n, byte) in bytes.iter().enumerate().take(10) {
        value |= u64::from(byte & 0x7f).checked_shl(u32::try_from(7 * n).ok()?)?;
        if byte & 0x80 == 0 {
            return Some((value, n + 1));
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reordering_reverses_fields_and_keeps_the_order_within_one() {
        // 1: "a", 2: 300, 2: 1, 3: "b"
        let message = Bytes::from_static(&[0x0a, 1, b'a', 0x10, 0xac, 0x02, 0x10, 1, 0x1a, 1, b'b']);
        let expected: &[u8] = &[0x1a, 1, b'b', 0x10, 0xac, 0x02, 0x10, 1, 0x0a, 1, b'a'];
        assert_eq!(&reordered(&message)[..], expected);
        let broken = Bytes::from_static(&[0x0a, 9, b'a']);
        assert_eq!(reordered(&broken), broken);
    }
}
