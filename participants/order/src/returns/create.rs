//! CreateReturn: claims the quantities that come back, and says what they are worth.

use std::collections::BTreeMap;

use async_trait::async_trait;
use backstitch_proto::common::Item;
use backstitch_proto::order::{CreateReturnRequest, CreateReturnResponse};
use participant_kit::{Action, CallMeta, Identity, LockKey, OpError, Refusal, Tx};

use crate::domain::returns::{Bought, NewReturn, Wanted, claim};
use crate::domain::{InvalidOrder, OrderStatus};
use crate::store::returns::{self, Returnable};

/// Claims, under the order's lock. Emits nothing: a return that is not completed is nobody's business.
#[derive(Clone)]
pub(crate) struct CreateReturn {
    asked: NewReturn,
    /// How long after its confirmation an order may come back, in milliseconds.
    window_ms: i64,
}

impl CreateReturn {
    pub(crate) fn parse(request: CreateReturnRequest, window_ms: i64) -> Result<Self, InvalidOrder> {
        Ok(Self { asked: NewReturn::parse(request)?, window_ms })
    }

    /// Whether this order may come back at all.
    fn admit(&self, order: &Returnable, now_ms: i64) -> Result<(), OpError> {
        const CONFIRMED: &str = OrderStatus::Confirmed.as_str();
        const PENDING: &str = OrderStatus::Pending.as_str();
        let NewReturn { order: id, make_good, .. } = &self.asked;
        match order.status.as_str() {
            CONFIRMED if *make_good => Ok(()),
            CONFIRMED => {
                let until_ms = order.confirmed_at_ms.saturating_add(self.window_ms);
                if now_ms <= until_ms {
                    return Ok(());
                }
                let why = "the time in which this order could be returned is over";
                Err(Refusal::new("RETURN_WINDOW_CLOSED", why).with("until_unix_ms", until_ms).into())
            }
            // It never stood, so nothing of it may be kept.
            PENDING if *make_good => match self.asked.wanted {
                Wanted::Everything => Ok(()),
                Wanted::Items(_) => {
                    Err(OpError::broken(format!("order {id} is pending, so it is made good as a whole")))
                }
            },
            status => Err(not_confirmed(status).into()),
        }
    }
}

fn not_confirmed(status: &str) -> Refusal {
    Refusal::new("ORDER_NOT_CONFIRMED", format!("the order is {status}")).with("status", status)
}

#[async_trait]
impl Action for CreateReturn {
    type Answer = CreateReturnResponse;

    fn identity(&self) -> Identity {
        self.asked.identity()
    }

    fn locks(&self) -> Vec<LockKey> {
        vec![
            LockKey::new("order", &self.asked.order.to_string()),
            LockKey::new("return", &self.asked.id.to_string()),
        ]
    }

    async fn perform(&self, tx: &mut Tx<'_>, call: &CallMeta) -> Result<Self::Answer, OpError> {
        let Self { asked, .. } = self;
        let now_ms = tx.now_ms();
        let Some(order) = returns::returnable(tx.conn(), asked.order).await? else {
            return Err(not_confirmed("unknown").into());
        };
        if order.saga != call.root.to_string() {
            let why = format!("order {} is of checkout {}, not of {}", asked.order, order.saga, call.root);
            return Err(OpError::broken(why));
        }
        self.admit(&order, now_ms)?;
        let bought = returns::bought(tx.conn(), asked.order).await?;
        let claim = claim(&bought, &asked.wanted)?;
        let refund = order.paid.refund(&claim);
        let refund = refund.map_err(|why| OpError::broken(format!("order {}: {why}", asked.order)))?;
        if !returns::insert(tx.conn(), asked, call.saga, refund.minor, now_ms).await? {
            return Err(OpError::broken(format!("return {} exists already", asked.id)));
        }
        returns::insert_lines(tx.conn(), asked.id, &claim.lines).await?;
        // The same again as a condition of the updates: whatever was read above, what is claimed here is there.
        let claimed = returns::claim_lines(tx.conn(), asked.id).await?;
        if claimed != claim.lines.len() || !returns::claim_money(tx.conn(), asked.id).await? {
            return Err(OpError::broken(format!("order {} has less left than was read", asked.order)));
        }
        let currency = order.paid.total.currency;
        Ok(CreateReturnResponse {
            return_id: asked.id.to_string(),
            order_number: order.number.to_string(),
            payment_id: order.payment,
            items: claim.lines.iter().map(|(_, line)| line.to_proto(currency)).collect(),
            refund: Some(refund.to_proto()),
            whole: claim.whole,
            email: order.email,
            name: order.name,
            ordered: ordered(&bought),
        })
    }
}

/// What was bought, one line a product.
fn ordered(bought: &[Bought]) -> Vec<Item> {
    let mut quantities = BTreeMap::<&str, i64>::new();
    for Bought { line, .. } in bought {
        *quantities.entry(&line.sku).or_default() += line.quantity;
    }
    quantities.into_iter().map(|(sku, quantity)| Item { sku: sku.to_owned(), quantity }).collect()
}
