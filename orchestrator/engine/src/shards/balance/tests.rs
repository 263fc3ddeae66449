//! What the balance comes to.

use proptest::prelude::*;

use super::*;

/// Nodes that can run versions up to theirs, and shards with an owner ("" is free) and a newest version in flight.
#[derive(Clone, Debug)]
struct World {
    nodes: Vec<(&'static str, u32)>,
    shards: Vec<(String, u32)>,
}

impl World {
    fn new(nodes: &[(&'static str, u32)], owners: &[&str]) -> Self {
        let shards = owners.iter().map(|owner| ((*owner).to_owned(), 1)).collect();
        Self { nodes: nodes.to_vec(), shards }
    }

    fn plan(&self, node: &str) -> Plan {
        let versions = |to: u32| (1..=to).map(|version| ("checkout".to_owned(), version)).collect();
        let rows: Vec<ShardRow> = (0..)
            .zip(&self.shards)
            .map(|(shard, (owner, _))| ShardRow {
                shard,
                owner: owner.clone(),
                epoch: 1,
                free: owner.is_empty(),
            })
            .collect();
        let view = View {
            nodes: self.nodes.iter().map(|(node, to)| (*node, versions(*to))).collect(),
            shards: &rows,
            needs: (0..).zip(&self.shards).map(|(shard, (_, to))| (shard, versions(*to))).collect(),
        };
        view.plan(node)
    }

    /// Every node looks and acts, one after the other; answers how many shards moved.
    fn round(&mut self) -> usize {
        let mut moved = 0;
        for (node, _) in self.nodes.clone() {
            let plan = self.plan(node);
            for shard in &plan.hand_over {
                self.shards[usize::from(*shard)].0.clear();
            }
            for shard in &plan.claim {
                node.clone_into(&mut self.shards[usize::from(*shard)].0);
            }
            moved += plan.hand_over.len() + plan.claim.len();
        }
        moved
    }

    fn settle(&mut self) -> usize {
        let mut moved = 0;
        for _ in 0..100 {
            match self.round() {
                0 => return moved,
                more => moved += more,
            }
        }
        panic!("it never settles: {self:?}");
    }

    fn has(&self, node: &str) -> usize {
        self.shards.iter().filter(|(owner, _)| owner == node).count()
    }
}

#[test]
fn one_node_takes_everything() {
    let world = World::new(&[("a", 1)], &["", "", "", ""]);
    assert_eq!(world.plan("a"), Plan { claim: vec![0, 1, 2, 3], hand_over: vec![] });
}

#[test]
fn nodes_that_begin_together_take_different_shards() {
    let world = World::new(&[("a", 1), ("b", 1), ("c", 1)], &["", "", "", ""]);
    let claims: Vec<Vec<u16>> = ["a", "b", "c"].map(|node| world.plan(node).claim).to_vec();
    let mut all = claims.concat();
    all.sort_unstable();
    assert_eq!(all, [0, 1, 2, 3]);
    assert_eq!(claims.iter().map(Vec::len).collect::<Vec<_>>(), [2, 1, 1]);
}

#[test]
fn a_node_that_comes_gets_its_share_from_who_has_most() {
    let world = World::new(&[("a", 1), ("b", 1)], &["a", "a", "a", "a"]);
    assert_eq!(world.plan("a"), Plan { claim: vec![], hand_over: vec![2, 3] });
    assert_eq!(world.plan("b"), Plan::default(), "nothing is free yet");
    let world = World::new(&[("a", 1), ("b", 1)], &["a", "a", "", ""]);
    assert_eq!(world.plan("a"), Plan::default());
    assert_eq!(world.plan("b"), Plan { claim: vec![2, 3], hand_over: vec![] });
}

#[test]
fn what_is_even_stays_where_it_is() {
    for owners in [["a", "b", "b", "a"], ["a", "b", "a", "b"]] {
        let world = World::new(&[("a", 1), ("b", 1)], &owners);
        assert_eq!((world.plan("a"), world.plan("b")), (Plan::default(), Plan::default()));
    }
    // One over is no reason to move.
    let world = World::new(&[("a", 1), ("b", 1)], &["b", "b", "a"]);
    assert_eq!((world.plan("a"), world.plan("b")), (Plan::default(), Plan::default()));
}

#[test]
fn a_shard_of_a_node_that_is_not_heard_of_waits_for_the_end_of_its_lease() {
    let world = World::new(&[("a", 1)], &["a", "gone", "gone", "a"]);
    assert_eq!(world.plan("a"), Plan::default());
    let world = World::new(&[("a", 1)], &["a", "", "", "a"]);
    assert_eq!(world.plan("a").claim, [1, 2]);
}

#[test]
fn a_shard_goes_to_who_can_run_what_is_in_it() {
    let mut world = World::new(&[("new", 2), ("old", 1)], &["", "", "", ""]);
    (world.shards[0].1, world.shards[1].1, world.shards[2].1) = (2, 2, 2);
    assert_eq!(world.plan("old").claim, [3]);
    assert_eq!(world.plan("new").claim, [0, 1, 2]);
}

#[test]
fn a_holder_that_cannot_run_what_is_in_it_hands_over_to_who_can() {
    let mut world = World::new(&[("new", 2), ("old", 1)], &["new", "new", "old", "old"]);
    world.shards[3].1 = 2;
    assert_eq!(world.plan("old").hand_over, [3]);
    world.settle();
    assert_eq!(world.shards[3].0, "new");
    assert_eq!((world.has("new"), world.has("old")), (2, 2));
}

#[test]
fn what_nobody_can_run_stays_with_who_has_it() {
    let mut world = World::new(&[("a", 1), ("b", 1)], &["a", "a", "b", ""]);
    world.shards[2].1 = 2;
    world.shards[3].1 = 2;
    assert_eq!(world.plan("b"), Plan { claim: vec![3], hand_over: vec![] });
    assert_eq!(world.plan("a"), Plan::default());
}

fn worlds() -> impl Strategy<Value = World> {
    let node = prop::sample::subsequence(vec!["a", "b", "c", "d", "e"], 1..=5);
    let owner = prop::sample::select(vec!["", "a", "b", "c", "d", "e"]);
    let shards = prop::collection::vec((owner, 1..=3_u32), 1..=16);
    (node, prop::collection::vec(1..=3_u32, 5), shards).prop_map(|(nodes, runs, shards)| World {
        // The leases of those who are gone have ended.
        shards: shards
            .into_iter()
            .map(|(owner, to)| (if nodes.contains(&owner) { owner.to_owned() } else { String::new() }, to))
            .collect(),
        nodes: nodes.into_iter().zip(runs).collect(),
    })
}

proptest! {
    #[test]
    fn it_settles_with_every_shard_at_somebody_who_can_run_it(mut world in worlds()) {
        world.settle();
        let newest = world.nodes.iter().map(|(_, to)| *to).max().unwrap_or(0);
        for (owner, needs) in &world.shards {
            let runs = world.nodes.iter().find(|(node, _)| node == owner).map(|(_, to)| *to);
            prop_assert!(runs.is_some_and(|runs| runs >= *needs || newest < *needs), "{:?}", world);
        }
    }

    #[test]
    fn it_settles_evenly_where_all_are_alike(mut world in worlds()) {
        world.shards.iter_mut().for_each(|(_, needs)| *needs = 1);
        let before = world.clone();
        let moved = world.settle();
        let (low, high) = (world.shards.len() / world.nodes.len(), world.shards.len().div_ceil(world.nodes.len()));
        let mut least = 0;
        for (node, _) in &world.nodes {
            prop_assert!((low..=high).contains(&world.has(node)), "{:?}", world);
            least += world.has(node).saturating_sub(before.has(node));
        }
        // Whoever has more than before got it once, and nothing went back and forth.
        let handed: usize =
            world.nodes.iter().map(|(node, _)| before.has(node).saturating_sub(world.has(node))).sum();
        prop_assert_eq!(moved, least + handed, "{:?} became {:?}", before, world);
    }
}
