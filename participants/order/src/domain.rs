//! What an order is, parsed once: after the door nobody checks again.
//!
//! Knows neither the database nor the wire beyond the messages that it parses.

pub(crate) mod returns;

use std::fmt;

use backstitch_proto::address::{EmailAddress, PostalAddress};
use backstitch_proto::common::PricedItem;
use backstitch_proto::money::{Currency, Money};
use backstitch_proto::order::CreateOrderRequest;
use participant_kit::{Identity, text};
use uuid::Uuid;

/// So many lines an order may have.
pub(crate) const MAX_ITEMS: usize = 1000;
/// So many of one product a line may have.
pub(crate) const MAX_QUANTITY: i64 = 1_000_000;

/// Why a request is no order. The saga built it, so it is a bug there: Broken, never Refused.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum InvalidOrder {
    /// A field has a form that it cannot have.
    #[error("{field} {why}")]
    Field {
        /// Its path in the request.
        field: String,
        /// To be read after the field's name.
        why: String,
    },
    /// The parts do not add up to the total.
    #[error("total is {stated}, but items and shipping come to {sum}")]
    Total {
        /// What the caller said.
        stated: Money,
        /// What the parts come to.
        sum: Money,
    },
}

fn invalid(field: impl Into<String>, why: impl fmt::Display) -> InvalidOrder {
    InvalidOrder::Field { field: field.into(), why: why.to_string() }
}

/// Parses a UUID that stands in `field`.
pub(crate) fn id(field: &'static str, value: &str) -> Result<Uuid, InvalidOrder> {
    text::uuid(value).map_err(|why| invalid(field, why))
}

/// What people call an order: BS-000001. Grows beyond six digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) struct OrderNumber(pub(crate) i64);

impl fmt::Display for OrderNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "BS-{:06}", self.0)
    }
}

/// Where an order is in its life.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum OrderStatus {
    /// Written, but nobody's business yet.
    Pending,
    /// It stands.
    Confirmed,
    /// Its checkout was taken back, or made good before it stood.
    Cancelled,
}

impl OrderStatus {
    /// The word in the database and on the wire.
    pub(crate) const fn as_str(self) -> &'static str {
        match self {
            OrderStatus::Pending => "pending",
            OrderStatus::Confirmed => "confirmed",
            OrderStatus::Cancelled => "cancelled",
        }
    }
}

/// One line of an order. Its price is in the order's currency.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Line {
    pub(crate) sku: String,
    pub(crate) name: String,
    pub(crate) quantity: i64,
    pub(crate) unit_price_minor: i64,
    pub(crate) unit_weight_grams: i64,
}

impl Line {
    /// The message that travels.
    pub(crate) fn to_proto(&self, currency: Currency) -> PricedItem {
        PricedItem {
            sku: self.sku.clone(),
            quantity: self.quantity,
            name: self.name.clone(),
            unit_price: Some(Money::new(self.unit_price_minor, currency).to_proto()),
            unit_weight_grams: self.unit_weight_grams,
        }
    }
}

/// An order to be written: one currency throughout, and a total that is the sum of its parts.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewOrder {
    pub(crate) id: Uuid,
    pub(crate) checkout: Uuid,
    /// `None` for a guest.
    pub(crate) customer: Option<String>,
    pub(crate) email: EmailAddress,
    pub(crate) lines: Vec<Line>,
    pub(crate) address: PostalAddress,
    pub(crate) shipping_method: String,
    pub(crate) shipping_price: Money,
    pub(crate) total: Money,
    pub(crate) payment: Uuid,
}

