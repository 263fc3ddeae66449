//! Real invoices through the API: what completes, what is refused and why, and what it comes to, to the penny.

#![allow(clippy::unwrap_used)]

mod common;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use common::{program, run};
use serde_json::{Value, json};

/// What must have become of a day.
struct Expected {
    invoices: usize,
    completed: usize,
    refused: &'static [(&'static str, usize)],
    products_refused: &'static [&'static str],
    repriced: usize,
    total_minor: i64,
    /// Invoices C…: those that came back, why and how many others did not, and what was given back.
    returned: &'static [&'static str],
    not_returned: &'static [(&'static str, usize)],
    refund_minor: i64,
}

/// All invoices of UCI Online Retail on 1 December 2010. The totals were added up by hand of another program: lines
/// at their product's first price of the day, and a parcel or pallet of 100 g a piece to the invoice's country.
const FIRST: Expected = Expected {
    invoices: 143,
    completed: 128,
    refused: &[("invalid-field", 1), ("unknown-sku", 8)],
    products_refused: &["20950", "21134", "22145", "37461", "37509", "84670", "85044", "85226A"],
    repriced: 490,
    total_minor: 5_990_977,
    // 6 x 4.25 of 22960.
    returned: &["C536506"],
    not_returned: &[("no-earlier-purchase", 5)],
    refund_minor: 2550,
};

/// All invoices of the next day.
const SECOND: Expected = Expected {
    invoices: 167,
    completed: 140,
    refused: &[("invalid-field", 1), ("unknown-sku", 3)],
    products_refused: &["84952C"],
    repriced: 84,
    total_minor: 4_674_193,
    // Bought the day before: 2 x 2.95 of 22798, 1 x 2.10 of 21314, 5 x 4.65 of 35004B.
    returned: &["C536737", "C536758", "C536826"],
    not_returned: &[("no-earlier-purchase", 20)],
    refund_minor: 3125,
};

/// A small day of our own in which everything odd happens once.
const ODD: Expected = Expected {
    invoices: 12,
    completed: 3,
    refused: &[("TOO_HEAVY", 1), ("invalid-field", 4), ("unknown-sku", 2)],
    products_refused: &["DEBT", "FREE"],
    repriced: 2,
    // 10 x 2.55 + 2 x 1.25 + 3.95; 30 x 1.25 + 10.55 to Ireland; 15.00 + 14.95 to Norway.
    total_minor: 3195 + 4805 + 2995,
    // 1 x 2.55 of what 1001 bought, and then ten where nine are left.
    returned: &["C1003"],
    not_returned: &[("MORE_THAN_BOUGHT", 1)],
    refund_minor: 255,
};

/// Replays these files in one fresh shop and answers what was said of each, and of everything.
fn replay(files: &[PathBuf]) -> (Vec<Value>, Value) {
    let directory = tempfile::tempdir().unwrap();
    let mut command = program(directory.path());
    command.args(["demo", "--json"]);
    for file in files {
        command.arg("--invoices").arg(file);
    }
    let said = run(&mut command);
    let told: Value = serde_json::from_str(&said.out).unwrap_or_else(|e| panic!("{e}: {said:?}"));
    assert_eq!((said.code, &told["holds"]), (Some(0), &json!(true)), "{:#}", told["audit"]);
    assert_eq!((&told["audit"]["violations"], &told["audit"]["parked"]), (&json!([]), &json!([])));
    (told["told"]["invoices"].as_array().unwrap().clone(), told["audit"].clone())
}

#[track_caller]
fn counts_are(refused: &Value, expected: &[(&str, usize)]) {
    let counts: BTreeMap<_, _> =
        refused.as_object().unwrap().iter().map(|(why, r)| (why.clone(), r["count"].clone())).collect();
    let expected = expected.iter().map(|(why, count)| ((*why).to_owned(), json!(count))).collect();
    assert_eq!(counts, expected, "{refused:#}");
}

#[track_caller]
fn is(day: &Value, expected: &Expected) {
    assert_eq!(
        (&day["invoices"], &day["completed"]),
        (&json!(expected.invoices), &json!(expected.completed))
    );
    counts_are(&day["refused"], expected.refused);
    let cancellations = &day["cancellations"];
    assert_eq!(cancellations["returned"], json!(expected.returned), "{cancellations:#}");
    let not_returned: usize = expected.not_returned.iter().map(|(_, count)| count).sum();
    assert_eq!(cancellations["refused_as_carts"], expected.returned.len() + not_returned);
    counts_are(&cancellations["refused"], expected.not_returned);
    assert_eq!(cancellations["refund_minor"], expected.refund_minor);
    let products = day["products_refused"].as_object().unwrap();
    assert_eq!(products.keys().collect::<Vec<_>>(), expected.products_refused);
    assert_eq!(day["repriced_skus"], expected.repriced);
    assert_eq!(day["unfinished"], json!({}));
    assert_eq!(day["total_minor"], expected.total_minor);
}

/// The bank's statement is what the customers were told, and there is an order and a parcel for each; a return is a saga
/// of its own.
#[track_caller]
fn adds_up(audit: &Value, days: &[&Expected]) {
    let total: i64 = days.iter().map(|day| day.total_minor).sum();
    let completed: usize = days.iter().map(|day| day.completed).sum();
    let returned: usize = days.iter().map(|day| day.returned.len()).sum();
    let refunded: i64 = days.iter().map(|day| day.refund_minor).sum();
    let money = json!({"GBP": {"captured_minor": total, "refunded_minor": refunded, "held_minor": 0}});
    assert_eq!(audit["money"], money);
    assert_eq!(audit["counts"]["completed"], completed + returned);
    for count in ["orders_standing", "shipments"] {
        assert_eq!(audit["counts"][count], completed, "{count}");
    }
}

#[test]
fn a_day_with_everything_odd_comes_to_what_it_must() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures/odd-day.csv");
    let (days, audit) = replay(&[file]);
    is(&days[0], &ODD);
    adds_up(&audit, &[&ODD]);
    let refused = &days[0]["refused"];
    // Lines of one product add up, but not what cannot be a line.
    assert_eq!(refused["invalid-field"]["invoices"], json!(["1004", "1005", "1006", "1010"]));
    assert_eq!(refused["unknown-sku"]["invoices"], json!(["1007", "1008"]));
    for why in refused.as_object().unwrap().values() {
        assert!(why["example"].as_str().unwrap().len() > 20, "{why}");
    }
}

#[test]
fn two_real_days_come_to_what_they_must() {
    let fixtures = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let files = ["01", "02"].map(|day| fixtures.join(format!("online-retail-2010-12-{day}.csv")));
    let (days, audit) = replay(&files);
    is(&days[0], &FIRST);
    is(&days[1], &SECOND);
    adds_up(&audit, &[&FIRST, &SECOND]);
}
