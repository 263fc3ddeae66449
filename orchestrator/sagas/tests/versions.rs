//! A version of a definition means one thing for ever: sagas in flight are pinned to it.
//!
//! `versions/NAME_vN.txt` says what it means: its shape with the fingerprint, its timings, and the bytes that every do
//! and undo sends for one sample input. The bytes are there because no hash can see into a function.

#![allow(clippy::unwrap_used)]

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::PathBuf;
use std::sync::LazyLock;

use backstitch_core::{
    Class, Context, Definition, DefinitionBuilder, Facts, Op, Operation, Replay, RetryPolicy, StepId, StepSet,
};
use backstitch_proto::checkout::CheckoutInput;
use backstitch_proto::common::{Address, Item, Money, PricedItem};
use backstitch_proto::noop::SyntheticInput;
use backstitch_proto::order::{CompleteReturnResponse, CreateOrderResponse, CreateReturnResponse};
use backstitch_proto::returns::{CaseInput, RepairInput, ReturnInput};
use backstitch_proto::shipping::{CreateShipmentResponse, QuoteResponse};
use backstitch_sagas::{catalog, return_step, step, synthetic};
use bytes::Bytes;
use prost::Message;
use uuid::Uuid;

/// The saga whose requests are looked at.
const SAGA: Uuid = Uuid::from_u128(0x0190_0000_0000_7000_8000_0000_0000_002a);

/// What to do about a difference in anything but timings.
const CHANGED: &str = "What a version means has changed. If it was ever deployed, sagas may be in flight with it: leave it \
     as it was, and give the change the next version in a definition of its own, with both in `catalog()`, until \
     the last saga of the old one has ended. Only if it was never deployed: BLESS=1 cargo test -p backstitch-sagas \
     --test versions";

/// What to do about a difference in timings alone.
const TUNED: &str = "Timings have changed, and nothing else. Sagas in flight follow them too, from their next attempt on. \
     If that is meant: BLESS=1 cargo test -p backstitch-sagas --test versions";

fn money(amount_minor: i64) -> Option<Money> {
    Some(Money { amount_minor, currency: "EUR".into() })
}

/// A checkout that says something in every field.
fn checkout_input() -> CheckoutInput {
    CheckoutInput {
        cart_id: "cart-7".into(),
        cart_version: 3,
        customer_id: "ada".into(),
        email: "ada@example.org".into(),
        shipping_address: Some(Address {
            name: "Ada".into(),
            line1: "1 Loop Road".into(),
            line2: "Door 2".into(),
            city: "Graz".into(),
            region: "Styria".into(),
            postal_code: "8010".into(),
            country: "AT".into(),
        }),
        shipping_method: "express".into(),
        payment_method: "tok_ok".into(),
        expected_total: money(2_488),
        items: vec![PricedItem {
            sku: "MUG".into(),
            quantity: 2,
            name: "Mug".into(),
            unit_price: money(999),
            unit_weight_grams: 300,
        }],
        subtotal: money(1_998),
        weight_grams: 600,
    }
}

/// A return of that checkout.
fn return_input() -> ReturnInput {
    ReturnInput {
        checkout_id: Uuid::from_u128(SAGA.as_u128() - 1).to_string(),
        order_id: "order".into(),
        items: vec![Item { sku: "MUG".into(), quantity: 1 }],
        reason: "chipped".into(),
        make_good: true,
        cart_id: "cart-7".into(),
    }
}

/// The sample input of a definition.
fn input(definition: &Definition) -> Vec<u8> {
    match definition.name {
        "checkout" => checkout_input().encode_to_vec(),
        "return" | "make_good" => return_input().encode_to_vec(),
        "repair" => {
            RepairInput { provider_id: "pi_7".into(), state: "captured".into(), reason: "twice".into() }
                .encode_to_vec()
        }
        "refund_case" => CaseInput { case_id: SAGA.to_string() }.encode_to_vec(),
        "synthetic" => SyntheticInput { payload: vec![7; 4].into() }.encode_to_vec(),
        name => panic!("give `{name}` a sample input here"),
    }
}

