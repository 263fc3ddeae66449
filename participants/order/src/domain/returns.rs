//! What a return is, parsed once, and what it takes of an order: exact, and the same whenever it is asked again.

use std::collections::BTreeMap;
use std::fmt;

use backstitch_proto::common::Item;
use backstitch_proto::money::Money;
use backstitch_proto::order::CreateReturnRequest;
use participant_kit::{Identity, Refusal, text};
use uuid::Uuid;

use super::{InvalidOrder, Line, MAX_ITEMS, MAX_QUANTITY, id, invalid};

/// So many characters a reason may have.
pub(crate) const MAX_REASON: usize = 500;

/// What people call a credit note: CN-000001. Grows beyond six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct CreditNoteNumber(pub(crate) i64);

impl fmt::Display for CreditNoteNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "CN-{:06}", self.0)
    }
}

/// Where a return is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum ReturnStatus {
    /// Its quantities are nobody else's; the money is not given back yet.
    Claimed,
    /// The money was given back, and there is a credit note.
    Completed,
    /// Nothing was given back; its quantities are free again.
    Cancelled,
}

impl ReturnStatus {
    /// The word in the database and on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            ReturnStatus::Claimed => "claimed",
            ReturnStatus::Completed => "completed",
            ReturnStatus::Cancelled => "cancelled",
        }
    }
}

/// What is to come back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Wanted {
    /// Whatever is left.
    Everything,
    /// So many of each product.
    Items(BTreeMap<String, i64>),
}

/// A return to be written.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewReturn {
    pub(crate) id: Uuid,
    pub(crate) order: Uuid,
    pub(crate) wanted: Wanted,
    pub(crate) reason: String,
    /// Of what was never delivered.
    pub(crate) make_good: bool,
}

impl NewReturn {
    /// Parses a request. Lines of one product add up: 1000 lines of a million each fit in an `i64` many times over.
    pub(crate) fn parse(request: CreateReturnRequest) -> Result<Self, InvalidOrder> {
        if request.items.len() > MAX_ITEMS {
            return Err(invalid(
                "items",
                format!("must be at most {MAX_ITEMS}, not {}", request.items.len()),
            ));
        }
        let mut wanted = BTreeMap::<String, i64>::new();
        for (index, Item { sku, quantity }) in request.items.into_iter().enumerate() {
            let field = |name: &str| format!("items[{index}].{name}");
            text::required(&sku, 100).map_err(|e| invalid(field("sku"), e))?;
            if !(1..=MAX_QUANTITY).contains(&quantity) {
                return Err(invalid(
                    field("quantity"),
                    format!("must be 1 to {MAX_QUANTITY}, not {quantity}"),
                ));
            }
            *wanted.entry(sku).or_default() += quantity;
        }
        let reason = text::optional(&request.reason, MAX_REASON).map_err(|e| invalid("reason", e))?;
        Ok(Self {
            id: id("return_id", &request.return_id)?,
            order: id("order_id", &request.order_id)?,
            wanted: if wanted.is_empty() { Wanted::Everything } else { Wanted::Items(wanted) },
            reason: reason.to_owned(),
            make_good: request.make_good,
        })
    }

    /// Every field: another return under the same key is another body.
    pub(crate) fn identity(&self) -> Identity {
        let head = Identity::new("CreateReturn")
            .text("return_id", &self.id.to_string())
            .text("order_id", &self.order.to_string())
            .text("reason", &self.reason)
            .int("make_good", self.make_good.into());
        match &self.wanted {
            Wanted::Everything => head,
            Wanted::Items(items) => items
                .iter()
                .fold(head, |identity, (sku, quantity)| identity.text("sku", sku).int("quantity", *quantity)),
        }
    }
}

/// A line of an order, and how much of it came back or is about to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Bought {
    /// Its number in the order.
    pub(crate) number: i64,
    pub(crate) line: Line,
    pub(crate) returned: i64,
}

impl Bought {
    fn left(&self) -> i64 {
        self.line.quantity - self.returned
    }
}

/// What a return takes of an order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Claim {
    /// Lines of the order with their numbers, each with the quantity that comes back, in the order's order.
    pub(crate) lines: Vec<(i64, Line)>,
    /// Nothing is left of the order after it.
    pub(crate) whole: bool,
}

/// Takes what is wanted of what is left. The same product at several prices comes back line by line, the first line
/// first.
///
/// # Errors
/// The refusal; see the service's comment.
pub(crate) fn claim(bought: &[Bought], wanted: &Wanted) -> Result<Claim, Refusal> {
    let mut open = match wanted {
        Wanted::Everything => None,
        Wanted::Items(items) => Some(items.clone()),
    };
    if let Some(sku) =
        open.iter().flat_map(BTreeMap::keys).find(|sku| bought.iter().all(|b| b.line.sku != **sku))
    {
        return Err(Refusal::new("NOT_BOUGHT", format!("the order has no {sku}")).with("sku", sku));
    }
    if bought.iter().all(|b| b.left() == 0) {
        return Err(Refusal::new("NOTHING_LEFT", "everything of this order has come back already"));
    }
    let (mut lines, mut whole) = (Vec::new(), true);
    for Bought { number, line, returned } in bought {
        let left = line.quantity - returned;
        let taken = match &mut open {
            None => left,
            Some(open) => open.get_mut(&line.sku).map_or(0, |open| {
                let taken = left.min(*open);
                *open -= taken;
                taken
            }),
        };
        whole &= taken == left;
        if taken > 0 {
            lines.push((*number, Line { quantity: taken, ..line.clone() }));
        }
    }
    match (wanted, open.iter().flatten().find(|(_, missing)| **missing > 0)) {
        (Wanted::Items(items), Some((sku, missing))) => {
            let asked = items.get(sku).copied().unwrap_or(*missing);
            let left = asked - missing;
            Err(Refusal::new("MORE_THAN_BOUGHT", format!("{asked} of {sku} asked, {left} left"))
                .with("sku", sku)
                .with("left", left)
                .with("asked", asked))
        }
        _ => Ok(Claim { lines, whole }),
    }
}

/// An order's money, as far as a return is about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Paid {
    pub(crate) shipping: Money,
    pub(crate) total: Money,
    /// What returns that were not cancelled give back.
    pub(crate) returned: Money,
}

impl Paid {
    /// What a claim is worth: the prices that were paid. When nothing is left of the order, everything that is left of
    /// its total, so that whatever the parts are, they add up to it; that is the price of shipping beside the items,
    /// or not even that where a return that had it was followed by the cancellation of an earlier one.
    ///
    /// # Errors
    /// That the order does not add up: somebody has changed its rows.
    pub(crate) fn refund(self, claim: &Claim) -> Result<Money, String> {
        let mut items = Money::zero(self.total.currency);
        for (_, line) in &claim.lines {
            let amount = Money::new(line.unit_price_minor, self.total.currency).times(line.quantity);
            items = amount.and_then(|amount| items.plus(amount)).map_err(|e| e.to_string())?;
        }
        let left = self.returned.times(-1).and_then(|returned| self.total.plus(returned));
        let left = left.map_err(|e| e.to_string())?;
        let with_shipping = items.plus(self.shipping).map_err(|e| e.to_string())?;
        match claim.whole {
            true if left == items || left == with_shipping => Ok(left),
            false if items.minor <= left.minor => Ok(items),
            _ => Err(format!("its items come to {items}, but {left} is left of its total")),
        }
    }
}

#[cfg(test)]
mod tests;
