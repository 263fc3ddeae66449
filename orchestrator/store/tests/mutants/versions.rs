//! What is wrong with the versions of definitions.

use backstitch_store::{Announced, Announcement, StoreError, Switch, Switched};

use crate::{broken::Broken, kind::Kind};

impl Broken {
    pub(crate) async fn announce_broken(&self, told: &Announcement) -> Result<Vec<Announced>, StoreError> {
        let mut told = told.clone();
        match self.kind {
            Kind::FingerprintMayChange => {
                for row in self.sound.definitions().await? {
                    let same = |other: &&mut Announced| {
                        (&other.name, other.version) == (&row.definition.name, row.definition.version)
                    };
                    if let Some(definition) = told.definitions.iter_mut().find(same) {
                        definition.fingerprint = row.definition.fingerprint;
                    }
                }
            }
            Kind::AnnouncementAdds => {
                let mut notes = self.notes();
                let ever = notes.announced.entry(told.node.clone()).or_default();
                ever.extend(told.definitions);
                ever.sort();
                ever.dedup();
                told.definitions = ever.clone();
            }
            _ => {}
        }
        let refused = self.sound.announce(&told).await?;
        if self.kind == Kind::AnnouncingSwitchesOn {
            for Announced { name, version, .. } in told.definitions {
                let why = "it was announced".to_owned();
                let (now_ms, live_since_ms) = (told.now_ms, told.live_since_ms);
                let switch = Switch { name, version, on: true, why, now_ms, live_since_ms };
                self.sound.switch(&switch).await?;
            }
        }
        Ok(refused)
    }

    pub(crate) async fn switch_broken(&self, switch: &Switch) -> Result<Switched, StoreError> {
        if self.kind == Kind::GoneNodesCount {
            return self.sound.switch(&Switch { live_since_ms: 0, ..switch.clone() }).await;
        }
        if self.kind == Kind::SwitchingOffWaits && !switch.on {
            let rows = self.sound.definitions().await?;
            let mut nodes = rows.iter().flat_map(|row| &row.nodes);
            if !nodes.any(|(_, seen_ms)| *seen_ms >= switch.live_since_ms) {
                return Ok(Switched::Lacking(Vec::new()));
            }
        }
        let switched = self.sound.switch(switch).await?;
        let Switched::Lacking(nodes) = &switched else { return Ok(switched) };
        match self.kind {
            Kind::SwitchedWithoutWaiting if !nodes.is_empty() => {
                for node in nodes {
                    self.sound.withdraw(node).await?;
                }
            }
            Kind::SwitchedForNobody if nodes.is_empty() => {
                let known = self.sound.definitions().await?.into_iter().map(|row| row.definition);
                let nobody = Announcement {
                    node: "nobody".to_owned(),
                    definitions: known.collect(),
                    now_ms: switch.now_ms,
                    live_since_ms: switch.live_since_ms,
                };
                self.sound.announce(&nobody).await?;
            }
            _ => return Ok(switched),
        }
        self.sound.switch(switch).await
    }
}
