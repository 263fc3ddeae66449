//! Keeps the connection to Redis, and looks which copies may be believed.

use std::sync::Arc;
use std::time::Instant;

use async_trait::async_trait;
use participant_kit::{Background, OpError, Progress};
use uuid::Uuid;

use super::Inner;
use super::keyspace::{self, Keyspace};
use super::link::Live;
use super::scripts::{self, Token};

/// One tick makes the connection if there is none, and asks the database which keyspace is believed.
pub(crate) struct Keeper(Arc<Inner>);

impl Keeper {
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self(inner)
    }
}

#[async_trait]
impl Background for Keeper {
    fn name(&self) -> &'static str {
        "cart copies"
    }

    async fn tick(&self, _now_ms: i64) -> Progress {
        match self.0.look_after().await {
            Ok(()) => Progress::idle(),
            Err(error) => Progress::failed(error),
        }
    }
}

impl Inner {
    async fn look_after(&self) -> Result<(), OpError> {
        let begun = Instant::now();
        let held = self.link.connected();
        let (live, is_new) = match held {
            Some(live) if self.link.ping(&live).await.is_some() => (live, false),
            Some(_) => return Ok(()),
            None => match self.reach().await {
                Some(live) => (live, true),
                None => return Ok(()),
            },
        };
        let said = keyspace::read(&self.kit).await?;
        if !is_new && !said.name.is_empty() && said.server != live.server() {
            // Somebody else reaches another server under this address; so may a new connection.
            self.link.lose::<()>(live.losses(), "is another server than other carts use");
            return Ok(());
        }
        // After a break it still holds if nobody has emptied it and the server is the same one: one that was started again
        // may remember what was true long ago. A process that begins draws its own: nobody knows what the one before it
        // left unsettled. So does one that could not settle something itself.
        let goes_on = self.link.goes_on() && !(is_new && live.server().is_empty());
        let holds = goes_on && !said.name.is_empty() && said.server == live.server();
        if holds {
            self.link.believe(live, &said.name, begun);
            return Ok(());
        }
        let name = Uuid::now_v7().simple().to_string();
        let new = Keyspace { name: name.clone(), server: live.server().to_owned() };
        if keyspace::draw(&self.kit, said, new).await? {
            self.link.believe(live, &name, begun);
        }
        Ok(())
    }

    /// A new connection on which everything is allowed that copies need.
    async fn reach(&self) -> Option<Live> {
        let losses = self.link.losses();
        let live = match self.link.connect().await {
            Ok(live) => live,
            Err(why) => return self.link.lose(losses, &why),
        };
        for probe in scripts::probe(&live, &Token::new(&live)) {
            self.link.ask(&live, probe).await?;
        }
        Some(live)
    }
}
