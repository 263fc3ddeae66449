//! The driver's own comparison of what the customers were told with what the world says. Uses none of the auditor's code,
//! and asks the product only where a customer could.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::{Answer, item, until};
use crate::customers::{Customer, Told};
use crate::returners::Returned;
use crate::stage::{STOCK, Stage};
use crate::strangers::Stranger;

/// To whom mails went.
fn mailbox(data: &Path) -> BTreeMap<String, usize> {
    let mut mails = BTreeMap::new();
    for file in std::fs::read_dir(data.join("mail")).unwrap() {
        let path = file.unwrap().path();
        if path.extension().is_some_and(|end| end == "eml") {
            let mail = String::from_utf8_lossy(&std::fs::read(path).unwrap()).into_owned();
            let to = mail.lines().find_map(|line| line.strip_prefix("To: ")).unwrap_or_default();
            *mails.entry(to.trim().to_owned()).or_default() += 1;
        }
    }
    mails
}

/// While everything is up: stock, orders with their returns, carts, and what `backstitch reconcile` says. Then everything
/// is stopped, and the bank, the mailbox and the auditor are asked. `mails_are_sent`: no sender of mails was killed, with a
/// mail in its hand that waits for its claim to run out.
pub(crate) async fn compare(
    stage: &mut Stage,
    told: &[Told],
    returned: &[Returned],
    mails_are_sent: bool,
) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |is_so: bool, what: String| {
        if !is_so {
            wrong.push(what);
        }
    };
    let (completed, back): (Vec<_>, Vec<_>) = told.iter().partition(|told| told.is_completed());

    let of = |told: &Told| of(returned, told);

    for sku in ["A", "B"] {
        let bought = completed.iter().filter(|told| told.kind.sku == sku).map(|told| told.kind.quantity);
        let back = returned.iter().filter(|told| told.bought.kind.sku == sku).map(Returned::restocked);
        let sold = bought.sum::<i64>() - back.sum::<i64>();
        let product = stage.get(&format!("/api/v1/products/{sku}")).await;
        let stock = (product.int("/on_hand"), product.int("/reserved"), product.int("/sold"));
        check(
            stock == (STOCK - sold, 0, sold),
            format!("I2: {sku}: {sold} were sold, the stock is {stock:?}"),
        );
    }
    for told in told {
        let cart = stage.get(&format!("/api/v1/carts/{}", told.key)).await;
        let left = cart.body["items"].as_array().map_or(0, Vec::len);
        let expected = usize::from(!told.is_completed());
        let free = cart.body.get("held_by").is_none_or(Value::is_null);
        check(
            left == expected && free,
            format!("I3: {} is {} and the cart {}", told.key, told.status, cart.body),
        );
    }
    for told in &completed {
        let order = stage.get(&format!("/api/v1/orders/{}", told.order_id())).await;
        let of_it = of(told);
        check(
            order.text("/status") == "confirmed" && has_these(&order, &of_it),
            format!("I1: {} was told of {} and of {of_it:?}", told.key, order.body),
        );
    }
    let data = stage.data();
    // One of the order, unless it was not delivered, and one of each return that was paid back.
    let wanted = |told: &Told| {
        usize::from(told.made_good.is_none())
            + of(told).iter().filter(|returned| returned.is_completed()).count()
    };
    if mails_are_sent {
        let all_are = || {
            let mails = mailbox(&data);
            completed.iter().all(|told| mails.get(&Customer::email(&told.key)) == Some(&wanted(told)))
        };
        until("who completed has mail", async || all_are().then_some(())).await;
    }
    // Every saga has ended, and each waited for its money: no event or webhook that is still on its way can change that.
    let found = stage.reconcile().await;
    check(found.is_empty(), format!("I1: backstitch reconcile found {found:#?}"));
    stage.close().await;

    let mails = mailbox(&data);
    for told in &completed {
        let (mails, wanted) = (mails.get(&Customer::email(&told.key)).copied().unwrap_or(0), wanted(told));
        check(mails <= wanted, format!("{} has {mails} mails, {wanted} are due", told.key));
    }
    for told in &back {
        let mail = mails.get(&Customer::email(&told.key));
        check(mail.is_none(), format!("{} is {} and has mail", told.key, told.status));
    }
    let (bank, forbidden) = stage.bank.statement(&data, &stage.strangers).await;
    check(forbidden.is_empty(), format!("I4: the bank's statement: {forbidden:?}"));
    for told in told {
        let line = bank.get(told.id.as_deref().unwrap_or_default());
        let (captures, kept, held) =
            line.map_or((0, 0, 0), |line| (line.captures, line.kept_minor, line.held_minor));
        let refunded: i64 = of(told).iter().map(|returned| returned.paid_back()).sum();
        let right = match told.is_completed() {
            true => (captures, kept, held) == (1, told.total - refunded, 0) && kept >= 0,
            false => (kept, held) == (0, 0),
        };
        let (total, status) = (told.total, &told.status);
        check(
            right && (total > 0 || !told.is_completed()),
            format!("I1: {} is {status} over {total} less {refunded}, the bank says {line:?}", told.key),
        );
    }
    let ids: Vec<_> = told.iter().filter_map(|told| told.id.as_ref()).collect();
    let strangers: Vec<_> = bank.keys().filter(|id| !ids.contains(id)).collect();
    check(
        strangers.is_empty(),
        format!("I1: the bank knows checkouts that nobody was told of: {strangers:?}"),
    );

    Stranger::go(&stage.strangers, &stage.bank, &data).await;
    let report = stage.audit();
    check(report["violations"] == json!([]), format!("the auditor: {:#}", report["violations"]));
    let counts = (&report["counts"]["sagas"], &report["counts"]["in_flight"], &report["parked"]);
    let cases = returned.iter().filter(|returned| returned.is_reversed).count();
    let repairs = stage.strangers.len();
    let sagas = told.len() + returned.len() + cases + repairs;
    check(
        counts == (&json!(sagas), &json!(0), &json!([])),
        format!("I5: {sagas} were asked for, and the auditor counts (all, in flight, parked) {counts:?}"),
    );
    wrong
}

