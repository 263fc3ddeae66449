//! Laws of the versions: what is announced, what is switched on, and that neither touches a saga that has started.

use crate::{
    Announced, Announcement, InFlight, Status, StoreError, Switch, SwitchRow, Switched,
    testing::trial::{Edit as _, T0, Trial, good},
};

/// Who was not heard of for this long is not live.
const WINDOW: i64 = 60_000;

fn version(name: &str, version: u32) -> Announced {
    let mut fingerprint = [0; 32];
    fingerprint[..4].copy_from_slice(&version.to_be_bytes());
    Announced { name: name.to_owned(), version, fingerprint }
}

fn checkout(of: u32) -> Announced {
    version("checkout", of)
}

/// `node` announces these versions of `checkout` at `now_ms`.
fn announcement(node: &str, versions: &[u32], now_ms: i64) -> Announcement {
    let definitions = versions.iter().map(|of| checkout(*of)).collect();
    Announcement { node: node.to_owned(), definitions, now_ms, live_since_ms: now_ms - WINDOW }
}

async fn announce(t: &Trial, node: &str, versions: &[u32], now_ms: i64) {
    let refused = good(t.store().announce(&announcement(node, versions, now_ms)).await);
    assert_eq!(refused, [], "{node}");
}

async fn switch(t: &Trial, version: u32, on: bool, now_ms: i64) -> Switched {
    let switch = Switch {
        name: "checkout".to_owned(),
        version,
        on,
        why: format!("as told at {now_ms}"),
        now_ms,
        live_since_ms: now_ms - WINDOW,
    };
    good(t.store().switch(&switch).await)
}

/// The versions of `checkout` that are on.
async fn on(t: &Trial) -> Vec<u32> {
    let rows = good(t.store().definitions().await);
    rows.iter().filter(|row| row.is_on()).map(|row| row.definition.version).collect()
}

/// Who can run a version of `checkout`.
async fn runners(t: &Trial, version: u32) -> Vec<String> {
    let rows = good(t.store().definitions().await);
    let row = rows.into_iter().find(|row| row.definition == checkout(version));
    row.map_or(Vec::new(), |row| row.nodes.into_iter().map(|(node, _)| node).collect())
}

/// What is announced is listed by name and version, with who can run it and since when it is known.
pub async fn what_is_announced_is_listed(t: &mut Trial) {
    announce(t, "b", &[10, 2], T0).await;
    let two =
        Announcement { definitions: vec![version("a", 1), checkout(2)], ..announcement("a", &[], T0 + 5) };
    assert_eq!(good(t.store().announce(&two).await), []);
    let rows = good(t.store().definitions().await);
    let told: Vec<_> =
        rows.iter().map(|row| (row.definition.clone(), row.announced_at_ms, row.nodes.clone())).collect();
    let (a, b) = (("a".to_owned(), T0 + 5), ("b".to_owned(), T0));
    assert_eq!(
        told,
        [
            (version("a", 1), T0 + 5, vec![a.clone()]),
            (checkout(2), T0, vec![a, b.clone()]),
            (checkout(10), T0, vec![b]),
        ]
    );
}

/// Nothing is known before anybody announces.
pub async fn nothing_is_known_before_it_is_announced(t: &mut Trial) {
    assert_eq!(good(t.store().definitions().await), []);
    assert_eq!(switch(t, 1, true, T0).await, Switched::Unknown);
    assert_eq!(switch(t, 1, false, T0).await, Switched::Unknown);
}

/// The same version with another fingerprint is refused by name, and the rest of the announcement is taken.
pub async fn a_changed_version_is_refused_by_name(t: &mut Trial) {
    announce(t, "a", &[1], T0).await;
    let changed = Announced { fingerprint: [9; 32], ..checkout(1) };
    let both = Announcement { definitions: vec![changed.clone(), checkout(2)], ..announcement("b", &[], T0) };
    assert_eq!(good(t.store().announce(&both).await), [changed]);
    assert_eq!((runners(t, 1).await, runners(t, 2).await), (vec!["a".to_owned()], vec!["b".to_owned()]));
}

