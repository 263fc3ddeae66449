//! Reading the four books, from where the provider's list begins, and bringing together what belongs together, in bounded
//! memory.
//!
//! The provider lists by time, and so do the ledger and the orders, and none of them can be asked for the others' keys. So
//! every line is sorted twice (`sort`): objects and payments by the provider's id, which finds whose an object is; then
//! everything by checkout, which is what is judged. What is in memory at once is a page, a heap of lines, and one checkout;
//! what is in files is what was made in that time. Of what is older, what is open is read too: payments that have not
//! come to their end or whose refund is pending, and cases. What a checkout lacks after that is read by id (`whole`).

use backstitch_proto::payment::UnreadableObject;
use backstitch_proto::{order, payment};
use prost::Message as _;

use crate::compare::{Terms, compare, family_of};
use crate::lines::{Case, Object, Order, Payment, is_elsewhere};
use crate::report::{Counts, Report};
use crate::run::Options;
use crate::sagas::Sagas;
use crate::shop::{Failed, Shop};
use crate::sort::{Book, Line, Sorted, Sorter};
use crate::whole::complete;

/// How far the provider's clock may be from ours. Asked for so much more than what is judged, so that a payment from just
/// after the bound finds its object. Of our own books as much more again, so that an object finds its payment, which was
/// written before it.
pub(crate) const CLOCKS_MS: i64 = 3_600_000;

/// Lines of all books.
#[derive(Clone, Debug, Default)]
pub(crate) struct Lines {
    pub(crate) payments: Vec<Payment>,
    pub(crate) objects: Vec<Object>,
    pub(crate) orders: Vec<Order>,
    pub(crate) cases: Vec<Case>,
    /// Who lists the objects; empty where that is not told.
    pub(crate) listed_by: String,
}

impl Lines {
    pub(crate) fn compare(&self, sagas: &Sagas, terms: &Terms) -> Vec<crate::finding::Finding> {
        compare(&self.payments, &self.objects, &self.orders, &self.cases, sagas, terms)
    }

    /// Every saga that they name.
    pub(crate) fn sagas(&self) -> impl Iterator<Item = &str> {
        let refunds = self.payments.iter().flat_map(|payment| &payment.refunds);
        let of_payments = self.payments.iter().map(|payment| payment.saga.as_str());
        let of_objects = self.objects.iter().map(|object| object.saga.as_str());
        let of_orders = self.orders.iter().map(|order| order.saga.as_str());
        let claims = self.orders.iter().flat_map(|order| &order.claims);
        let of_returns = refunds.map(|refund| refund.saga.as_str()).chain(claims.map(|c| c.saga.as_str()));
        of_payments.chain(of_returns).chain(of_objects).chain(of_orders)
    }

    pub(crate) fn extend(&mut self, other: Lines) {
        self.payments.extend(other.payments);
        self.objects.extend(other.objects);
        self.orders.extend(other.orders);
        self.cases.extend(other.cases);
        self.listed_by = other.listed_by;
    }

    /// Adds a payment and its cases.
    pub(crate) fn add(&mut self, shop: &Shop, mut document: payment::PaymentDocument) -> Result<(), Failed> {
        for case in std::mem::take(&mut document.cases) {
            self.add_case(shop.of_payment(Case::parse(case))?);
        }
        self.payments.push(shop.of_payment(Payment::parse(document, &self.listed_by))?);
        Ok(())
    }

    /// A case is told by its payment and, while it is open, by itself. It is resolved for good.
    fn add_case(&mut self, case: Case) {
        match self.cases.iter_mut().find(|known| known.refund == case.refund) {
            Some(known) if case.is_resolved => *known = case,
            Some(_) => {}
            None => self.cases.push(case),
        }
    }
}

/// Every book, by checkout.
pub(crate) struct Books {
    sorted: Sorted,
    listed_by: String,
}