/// What of it was sent back, or was to be.
fn of<'a>(returned: &'a [Returned], told: &Told) -> Vec<&'a Returned> {
    returned.iter().filter(|returned| returned.bought.key == told.key).collect()
}

/// Whether an order tells of these returns of it as its customer was told of each, and of no others.
fn has_these(order: &Answer, returned: &[&Returned]) -> bool {
    let lines = order.body["returns"].as_array().cloned().unwrap_or_default();
    let line = |told: &Returned| lines.iter().find(|line| line["return_id"].as_str() == told.id.as_deref());
    let is_as_told = |told: &&Returned| match (told.is_completed(), line(told)) {
        (true, Some(line)) => {
            let same = (&line["status"], &line["credit_note_number"], &line["refund"]["amount_minor"])
                == (&json!("completed"), &json!(told.credit_note()), &json!(told.refunded()));
            same && line["items"] == json!([item(told.bought.kind.sku, told.restocked())])
        }
        // Nothing is left of a claim that was refused.
        (false, line) => line.is_none_or(|line| line["status"] == "cancelled"),
        (true, None) => false,
    };
    let known = |line: &Value| returned.iter().any(|told| line["return_id"].as_str() == told.id.as_deref());
    let back: i64 = returned.iter().map(|told| told.restocked()).sum();
    let whole = returned.first().is_some_and(|told| told.bought.kind.quantity == back);
    let paid: i64 = returned.iter().map(|told| told.refunded()).sum();
    // Who sent everything back has all of their money, the parcel's price included; the rest have what they paid for it.
    let price = order.int("/items/0/unit_price/amount_minor");
    let owed = if whole { order.int("/total/amount_minor") } else { back * price };
    returned.iter().all(is_as_told) && lines.iter().all(known) && paid == owed
}
