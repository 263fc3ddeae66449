//! Looking again at what looks wrong, until two looks in a row agree.
//!
//! The books are not read at one instant, and a shop that is open moves money in between. Each look reads the provider,
//! then the ledger, then the orders, and asks the orchestrator last; a difference counts when the next look shows the
//! same, and the sagas that may act on it stand where they stood. That the two looks overlap like this is what rules each
//! race out:
//!
//! - *The orchestrator after the provider.* A saga is durable before its object exists. Asked before, it might be unknown
//!   and start in between: its hold would look like nobody's, and a repair would take it from under a customer.
//! - *The provider again after the orchestrator.* A saga that has ended by the end of a look may have let its hold go after
//!   the look saw it. Ended is for good, so what the next look sees at the provider is what the saga left there.
//! - *The ledger after the provider.* A payment's row is committed before its object is made, and its id is stored before
//!   anything is held: an object without a row has none, however late the row is read. The other way round, a row whose
//!   object is younger than the provider's list has its object in the next look.
//! - *The orders after the ledger.* An order is confirmed after its capture is booked: one that is pending although its
//!   saga had ended by the look before stays so. One that stands before its capture is seen has it in the next look.
//!
//! What keeps moving is not at rest, and no finding yet; the next run looks again.

use std::collections::{BTreeMap, BTreeSet};

use crate::books::{CLOCKS_MS, Lines};
use crate::compare::{Terms, family_of};
use crate::finding::{Finding, Move};
use crate::lines::{Object, Order};
use crate::sagas::{Saga, Sagas};
use crate::shop::{Failed, Shop};

/// How often is looked, the first time included, before something counts as moving.
const LOOKS: usize = 6;

/// What was made within this is looked for in the provider's list, which shows many at once; what is older, by id.
const LISTED_MS: i64 = 3_600_000;

/// What looks came to.
#[derive(Debug, Default)]
pub(crate) struct Seen {
    /// The same in two looks.
    pub(crate) settled: Vec<Finding>,
    /// Differences that were another one at every look.
    pub(crate) moving: usize,
}

/// Looks again at what was read once.
pub(crate) async fn confirm(
    shop: &Shop,
    mut lines: Lines,
    terms: &Terms,
    forgotten_ms: i64,
) -> Result<Seen, Failed> {
    let mut seen = Seen::default();
    let mut told = shop.sagas(lines.sagas(), forgotten_ms).await?;
    let mut before = lines.compare(&Sagas::Told(told.clone()), terms);
    for _ in 1..LOOKS {
        let names = Names::of(&lines, &before, terms);
        if before.is_empty() {
            break;
        }
        lines = names.look(shop, terms, lines.listed_by).await?;
        let now_told = shop.sagas(lines.sagas(), forgotten_ms).await?;
        let now = lines.compare(&Sagas::Told(now_told.clone()), terms);
        // What another look has told already is in these lines only because its checkout has more that moves.
        let new = now.into_iter().filter(|finding| !seen.settled.contains(finding));
        let (settled, moving): (Vec<_>, Vec<_>) =
            new.partition(|finding| before.contains(finding) && stood_still(finding, &told, &now_told));
        seen.settled.extend(settled);
        (before, told) = (moving, now_told);
    }
    seen.moving = before.len();
    Ok(seen)
}

/// Whether the sagas that may act on a finding are where they were.
fn stood_still(finding: &Finding, then: &BTreeMap<String, Saga>, now: &BTreeMap<String, Saga>) -> bool {
    let same = |id: &str| then.get(id) == now.get(id);
    let noted = match &finding.step {
        Move::Note { saga, .. } => same(saga),
        _ => true,
    };
    noted && same(&finding.about.saga)
}

/// What is looked at again.
struct Names {
    payments: BTreeSet<String>,
    objects: BTreeSet<String>,
    orders: BTreeSet<String>,
    sagas: BTreeSet<String>,
    /// When what is young began, if anything is.
    young_from_ms: Option<i64>,
}

impl Names {
    /// Of every line of the checkouts with findings.
    fn of(lines: &Lines, findings: &[Finding], terms: &Terms) -> Self {
        let keys: BTreeSet<&str> = findings
            .iter()
            .flat_map(|finding| {
                let about = &finding.about;
                [about.saga.as_str(), if about.saga.is_empty() { about.object.as_str() } else { "" }]
            })
            .filter(|key| !key.is_empty())
            .collect();
        let mut names = Self {
            payments: findings.iter().map(|finding| finding.about.payment.clone()).collect(),
            objects: findings.iter().map(|finding| finding.about.object.clone()).collect(),
            orders: findings.iter().map(|finding| finding.about.order.clone()).collect(),
            sagas: keys.iter().map(|key| (*key).to_owned()).collect(),
            young_from_ms: None,
        };
        let mut made = Vec::new();
        for payment in lines.payments.iter().filter(|payment| keys.contains(payment.saga.as_str())) {
            names.payments.insert(payment.id.clone());
            names.objects.insert(payment.object.clone());
            names.orders.insert(payment.order.clone());
            made.push(payment.created_ms);
        }
        for object in &lines.objects {
            if keys.contains(family_of(object)) || names.objects.contains(&object.id) {
                names.objects.insert(object.id.clone());
                names.payments.insert(object.payment.clone());
                made.push(object.created_ms);
            }
        }
        for order in lines.orders.iter().filter(|order| keys.contains(order.saga.as_str())) {
            names.orders.insert(order.id.clone());
            names.payments.insert(order.payment.clone());
            made.push(order.created_ms);
        }
        for set in [&mut names.payments, &mut names.objects, &mut names.orders] {
            set.remove("");
        }
        let oldest_ms = terms.now_ms.saturating_sub(LISTED_MS);
        names.young_from_ms = made.into_iter().filter(|at_ms| *at_ms >= oldest_ms).min();
        names
    }

    /// Reads them again, in the order that the races want.
    async fn look(&self, shop: &Shop, terms: &Terms, listed_by: String) -> Result<Lines, Failed> {
        let mut lines = Lines { listed_by, ..Lines::default() };
        let young = self.young_from_ms.map(|at_ms| at_ms.min(terms.now_ms).saturating_sub(CLOCKS_MS));
        let (mut next, mut unseen) = (young.map(|_| String::new()), self.objects.clone());
        while let Some(token) = next {
            let page = shop.objects(young.unwrap_or_default(), &token).await?;
            if let Some(object) = page.unreadable.iter().find(|one| self.objects.contains(&one.provider_id)) {
                return Err(shop.unreadable(object));
            }
            for object in page.objects {
                if self.objects.contains(&object.provider_id) || self.sagas.contains(&object.saga_id) {
                    unseen.remove(&object.provider_id);
                    lines.objects.push(shop.of_payment(Object::parse(object))?);
                }
            }
            next = page.next;
        }
        for id in &unseen {
            if let Some(object) = shop.object(id).await? {
                lines.objects.push(shop.of_payment(Object::parse(object))?);
            }
        }
        for id in &self.payments {
            if let Some(payment) = shop.payment(id).await? {
                lines.add(shop, payment)?;
            }
        }
        for payment in &mut lines.payments {
            payment.is_asked_for = self.objects.contains(&payment.object);
        }
        for id in &self.orders {
            if let Some(order) = shop.order(id).await? {
                lines.orders.push(shop.of_orders(Order::parse(order))?);
            }
        }
        Ok(lines)
    }
}
