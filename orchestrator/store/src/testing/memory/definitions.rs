//! Versions of definitions in memory: three maps, told as plainly as possible.

use std::collections::{BTreeMap, BTreeSet};

use crate::{Announced, Announcement, DefinitionRow, Switch, SwitchRow, Switched, definitions::FIRST};

type Version = (String, u32);

#[derive(Default)]
pub(super) struct Definitions {
    /// Fingerprint and first announcement.
    known: BTreeMap<Version, ([u8; 32], i64)>,
    nodes: BTreeMap<String, Node>,
    switches: Vec<(Version, SwitchRow)>,
}

struct Node {
    seen_at_ms: i64,
    runs: BTreeSet<Version>,
}

impl Definitions {
    pub(super) fn announce(&mut self, announcement: &Announcement) -> Vec<Announced> {
        self.nodes.retain(|_, node| node.seen_at_ms >= announcement.live_since_ms);
        let mut node = Node { seen_at_ms: announcement.now_ms, runs: BTreeSet::new() };
        let mut refused = Vec::new();
        for definition in &announcement.definitions {
            let version = (definition.name.clone(), definition.version);
            let new = (definition.fingerprint, announcement.now_ms);
            if self.known.entry(version.clone()).or_insert(new).0 == definition.fingerprint {
                node.runs.insert(version);
            } else {
                refused.push(definition.clone());
            }
        }
        self.nodes.insert(announcement.node.clone(), node);
        self.switch_first_on(announcement.now_ms);
        refused
    }

    fn switch_first_on(&mut self, now_ms: i64) {
        for version in self.known.keys().cloned().collect::<Vec<_>>() {
            let ever = self.switches.iter().any(|((name, _), _)| *name == version.0);
            if !ever && self.nodes.values().all(|node| node.runs.contains(&version)) {
                self.switches.push((version, SwitchRow { on: true, at_ms: now_ms, why: FIRST.to_owned() }));
            }
        }
    }

    pub(super) fn withdraw(&mut self, node: &str) {
        self.nodes.remove(node);
    }

    fn last(&self, version: &Version) -> Option<&SwitchRow> {
        self.switches.iter().rev().find(|(switched, _)| switched == version).map(|(_, row)| row)
    }

    pub(super) fn switch(&mut self, switch: &Switch) -> Switched {
        let version = (switch.name.clone(), switch.version);
        if !self.known.contains_key(&version) {
            return Switched::Unknown;
        }
        if self.last(&version).is_some_and(|row| row.on) == switch.on {
            return Switched::Already;
        }
        let live = || self.nodes.iter().filter(|(_, node)| node.seen_at_ms >= switch.live_since_ms);
        let lacking = live().filter(|(_, node)| !node.runs.contains(&version));
        let lacking: Vec<String> = lacking.map(|(name, _)| name.clone()).collect();
        if switch.on && (!lacking.is_empty() || live().next().is_none()) {
            return Switched::Lacking(lacking);
        }
        let row = SwitchRow { on: switch.on, at_ms: switch.now_ms, why: switch.why.clone() };
        self.switches.push((version, row));
        Switched::Switched
    }

    pub(super) fn all(&self) -> Vec<DefinitionRow> {
        let row = |(version, (fingerprint, announced_at_ms)): (&Version, &([u8; 32], i64))| {
            let nodes = self.nodes.iter().filter(|(_, node)| node.runs.contains(version));
            DefinitionRow {
                definition: Announced {
                    name: version.0.clone(),
                    version: version.1,
                    fingerprint: *fingerprint,
                },
                announced_at_ms: *announced_at_ms,
                nodes: nodes.map(|(name, node)| (name.clone(), node.seen_at_ms)).collect(),
                switch: self.last(version).cloned(),
            }
        };
        self.known.iter().map(row).collect()
    }
}
