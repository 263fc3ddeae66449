//! A product, and what a put of it means.

use backstitch_proto::inventory as wire;
use backstitch_proto::money::{Money, MoneyError};

use super::text::words;
use super::{Invalid, Sku};

const MAX_STOCK: i64 = 1_000_000_000;

/// What is sold, for how much, and how heavy it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Terms {
    pub(crate) name: String,
    /// Always positive.
    pub(crate) price: Money,
    pub(crate) weight_grams: i64,
}

/// A product with its stock, as it stands in the database.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Product {
    pub(crate) sku: Sku,
    pub(crate) terms: Terms,
    /// What the last put stated.
    pub(crate) stated_stock: i64,
    pub(crate) on_hand: i64,
    pub(crate) reserved: i64,
    pub(crate) sold: i64,
    /// Raised with every change of `on_hand` and of the product.
    pub(crate) revision: i64,
}

impl Product {
    pub(crate) fn etag(&self) -> String {
        self.revision.to_string()
    }

    pub(crate) fn to_proto(&self) -> wire::Product {
        wire::Product {
            sku: self.sku.to_string(),
            name: self.terms.name.clone(),
            price: Some(self.terms.price.to_proto()),
            weight_grams: self.terms.weight_grams,
            on_hand: self.on_hand,
            reserved: self.reserved,
            sold: self.sold,
            etag: self.etag(),
            stated_stock: self.stated_stock,
        }
    }
}

/// A put as it was asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Put {
    pub(crate) sku: Sku,
    pub(crate) terms: Terms,
    pub(crate) stock: i64,
    /// The ETag that the caller saw.
    pub(crate) if_match: Option<String>,
}

impl TryFrom<wire::PutProductRequest> for Put {
    type Error = Invalid;

    fn try_from(request: wire::PutProductRequest) -> Result<Self, Invalid> {
        let price = Money::parse(request.price.as_ref()).map_err(|error| match error {
            MoneyError::Missing => Invalid::new("price", "is missing"),
            other => Invalid::new("price.currency", format!("is not allowed: {other}")),
        })?;
        if price.minor <= 0 {
            return Err(Invalid::new("price.amount_minor", "must be positive"));
        }
        if request.weight_grams < 0 {
            return Err(Invalid::new("weight_grams", "must not be negative"));
        }
        if !(0..=MAX_STOCK).contains(&request.stock) {
            return Err(Invalid::new("stock", "must be from 0 to 1 000 000 000"));
        }
        // HTTP puts an entity tag in quotes; both spellings are one tag. `*` is none: it would let a late retry
        // overwrite what it never saw.
        let tag = request.if_match.trim();
        let bare = tag.strip_prefix('"').and_then(|t| t.strip_suffix('"')).unwrap_or(tag);
        Ok(Self {
            sku: Sku::parse("sku", &request.sku)?,
            terms: Terms {
                name: words("name", &request.name, 200)?,
                price,
                weight_grams: request.weight_grams,
            },
            stock: request.stock,
            if_match: (!tag.is_empty()).then(|| bare.to_owned()),
        })
    }
}

/// What a put comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Change<'a> {
    /// There is no such product yet: it begins with the stated stock.
    Create,
    /// It says what is already so: a retry, or nothing new.
    Nothing(&'a Product),
    /// The product takes the put's terms and stated stock, and its stock moves by so many: stated - on hand if
    /// somebody counted, else none.
    Alter {
        /// The product as it is.
        from: &'a Product,
        /// How many more there are than the books say.
        by: i64,
    },
}

/// Why a put is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Refused {
    /// Another stock than the last put stated, without saying which state was counted.
    PreconditionRequired,
    /// The product is not what the caller saw.
    EtagMismatch,
}

/// Decides a put, under the SKU's lock.
///
/// A put that changes nothing succeeds whatever its `if_match`: it is how the retry of a put that was done looks.
/// One that would change the stock needs an `if_match`, so the retry of an *older* put can never restock.
pub(crate) fn decide<'a>(now: Option<&'a Product>, put: &Put) -> Result<Change<'a>, Refused> {
    let Some(from) = now else {
        return if put.if_match.is_none() { Ok(Change::Create) } else { Err(Refused::EtagMismatch) };
    };
    let counted = put.stock != from.stated_stock;
    if !counted && put.terms == from.terms {
        return Ok(Change::Nothing(from));
    }
    match &put.if_match {
        Some(tag) if *tag != from.etag() => Err(Refused::EtagMismatch),
        None if counted => Err(Refused::PreconditionRequired),
        _ => Ok(Change::Alter { from, by: if counted { put.stock - from.on_hand } else { 0 } }),
    }
}

#[cfg(test)]
mod tests {
    use backstitch_proto::common;
    use backstitch_proto::money::Currency;

    use super::*;

