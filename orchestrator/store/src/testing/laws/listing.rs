//! Laws of listing: newest first, every match exactly once, whatever starts meanwhile.

use uuid::Uuid;

use crate::{
    ListFilter, Page, Status,
    testing::trial::{Edit as _, T0, Trial, good},
};

fn ids(page: &Page) -> Vec<Uuid> {
    page.sagas.iter().map(|row| row.id).collect()
}

fn all() -> ListFilter {
    ListFilter { limit: 100, ..ListFilter::default() }
}

/// A saga that started at a time.
async fn started(t: &mut Trial, at_ms: i64) -> Uuid {
    let saga = t.id();
    t.accept(&[t.start(saga).new_saga(|new| new.started_at_ms = at_ms)]).await;
    saga
}

/// Every page of a walk, by ids.
async fn walk(t: &Trial, filter: ListFilter) -> Vec<Vec<Uuid>> {
    let mut pages = Vec::new();
    let mut filter = filter;
    loop {
        let page = good(t.store().list(&filter).await);
        pages.push(ids(&page));
        match page.next {
            Some(cursor) => filter.after = Some(cursor),
            None => return pages,
        }
    }
}

/// The newest saga comes first, and of those that started together the one with the higher id.
pub async fn the_newest_comes_first(t: &mut Trial) {
    let (b, a, c) = (started(t, T0 + 1).await, started(t, T0).await, started(t, T0 + 1).await);
    let page = good(t.store().list(&all()).await);
    assert_eq!((ids(&page), page.next), (vec![c, b, a], None));
}

/// A listed row is the row that is loaded.
pub async fn a_listed_row_is_the_row_that_is_loaded(t: &mut Trial) {
    let saga = t.saga(1).await;
    t.accept(&[t.more(saga, 2, 1).status_at(Status::Parked, T0 + 5)]).await;
    assert_eq!(good(t.store().list(&all()).await).sagas, [t.row(saga).await]);
}

/// An empty store lists nothing.
pub async fn an_empty_store_lists_nothing(t: &mut Trial) {
    assert_eq!(good(t.store().list(&all()).await), Page::default());
    assert!(t.unfinished(None, 100).await.is_empty());
}

/// Pages together are the whole list, each saga once.
pub async fn pages_together_are_the_whole_list(t: &mut Trial) {
    for nth in 0..7 {
        started(t, T0 + nth / 3).await;
    }
    let whole = ids(&good(t.store().list(&all()).await));
    for limit in 1..9 {
        let pages = walk(t, ListFilter { limit, ..all() }).await;
        assert!(pages.iter().all(|page| page.len() <= limit));
        assert_eq!(pages.concat(), whole, "limit {limit}");
    }
}

/// The last page has no cursor, even when it is full.
pub async fn the_last_page_has_no_cursor(t: &mut Trial) {
    started(t, T0).await;
    started(t, T0).await;
    assert_eq!(good(t.store().list(&ListFilter { limit: 2, ..all() }).await).next, None);
    assert!(good(t.store().list(&ListFilter { limit: 1, ..all() }).await).next.is_some());
}

/// Sagas that start between two pages neither repeat nor hide anything.
pub async fn sagas_that_start_meanwhile_move_nothing(t: &mut Trial) {
    let (old, middle, new) = (started(t, T0).await, started(t, T0 + 1).await, started(t, T0 + 2).await);
    let first = good(t.store().list(&ListFilter { limit: 2, ..all() }).await);
    assert_eq!(ids(&first), [new, middle]);
    started(t, T0 + 3).await;
    started(t, T0 + 2).await;
    let second = good(t.store().list(&ListFilter { after: first.next, ..all() }).await);
    assert_eq!(ids(&second), [old]);
}

/// A cursor keeps its place when the saga that it names is purged.
pub async fn a_cursor_outlives_its_saga(t: &mut Trial) {
    let (old, gone) = (started(t, T0).await, t.id());
    t.accept(&[t.start(gone).new_saga(|new| new.started_at_ms = T0 + 1).status(Status::Completed)]).await;
    let first = good(t.store().list(&ListFilter { limit: 1, ..all() }).await);
    assert_eq!(ids(&first), [gone]);
    let what = crate::Purge { now_ms: T0 + 10, sagas_after_ms: 0, keys_after_ms: 0, limit: 9 };
    good(t.store().purge(&what).await);
    assert_eq!(ids(&good(t.store().list(&ListFilter { after: first.next, ..all() }).await)), [old]);
}

