//! Laws of the broken constraint: a row that the database refuses costs its saga alone.

use crate::{
    Verdict,
    testing::trial::{Edit as _, Trial, good, names},
};

/// The one that breaks a constraint is refused by name, the rest is committed.
pub async fn the_culprit_is_refused_alone(t: &mut Trial) {
    let sagas: Vec<_> = (0..9).map(|_| t.id()).collect();
    t.poison(sagas[4]).await;
    let batch: Vec<_> = sagas.iter().map(|saga| t.start(*saga)).collect();
    for (nth, verdict) in t.commit(&batch).await.into_iter().enumerate() {
        match verdict {
            Verdict::Refused(why) if nth == 4 => assert!(names(&why, sagas[4])),
            verdict => assert_eq!((verdict, nth == 4), (Verdict::Committed, false)),
        }
        assert_eq!(t.length(sagas[nth]).await, usize::from(nth != 4));
    }
}

/// Several culprits are found, wherever they stand.
pub async fn several_culprits_are_found(t: &mut Trial) {
    let sagas: Vec<_> = (0..11).map(|_| t.id()).collect();
    let sick = [0, 1, 5, 10];
    for nth in sick {
        t.poison(sagas[nth]).await;
    }
    let batch: Vec<_> = sagas.iter().map(|saga| t.start(*saga).event("e")).collect();
    t.commit(&batch).await;
    for (nth, saga) in sagas.iter().enumerate() {
        assert_eq!(t.length(*saga).await, usize::from(!sick.contains(&nth)), "{nth}");
    }
    assert_eq!(t.numbers().await, (1..=7).collect::<Vec<i64>>());
}

/// A batch of nothing but a culprit writes nothing.
pub async fn a_culprit_alone_writes_nothing(t: &mut Trial) {
    let saga = t.id();
    t.poison(saga).await;
    t.refuse(t.start(saga).key("k").event("e")).await;
    assert_eq!((t.length(saga).await, t.numbers().await), (0, vec![]));
    assert_eq!(good(t.store().key("", "k").await), None);
}

/// A saga that breaks a constraint later keeps what it had.
pub async fn a_later_culprit_keeps_what_it_had(t: &mut Trial) {
    let (sick, well) = (t.saga(2).await, t.saga(2).await);
    t.poison(sick).await;
    let verdicts = t.commit(&[t.more(sick, 3, 1).event("sick"), t.more(well, 3, 1).event("well")]).await;
    assert!(matches!(verdicts[0], Verdict::Refused(_)));
    assert_eq!(verdicts[1], Verdict::Committed);
    assert_eq!((t.length(sick).await, t.length(well).await), (2, 3));
    assert_eq!(t.pending(0).await[0].event.payload, "well");
}

/// A key goes to the next one when the first of a batch breaks a constraint.
pub async fn a_culprits_key_goes_to_the_next(t: &mut Trial) {
    let (sick, well) = (t.id(), t.id());
    t.poison(sick).await;
    let verdicts = t.commit(&[t.start(sick).key("k"), t.start(well).key("k")]).await;
    assert!(matches!(verdicts[0], Verdict::Refused(_)));
    assert_eq!(verdicts[1], Verdict::Committed);
    assert_eq!(good(t.store().key("", "k").await).and_then(|row| row.saga), Some(well));
}

/// All appends of a culprit in a batch are refused.
pub async fn all_appends_of_a_culprit_are_refused(t: &mut Trial) {
    let (sick, well) = (t.id(), t.id());
    t.poison(sick).await;
    let verdicts = t.commit(&[t.start(sick), t.start(well), t.more(sick, 2, 1)]).await;
    assert!(matches!(verdicts[0], Verdict::Refused(_)) && matches!(verdicts[2], Verdict::Refused(_)));
    assert_eq!((t.length(sick).await, t.length(well).await), (0, 1));
}

/// What a culprit has written before is there, and a repeat of it beside a refused append is told so.
pub async fn a_culprits_repeat_is_committed(t: &mut Trial) {
    let (sick, well) = (t.id(), t.id());
    t.accept(&[t.start(sick).key("k").event("e")]).await;
    t.poison(sick).await;
    let batch = [t.start(well), t.start(sick).key("k").event("e"), t.more(sick, 2, 1)];
    for _ in 0..2 {
        let verdicts = t.commit(&batch).await;
        assert_eq!(verdicts[..2], [Verdict::Committed, Verdict::Committed]);
        assert!(matches!(verdicts[2], Verdict::Refused(_)));
    }
    assert_eq!((t.length(sick).await, t.length(well).await, t.numbers().await), (1, 1, vec![1]));
}

/// A culprit among many hundreds costs the others nothing.
pub async fn a_culprit_among_hundreds_costs_the_others_nothing(t: &mut Trial) {
    let sagas: Vec<_> = (0..700).map(|_| t.id()).collect();
    t.poison(sagas[613]).await;
    let batch: Vec<_> = sagas.iter().map(|saga| t.start(*saga).key(&saga.to_string())).collect();
    let verdicts = t.commit(&batch).await;
    assert_eq!(verdicts.iter().filter(|verdict| **verdict == Verdict::Committed).count(), 699);
    assert_eq!(t.unfinished(None, usize::MAX).await.len(), 699);
}

/// After a culprit the store goes on as before.
pub async fn after_a_culprit_the_store_goes_on(t: &mut Trial) {
    let (sick, well) = (t.id(), t.saga(1).await);
    t.poison(sick).await;
    t.refuse(t.start(sick)).await;
    t.accept(&[t.more(well, 2, 1).event("e")]).await;
    assert_eq!((t.length(well).await, t.numbers().await), (2, vec![1]));
    let next = t.id();
    t.accept(&[t.start(next)]).await;
}