/// The sample answer of a step; one that nobody reads may be empty.
fn answer(step: &str) -> Vec<u8> {
    match step {
        step::QUOTE_SHIPPING => QuoteResponse {
            quote_id: "quote".into(),
            price: money(490),
            method: "express".into(),
            valid_for_seconds: 1_800,
        }
        .encode_to_vec(),
        step::CREATE_ORDER => {
            CreateOrderResponse { order_id: "order".into(), order_number: "BS-000042".into() }.encode_to_vec()
        }
        step::CREATE_SHIPMENT => {
            CreateShipmentResponse { shipment_id: "shipment".into(), tracking_number: "TRACK-1".into() }
                .encode_to_vec()
        }
        return_step::CREATE_RETURN => CreateReturnResponse {
            return_id: "return".into(),
            order_number: "BS-000042".into(),
            payment_id: "payment".into(),
            items: checkout_input().items,
            refund: money(999),
            whole: true,
            email: "ada@example.org".into(),
            name: "Ada".into(),
            // An order that does not say so yet: what is sent then is what was always sent.
            ordered: Vec::new(),
        }
        .encode_to_vec(),
        return_step::CREDIT_NOTE => {
            CompleteReturnResponse { credit_note_number: "CN-000001".into() }.encode_to_vec()
        }
        _ => Vec::new(),
    }
}

/// What a version means, for people and for comparing. Shape first, then requests, then timings.
fn meaning(d: &Definition, input: &[u8], answer: impl Fn(&str) -> Vec<u8>) -> String {
    let mut text = format!("{} version {}\nfingerprint {}\n", d.name, d.version, hex(&d.fingerprint));
    let names = |set: StepSet| match set.iter().map(|id| d.step(id).name).collect::<Vec<_>>() {
        names if names.is_empty() => "nothing".to_owned(),
        names => names.join(", "),
    };
    for step in &d.steps {
        let class = match (step.class, &step.undo) {
            (Class::Compensatable, Some(undo)) => format!("undone by {}", undo.action),
            (Class::NeedsNoUndo(_), _) => "needs no undo".to_owned(),
            (class, _) => format!("{class:?}").to_lowercase(),
        };
        let replay = if step.replay == Replay::Same { "same" } else { "may differ" };
        writeln!(text, "\n{}: {} {}, {class}", step.name, step.participant, step.action).unwrap();
        writeln!(text, "  after {}; reads {}; replay {replay}", names(step.after), names(step.reads))
            .unwrap();
    }
    text.push_str("\nrequests\n");
    let input = Bytes::copy_from_slice(input);
    let output = |id: StepId| Some(Bytes::from(answer(d.step(id).name)));
    let facts = Facts { saga: SAGA, input: &input, output: &output };
    for id in d.step_ids() {
        let step = d.step(id);
        for op in [Op::Do, Op::Undo].into_iter().filter(|op| *op == Op::Do || step.undo.is_some()) {
            let request = d.request(id, op, &facts);
            let request =
                request.unwrap_or_else(|why| panic!("{} {op}: {why}; give its samples here", step.name));
            writeln!(text, "  {} {op} {}", step.name, hex(&request)).unwrap();
        }
    }
    writeln!(text, "{TIMINGS}  turns back after {:?} unless the pivot has begun", d.deadline).unwrap();
    for step in &d.steps {
        let (name, wait) = (step.name, step.customer_wait);
        writeln!(text, "  {name} do {:?}, {}, customer {wait:?}", step.timeout, told(step.retry)).unwrap();
        if let Some(undo) = &step.undo {
            writeln!(text, "  {name} undo {:?}, {}", undo.timeout, told(undo.retry)).unwrap();
        }
    }
    text
}

/// Where the timings begin.
const TIMINGS: &str = "\ntimings\n";

fn told(retry: RetryPolicy) -> String {
    format!("again after {:?} to {:?} for {:?}", retry.first, retry.cap, retry.budget)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").unwrap();
        text
    })
}

fn directory() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/versions")
}

/// What differs, and what to do about it; none if nothing does.
fn difference(kept: &str, now: &str) -> Option<String> {
    if kept == now {
        return None;
    }
    let body = |text: &str| text.split(TIMINGS).next().unwrap().to_owned();
    let advice = if body(kept) == body(now) { TUNED } else { CHANGED };
    let lines = |text: &str| text.lines().map(str::to_owned).collect::<BTreeSet<_>>();
    let (before, after) = (lines(kept), lines(now));
    let lost = before.difference(&after).map(|line| format!("- {line}\n"));
    let new = after.difference(&before).map(|line| format!("+ {line}\n"));
    Some(format!("{}{}\n{advice}", lost.collect::<String>(), new.collect::<String>()))
}