/// A cursor works after it went through its text.
pub async fn a_cursor_works_after_it_went_through_its_text(t: &mut Trial) {
    let (old, _new) = (started(t, T0).await, started(t, T0 + 1).await);
    let first = good(t.store().list(&ListFilter { limit: 1, ..all() }).await);
    let after = first.next.map(|cursor| cursor.to_string().parse().expect("a cursor"));
    assert_eq!(ids(&good(t.store().list(&ListFilter { after, ..all() }).await)), [old]);
}

/// A limit of nothing answers nothing.
pub async fn a_limit_of_nothing_answers_nothing(t: &mut Trial) {
    started(t, T0).await;
    assert!(good(t.store().list(&ListFilter::default()).await).sagas.is_empty());
}

/// A status lists the sagas that have it now.
pub async fn a_status_lists_the_sagas_that_have_it(t: &mut Trial) {
    let mut having = Vec::new();
    for status in Status::ALL {
        let saga = t.saga(1).await;
        t.accept(&[t.more(saga, 2, 1).status(status)]).await;
        having.push((status, saga));
    }
    for (status, saga) in having {
        let page = good(t.store().list(&ListFilter { status: Some(status), ..all() }).await);
        assert_eq!(ids(&page), [saga], "{status}");
    }
}

/// Pages of one status are the whole of it, each saga once.
pub async fn pages_of_one_status_are_the_whole_of_it(t: &mut Trial) {
    let mut parked = Vec::new();
    for nth in 0..6 {
        let saga = started(t, T0 + nth / 2).await;
        if nth != 3 {
            t.accept(&[t.more(saga, 2, 1).status(Status::Parked)]).await;
            parked.insert(0, saga);
        }
    }
    let pages = walk(t, ListFilter { status: Some(Status::Parked), limit: 2, ..all() }).await;
    assert_eq!(pages.concat(), parked);
}

/// A definition lists its own sagas.
pub async fn a_definition_lists_its_own_sagas(t: &mut Trial) {
    let (checkout, back) = (started(t, T0).await, t.id());
    t.accept(&[t.start(back).new_saga(|new| new.definition = "return".to_owned())]).await;
    for (definition, saga) in [("checkout", checkout), ("return", back)] {
        let filter = ListFilter { definition: Some(definition.to_owned()), ..all() };
        assert_eq!(ids(&good(t.store().list(&filter).await)), [saga]);
    }
    let filter = ListFilter { definition: Some("check".to_owned()), ..all() };
    assert_eq!(good(t.store().list(&filter).await), Page::default());
}

/// A range of time has its beginning and not its end.
pub async fn a_range_has_its_beginning_and_not_its_end(t: &mut Trial) {
    let (_before, first, last, _after) =
        (started(t, T0 - 1).await, started(t, T0).await, started(t, T0 + 9).await, started(t, T0 + 10).await);
    let filter = ListFilter { started_from_ms: Some(T0), started_before_ms: Some(T0 + 10), ..all() };
    assert_eq!(ids(&good(t.store().list(&filter).await)), [last, first]);
}

/// Filters narrow each other, page by page.
pub async fn filters_narrow_each_other(t: &mut Trial) {
    let mut wanted = Vec::new();
    for nth in 0_i64..30 {
        let saga = t.id();
        let (name, status) =
            (if nth % 2 == 0 { "a" } else { "b" }, Status::ALL[usize::from(nth % 3 == 0) * 3]);
        let start = t.start(saga).new_saga(|new| {
            new.definition = name.to_owned();
            new.started_at_ms = T0 + nth;
        });
        t.accept(&[start.status(status)]).await;
        if name == "a" && status == Status::Parked && (2..24).contains(&nth) {
            wanted.insert(0, saga);
        }
    }
    let filter = ListFilter {
        status: Some(Status::Parked),
        definition: Some("a".to_owned()),
        started_from_ms: Some(T0 + 2),
        started_before_ms: Some(T0 + 24),
        limit: 1,
        after: None,
    };
    assert_eq!(wanted.len(), 3);
    assert_eq!(walk(t, filter).await.concat(), wanted);
}

