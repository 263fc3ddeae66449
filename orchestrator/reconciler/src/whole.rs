//! What the lines of a checkout name and the lists did not bring, read by id: the lists have a bound in time, and a checkout
//! may lie on both sides of it. So a line that is missing is never one that was merely not asked for.
//!
//! A checkout inside the bound names nothing that is missing, and costs no call.

use std::collections::BTreeSet;

use backstitch_proto::payment::PaymentDocument;

use crate::books::Lines;
use crate::compare::Terms;
use crate::lines::{Object, Order};
use crate::report::Counts;
use crate::shop::{Failed, Shop};

/// Something that is read by id.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Missing {
    /// Of our ledger.
    Payment(String),
    /// Of our ledger, by the object that it has.
    PaymentOf(String),
    Order(String),
    /// Of the provider.
    Object(String),
}

/// Reads what is missing of the checkout `family`, and what that names, and counts it.
pub(crate) async fn complete(
    shop: &Shop,
    family: &str,
    lines: &mut Lines,
    terms: &Terms,
    counts: &mut Counts,
) -> Result<(), Failed> {
    let (mut asked, mut homes) = (BTreeSet::new(), BTreeSet::from([family.to_owned()]));
    loop {
        let mut missing = missing(lines, terms);
        missing.retain(|one| !asked.contains(one));
        if missing.is_empty() {
            return Ok(());
        }
        for one in &missing {
            match one {
                Missing::Payment(id) => {
                    add_payment(shop, lines, &mut homes, counts, shop.payment(id).await?)?;
                }
                Missing::PaymentOf(object) => {
                    add_payment(shop, lines, &mut homes, counts, shop.payment_of(object).await?)?;
                }
                Missing::Order(id) => {
                    let order = shop.order(id).await?.map(Order::parse).transpose();
                    let order = shop.of_orders(order)?.filter(|order| homes.contains(&order.saga));
                    counts.orders += usize::from(order.is_some());
                    lines.orders.extend(order);
                }
                Missing::Object(id) => {
                    let object = shop.object(id).await?.map(Object::parse).transpose();
                    let object = shop.of_payment(object)?;
                    counts.objects += usize::from(object.is_some());
                    lines.objects.extend(object);
                    for payment in lines.payments.iter_mut().filter(|payment| payment.object == *id) {
                        payment.is_asked_for = true;
                    }
                }
            }
        }
        asked.extend(missing);
    }
}

/// A payment that two lines name is read once for each. One that is of another checkout and has no object of this one is
/// judged there.
fn add_payment(
    shop: &Shop,
    lines: &mut Lines,
    homes: &mut BTreeSet<String>,
    counts: &mut Counts,
    found: Option<PaymentDocument>,
) -> Result<(), Failed> {
    let Some(document) = found else { return Ok(()) };
    let has_one = lines.objects.iter().any(|object| object.id == document.provider_id);
    let is_here = lines.payments.iter().any(|payment| payment.id == document.payment_id);
    if !is_here && (has_one || homes.contains(&document.saga_id)) {
        homes.insert(document.saga_id.clone());
        counts.payments += 1;
        lines.add(shop, document)?;
    }
    Ok(())
}

fn missing(lines: &Lines, terms: &Terms) -> BTreeSet<Missing> {
    let Lines { payments, objects, orders, cases, .. } = lines;
    let no_payment = |id: &str| !id.is_empty() && payments.iter().all(|payment| payment.id != id);
    let no_order = |id: &str| !id.is_empty() && orders.iter().all(|order| order.id != id);
    let is_loose = |object: &&Object| payments.iter().all(|payment| payment.object != object.id);
    let mut missing = BTreeSet::new();

    let of_loose = objects.iter().filter(is_loose).map(|object| object.payment.as_str());
    let of_orders = orders.iter().map(|order| order.payment.as_str());
    let of_cases = cases.iter().map(|case| case.payment.as_str());
    let named = of_loose.chain(of_orders).chain(of_cases).filter(|id| no_payment(id));
    missing.extend(named.map(|id| Missing::Payment(id.to_owned())));

    // One that holds or took something is about to be told as nobody's.
    for object in objects.iter().filter(is_loose).filter(|object| object.has_money()) {
        missing.insert(Missing::PaymentOf(object.id.clone()));
        if no_order(&object.order) {
            missing.insert(Missing::Order(object.order.clone()));
        }
    }

    for payment in payments {
        let object = objects.iter().find(|object| !payment.object.is_empty() && object.id == payment.object);
        let has_open_case = cases.iter().any(|case| case.payment == payment.id && !case.is_resolved);
        let is_open = payment.is_open() || has_open_case;
        let is_old = payment.created_ms < terms.since_ms;
        let is_judged = object.is_some() || !is_old || is_open;
        let has_money = payment.kept() > 0 || object.is_some_and(Object::has_money);
        if is_judged && (is_open || has_money) && no_order(&payment.order) {
            missing.insert(Missing::Order(payment.order.clone()));
        }
        // A young one would have been listed. What is open does not age out of sight.
        if object.is_none() && is_old && is_open && !payment.object.is_empty() && !payment.is_elsewhere {
            missing.insert(Missing::Object(payment.object.clone()));
        }
    }
    missing
}
