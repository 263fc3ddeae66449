//! What is asked of shipping, parsed once: after the door nobody checks again.
//!
//! Parsing looks at form alone. Whether a country, a method or a weight is served is the tariff's to refuse; a request
//! that is malformed is its builder's bug.

pub(crate) mod geography;
pub(crate) mod tariff;
pub(crate) mod tracking;

use std::collections::BTreeMap;

use backstitch_proto::address::PostalAddress;
use backstitch_proto::common::Item;
use backstitch_proto::money::Currency;
use backstitch_proto::shipping::{CreateShipmentRequest, QuoteRequest, TakeBackRequest};
use participant_kit::text;
pub(crate) use participant_kit::text::Invalid;
use uuid::Uuid;

/// Parses a UUID that stands in `field`.
pub(crate) fn id(field: &'static str, value: &str) -> Result<Uuid, Invalid> {
    text::uuid(value).map_err(|why| Invalid::new(field, why))
}

/// What a customer wants sent, and where to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct QuoteAsked {
    pub(crate) id: Uuid,
    /// All of the address that the price depends on; as the customer said it, known or not.
    pub(crate) country: String,
    /// As the customer said it, known or not.
    pub(crate) method: String,
    pub(crate) weight_grams: i64,
    pub(crate) currency: Currency,
}

impl QuoteAsked {
    pub(crate) fn parse(request: &QuoteRequest) -> Result<Self, Invalid> {
        let address = request.address.as_ref().ok_or_else(|| Invalid::new("address", "is missing"))?;
        let country =
            text::required(&address.country, 100).map_err(|e| Invalid::new("address.country", e))?;
        Ok(Self {
            id: id("quote_id", &request.quote_id)?,
            country: country.to_owned(),
            method: method(&request.method)?,
            weight_grams: weight(request.weight_grams)?,
            currency: Currency::parse(&request.currency).map_err(|e| Invalid::new("currency", e))?,
        })
    }
}

/// A parcel to be handed to the carrier. Was quoted before, so nothing about it is refused any more.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewShipment {
    pub(crate) id: Uuid,
    pub(crate) order: Uuid,
    pub(crate) address: PostalAddress,
    pub(crate) method: String,
    pub(crate) weight_grams: i64,
}

impl NewShipment {
    pub(crate) fn parse(request: &CreateShipmentRequest) -> Result<Self, Invalid> {
        let address = request.address.as_ref().ok_or_else(|| Invalid::new("address", "is missing"))?;
        Ok(Self {
            id: id("shipment_id", &request.shipment_id)?,
            order: id("order_id", &request.order_id)?,
            address: PostalAddress::parse(Some(address))
                .map_err(|e| Invalid::new(format!("address.{}", e.field), e.why))?,
            method: method(&request.method)?,
            weight_grams: weight(request.weight_grams)?,
        })
    }
}

/// So many lines may come back at once.
const MAX_LINES: usize = 1000;

/// What a return gives back of a parcel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct NewReceipt {
    pub(crate) id: Uuid,
    pub(crate) shipment: Uuid,
    pub(crate) order: Uuid,
    /// Nothing is left of the order.
    pub(crate) whole: bool,
    /// By product.
    pub(crate) items: BTreeMap<String, i64>,
    /// Everything that was bought, by product; empty where that was not told.
    pub(crate) ordered: BTreeMap<String, i64>,
}

impl NewReceipt {
    pub(crate) fn parse(request: &TakeBackRequest) -> Result<Self, Invalid> {
        if request.items.is_empty() || request.items.len() > MAX_LINES {
            let why = format!("must be 1 to {MAX_LINES}, not {}", request.items.len());
            return Err(Invalid::new("items", why));
        }
        if request.ordered.len() > MAX_LINES {
            let why = format!("must be at most {MAX_LINES}, not {}", request.ordered.len());
            return Err(Invalid::new("ordered", why));
        }
        Ok(Self {
            id: id("receipt_id", &request.receipt_id)?,
            shipment: id("shipment_id", &request.shipment_id)?,
            order: id("order_id", &request.order_id)?,
            whole: request.whole,
            items: quantities("items", &request.items, 1_000_000)?,
            // Lines of one product are one line here.
            ordered: quantities("ordered", &request.ordered, 1_000_000_000)?,
        })
    }

    /// Whether everything of the parcel has come back with this: `before`, what came back by receipts before it, by product.
    pub(crate) fn is_the_rest(&self, before: &BTreeMap<String, i64>) -> bool {
        if self.ordered.is_empty() {
            return self.whole;
        }
        let back = |of: &BTreeMap<String, i64>, sku: &str| of.get(sku).copied().unwrap_or_default();
        self.ordered
            .iter()
            .all(|(sku, bought)| back(before, sku).saturating_add(back(&self.items, sku)) >= *bought)
    }
}

