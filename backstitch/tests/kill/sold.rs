//! A shop in which everybody has bought already: what returns begin with.

use crate::bank::Bank;
use crate::crowd::Crowd;
use crate::customers::{Kind, Told};
use crate::dice::Dice;
use crate::engines::Engines;
use crate::points::Who;
use crate::stage::Stage;
use crate::strangers::Stranger;

/// Nobody is there, and everything is at rest.
pub(crate) struct Sold {
    pub(crate) stage: Stage,
    pub(crate) told: Vec<Told>,
}

impl Sold {
    /// Opens a shop, sells to one of each kind, and closes it.
    pub(crate) async fn to(kinds: &[Kind], engines: &Engines, bank: Bank) -> Self {
        Self::in_shop(Stage::with_bank(engines, bank).await, kinds).await
    }

    /// The same in this shop.
    pub(crate) async fn in_shop(mut stage: Stage, kinds: &[Kind]) -> Self {
        stage.open(Who::Orchestrator, "").await;
        let mut crowd = Crowd::new(kinds, &stage.doors, &Dice::of(0, "sold"));
        crowd.come();
        let told: Vec<Told> = crowd.all_rest().await.into_iter().map(|customer| customer.told()).collect();
        for told in &told {
            assert_eq!((told.end(), &told.violations), (told.kind.end, &Vec::new()), "{told:?}");
        }
        // What came in late would be acted on by the next life, at a place that is meant for what happens there.
        stage.all_webhooks_are_done().await;
        stage.close().await;
        Self { stage, told }
    }

    /// Somebody else has been at the bank, for each of these checkouts.
    pub(crate) async fn with_strangers(mut self) -> Self {
        self.stage.strangers = Stranger::come(&self.stage.bank, &self.stage.data(), &self.told).await;
        self
    }

    /// A shop of its own in which the same has been sold. Its bank keeps its books in a file.
    pub(crate) async fn copy(&self, engines: &Engines) -> Self {
        Self { stage: self.stage.copy(engines).await, told: self.told.clone() }
    }
}
