//! Laws over books in any state.

use proptest::prelude::*;

use super::*;

fn minor() -> impl Strategy<Value = i64> {
    prop::sample::select(vec![0, 400, 600, 999, 1_000])
}

fn any_payment() -> impl Strategy<Value = Payment> {
    let status = prop::sample::select(vec![
        "authorizing",
        "waiting",
        "authorized",
        "capturing",
        "captured",
        "voiding",
        "voided",
        "refused",
    ]);
    let ids = prop::sample::select(vec![
        ("payment", "pi_1"),
        ("payment", ""),
        ("payment-9", "pi_9"),
        ("payment-9", "pi_1"),
    ]);
    (ids, prop::sample::select(vec!["saga", "other"]), status, minor(), prop::option::of(any_refund()))
        .prop_map(|((id, object), saga, status, captured, refund)| Payment {
            id: id.into(),
            object: object.into(),
            saga: saga.into(),
            refunded: refund.iter().filter(|r| r.state == RefundState::Done).map(|r| r.amount).sum(),
            refunds: refund.into_iter().collect(),
            ..payment(status, captured)
        })
}

fn any_refund() -> impl Strategy<Value = Refund> {
    let state = prop::sample::select(vec![RefundState::Pending, RefundState::Done, RefundState::Failed]);
    (state, minor()).prop_map(|(state, amount)| refund(state, amount))
}

fn any_object() -> impl Strategy<Value = Object> {
    use ObjectState::*;
    let state = prop::sample::select(vec![Created, CustomerAction, Authorized, Captured, Cancelled, Refused]);
    let ids = prop::sample::select(vec![("pi_1", "payment"), ("pi_9", "payment-9"), ("pi_9", "")]);
    (
        ids,
        prop::sample::select(vec!["saga", "other", ""]),
        state,
        minor(),
        prop::option::of(any_refund()),
        (0..3 * DAY, prop::bool::ANY),
    )
        .prop_map(|((id, payment), saga, state, captured, refund, (left, disputed))| Object {
            disputed,
            id: id.into(),
            payment: payment.into(),
            saga: saga.into(),
            refunded: refund.iter().filter(|r| r.state != RefundState::Failed).map(|r| r.amount).sum(),
            refunds: refund.into_iter().collect(),
            capture_before_ms: NOW + left,
            ..object(state, captured)
        })
}

fn any_order() -> impl Strategy<Value = Order> {
    let status = prop::sample::select(vec!["pending", "confirmed", "shipped", "cancelled"]);
    let claim = prop::option::of(minor().prop_map(|amount| Claim { saga: "return".into(), amount }));
    (status, prop::sample::select(vec!["saga", "other"]), minor(), claim).prop_map(
        |(status, saga, returned, claim)| Order {
            saga: saga.into(),
            returned,
            claims: claim.into_iter().collect(),
            ..order(status)
        },
    )
}

fn world() -> impl Strategy<Value = World> {
    use prop::collection::vec;
    (
        vec(any_payment(), 0..3),
        vec(any_object(), 0..3),
        vec(any_order(), 0..2),
        prop::option::of(prop::bool::ANY.prop_map(case)),
    )
        .prop_map(|(mut ledger, mut provider, orders, case)| {
            ledger.dedup_by(|a, b| a.id == b.id);
            provider.dedup_by(|a, b| a.id == b.id);
            World { ledger, provider, orders, cases: case.into_iter().collect() }
        })
}

fn sagas() -> impl Strategy<Value = Sagas> {
    use Standing::*;
    let one = || prop::sample::select(vec![Completed, Compensated, Forgotten, Unknown, Parked, Live]);
    (one(), one(), one()).prop_map(|(a, b, c)| {
        let of = |id: &str, standing| (id.to_owned(), Saga { standing, moved_ms: 0 });
        Sagas::Told([of("saga", a), of("other", b), of("return", c)].into())
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4_000))]

    /// So the orchestrator is asked only about what is a finding if nobody acts any more.
    #[test]
    fn what_is_no_finding_when_nobody_acts_is_none_under_any_answer(world in world(), sagas in sagas()) {
        let suspicious = Terms { grace_ms: 0, ends_within_ms: i64::MAX, ..TERMS };
        if world.compare(&Sagas::NotAsked, &suspicious).is_empty() {
            prop_assert_eq!(world.compare(&sagas, &TERMS), []);
        }
    }

    /// However the books were paged.
    #[test]
    fn the_order_of_lines_changes_nothing(world in world(), sagas in sagas()) {
        let mut turned = world.clone();
        turned.provider.reverse();
        turned.orders.reverse();
        let key = |finding: &Finding| (finding.kind, finding.about.clone(), finding.amount.minor);
        let sorted = |mut found: Vec<Finding>| {
            found.sort_by_key(key);
            found.iter().map(key).collect::<Vec<_>>()
        };
        prop_assert_eq!(sorted(world.compare(&sagas, &TERMS)), sorted(turned.compare(&sagas, &TERMS)));
    }

    /// A repair is started only when every saga of that checkout has ended, and the object is in the state that it names.
    #[test]
    fn a_repair_never_takes_what_somebody_may_still_need(world in world(), sagas in sagas()) {
        let Sagas::Told(told) = &sagas else { unreachable!() };
        for finding in world.compare(&sagas, &TERMS) {
            let Move::Repair { state } = finding.step else { continue };
            let saga = told[&finding.about.saga].standing;
            prop_assert!(!matches!(saga, Standing::Live | Standing::Parked | Standing::Unknown), "{saga:?}");
            if saga == Standing::Forgotten {
                let is_ours = |id: &String| *id == finding.about.saga;
                let of_ledger = world.ledger.iter().map(|payment| &payment.saga);
                let of_orders = world.orders.iter().map(|order| &order.saga);
                let mut ours = of_ledger.chain(of_orders).chain(world.cases.iter().map(|case| &case.saga));
                prop_assert!(ours.any(is_ours), "another shop's: {finding:?}");
            }
            let object = world.provider.iter().find(|object| object.id == finding.about.object).unwrap();
            match state {
                "authorized" => prop_assert_eq!(object.state, ObjectState::Authorized),
                _ => prop_assert!(object.state == ObjectState::Captured && object.kept() > 0),
            }
            prop_assert!(finding.amount.minor >= 0);
        }
    }

    /// No sum is negative, and no answer panics.
    #[test]
    fn no_amount_is_negative(world in world(), sagas in sagas()) {
        for finding in world.compare(&sagas, &TERMS) {
            prop_assert!(finding.amount.minor >= 0, "{finding:?}");
        }
    }
}