/// A fingerprint stays its version's when no node has the version any more.
pub async fn a_fingerprint_outlives_its_nodes(t: &mut Trial) {
    announce(t, "a", &[1], T0).await;
    good(t.store().withdraw("a").await);
    let changed = Announced { fingerprint: [9; 32], ..checkout(1) };
    let again = Announcement { definitions: vec![changed.clone()], ..announcement("a", &[], T0) };
    assert_eq!(good(t.store().announce(&again).await), [changed]);
}

/// An announcement replaces the one before: a node that was downgraded cannot run the newer version any more.
pub async fn an_announcement_replaces_the_one_before(t: &mut Trial) {
    announce(t, "a", &[1, 2], T0).await;
    announce(t, "a", &[1], T0 + 1).await;
    assert_eq!((runners(t, 1).await.len(), runners(t, 2).await.len()), (1, 0));
    assert_eq!(switch(t, 2, true, T0 + 2).await, Switched::Lacking(vec!["a".to_owned()]));
}

/// The first announcement of a name switches its lowest version on, and the others stay dark.
pub async fn the_first_version_of_a_name_is_on(t: &mut Trial) {
    announce(t, "a", &[3, 2], T0).await;
    assert_eq!(on(t).await, [2]);
    announce(t, "a", &[1, 2, 3, 4], T0 + 1).await;
    assert_eq!(on(t).await, [2]);
}

/// A name that was switched once is never switched by an announcement again.
pub async fn what_was_switched_off_stays_off(t: &mut Trial) {
    announce(t, "a", &[1], T0).await;
    assert_eq!(switch(t, 1, false, T0).await, Switched::Switched);
    announce(t, "a", &[1, 2], T0 + 1).await;
    assert!(on(t).await.is_empty());
}

/// A new name waits with its first version until every live node can run it.
pub async fn a_new_name_waits_for_every_live_node(t: &mut Trial) {
    announce(t, "a", &[], T0).await;
    announce(t, "b", &[1], T0).await;
    assert!(on(t).await.is_empty());
    announce(t, "a", &[1], T0 + 1).await;
    assert_eq!(on(t).await, [1]);
}

/// Switching on is refused until every live node has announced the version, and names those that have not.
pub async fn switching_on_waits_for_every_live_node(t: &mut Trial) {
    announce(t, "b", &[1], T0).await;
    announce(t, "a", &[1], T0).await;
    announce(t, "c", &[1, 2], T0).await;
    assert_eq!(switch(t, 2, true, T0).await, Switched::Lacking(vec!["a".to_owned(), "b".to_owned()]));
    announce(t, "a", &[1, 2], T0).await;
    assert_eq!(switch(t, 2, true, T0).await, Switched::Lacking(vec!["b".to_owned()]));
    assert_eq!(on(t).await, [1]);
    announce(t, "b", &[1, 2], T0).await;
    assert_eq!(switch(t, 2, true, T0).await, Switched::Switched);
    assert_eq!(on(t).await, [1, 2]);
}

/// Nobody waits for a node that was not heard of within the window, and somebody does at its very edge.
pub async fn a_node_that_is_gone_holds_nobody_up(t: &mut Trial) {
    announce(t, "old", &[1], T0).await;
    announce(t, "new", &[1, 2], T0 + 1).await;
    let lacking = Switched::Lacking(vec!["old".to_owned()]);
    assert_eq!(switch(t, 2, true, T0 + WINDOW).await, lacking);
    assert_eq!(switch(t, 2, true, T0 + WINDOW + 1).await, Switched::Switched);
}

/// A node that goes on announcing stays live.
pub async fn announcing_again_keeps_a_node_live(t: &mut Trial) {
    announce(t, "old", &[1], T0).await;
    announce(t, "new", &[1, 2], T0).await;
    announce(t, "old", &[1], T0 + WINDOW).await;
    announce(t, "new", &[1, 2], T0 + WINDOW).await;
    let lacking = Switched::Lacking(vec!["old".to_owned()]);
    assert_eq!(switch(t, 2, true, T0 + WINDOW + 1).await, lacking);
}

