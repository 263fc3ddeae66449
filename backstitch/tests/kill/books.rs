//! The driver's own comparison of what the customers were told with what the world says. Uses none of the auditor's code,
//! and asks the product only where a customer could.

use std::collections::BTreeMap;
use std::path::Path;

use serde_json::{Value, json};

use crate::common::until;
use crate::customers::{Customer, Told};
use crate::stage::{STOCK, Stage};

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

/// While everything is up: stock, orders, carts, and what `backstitch reconcile` says. Then everything is stopped, and the
/// bank, the mailbox and the auditor are asked. `mails_are_sent`: no sender of mails was killed, with a mail in its hand that
/// waits for its claim to run out.
pub(crate) async fn compare(stage: &mut Stage, told: &[Told], mails_are_sent: bool) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut check = |is_so: bool, what: String| {
        if !is_so {
            wrong.push(what);
        }
    };
    let (completed, back): (Vec<_>, Vec<_>) = told.iter().partition(|told| told.is_completed());

    for sku in ["A", "B"] {
        let sold = completed.iter().filter(|told| told.kind.sku == sku).count();
        let sold = i64::try_from(sold).unwrap();
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
        check(order.text("/status") == "confirmed", format!("I1: {} was told of {}", told.key, order.body));
    }
    let data = stage.data();
    if mails_are_sent {
        let wanted = |told: &&Told| mailbox(&data).contains_key(&Customer::email(&told.key));
        until("who completed has mail", async || completed.iter().all(wanted).then_some(())).await;
    }
    // Every saga has ended, and each waited for its money: no event or webhook that is still on its way can change that.
    let found = stage.reconcile().await;
    check(found.is_empty(), format!("I1: backstitch reconcile found {found:#?}"));
    stage.close().await;

    let mails = mailbox(&data);
    for told in &back {
        let mail = mails.get(&Customer::email(&told.key));
        check(mail.is_none(), format!("{} is {} and has mail", told.key, told.status));
    }
    let (bank, forbidden) = stage.bank.statement(&data).await;
    check(forbidden.is_empty(), format!("I4: the bank's statement: {forbidden:?}"));
    for told in told {
        let line = bank.get(told.id.as_deref().unwrap_or_default());
        let (captures, kept, held) =
            line.map_or((0, 0, 0), |line| (line.captures, line.kept_minor, line.held_minor));
        let right = match told.is_completed() {
            true => (captures, kept, held) == (1, told.total, 0) && told.total > 0,
            false => (kept, held) == (0, 0),
        };
        check(
            right,
            format!("I1: {} is {} over {}, the bank says {line:?}", told.key, told.status, told.total),
        );
    }
    let ids: Vec<_> = told.iter().filter_map(|told| told.id.as_ref()).collect();
    let strangers: Vec<_> = bank.keys().filter(|id| !ids.contains(id)).collect();
    check(
        strangers.is_empty(),
        format!("I1: the bank knows checkouts that nobody was told of: {strangers:?}"),
    );

    let report = stage.audit();
    check(report["violations"] == json!([]), format!("the auditor: {:#}", report["violations"]));
    let counts = (&report["counts"]["sagas"], &report["counts"]["in_flight"], &report["parked"]);
    check(
        counts == (&json!(told.len()), &json!(0), &json!([])),
        format!("I5: {} customers, and the auditor counts (all, in flight, parked) {counts:?}", told.len()),
    );
    wrong
}