/// Sagas of every shard are in one list.
pub async fn sagas_of_every_shard_are_listed(t: &mut Trial) {
    let mut wanted = Vec::new();
    for shard in 0..t.store().shards() {
        let saga = t.id();
        t.accept(&[t.in_shard(shard, t.start(saga))]).await;
        wanted.insert(0, saga);
    }
    assert_eq!(ids(&good(t.store().list(&all()).await)), wanted);
    assert_eq!(walk(t, ListFilter { limit: 1, ..all() }).await.concat(), wanted);
}

/// Recovery finds the running, the waiting and the compensating, by id, page by page.
pub async fn recovery_finds_the_unfinished_by_id(t: &mut Trial) {
    let mut wanted = Vec::new();
    for status in [Status::Compensating, Status::Parked, Status::Running, Status::Completed, Status::Waiting]
    {
        let saga = t.saga(1).await;
        t.accept(&[t.more(saga, 2, 1).status(status)]).await;
        if status.is_unfinished() {
            wanted.push(saga);
        }
    }
    assert_eq!(t.unfinished(None, 100).await, wanted);
    assert_eq!(t.unfinished(None, 2).await, wanted[..2]);
    assert_eq!(t.unfinished(Some(wanted[1]), 100).await, wanted[2..]);
    assert!(t.unfinished(Some(wanted[2]), 100).await.is_empty());
    assert_eq!(t.unfinished(Some(Uuid::nil()), 100).await, wanted);
}

/// Recovery finds sagas of every shard.
pub async fn recovery_finds_sagas_of_every_shard(t: &mut Trial) {
    let (a, b) = (t.id(), t.id());
    t.accept(&[t.start(a), t.in_shard(1, t.start(b))]).await;
    assert_eq!(t.unfinished(None, 100).await, [a, b]);
}

/// The oldest saga that has not ended is found in any shard, parked included, by an id that tells its age.
pub async fn the_oldest_that_has_not_ended_is_found(t: &mut Trial) {
    assert_eq!(good(t.store().oldest().await), None);
    // It tells no age, and its id is less than every other.
    let ageless = Uuid::from_u128(7);
    t.accept(&[t.start(ageless)]).await;
    assert_eq!(good(t.store().oldest().await), None);
    let mut sagas = Vec::new();
    for (nth, status) in Status::ALL.into_iter().enumerate() {
        // Of one shard the oldest is parked; what starts later may have begun earlier, by another clock.
        let (shard, saga) = (if status == Status::Parked { 1 } else { 0 }, t.id());
        let at_ms = T0 + 9 - i64::try_from(nth).expect("small");
        let start = t.start(saga).new_saga(|new| new.started_at_ms = at_ms);
        t.accept(&[t.in_shard(shard, start)]).await;
        let more = t.in_shard(shard, t.more(saga, 2, 1).status(status));
        t.accept(&[more]).await;
        sagas.push((saga, shard, status));
    }
    for (saga, shard, status) in sagas {
        if !status.is_final() {
            assert_eq!(good(t.store().oldest().await), Some(saga), "{status}");
            let end = t.in_shard(shard, t.more(saga, 3, 1).status(Status::Completed));
            t.accept(&[end]).await;
        }
    }
    assert_eq!(good(t.store().oldest().await), None);
}

/// Of a family is found what has not ended, parked included, in any shard, without its root and without other families.
pub async fn what_of_a_family_has_not_ended_is_found(t: &mut Trial) {
    let (root, other) = (t.saga(1).await, t.saga(1).await);
    assert!(good(t.store().family(root).await).is_empty(), "a root alone is no family");
    let mut wanted = Vec::new();
    for status in Status::ALL {
        let saga = t.id();
        t.accept(&[t.start(saga).root(root).status(status)]).await;
        if !status.is_final() {
            wanted.push(t.row(saga).await);
        }
    }
    let (there, theirs) = (t.id(), t.id());
    t.accept(&[t.in_shard(1, t.start(there).root(root)), t.start(theirs).root(other)]).await;
    wanted.push(t.row(there).await);
    assert_eq!(good(t.store().family(root).await), wanted);
    assert_eq!(good(t.store().family(other).await), [t.row(theirs).await]);
    assert!(good(t.store().family(there).await).is_empty(), "nobody's root");
}
