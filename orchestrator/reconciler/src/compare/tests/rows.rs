//! Each kind: planted alone into books that agree, it is the one finding, with its amount.

use super::*;
use crate::kind::Kind::{self, *};

/// Another refund of 3.00 was made besides the one that we know, and bears its id too; where it stands in the list.
fn made_twice(at: usize) -> World {
    returned().with(|world| {
        let second = Refund { object: "re_2".into(), ..refund(RefundState::Done, 300) };
        world.provider[0].refunds.insert(at, second);
        world.provider[0].refunded += 300;
    })
}

/// What each planting makes of books that agree, and what it is found as.
fn rows() -> Vec<(Kind, i64, World)> {
    let state = |world: World, state, captured| {
        world.with(|w| (w.provider[0].state, w.provider[0].captured) = (state, captured))
    };
    let stranger = |captured: i64| {
        let state = if captured > 0 { ObjectState::Captured } else { ObjectState::Authorized };
        let ids = |id: &str| (format!("pi_{id}"), format!("payment-{id}"));
        let (id, payment) = ids("9");
        Object { id, payment, ..object(state, captured) }
    };
    let second = |world: World, object: Object| world.with(|w| w.provider.push(object));
    let alone = |object: Object| World { provider: vec![object], ..World::default() };
    vec![
        (OrphanHold, 1_000, alone(stranger(0))),
        (OrphanHold, 1_000, second(sold(), stranger(0))),
        (OrphanHold, 1_000, second(taken_back(), stranger(0))),
        (
            OrphanHold,
            1_000,
            held().with(|w| (w.ledger[0].object, w.ledger[0].status) = ("".into(), "authorizing".into())),
        ),
        (OrphanHold, 1_000, alone(Object { payment: "".into(), saga: "".into(), ..stranger(0) })),
        (OrphanCapture, 1_000, alone(stranger(1_000))),
        (OrphanCapture, 700, alone(Object { refunded: 300, ..stranger(1_000) })),
        (OrphanCapture, 1_000, second(taken_back(), stranger(1_000))),
        (OrphanCapture, 1_000, sold().with(|w| w.ledger.clear())),
        (CapturedTwice, 1_000, second(sold(), stranger(1_000))),
        (
            CapturedTwice,
            1_000,
            second(sold(), stranger(1_000)).with(|w| {
                w.ledger.push(Payment {
                    id: "payment-9".into(),
                    object: "pi_9".into(),
                    ..payment("captured", 1_000)
                });
            }),
        ),
        (HoldLeftOver, 1_000, held()),
        (HoldLeftOver, 1_000, state(taken_back(), ObjectState::Authorized, 0)),
        (HoldLeftOver, 1_000, state(taken_back(), ObjectState::CustomerAction, 0)),
        (HoldGone, 1_000, state(held(), ObjectState::Cancelled, 0)),
        (HoldGone, 1_000, state(held(), ObjectState::Refused, 0)),
        (MissedCapture, 1_000, state(held(), ObjectState::Captured, 1_000)),
        (MissedCapture, 1_000, sold().with(|w| w.ledger[0] = payment("capturing", 0))),
        (MissedCapture, 1_000, state(taken_back(), ObjectState::Captured, 1_000)),
        (CaptureNotAtProvider, 1_000, state(sold(), ObjectState::Authorized, 0)),
        (CaptureNotAtProvider, 1_000, state(sold(), ObjectState::Cancelled, 0)),
        (CapturedAmountDiffers, 1, state(sold(), ObjectState::Captured, 999)),
        (
            RefundUnknownHere,
            400,
            returned()
                .with(|w| (w.ledger[0].refunded, w.ledger[0].refunds, w.orders[0].returned) = (0, vec![], 0)),
        ),
        (RefundUnknownHere, 400, returned().with(|w| w.ledger[0].refunds[0].state = RefundState::Pending)),
        (RefundUnknownHere, 400, sold().with(|w| w.provider[0].refunded = 400)),
        (RefundUnknownHere, 300, made_twice(1)),
        (RefundUnknownHere, 300, made_twice(0)),
        (RefundUnknownHere, 300, made_twice(1).with(|w| w.ledger[0].refunds[0].object = String::new())),
        (
            RefundNotAtProvider,
            400,
            returned().with(|w| (w.provider[0].refunded, w.provider[0].refunds) = (0, vec![])),
        ),
        (RefundNotAtProvider, 400, bounced(false).with(|w| w.cases.clear())),
        (RefundNotAtProvider, 400, sold().with(|w| w.ledger[0].refunded = 400)),
        (RefundedMoreThanCaptured, 200, returned().with(|w| w.provider[0].refunded = 1_200)),
        (RefundedMoreThanCaptured, 1, returned().with(|w| w.ledger[0].refunds[0].amount = 1_001)),
        (OrderWithoutMoney, 1_000, held().with(|w| w.orders[0].status = "confirmed".into())),
        (OrderWithoutMoney, 1_000, taken_back().with(|w| w.orders[0].status = "shipped".into())),
        (OrderWithoutMoney, 1_000, World { orders: vec![order("confirmed")], ..World::default() }),
        (MoneyWithoutOrder, 1_000, sold().with(|w| w.orders.clear())),
        (MoneyWithoutOrder, 1_000, sold().with(|w| w.orders[0].status = "cancelled".into())),
        (MoneyWithoutOrder, 600, returned().with(|w| w.orders[0].status = "pending".into())),
        (KeptDiffers, 400, returned().with(|w| w.orders[0].returned = 0)),
        (KeptDiffers, 1, sold().with(|w| w.orders[0].total = gbp(1_001))),
        (KeptDiffers, 1, sold().with(|w| w.orders[0].total = gbp(999))),
        (KeptDiffers, 1_000, sold().with(|w| w.orders[0].returned = 1_000)),
        (OpenCase, 400, bounced(false)),
        (Disputed, 1_000, sold().with(|w| w.provider[0].disputed = true)),
        (Disputed, 600, returned().with(|w| w.provider[0].disputed = true)),
        (ObjectUnknown, 1_000, sold().with(|w| w.provider.clear())),
        (ObjectUnknown, 1_000, held().with(|w| w.provider.clear())),
        (ObjectUnknown, 0, taken_back().with(|w| w.provider.clear())),
        (
            ObjectShared,
            1_000,
            sold().with(|w| {
                w.ledger.push(Payment {
                    id: "payment-2".into(),
                    saga: "other".into(),
                    order: "".into(),
                    ..payment("captured", 1_000)
                });
            }),
        ),
        (
            ObjectShared,
            1_000,
            sold().with(|w| {
                w.provider[0].payment = "".into();
                w.ledger.push(Payment { id: "payment-2".into(), ..payment("captured", 1_000) });
            }),
        ),
        // The object that was made for it is no second one.
        (
            ObjectShared,
            1_000,
            sold().with(|w| {
                w.ledger[0].object = "pi_2".into();
                w.provider.push(Object {
                    id: "pi_2".into(),
                    payment: "payment-2".into(),
                    saga: "other".into(),
                    ..object(ObjectState::Captured, 1_000)
                });
            }),
        ),
        (AmountDiffers, 1, sold().with(|w| w.provider[0].amount = gbp(1_001))),
        (
            AmountDiffers,
            1_000,
            sold().with(|w| w.provider[0].amount.currency = Currency::parse("EUR").unwrap()),
        ),
        (AmountDiffers, 1_000, sold().with(|w| w.orders[0].total.currency = Currency::parse("EUR").unwrap())),
    ]
}