    fn request() -> wire::PutProductRequest {
        wire::PutProductRequest {
            sku: "A".into(),
            name: "Lantern".into(),
            price: Some(common::Money { amount_minor: 255, currency: "GBP".into() }),
            weight_grams: 100,
            stock: 10,
            if_match: String::new(),
        }
    }

    fn put(stock: i64, if_match: Option<&str>) -> Put {
        let request = wire::PutProductRequest { stock, ..request() };
        Put { if_match: if_match.map(str::to_owned), ..Put::try_from(request).unwrap() }
    }

    /// Stated 10, of which 3 were sold and 2 are reserved.
    fn product() -> Product {
        let Put { sku, terms, .. } = put(10, None);
        Product { sku, terms, stated_stock: 10, on_hand: 5, reserved: 2, sold: 3, revision: 4 }
    }

    #[test]
    fn the_first_put_sets_the_stock() {
        assert_eq!(decide(None, &put(10, None)), Ok(Change::Create));
        assert_eq!(decide(None, &put(10, Some("4"))), Err(Refused::EtagMismatch));
    }

    #[test]
    fn the_same_stated_stock_never_moves_stock_whatever_was_sold_meanwhile() {
        let now = product();
        for tag in [None, Some("4"), Some("1")] {
            assert_eq!(decide(Some(&now), &put(10, tag)), Ok(Change::Nothing(&now)));
        }
    }

    #[test]
    fn another_stated_stock_is_a_count_that_needs_the_etag() {
        let now = product();
        let count = |by| Ok(Change::Alter { from: &now, by });
        assert_eq!(decide(Some(&now), &put(8, None)), Err(Refused::PreconditionRequired));
        assert_eq!(decide(Some(&now), &put(8, Some("3"))), Err(Refused::EtagMismatch));
        assert_eq!(decide(Some(&now), &put(8, Some("*"))), Err(Refused::EtagMismatch));
        assert_eq!(decide(Some(&now), &put(8, Some("4"))), count(3));
        assert_eq!(decide(Some(&now), &put(0, Some("4"))), count(-5));
        // Stated 5 and 5 are there: nothing moves, and yet the statement is new.
        assert_eq!(decide(Some(&now), &put(5, Some("4"))), count(0));
    }

    #[test]
    fn new_terms_move_no_stock_and_need_no_etag_but_keep_to_one_that_is_given() {
        let now = product();
        let dearer = |tag| {
            let mut put = put(10, tag);
            put.terms.price = Money::new(300, Currency::parse("GBP").unwrap());
            put
        };
        for tag in [None, Some("4")] {
            assert_eq!(decide(Some(&now), &dearer(tag)), Ok(Change::Alter { from: &now, by: 0 }));
        }
        assert_eq!(decide(Some(&now), &dearer(Some("3"))), Err(Refused::EtagMismatch));
    }

    #[test]
    fn an_entity_tag_is_the_same_with_and_without_quotes() {
        for (sent, parsed) in
            [("", None), ("4", Some("4")), ("\"4\"", Some("4")), ("W/\"4\"", Some("W/\"4\""))]
        {
            let request = wire::PutProductRequest { if_match: sent.into(), ..request() };
            assert_eq!(Put::try_from(request).unwrap().if_match.as_deref(), parsed, "{sent}");
        }
    }

    #[test]
    fn a_field_that_cannot_be_is_named_and_the_limits_themselves_are_allowed() {
        type Edit = fn(&mut wire::PutProductRequest);
        let bad: [(&str, Edit); 13] = [
            ("sku", |r| r.sku.clear()),
            ("sku", |r| r.sku = "x".repeat(65)),
            ("name", |r| r.name.clear()),
            ("name", |r| r.name = "x".repeat(201)),
            ("name", |r| r.name = "a\tb".into()),
            ("price", |r| r.price = None),
            ("price.currency", |r| r.price.as_mut().unwrap().currency = "gbp".into()),
            ("price.amount_minor", |r| r.price.as_mut().unwrap().amount_minor = 0),
            ("price.amount_minor", |r| r.price.as_mut().unwrap().amount_minor = -11_062),
            ("weight_grams", |r| r.weight_grams = -1),
            ("stock", |r| r.stock = -1),
            ("stock", |r| r.stock = MAX_STOCK + 1),
            ("stock", |r| r.stock = i64::MAX),
        ];
        for (field, edit) in bad {
            let mut request = request();
            edit(&mut request);
            assert_eq!(Put::try_from(request).unwrap_err().field, field);
        }
        let good: [Edit; 6] = [
            |r| r.sku = "x".repeat(64),
            |r| r.name = "x".repeat(200),
            |r| r.price.as_mut().unwrap().amount_minor = 1,
            |r| r.weight_grams = 0,
            |r| r.stock = 0,
            |r| r.stock = MAX_STOCK,
        ];
        for edit in good {
            let mut request = request();
            edit(&mut request);
            assert!(Put::try_from(request).is_ok());
        }
    }
}
