//! What happened in the shop.

use backstitch_proto::journal::{
    Compensated, Completed, PivotIntent, StepDone, StepParked, TurnedBack, UndoDone, record::Kind,
};
use uuid::{NoContext, Timestamp, Uuid};

use super::rows::Pen;
use super::{NOON, Shop};

/// The store's numbers for statuses.
pub(super) const COMPENSATING: i64 = 2;
pub(super) const PARKED: i64 = 3;
pub(super) const COMPLETED: i64 = 4;
pub(super) const COMPENSATED: i64 = 5;

pub(super) fn saga() -> Uuid {
    let seconds = NOON.unsigned_abs() / 1000;
    Uuid::new_v7(Timestamp::from_unix(NoContext, seconds, 0))
}

pub(super) fn done(step: u32) -> Kind {
    Kind::StepDone(StepDone { step, attempts: 1, ..StepDone::default() })
}

fn undone(step: u32) -> Kind {
    Kind::UndoDone(UndoDone { step, attempts: 1 })
}

pub(super) async fn tell(dir: tempfile::TempDir) -> (Shop, Pen) {
    let mut pen = Pen::new(dir.path()).await;
    pen.put_product(1000).await;
    let mut completed = Vec::new();
    for n in 0..3 {
        completed.push(complete(&mut pen, &format!("cart-{n}")).await);
    }
    let shop = Shop {
        completed,
        out_of_stock: out_of_stock(&mut pen, "cart-out").await,
        cancelled: cancelled(&mut pen, "cart-cancelled").await,
        parked: parked(&mut pen, "cart-parked").await,
        in_flight: [
            started(&mut pen, "cart-started").await,
            authorized(&mut pen, "cart-authorized").await,
            captured(&mut pen, "cart-captured").await,
        ],
        dir,
    };
    (shop, pen)
}

async fn started(pen: &mut Pen, cart: &str) -> Uuid {
    let saga = saga();
    pen.start(saga, cart, 1).await;
    saga
}

async fn authorized(pen: &mut Pen, cart: &str) -> Uuid {
    let saga = started(pen, cart).await;
    pen.hold_cart(saga, cart).await;
    pen.reserve(saga).await;
    pen.authorize(saga).await;
    for step in 0..4 {
        pen.record(saga, done(step)).await;
    }
    saga
}

/// The capture happened; the journal does not know yet.
pub(super) async fn captured(pen: &mut Pen, cart: &str) -> Uuid {
    let saga = authorized(pen, cart).await;
    pen.create_order(saga).await;
    pen.record(saga, done(4)).await;
    pen.record(saga, Kind::PivotIntent(PivotIntent {})).await;
    pen.capture(saga).await;
    saga
}

pub(super) async fn complete(pen: &mut Pen, cart: &str) -> Uuid {
    let saga = captured(pen, cart).await;
    pen.confirm_order(saga).await;
    pen.sell(saga).await;
    pen.clear_cart(saga).await;
    pen.ship(saga).await;
    for step in 5..11 {
        pen.record(saga, done(step)).await;
    }
    pen.record(saga, Kind::Completed(Completed {})).await;
    pen.checkout_event(saga, "completed").await;
    pen.status(saga, COMPLETED).await;
    saga
}

async fn parked(pen: &mut Pen, cart: &str) -> Uuid {
    let saga = captured(pen, cart).await;
    pen.record(saga, done(5)).await;
    let why = "the order service answers nonsense".to_owned();
    pen.record(saga, Kind::StepParked(StepParked { step: 6, why, attempts: 1, ..StepParked::default() }))
        .await;
    pen.checkout_event(saga, "parked").await;
    pen.status(saga, PARKED).await;
    saga
}

async fn out_of_stock(pen: &mut Pen, cart: &str) -> Uuid {
    let saga = started(pen, cart).await;
    pen.hold_cart(saga, cart).await;
    pen.record(saga, done(0)).await;
    pen.record(saga, Kind::TurnedBack(TurnedBack::default())).await;
    pen.free_cart(saga).await;
    pen.record(saga, undone(0)).await;
    pen.record(saga, Kind::Compensated(Compensated {})).await;
    pen.checkout_event(saga, "compensated").await;
    pen.status(saga, COMPENSATED).await;
    saga
}

async fn cancelled(pen: &mut Pen, cart: &str) -> Uuid {
    let saga = authorized(pen, cart).await;
    pen.create_order(saga).await;
    pen.record(saga, done(4)).await;
    pen.record(saga, Kind::TurnedBack(TurnedBack::default())).await;
    pen.status(saga, COMPENSATING).await;
    pen.cancel_order(saga).await;
    pen.void(saga).await;
    pen.release(saga).await;
    pen.free_cart(saga).await;
    for step in [4, 3, 1, 0] {
        pen.record(saga, undone(step)).await;
    }
    pen.record(saga, Kind::Compensated(Compensated {})).await;
    pen.checkout_event(saga, "compensated").await;
    pen.status(saga, COMPENSATED).await;
    saga
}