#[test]
fn each_planting_is_the_one_finding_of_its_kind_with_its_amount() {
    for (n, (kind, amount, world)) in rows().into_iter().enumerate() {
        let found = world.under(Standing::Compensated);
        let told: Vec<_> = found.iter().map(|f| (f.kind, f.amount.minor)).collect();
        assert_eq!(told, [(kind, amount)], "row {n}: {found:#?}");
        let what = &found[0].what;
        assert!(what.ends_with('.') && !what.contains("  ") && what.len() < 400, "row {n}: {what}");
    }
}

#[test]
fn every_kind_has_a_row() {
    for kind in Kind::ALL {
        let here = rows().iter().any(|(of, ..)| *of == kind);
        // Only while its saga is under way: `steps` has it.
        assert!(here || kind == HoldEndsSoon, "{kind:?}");
    }
}

#[test]
fn books_that_agree_have_no_findings() {
    for world in [sold(), returned(), taken_back(), bounced(true), World::default()] {
        for standing in [Standing::Completed, Standing::Compensated, Standing::Live, Standing::Parked] {
            assert_eq!(world.under(standing), [], "{world:#?}");
        }
    }
    // A saga that is under way holds money, and waits for its customer.
    let waits = held().with(|w| {
        (w.ledger[0].status, w.provider[0].state) = ("waiting".into(), ObjectState::CustomerAction);
    });
    for world in [held(), waits] {
        assert_eq!(world.under(Standing::Live), []);
        assert_eq!(world.under(Standing::Parked), []);
    }
    // A void that was done, and whose answer was lost: its end is what was wanted.
    let let_go = taken_back().with(|w| w.ledger[0].status = "voiding".into());
    for standing in [Standing::Live, Standing::Parked, Standing::Compensated] {
        assert_eq!(let_go.under(standing), []);
    }
    // Made and never confirmed: it holds nothing and never will.
    let never = held().with(|w| {
        (w.ledger[0].object, w.ledger[0].status) = (String::new(), "refused".into());
        w.provider[0].state = ObjectState::Created;
        w.orders[0].status = "cancelled".into();
    });
    assert_eq!(never.under(Standing::Compensated), []);
}

