//! Laws of the judgements: what a person has said of a finding holds until it is taken back.

use uuid::Uuid;

use crate::{
    JUDGEMENT_LIFE_MS, Judged, Judgement, StoreError,
    testing::trial::{T0, Trial, good},
};

/// That a finding is as it should be, or not any more.
fn word(finding: Uuid, is_acknowledged: bool, at_ms: i64) -> Judgement {
    Judgement {
        finding,
        is_acknowledged,
        what: "Refund re_1 is not in the ledger.".to_owned(),
        who: "ada".to_owned(),
        why: format!("as told at {at_ms}"),
        at_ms,
    }
}

async fn judge(t: &Trial, word: &Judgement) -> Judged {
    good(t.store().judge(word).await)
}

async fn acknowledged(t: &Trial, findings: &[Uuid]) -> Vec<Judgement> {
    let mut all = good(t.store().acknowledged(findings).await);
    all.sort_by_key(|word| word.finding);
    all
}

/// What is acknowledged is told by its id, word for word; what is not, and what was not asked for, is not.
pub async fn what_is_acknowledged_is_told_by_its_id(t: &mut Trial) {
    let mut ids = [t.id(), t.id(), t.id()];
    ids.sort();
    let [one, two, other] = ids;
    assert_eq!(acknowledged(t, &[one, two]).await, []);
    for finding in [one, other] {
        assert_eq!(judge(t, &word(finding, true, T0)).await, Judged::Written);
    }
    assert_eq!(acknowledged(t, &[two, one]).await, [word(one, true, T0)]);
    assert_eq!(acknowledged(t, &ids).await, [word(one, true, T0), word(other, true, T0)]);
    assert_eq!(acknowledged(t, &[]).await, []);
}

/// Acknowledging twice is acknowledging once: the second is told the first, and writes nothing.
pub async fn acknowledging_twice_is_acknowledging_once(t: &mut Trial) {
    let (finding, first) = (t.id(), T0);
    assert_eq!(judge(t, &word(finding, true, first)).await, Judged::Written);
    for again in [first, T0 + 1] {
        assert_eq!(judge(t, &word(finding, true, again)).await, Judged::Already(word(finding, true, first)));
    }
    assert_eq!(acknowledged(t, &[finding]).await, [word(finding, true, first)]);
}

/// What is taken back is acknowledged no more, until it is again; the last word counts, whatever its time says.
pub async fn the_last_judgement_counts(t: &mut Trial) {
    let finding = t.id();
    for at_ms in [T0 + 2, T0 + 1, T0] {
        assert_eq!(judge(t, &word(finding, true, at_ms)).await, Judged::Written);
        assert_eq!(acknowledged(t, &[finding]).await, [word(finding, true, at_ms)]);
        assert_eq!(judge(t, &word(finding, false, at_ms)).await, Judged::Written);
        assert_eq!(acknowledged(t, &[finding]).await, []);
    }
}

/// Taking back what is not acknowledged writes nothing, whether it ever was or not.
pub async fn only_what_is_acknowledged_is_taken_back(t: &mut Trial) {
    let (finding, other) = (t.id(), t.id());
    assert_eq!(judge(t, &word(other, true, T0)).await, Judged::Written);
    assert_eq!(judge(t, &word(finding, false, T0)).await, Judged::NotAcknowledged);
    assert_eq!(judge(t, &word(finding, true, T0)).await, Judged::Written);
    assert_eq!(judge(t, &word(finding, false, T0)).await, Judged::Written);
    assert_eq!(judge(t, &word(finding, false, T0)).await, Judged::NotAcknowledged);
    assert_eq!(acknowledged(t, &[finding, other]).await, [word(other, true, T0)]);
}

/// Of two at once one is first, and the other one is told so.
pub async fn two_judgements_at_once_have_one_order(t: &mut Trial) {
    let finding = t.id();
    let (a, b) = (word(finding, true, T0 + 1), word(finding, true, T0 + 2));
    let first = match tokio::join!(judge(t, &a), judge(t, &b)) {
        (Judged::Written, Judged::Already(first)) | (Judged::Already(first), Judged::Written) => first,
        other => panic!("{other:?}"),
    };
    assert_eq!(acknowledged(t, &[finding]).await, [first]);
}

/// Judgements are there after a restart, and so is their order.
pub async fn judgements_survive_a_restart(t: &mut Trial) {
    let (kept, back) = (t.id(), t.id());
    for finding in [kept, back] {
        assert_eq!(judge(t, &word(finding, true, T0)).await, Judged::Written);
    }
    assert_eq!(judge(t, &word(back, false, T0)).await, Judged::Written);
    t.reopen().await;
    assert_eq!(acknowledged(t, &[kept, back]).await, [word(kept, true, T0)]);
    assert_eq!(judge(t, &word(kept, true, T0 + 1)).await, Judged::Already(word(kept, true, T0)));
}

/// A finding is forgotten by a word that comes long after its last one, and no sooner; never a part of it, which would
/// have another last word.
pub async fn a_finding_is_forgotten_long_after_its_last_word(t: &mut Trial) {
    let (old, back, any) = (t.id(), t.id(), t.id());
    assert_eq!(judge(t, &word(old, true, T0)).await, Judged::Written);
    // The clock of the second word was behind.
    for (is_acknowledged, at_ms) in [(true, T0 + 2), (false, T0 + 1)] {
        assert_eq!(judge(t, &word(back, is_acknowledged, at_ms)).await, Judged::Written);
    }
    let late = T0 + JUDGEMENT_LIFE_MS;
    for (at_ms, left) in [(late - 1, vec![word(old, true, T0)]), (late, vec![]), (late + 1, vec![])] {
        // What writes nothing forgets as well.
        assert_eq!(judge(t, &word(any, false, at_ms)).await, Judged::NotAcknowledged);
        assert_eq!(acknowledged(t, &[old, back]).await, left, "{at_ms}");
    }
    assert_eq!(judge(t, &word(old, true, late)).await, Judged::Written);
    assert_eq!(acknowledged(t, &[old, back]).await, [word(old, true, late)]);
}

/// Words and times that cannot be kept are refused at the door, and nothing is written.
pub async fn what_cannot_be_a_judgement_is_refused_at_the_door(t: &mut Trial) {
    let finding = t.id();
    let good = word(finding, true, T0);
    let long = "ß".repeat(501);
    for text in ["", "a\nb", "a\0b", long.as_str()] {
        for bad in [
            Judgement { what: text.to_owned(), ..good.clone() },
            Judgement { why: text.to_owned(), ..good.clone() },
            Judgement { who: text.to_owned(), ..good.clone() },
        ] {
            assert!(matches!(t.store().judge(&bad).await, Err(StoreError::Invalid(_))), "{bad:?}");
        }
    }
    let unnamed = Judgement { who: "ß".repeat(256), ..good.clone() };
    let early = Judgement { at_ms: -1, ..good.clone() };
    for bad in [unnamed, early] {
        assert!(matches!(t.store().judge(&bad).await, Err(StoreError::Invalid(_))), "{bad:?}");
    }
    assert_eq!(acknowledged(t, &[finding]).await, []);
    let most = Judgement { what: "ß".repeat(500), who: "ß".repeat(255), why: "ß".repeat(500), ..good };
    assert_eq!(judge(t, &most).await, Judged::Written);
    assert_eq!(acknowledged(t, &[finding]).await, [most]);
}