/// Lines by product, each of at most `most`.
fn quantities(name: &str, lines: &[Item], most: i64) -> Result<BTreeMap<String, i64>, Invalid> {
    let mut quantities = BTreeMap::<String, i64>::new();
    for (index, line) in lines.iter().enumerate() {
        let field = |member: &str| format!("{name}[{index}].{member}");
        let sku = text::required(&line.sku, 100).map_err(|e| Invalid::new(field("sku"), e))?;
        if !(1..=most).contains(&line.quantity) {
            return Err(Invalid::new(field("quantity"), format!("must be from 1 to {most}")));
        }
        // 1000 lines of that each fit many times over.
        *quantities.entry(sku.to_owned()).or_default() += line.quantity;
    }
    Ok(quantities)
}

/// What taking back came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Outcome {
    /// The parcel does not leave.
    Cancelled,
    /// The goods come back.
    Received,
    /// There was no parcel, and there will be none.
    None,
}

impl Outcome {
    /// The word in the database and on the wire.
    pub(crate) fn as_str(self) -> &'static str {
        match self {
            Outcome::Cancelled => "cancelled",
            Outcome::Received => "received",
            Outcome::None => "none",
        }
    }
}

fn method(value: &str) -> Result<String, Invalid> {
    text::required(value, 100).map(str::to_owned).map_err(|e| Invalid::new("method", e))
}

/// A weight of nothing is a letter, or goods whose weight nobody stated.
fn weight(grams: i64) -> Result<i64, Invalid> {
    if grams < 0 { Err(Invalid::new("weight_grams", "must not be negative")) } else { Ok(grams) }
}

#[cfg(test)]
mod tests {
    use backstitch_proto::common::Address;

    use super::*;

    fn quote() -> QuoteRequest {
        QuoteRequest {
            quote_id: Uuid::from_u128(1).to_string(),
            address: Some(Address { country: "GB".into(), ..Default::default() }),
            method: "standard".into(),
            weight_grams: 0,
            currency: "GBP".into(),
        }
    }

    #[test]
    fn a_malformed_quote_names_its_field_and_an_unknown_word_is_no_malformed_one() {
        type Edit = fn(&mut QuoteRequest);
        let bad: [(&str, Edit); 7] = [
            ("quote_id", |r| r.quote_id = "1".into()),
            ("address", |r| r.address = None),
            ("address.country", |r| r.address = Some(Address::default())),
            ("method", |r| r.method.clear()),
            ("method", |r| r.method = "stand\nard".into()),
            ("weight_grams", |r| r.weight_grams = -1),
            ("currency", |r| r.currency = "pounds".into()),
        ];
        for (field, edit) in bad {
            let mut request = quote();
            edit(&mut request);
            assert_eq!(QuoteAsked::parse(&request).unwrap_err().field, field);
        }
        let mut odd = quote();
        odd.method = "by pigeon".into();
        odd.address.as_mut().unwrap().country = "Narnia".into();
        odd.weight_grams = i64::MAX;
        assert!(QuoteAsked::parse(&odd).is_ok(), "the tariff refuses this, not the parser");
    }

    #[test]
    fn a_malformed_shipment_names_its_field() {
        let good = CreateShipmentRequest {
            shipment_id: Uuid::from_u128(1).to_string(),
            order_id: Uuid::from_u128(2).to_string(),
            address: Some(Address {
                name: "Ada Lovelace".into(),
                line1: "12 St James's Square".into(),
                city: "London".into(),
                country: "GB".into(),
                ..Default::default()
            }),
            method: "standard".into(),
            weight_grams: 1,
        };
        assert!(NewShipment::parse(&good).is_ok());
        type Edit = fn(&mut CreateShipmentRequest);
        let bad: [(&str, Edit); 6] = [
            ("shipment_id", |r| r.shipment_id.clear()),
            ("order_id", |r| r.order_id = "BS-000001".into()),
            ("address", |r| r.address = None),
            ("address.name", |r| r.address.as_mut().unwrap().name = "a\nb".into()),
            ("method", |r| r.method.clear()),
            ("weight_grams", |r| r.weight_grams = -1),
        ];
        for (field, edit) in bad {
            let mut request = good.clone();
            edit(&mut request);
            assert_eq!(NewShipment::parse(&request).unwrap_err().field, field);
        }
    }
}