/// Every definition that sagas may be in flight with, and one of the benchmark's.
fn all() -> Vec<Definition> {
    vec![
        backstitch_sagas::checkout().unwrap(),
        backstitch_sagas::returns().unwrap(),
        backstitch_sagas::make_good().unwrap(),
        backstitch_sagas::repair().unwrap(),
        backstitch_sagas::refund_case().unwrap(),
        synthetic(7).unwrap(),
    ]
}

/// Every version's file and what it should say; with BLESS=1 it says so from now on, written before any test reads it.
static MEANINGS: LazyLock<Vec<(PathBuf, String)>> = LazyLock::new(|| {
    let meant = |definition: Definition| {
        let file = directory().join(format!("{}_v{}.txt", definition.name, definition.version));
        (file, meaning(&definition, &input(&definition), answer))
    };
    let meanings: Vec<_> = all().into_iter().map(meant).collect();
    if std::env::var_os("BLESS").is_some() {
        meanings.iter().for_each(|(file, now)| std::fs::write(file, now).unwrap());
    }
    meanings
});

#[test]
fn a_version_means_what_it_always_meant() {
    for (file, now) in &*MEANINGS {
        let kept = std::fs::read_to_string(file).unwrap_or_else(|_| {
            panic!("{} is missing: BLESS=1 cargo test -p backstitch-sagas --test versions", file.display())
        });
        if let Some(difference) = difference(&kept, now) {
            panic!("{}:\n{difference}", file.display());
        }
    }
}

#[test]
fn every_version_of_the_catalog_is_kept_and_every_kept_one_is_there() {
    let named: BTreeSet<_> = all().iter().map(|d| (d.name, d.version)).collect();
    for definition in catalog().unwrap().all() {
        assert!(named.contains(&(definition.name, definition.version)), "add {definition:?} to `all`");
    }
    let expected: BTreeSet<_> = MEANINGS.iter().map(|(file, _)| file.clone()).collect();
    let files = std::fs::read_dir(directory()).unwrap().map(|file| file.unwrap().path());
    assert_eq!(
        files.collect::<BTreeSet<_>>(),
        expected,
        "a version may leave the catalog, and its file with it, only when its last saga has ended: GET \
         /operator/v1/definitions counts them"
    );
}

/// A sale with its parts changed one at a time.
#[derive(Clone, Copy, Default)]
struct Sale {
    asks_more: bool,
    frees_other: bool,
    is_patient: bool,
    has_guard: bool,
}

fn sale(change: Sale) -> Definition {
    const HOLD: Operation<String, ()> = Operation::new("stock", "Hold");
    const FREE: Operation<String, ()> = Operation::new("stock", "Free");
    let mut d = DefinitionBuilder::<String>::new("sale", 1);
    let mut hold = d.step("hold", HOLD);
    if change.is_patient {
        hold = hold.timeout(std::time::Duration::from_secs(9));
    }
    if change.has_guard {
        hold = hold.guard(|_, ()| Ok(None));
    }
    hold.request(move |c: &Context<String>, ()| {
        format!("{}{}", c.input, if change.asks_more { "!" } else { "" })
    })
    .compensated_by(FREE, move |c| if change.frees_other { String::new() } else { c.input.clone() });
    d.build().unwrap()
}

fn meaning_of(change: Sale) -> String {
    meaning(&sale(change), &"MUG".to_owned().encode_to_vec(), |_| Vec::new())
}

#[test]
fn a_changed_request_is_found_although_the_fingerprint_is_the_same() {
    let kept = meaning_of(Sale::default());
    assert_eq!(difference(&kept, &meaning_of(Sale::default())), None);
    for (change, op) in [
        (Sale { asks_more: true, ..Sale::default() }, "hold do"),
        (Sale { frees_other: true, ..Sale::default() }, "hold undo"),
    ] {
        assert_eq!(sale(change).fingerprint, sale(Sale::default()).fingerprint);
        let difference = difference(&kept, &meaning_of(change)).unwrap();
        assert!(difference.contains(op) && difference.contains("the next version"), "{difference}");
    }
}

#[test]
fn a_changed_shape_asks_for_a_new_version_and_changed_timings_do_not() {
    let kept = meaning_of(Sale::default());
    let shape = difference(&kept, &meaning_of(Sale { has_guard: true, ..Sale::default() })).unwrap();
    assert!(shape.contains("+ fingerprint") && shape.contains("the next version"), "{shape}");
    let timings = difference(&kept, &meaning_of(Sale { is_patient: true, ..Sale::default() })).unwrap();
    assert!(timings.contains("+   hold do 9s") && !timings.contains("the next version"), "{timings}");
}