/// Nobody waits for a node that has withdrawn.
pub async fn a_node_that_withdraws_holds_nobody_up(t: &mut Trial) {
    announce(t, "old", &[1], T0).await;
    announce(t, "new", &[1, 2], T0).await;
    good(t.store().withdraw("old").await);
    good(t.store().withdraw("nobody").await);
    assert_eq!(runners(t, 1).await, ["new"]);
    assert_eq!(switch(t, 2, true, T0).await, Switched::Switched);
}

/// Nothing is switched on while no node is live.
pub async fn nothing_is_switched_on_for_nobody(t: &mut Trial) {
    announce(t, "a", &[1, 2], T0).await;
    assert_eq!(switch(t, 2, true, T0 + WINDOW + 1).await, Switched::Lacking(vec![]));
    good(t.store().withdraw("a").await);
    assert_eq!(switch(t, 2, true, T0).await, Switched::Lacking(vec![]));
    assert_eq!(on(t).await, [1]);
}

/// Nodes that are not live any more are forgotten by the next announcement.
pub async fn nodes_that_are_gone_are_forgotten(t: &mut Trial) {
    announce(t, "old", &[1], T0).await;
    announce(t, "new", &[1], T0 + WINDOW).await;
    assert_eq!(runners(t, 1).await, ["new", "old"]);
    announce(t, "new", &[1], T0 + WINDOW + 1).await;
    assert_eq!(runners(t, 1).await, ["new"]);
}

/// Switching off is refused to nobody, whoever is live.
pub async fn switching_off_needs_no_node(t: &mut Trial) {
    announce(t, "a", &[1], T0).await;
    good(t.store().withdraw("a").await);
    assert_eq!(switch(t, 1, false, T0).await, Switched::Switched);
    assert!(on(t).await.is_empty());
}

/// Switching to what is so already writes nothing, not even its reason.
pub async fn switching_twice_is_switching_once(t: &mut Trial) {
    announce(t, "a", &[1, 2], T0).await;
    assert_eq!(switch(t, 2, false, T0 + 1).await, Switched::Already);
    assert_eq!(switch(t, 2, true, T0 + 2).await, Switched::Switched);
    let before = good(t.store().definitions().await);
    assert_eq!(before[1].switch.as_ref().map(|row| row.at_ms), Some(T0 + 2));
    announce(t, "b", &[1], T0).await;
    assert_eq!(switch(t, 2, true, T0 + 3).await, Switched::Already);
    assert_eq!(good(t.store().definitions().await)[1].switch, before[1].switch);
}

/// The last switching counts, with its time and its reason, whatever its time says.
pub async fn the_last_switching_counts(t: &mut Trial) {
    announce(t, "a", &[1, 2], T0).await;
    for (on, at_ms) in [(true, T0 + 3), (false, T0 + 2), (true, T0 + 1)] {
        assert_eq!(switch(t, 2, on, at_ms).await, Switched::Switched);
        let row = good(t.store().definitions().await).remove(1).switch;
        assert_eq!(row, Some(SwitchRow { on, at_ms, why: format!("as told at {at_ms}") }));
    }
    let first = good(t.store().definitions().await).remove(0).switch;
    assert_eq!(first.map(|row| (row.on, row.at_ms)), Some((true, T0)));
}

/// Of two switchings at once one is first, and the other one is told that it came too late.
pub async fn two_switchings_at_once_have_one_order(t: &mut Trial) {
    announce(t, "a", &[1, 2], T0).await;
    let (one, two) = tokio::join!(switch(t, 2, true, T0 + 1), switch(t, 2, true, T0 + 2));
    let winner = match (one, two) {
        (Switched::Switched, Switched::Already) => T0 + 1,
        (Switched::Already, Switched::Switched) => T0 + 2,
        other => panic!("{other:?}"),
    };
    let row = good(t.store().definitions().await).remove(1).switch;
    assert_eq!(row.map(|row| row.at_ms), Some(winner));
}

