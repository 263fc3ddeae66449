//! Old and new versions side by side, on nodes that can run both and nodes that cannot.

use backstitch_core::{Catalog, Definition, DefinitionBuilder, Operation, Status};
use backstitch_store::{Store as _, Switched};

use crate::fleet::{Fleet, Node, TERM, until};

const DO: Operation<String, ()> = Operation::new("stock", "Do");
const UNDO: Operation<String, ()> = Operation::new("stock", "Undo");

fn sale(version: u32, steps: &[&'static str]) -> Definition {
    let mut d = DefinitionBuilder::<String>::new("sale", version);
    let mut before = None;
    for name in steps {
        let mut step = d.step(name, DO).request(|c, ()| c.input.clone());
        if let Some(before) = before {
            step = step.after([before]);
        }
        before = Some(step.compensated_by(UNDO, |c| c.input.clone()).step());
    }
    d.build().unwrap()
}

fn old() -> Catalog {
    Catalog::default().with(sale(1, &["hold", "sell"]))
}

fn both() -> Catalog {
    old().with(sale(2, &["hold", "wrap", "sell"]))
}

async fn switch(node: &Node, on: bool) -> Switched {
    node.engine.switch("sale", 2, on, "as the test says").await.unwrap()
}

/// Upgraded node by node, used, switched off again and downgraded: nothing in flight is ever stuck, and nothing is
/// handed to who could not run it.
#[tokio::test(start_paused = true)]
async fn a_rolling_upgrade_goes_forth_and_back_with_sagas_in_flight() {
    let fleet = Fleet::new(4);
    let (a, b) = (fleet.node_with("a", old()).await, fleet.node_with("b", old()).await);
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    fleet.hold();
    let mut sagas = vec![a.start_of("sale").await, b.start_of("sale").await];
    // Forth, one after the other: the version is dark until every node has it.
    a.engine.drain().await;
    let a = fleet.node_with("a", both()).await;
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    assert_eq!(switch(&a, true).await, Switched::Lacking(vec!["b".to_owned()]));
    b.engine.drain().await;
    let b = fleet.node_with("b", both()).await;
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    assert_eq!(switch(&a, true).await, Switched::Switched);
    let newer = [a.start_of("sale").await];
    sagas.extend(newer);
    let shard = fleet.store.load(newer[0]).await.unwrap().unwrap().row.shard;

    // Back: switched off for new sagas, and b is what it was, while a newer saga is in flight.
    assert_eq!(switch(&a, false).await, Switched::Switched);
    b.engine.drain().await;
    let b = fleet.node_with("b", old()).await;
    fleet.balanced(&[(&a, 2), (&b, 2)]).await;
    tokio::time::sleep(TERM * 2).await;
    let row = fleet.store.load(newer[0]).await.unwrap().unwrap().row;
    assert_eq!((row.shard, row.version), (shard, 2));
    assert!(!b.engine.is_stranded(&row), "its shard is not b's");
    sagas.push(b.start_of("sale").await);
    fleet.let_go();
    fleet.all_completed(TERM * 4).await;
    for saga in sagas {
        let view = a.engine.view(saga).await.unwrap().unwrap();
        assert_eq!(view.state.status(), Status::Completed);
        assert_eq!(view.definition.version == 2, newer.contains(&saga));
    }
    fleet.epochs_only_rise();
}

/// A node that lacks the version of what is in flight takes none of it while another lives that has it, and takes it
/// when there is none, so that nothing waits for nobody; whoever comes and can run it gets it.
#[tokio::test(start_paused = true)]
async fn a_shard_is_left_to_who_can_run_what_is_in_it() {
    let fleet = Fleet::new(4);
    let new = fleet.node_with("new", both()).await;
    assert_eq!(switch(&new, true).await, Switched::Switched);
    fleet.hold();
    let mut sagas = Vec::new();
    for _ in 0..40 {
        sagas.push(new.start_of("sale").await);
    }
    let plain = fleet.node_with("plain", old()).await;
    tokio::time::sleep(TERM * 2).await;
    assert_eq!((new.shards(), plain.shards()), (4, 0), "version 2 is in flight in every shard");
    // Nobody is left who could: the shards are looked after all the same, and their sagas wait.
    new.line.set(crate::line::Way::Stalled);
    fleet.balanced(&[(&plain, 4)]).await;
    fleet.let_go();
    tokio::time::sleep(TERM).await;
    assert_eq!(fleet.unfinished().await, 40);
    let row = fleet.store.load(sagas[0]).await.unwrap().unwrap().row;
    assert!(plain.engine.is_stranded(&row));
    // Somebody comes who can.
    let again = fleet.node_with("again", both()).await;
    fleet.all_completed(TERM * 2).await;
    // Nothing newer is in flight: all is even again.
    fleet.balanced(&[(&plain, 2), (&again, 2)]).await;
    until(TERM, "nothing moves any more", async || again.shards() == 2).await;
    fleet.epochs_only_rise();
}
