//! The money of a finding as the books have it. What a person has judged is another finding once any of it has moved, also
//! where the difference itself is the same: the first difference of a payment tells, and what comes after hides behind it.

use super::family::Family;
use crate::finding::About;
use crate::lines::ObjectState;

/// The sums of the payment, the object and the order that a finding is about, of those that there are.
pub(super) fn sums(family: &Family<'_>, about: &About) -> String {
    let payment = family.payments.iter().find(|payment| payment.id == about.payment).map(|p| {
        let (minor, currency) = (p.amount.minor, p.amount.currency.as_str());
        format!("payment {minor} {currency} {} {} {}", p.authorized, p.captured, p.refunded)
    });
    let object = family.objects.iter().find(|object| object.id == about.object).map(|o| {
        let (minor, currency) = (o.amount.minor, o.amount.currency.as_str());
        let sums = format!("object {minor} {currency} {} {} {}", o.authorized, o.captured, o.refunded);
        format!("{sums} {}{}", word(o.state), if o.disputed { " disputed" } else { "" })
    });
    let order = family.orders.iter().find(|order| order.id == about.order).map(|o| {
        let (minor, currency) = (o.total.minor, o.total.currency.as_str());
        format!("order {minor} {currency} {}{}", o.returned, if o.stands() { " stands" } else { "" })
    });
    [payment, object, order].into_iter().flatten().collect::<Vec<_>>().join("\n")
}

/// Part of the ids of findings that people have acknowledged: it never changes, whatever the variants are called.
fn word(state: ObjectState) -> &'static str {
    match state {
        ObjectState::Created => "Created",
        ObjectState::CustomerAction => "CustomerAction",
        ObjectState::Authorized => "Authorized",
        ObjectState::Captured => "Captured",
        ObjectState::Cancelled => "Cancelled",
        ObjectState::Refused => "Refused",
    }
}