impl NewOrder {
    /// Parses a request.
    pub(crate) fn parse(request: CreateOrderRequest) -> Result<Self, InvalidOrder> {
        let total = money("total", request.total.as_ref())?;
        let shipping_price = money("shipping_price", request.shipping_price.as_ref())?;
        if request.items.is_empty() || request.items.len() > MAX_ITEMS {
            return Err(invalid("items", format!("must be 1 to {MAX_ITEMS}, not {}", request.items.len())));
        }
        // The total's currency is the order's: a part in another one does not add up.
        let mut sum = Money::zero(total.currency);
        let mut lines = Vec::with_capacity(request.items.len());
        for (index, item) in request.items.into_iter().enumerate() {
            let field = |name: &str| format!("items[{index}].{name}");
            let price = money(field("unit_price"), item.unit_price.as_ref())?;
            let line = parse_line(item, price.minor, field)?;
            let amount = price.times(line.quantity).and_then(|amount| sum.plus(amount));
            sum = amount.map_err(|e| invalid(field("unit_price"), e))?;
            lines.push(line);
        }
        sum = sum.plus(shipping_price).map_err(|e| invalid("shipping_price", e))?;
        if sum != total {
            return Err(InvalidOrder::Total { stated: total, sum });
        }
        let customer = text::optional(&request.customer_id, 200).map_err(|e| invalid("customer_id", e))?;
        let method = text::required(&request.shipping_method, 100);
        let address = request.shipping_address.as_ref();
        let address = address.ok_or_else(|| invalid("shipping_address", "is missing"))?;
        Ok(Self {
            id: id("order_id", &request.order_id)?,
            checkout: id("checkout_id", &request.checkout_id)?,
            customer: Some(customer).filter(|c| !c.is_empty()).map(str::to_owned),
            email: EmailAddress::parse(&request.email).map_err(|e| invalid(e.field, e.why))?,
            lines,
            address: PostalAddress::parse(Some(address))
                .map_err(|e| invalid(format!("shipping_address.{}", e.field), e.why))?,
            shipping_method: method.map_err(|e| invalid("shipping_method", e))?.to_owned(),
            shipping_price,
            total,
            payment: id("payment_id", &request.payment_id)?,
        })
    }

    /// Every field: another order under the same key is another body.
    pub(crate) fn identity(&self) -> Identity {
        let head = Identity::new("Create")
            .text("order_id", &self.id.to_string())
            .text("checkout_id", &self.checkout.to_string())
            .text("customer_id", self.customer.as_deref().unwrap_or(""))
            .text("email", self.email.as_str())
            .text("payment_id", &self.payment.to_string())
            .text("shipping_method", &self.shipping_method)
            .address(&self.address)
            .text("currency", self.total.currency.as_str())
            .int("shipping_price", self.shipping_price.minor)
            .int("total", self.total.minor);
        self.lines.iter().fold(head, |identity, line| {
            identity
                .text("sku", &line.sku)
                .text("name", &line.name)
                .int("quantity", line.quantity)
                .int("unit_price", line.unit_price_minor)
                .int("unit_weight_grams", line.unit_weight_grams)
        })
    }
}

/// An amount that is not negative.
fn money(
    field: impl Into<String>,
    message: Option<&backstitch_proto::common::Money>,
) -> Result<Money, InvalidOrder> {
    match Money::parse(message) {
        Ok(money) if money.minor >= 0 => Ok(money),
        Ok(money) => Err(invalid(field, format!("must not be negative, but is {money}"))),
        Err(e) => Err(invalid(field, e)),
    }
}

fn parse_line(
    item: PricedItem,
    unit_price_minor: i64,
    field: impl Fn(&str) -> String,
) -> Result<Line, InvalidOrder> {
    text::required(&item.sku, 100).map_err(|e| invalid(field("sku"), e))?;
    text::required(&item.name, 500).map_err(|e| invalid(field("name"), e))?;
    if !(1..=MAX_QUANTITY).contains(&item.quantity) {
        let why = format!("must be 1 to {MAX_QUANTITY}, not {}", item.quantity);
        return Err(invalid(field("quantity"), why));
    }
    if item.unit_weight_grams < 0 {
        return Err(invalid(field("unit_weight_grams"), "must not be negative"));
    }
    Ok(Line {
        sku: item.sku,
        name: item.name,
        quantity: item.quantity,
        unit_price_minor,
        unit_weight_grams: item.unit_weight_grams,
    })
}

#[cfg(test)]
mod tests;