#[test]
fn what_is_older_than_the_list_is_not_judged() {
    let old = |age: i64| {
        let made = TERMS.since_ms - age;
        let without = sold().with(|w| (w.ledger[0].created_ms, w.provider) = (made, vec![]));
        let unpaid =
            World { orders: vec![Order { created_ms: made, ..order("confirmed") }], ..World::default() };
        [without, unpaid]
    };
    for world in old(1) {
        assert_eq!(world.under(Standing::Completed), [], "a moment too old");
    }
    for world in old(0) {
        assert_eq!(world.under(Standing::Completed).len(), 1, "just young enough");
    }
}

/// A bank may take days over a refund, and a return may be parked after it: it counts from when it is asked for.
#[test]
fn what_a_return_has_claimed_is_kept_or_not_until_it_is_through() {
    let claimed = |world: World, amount: i64| {
        world.with(|w| {
            w.orders[0].returned = 0;
            w.orders[0].claims.push(Claim { saga: "return".into(), amount });
        })
    };
    let pending = |amount: i64| {
        claimed(returned(), amount).with(|w| {
            w.ledger[0].refunded = 0;
            w.ledger[0].refunds[0].state = RefundState::Pending;
            w.provider[0].refunds[0].state = RefundState::Pending;
        })
    };
    let under = |world: &World, back: Standing| {
        let saga = |standing| Saga { standing, moved_ms: NOW - DAY };
        let told = [("saga", Standing::Completed), ("return", back)];
        let sagas = Sagas::Told(told.map(|(id, standing)| (id.to_owned(), saga(standing))).into());
        let found = world.compare(&sagas, &TERMS);
        found.into_iter().map(|f| (f.kind, f.amount.minor, f.step)).collect::<Vec<_>>()
    };
    let asked_for_nothing_yet = claimed(sold(), 400);
    let beyond = claimed(returned(), 400).with(|w| w.provider[0].refunded = 401);
    let too_much = claimed(sold(), 400).with(|w| w.orders[0].total = gbp(999));
    for (back, is_parked) in [(Standing::Live, false), (Standing::Parked, true)] {
        for world in [pending(400), claimed(returned(), 400), asked_for_nothing_yet.clone()] {
            assert_eq!(under(&world, back), [], "{world:#?}");
        }
        let note = Move::Note { saga: "return".into(), is_parked };
        for world in [pending(399), beyond.clone(), too_much.clone()] {
            assert_eq!(under(&world, back), [(KeptDiffers, 1, note.clone())], "{world:#?}");
        }
    }
    // Once it has ended, nobody will write down any more that it is through.
    for back in [Standing::Completed, Standing::Compensated] {
        assert_eq!(under(&pending(400), back)[0].0, KeptDiffers, "{back:?}");
        assert_eq!(under(&claimed(returned(), 400), back)[0].1, 400, "{back:?}");
        assert_eq!(under(&asked_for_nothing_yet, back), [], "{back:?}");
    }
}

#[test]
fn a_dispute_is_told_beside_what_else_is_wrong_and_only_while_money_is_kept() {
    let disputed = |world: World| world.with(|w| w.provider[0].disputed = true);
    let kinds = |world: &World| {
        let found = world.under(Standing::Completed);
        found.into_iter().map(|f| (f.kind, f.amount.minor, f.step)).collect::<Vec<_>>()
    };
    let person = Move::Person(crate::finding::Because::Judgement);
    let both = disputed(sold().with(|w| w.orders[0].total = gbp(1_001)));
    let wanted = [(Disputed, 1_000, person.clone()), (KeptDiffers, 1, person)];
    assert_eq!(kinds(&both), wanted);
    let given_back = sold().with(|w| {
        (w.ledger[0].refunded, w.provider[0].refunded, w.orders[0].returned) = (1_000, 1_000, 1_000);
    });
    assert_eq!(kinds(&disputed(given_back)), []);
    assert_eq!(kinds(&disputed(taken_back())), []);
}

/// After a change of provider: what was paid at the one before is on no list that is read.
#[test]
fn a_payment_at_another_provider_is_judged_with_its_order_alone() {
    let elsewhere = |world: World| {
        world.with(|w| {
            w.provider.clear();
            w.ledger[0].is_elsewhere = true;
        })
    };
    for world in [sold(), returned(), taken_back()] {
        assert_eq!(elsewhere(world).under(Standing::Completed), []);
    }
    assert_eq!(elsewhere(held()).under(Standing::Live), []);
    let told = |world: World| {
        let found = elsewhere(world).under(Standing::Compensated);
        found.into_iter().map(|f| (f.kind, f.amount.minor, f.step)).collect::<Vec<_>>()
    };
    let person = || Move::Person(crate::finding::Because::Judgement);
    assert_eq!(told(sold().with(|w| w.orders[0].total = gbp(1_001))), [(KeptDiffers, 1, person())]);
    assert_eq!(told(sold().with(|w| w.orders.clear())), [(MoneyWithoutOrder, 1_000, person())]);
}