/// A saga that has started goes on when its version is switched off.
pub async fn switching_off_touches_no_saga(t: &mut Trial) {
    announce(t, "a", &[1], T0).await;
    let saga = t.saga(1).await;
    assert_eq!(switch(t, 1, false, T0).await, Switched::Switched);
    t.accept(&[t.more(saga, 2, 1)]).await;
    assert_eq!(t.unfinished(None, 9).await, [saga]);
}

/// Sagas in flight are counted by version, the parked among them and the finished not.
pub async fn sagas_in_flight_are_counted_by_version(t: &mut Trial) {
    assert_eq!(good(t.store().in_flight().await), []);
    for (name, of, shard, status) in [
        ("checkout", 2, 0, Status::Running),
        ("checkout", 2, 0, Status::Parked),
        ("checkout", 2, 1, Status::Running),
        ("checkout", 10, 0, Status::Waiting),
        ("checkout", 10, 1, Status::Completed),
        ("checkout", 1, 0, Status::Compensated),
        ("a", 7, 1, Status::Compensating),
    ] {
        let saga = t.id();
        let new = t.start(saga).new_saga(|new| (new.definition, new.version) = (name.to_owned(), of));
        t.accept(&[t.in_shard(shard, new).status(status)]).await;
    }
    let counts: Vec<_> = good(t.store().in_flight().await);
    let count = |name: &str, version, shard, sagas| InFlight { name: name.to_owned(), version, shard, sagas };
    let checkouts = [(2, 0, 2), (2, 1, 1), (10, 0, 1)];
    let checkouts = checkouts.map(|(version, shard, sagas)| count("checkout", version, shard, sagas));
    assert_eq!(counts, [&[count("a", 7, 1, 1)], &checkouts[..]].concat());
}

/// What was announced and switched is there after a restart, and so is the order of the switchings.
pub async fn versions_survive_a_restart(t: &mut Trial) {
    announce(t, "a", &[1, 2], T0).await;
    assert_eq!(switch(t, 2, true, T0 + 1).await, Switched::Switched);
    assert_eq!(switch(t, 1, false, T0 + 1).await, Switched::Switched);
    let before = good(t.store().definitions().await);
    t.reopen().await;
    assert_eq!(good(t.store().definitions().await), before);
    assert_eq!(switch(t, 2, false, T0).await, Switched::Switched);
    assert!(on(t).await.is_empty());
}

/// The largest version number is kept.
pub async fn the_largest_version_is_kept(t: &mut Trial) {
    announce(t, "a", &[u32::MAX], T0).await;
    assert_eq!(on(t).await, [u32::MAX]);
}

/// Names, reasons and times that cannot be kept are refused at the door, and nothing is written.
pub async fn what_cannot_be_kept_is_refused_at_the_door(t: &mut Trial) {
    let unnamed = Announcement { definitions: vec![version("", 1)], ..announcement("a", &[], T0) };
    for bad in
        [announcement("", &[1], T0), announcement("a\0b", &[1], T0), announcement("a", &[1], -1), unnamed]
    {
        let refused = t.store().announce(&bad).await;
        assert!(matches!(refused, Err(StoreError::Invalid(_))), "{bad:?}");
    }
    assert_eq!(good(t.store().definitions().await), []);
    announce(t, "a", &[1], T0).await;
    for (why, now_ms) in [("", T0), ("a\nb", T0), (&*"x".repeat(501), T0), ("fine", -1)] {
        let bad = Switch {
            name: "checkout".to_owned(),
            version: 1,
            on: false,
            why: why.to_owned(),
            now_ms,
            live_since_ms: 0,
        };
        assert!(matches!(t.store().switch(&bad).await, Err(StoreError::Invalid(_))), "{bad:?}");
    }
    assert_eq!(on(t).await, [1]);
}
