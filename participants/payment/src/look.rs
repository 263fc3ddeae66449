//! Looking at the provider's object of a payment because something says that it may have changed: a webhook, or time.
//!
//! What a step waits for is that step's to settle: its open row is made due, and the loop that takes rows up asks the
//! provider. What is at rest is learned here.

use std::collections::BTreeSet;

use participant_kit::OpError;
use uuid::Uuid;

use crate::desk::{Desk, Trouble};
use crate::ledger;
use crate::payment::{Payment, Status};
use crate::refunds::{self, End};

/// Whatever may have become of the payment is known after this, or about to be.
pub(crate) async fn at(desk: &Desk, payment: &Payment) -> Result<(), Trouble> {
    hurry(desk, payment).await?;
    let payment = desk.payment(payment.id).await?;
    match payment.status {
        Status::Authorizing | Status::Waiting | Status::Capturing | Status::Voiding => return Ok(()),
        Status::Authorized | Status::Captured | Status::Voided | Status::Refused => {}
    }
    let Some(seen) = desk.sight(&payment).await? else { return Ok(()) };
    let (id, was) = (payment.id, payment.status);
    let learned = desk.write(id, move |tx| {
        let seen = seen.clone();
        Box::pin(async move {
            match ledger::load(tx.conn(), id).await? {
                // A step has begun to move it meanwhile, and will ask for itself.
                Some(payment) if payment.status != was => Ok(()),
                Some(payment) => ledger::absorb(tx, "", &payment, &seen).await.map(drop),
                None => Err(OpError::broken(format!("there is no payment {id}"))),
            }
        })
    });
    learned.await?;
    // Something says that it has changed, so the last look by time is not the last word.
    done_refunds(desk, &payment, |_| true).await
}

/// The open rows of every saga that waits for this payment or for a refund of it are due.
async fn hurry(desk: &Desk, payment: &Payment) -> Result<(), Trouble> {
    let refunds = refunds_of(desk, payment).await?;
    let pending = refunds.iter().filter(|refund| refund.status == refunds::Status::Pending);
    let sagas: BTreeSet<Uuid> = pending.map(|refund| refund.saga).chain([payment.saga]).collect();
    desk.write(payment.id, move |tx| {
        let sagas = sagas.clone();
        Box::pin(async move {
            for saga in sagas {
                tx.hurry(saga).await?;
            }
            Ok(())
        })
    })
    .await
}

async fn refunds_of(desk: &Desk, payment: &Payment) -> Result<Vec<refunds::Refund>, Trouble> {
    let mut conn = desk.kit.reads().acquire().await.map_err(OpError::from)?;
    Ok(refunds::of_payment(&mut conn, payment.id).await?)
}

/// Looks whether such refunds that were done have failed since.
pub(crate) async fn done_refunds(
    desk: &Desk,
    payment: &Payment,
    such: impl Fn(&refunds::Refund) -> bool,
) -> Result<(), Trouble> {
    let mut done = refunds_of(desk, payment).await?;
    done.retain(|refund| refund.status == refunds::Status::Done && such(refund));
    let Some(object) = payment.provider_id.as_ref().filter(|_| !done.is_empty()) else { return Ok(()) };
    let shown = desk.gateway.refunds(object).await?;
    for refund in done {
        let seen = shown.iter().find(|shown| shown.reference == Some(refund.id));
        let end = seen.and_then(End::of);
        backstitch_failpoint::hit("payment.refund_looked_at");
        let written = desk.write(payment.id, move |tx| {
            let (refund, end) = (refund.clone(), end.clone());
            Box::pin(async move {
                match end {
                    Some(End::Failed { why }) => refunds::reverse(tx, &refund, &why).await,
                    // Also one that is not shown: its absence proves nothing.
                    Some(End::Done { .. }) | None => refunds::look_again(tx, &refund).await,
                }
            })
        });
        written.await?;
    }
    Ok(())
}
