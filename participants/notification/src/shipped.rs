//! The mail that an order has been sent: caused by the order's event, not by a call.
//!
//! The letter goes into the log in the transaction of the inbox row, so there is one for each order however often its
//! event is delivered; the mailer then sends it like any other.

use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use backstitch_proto::address::EmailAddress;
use backstitch_proto::events::OrderShipped;
use backstitch_proto::ids::derived;
use outbox_relay::consumer::{Failure, Handler, Incoming, Subscription};
use outbox_relay::inbox;
use participant_kit::{Kit, LockKey};
use uuid::Uuid;

use crate::store;
use crate::template::{self, Letter};

/// The consumer group, and the name in the inbox.
const GROUP: &str = "notification";
const TEMPLATE: &str = "order_shipped";

/// What the notification participant reads.
pub(crate) fn subscription(kit: &Kit) -> Subscription {
    Subscription {
        group: GROUP,
        topics: vec!["order.events"],
        handler: Arc::new(Shipped { kit: kit.clone() }),
    }
}

struct Shipped {
    kit: Kit,
}

/// A letter that an event asks for.
#[derive(Clone)]
struct Asked {
    event: Uuid,
    /// Derived from the order, so that an event that is published under another id writes no second letter.
    notification: Uuid,
    root: Uuid,
    to: EmailAddress,
    letter: Letter,
}

impl Asked {
    /// None for an event of another kind.
    fn parse(message: &Incoming) -> Result<Option<Self>, Failure> {
        if message.kind() != "com.backstitch.order.shipped.v1" {
            return Ok(None);
        }
        let poison = |what: &str, why: &dyn std::fmt::Display| Failure::Poison(format!("its {what}: {why}"));
        let shipped: OrderShipped = message.json()?;
        let order = Uuid::try_parse(&shipped.order_id).map_err(|error| poison("order_id", &error))?;
        let to = EmailAddress::parse(&shipped.email).map_err(|error| poison("email", &error.why))?;
        let parameters = BTreeMap::from(
            [
                ("name", shipped.name),
                ("order_number", shipped.order_number),
                ("tracking_number", shipped.tracking_number),
            ]
            .map(|(name, value)| (name.to_owned(), value)),
        );
        Ok(Some(Self {
            event: message.event_id()?,
            notification: derived(order, TEMPLATE),
            root: Uuid::try_parse_ascii(&message.key).map_err(|error| poison("key", &error))?,
            to,
            letter: template::render(TEMPLATE, &parameters).map_err(|error| poison("body", &error))?,
        }))
    }
}

#[async_trait]
impl Handler for Shipped {
    async fn handle(&self, message: &Incoming) -> Result<(), Failure> {
        let Some(asked) = Asked::parse(message)? else { return Ok(()) };
        let locks = vec![LockKey::new("notification", &asked.notification.to_string())];
        let written = self.kit.run(locks, move |tx| {
            let asked = asked.clone();
            Box::pin(async move {
                let now_ms = tx.now_ms();
                if inbox::first_sight(tx.conn(), GROUP, asked.event, now_ms).await? {
                    let Asked { notification: id, to, letter, root, .. } = &asked;
                    let queued = store::Queued { id: *id, template: TEMPLATE, to, letter };
                    store::queue(tx.conn(), &queued, *root, now_ms).await?;
                }
                Ok(())
            })
        });
        Ok(written.await?)
    }
}