impl Books {
    /// Reads them: the provider first, then the ledger, then the orders. Money moves the other way round: a payment's row
    /// is there before its object, and captured before its order is confirmed. What is seen in a book that was read
    /// earlier has had its cause in the later ones; the other way round a second look tells (`looks`).
    pub(crate) async fn read(
        shop: &Shop,
        terms: &Terms,
        options: &Options,
        report: &mut Report,
    ) -> Result<Self, Failed> {
        let memory = options.memory;
        let (mut by_object, mut families) = (Sorter::new(memory / 2), Sorter::new(memory / 2));
        let provider_from_ms = terms.since_ms.saturating_sub(CLOCKS_MS);
        let ours_from_ms = provider_from_ms.saturating_sub(CLOCKS_MS).max(0);
        let (mut listed_by, mut next) = (String::new(), Some(String::new()));
        while let Some(token) = next {
            let page = shop.objects(provider_from_ms, &token).await?;
            listed_by = page.provider;
            report.counts.objects += page.objects.len();
            for object in page.objects {
                let (key, bytes) = (object.provider_id.clone(), object.encode_to_vec());
                by_object.push(Line { key, book: Book::Object, bytes })?;
            }
            for object in page.unreadable {
                let (key, bytes) = (object.provider_id.clone(), object.encode_to_vec());
                by_object.push(Line { key, book: Book::Unreadable, bytes })?;
            }
            next = page.next;
        }
        for open in [false, true] {
            let from_ms = if open { 0 } else { ours_from_ms };
            let mut next = Some(String::new());
            while let Some(token) = next {
                let (mut page, mut after) = shop.payments(from_ms, open, &token).await?;
                // Oldest first: the rest is in the list of all.
                if open && let Some(end) = page.iter().position(|one| one.created_at_unix_ms >= ours_from_ms)
                {
                    page.truncate(end);
                    after = None;
                }
                report.counts.payments += page.len();
                let elsewhere = page.iter().filter(|one| is_elsewhere(&one.provider, &listed_by));
                report.counts.elsewhere += elsewhere.count();
                for payment in page {
                    let bytes = payment.encode_to_vec();
                    match payment.provider_id {
                        none if none.is_empty() => {
                            families.push(Line { key: payment.saga_id, book: Book::Payment, bytes })?;
                        }
                        key => by_object.push(Line { key, book: Book::Payment, bytes })?,
                    }
                }
                next = after;
            }
        }
        let mut next = Some(String::new());
        while let Some(token) = next {
            let (page, after) = shop.open_cases(&token).await?;
            for case in page {
                let (key, bytes) = (case.root_id.clone(), case.encode_to_vec());
                families.push(Line { key, book: Book::Case, bytes })?;
            }
            next = after;
        }
        let mut next = Some(String::new());
        while let Some(token) = next {
            let (page, after) = shop.orders(ours_from_ms, &token).await?;
            report.counts.orders += page.len();
            for order in page {
                let (key, bytes) = (order.checkout_id.clone(), order.encode_to_vec());
                families.push(Line { key, book: Book::Order, bytes })?;
            }
            next = after;
        }
        bring_home(shop, by_object.sorted()?, &mut families, options.is_account_shared, report)?;
        Ok(Self { sorted: families.sorted()?, listed_by })
    }

    /// The next checkout, whole; None after the last.
    pub(crate) async fn next(
        &mut self,
        shop: &Shop,
        terms: &Terms,
        counts: &mut Counts,
    ) -> Result<Option<Lines>, Failed> {
        let group = self.sorted.group()?;
        let Some(family) = group.first().map(|line| line.key.as_str()) else { return Ok(None) };
        let mut lines = parse(shop, &group, &self.listed_by)?;
        complete(shop, family, &mut lines, terms, counts).await?;
        Ok(Some(lines))
    }
}

/// Puts every object under the checkouts of the payments that have its id, or under its own where none has. Of what
/// somebody else made, what is not judged is told: what cannot be read, and on a shared account all of it.
fn bring_home(
    shop: &Shop,
    mut by_object: Sorted,
    families: &mut Sorter,
    is_account_shared: bool,
    report: &mut Report,
) -> Result<(), Failed> {
    loop {
        let group = by_object.group()?;
        if group.is_empty() {
            return Ok(());
        }
        let lines = parse(shop, &group, "")?;
        if let Some(line) = group.iter().find(|line| line.book == Book::Unreadable) {
            let object = UnreadableObject::decode(line.bytes.as_slice()).map_err(broken)?;
            if !lines.payments.is_empty() {
                return Err(shop.unreadable(&object));
            }
            report.not_read(object);
        }
        let mut homes: Vec<_> = lines.payments.iter().map(|payment| payment.saga.as_str()).collect();
        homes.sort_unstable();
        homes.dedup();
        let own = lines.objects.iter().map(family_of).take(1);
        if homes.is_empty() {
            if lines.objects.iter().any(Object::is_foreign) && is_account_shared {
                report.counts.foreign += 1;
                continue;
            }
            homes.extend(own);
        }
        // A page that moved on while it was turned may have shown an object twice.
        let object = group.iter().rfind(|line| line.book == Book::Object);
        for home in homes {
            if let Some(object) = object {
                families.push(Line { key: home.to_owned(), ..object.clone() })?;
            }
        }
        let payments = group.iter().filter(|line| line.book == Book::Payment);
        for (line, payment) in payments.zip(&lines.payments) {
            families.push(Line { key: payment.saga.clone(), ..line.clone() })?;
        }
    }
}

fn broken(error: prost::DecodeError) -> Failed {
    Failed::Scratch(std::io::Error::other(error))
}

/// The lines again. They were encoded here, so that they decode.
fn parse(shop: &Shop, group: &[Line], listed_by: &str) -> Result<Lines, Failed> {
    let mut lines = Lines { listed_by: listed_by.to_owned(), ..Lines::default() };
    for line in group {
        let bytes = line.bytes.as_slice();
        match line.book {
            Book::Payment => {
                lines.add(shop, payment::PaymentDocument::decode(bytes).map_err(broken)?)?;
            }
            Book::Object => {
                let message = payment::ProviderObject::decode(bytes).map_err(broken)?;
                lines.objects.push(shop.of_payment(Object::parse(message))?);
            }
            Book::Order => {
                let message = order::Order::decode(bytes).map_err(broken)?;
                lines.orders.push(shop.of_orders(Order::parse(message))?);
            }
            Book::Case => {
                let message = payment::Case::decode(bytes).map_err(broken)?;
                lines.add_case(shop.of_payment(Case::parse(message))?);
            }
            Book::Unreadable => {}
        }
    }
    Ok(lines)
}
