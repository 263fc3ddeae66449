//! Stripe's objects as every gateway shows them.

use std::collections::HashMap;

use backstitch_proto::money::Money;
use stripe_shared::{
    ApiErrors, Charge, ChargeStatus, PaymentIntent, PaymentIntentNextAction, PaymentIntentStatus, Refund,
};
use stripe_types::Expandable;
use uuid::Uuid;

use super::amounts::from_stripe;
use super::declines;
use crate::gateway::{
    CustomerAction, Decline, GatewayError, Listed, NewPayment, ProviderId, ProviderPayment, ProviderRefund,
    ProviderState, RefundState,
};

const PAYMENT: &str = "backstitch_payment";
const SAGA: &str = "backstitch_saga";
const ROOT: &str = "backstitch_root";
const ORDER: &str = "backstitch_order";
const REFUND: &str = "backstitch_refund";

/// How long a card network holds at least, where Stripe does not say how long.
const HOLD_S: i64 = 7 * 24 * 60 * 60;

/// What an intent of ours bears.
pub(super) fn metadata(new: &NewPayment) -> HashMap<String, String> {
    let mut metadata = HashMap::from([
        (PAYMENT.to_owned(), new.reference.to_string()),
        (SAGA.to_owned(), new.saga.to_string()),
        (ROOT.to_owned(), new.root.to_string()),
    ]);
    if !new.order_id.is_empty() {
        metadata.insert(ORDER.to_owned(), new.order_id.clone());
    }
    metadata
}

/// What a refund of ours bears.
pub(super) fn refund_metadata(reference: Uuid) -> HashMap<String, String> {
    HashMap::from([(REFUND.to_owned(), reference.to_string())])
}

/// Whether it is a name that we write.
pub(super) fn is_ours(name: &str) -> bool {
    [PAYMENT, SAGA, ROOT, ORDER].contains(&name)
}

fn id_of(metadata: &HashMap<String, String>, name: &str) -> Option<Uuid> {
    metadata.get(name).and_then(|text| text.parse().ok())
}

fn money(units: i64, intent: &PaymentIntent) -> Result<Money, GatewayError> {
    from_stripe(units, &intent.currency.to_string()).map_err(|e| GatewayError::Broken(e.to_string()))
}

/// An intent, asked for with its charge.
pub(super) fn payment(intent: &PaymentIntent) -> Result<ProviderPayment, GatewayError> {
    let charge = charge(intent)?;
    let held = match (&intent.status, charge) {
        (PaymentIntentStatus::RequiresCapture, _) => intent.amount_capturable,
        (PaymentIntentStatus::Succeeded, Some(charge)) => charge.amount,
        (PaymentIntentStatus::Canceled, Some(charge)) if is_held(charge) => charge.amount,
        _ => 0,
    };
    let taken = intent.amount_received;
    // What a capture of a part let go counts as refunded for Stripe, and so does what a cancel let go.
    let let_go = charge.map_or(0, |charge| charge.amount.saturating_sub(charge.amount_captured));
    let refunded = charge.map_or(0, |charge| charge.amount_refunded.saturating_sub(let_go).max(0));
    Ok(ProviderPayment {
        id: ProviderId::new(intent.id.as_str()),
        reference: id_of(&intent.metadata, PAYMENT),
        amount: money(intent.amount, intent)?,
        state: state(intent, charge)?,
        authorized_minor: money(held, intent)?.minor,
        captured_minor: money(taken, intent)?.minor,
        refunded_minor: money(refunded, intent)?.minor,
    })
}

/// An intent in a list. One that Stripe still works on shows as one that holds nothing yet.
pub(super) fn listed(intent: &PaymentIntent, refunds: Vec<ProviderRefund>) -> Result<Listed, GatewayError> {
    let object = match &intent.status {
        PaymentIntentStatus::Processing => {
            payment(&PaymentIntent { status: PaymentIntentStatus::RequiresConfirmation, ..intent.clone() })?
        }
        _ => payment(intent)?,
    };
    Ok(Listed {
        object,
        saga: id_of(&intent.metadata, SAGA),
        order_id: intent.metadata.get(ORDER).cloned().unwrap_or_default(),
        created_at_ms: intent.created.saturating_mul(1_000),
        refunds,
        disputed: charge(intent)?.is_some_and(|charge| charge.disputed),
    })
}

/// The last charge, which holds money if any does.
fn charge(intent: &PaymentIntent) -> Result<Option<&Charge>, GatewayError> {
    match &intent.latest_charge {
        None => Ok(None),
        Some(Expandable::Object(charge)) => Ok(Some(charge)),
        Some(Expandable::Id(id)) => {
            Err(GatewayError::Broken(format!("Stripe names the charge {id} and does not show it")))
        }
    }
}

/// Whether the charge ever held money: one that failed did not.
fn is_held(charge: &Charge) -> bool {
    charge.status == ChargeStatus::Succeeded
}

fn state(intent: &PaymentIntent, charge: Option<&Charge>) -> Result<ProviderState, GatewayError> {
    let declined = || intent.last_payment_error.as_deref().map(decline);
    match &intent.status {
        PaymentIntentStatus::RequiresPaymentMethod => {
            Ok(declined().map_or(ProviderState::Created, ProviderState::Declined))
        }
        PaymentIntentStatus::RequiresConfirmation => Ok(ProviderState::Created),
        PaymentIntentStatus::RequiresAction => {
            let action = intent.next_action.as_ref().and_then(redirect);
            let secret = || intent.client_secret.as_deref().map(|s| CustomerAction::ClientSecret(s.into()));
            action.or_else(secret).map(ProviderState::CustomerAction).ok_or_else(|| {
                GatewayError::Broken(format!(
                    "Stripe does not say what the customer of {} has to do",
                    intent.id
                ))
            })
        }
        PaymentIntentStatus::RequiresCapture => {
            let charge = charge.ok_or_else(|| no_charge(intent))?;
            let until = capture_before(charge).unwrap_or(charge.created.saturating_add(HOLD_S));
            Ok(ProviderState::Authorized { capture_before_ms: until.saturating_mul(1_000) })
        }
        PaymentIntentStatus::Succeeded => {
            charge.map(|_| ProviderState::Captured).ok_or_else(|| no_charge(intent))
        }
        // What it was declined for before it ended, unless it was held after that.
        PaymentIntentStatus::Canceled if !charge.is_some_and(is_held) => {
            Ok(declined().map_or(ProviderState::Cancelled, ProviderState::Refused))
        }
        PaymentIntentStatus::Canceled => Ok(ProviderState::Cancelled),
        PaymentIntentStatus::Processing => {
            Err(GatewayError::Unknown(format!("Stripe has not decided {} yet", intent.id)))
        }
        other => Err(GatewayError::Broken(format!("Stripe says that {} is `{other}`", intent.id))),
    }
}

fn no_charge(intent: &PaymentIntent) -> GatewayError {
    GatewayError::Broken(format!("Stripe says that {} is {}, and shows no charge", intent.id, intent.status))
}

fn redirect(action: &PaymentIntentNextAction) -> Option<CustomerAction> {
    let url = action.redirect_to_url.as_ref()?.url.as_deref()?;
    Some(CustomerAction::Redirect(url.into()))
}

fn capture_before(charge: &Charge) -> Option<i64> {
    charge.payment_method_details.as_ref()?.card.as_ref()?.capture_before
}

fn decline(error: &ApiErrors) -> Decline {
    declines::decline(error.code.as_ref().map(|code| code.as_str()), error.decline_code.as_deref())
}

/// A refund.
pub(super) fn refund(refund: &Refund) -> Result<ProviderRefund, GatewayError> {
    let state = match refund.status.as_deref() {
        Some("succeeded") => RefundState::Succeeded,
        Some("pending" | "requires_action") => RefundState::Pending,
        Some("failed" | "canceled") => RefundState::Failed,
        other => {
            let status = other.unwrap_or("nothing");
            return Err(GatewayError::Broken(format!("Stripe says that {} is `{status}`", refund.id)));
        }
    };
    let failure = match state {
        RefundState::Failed => {
            let word = refund.failure_reason.as_deref().or(refund.status.as_deref());
            Some(word.unwrap_or("failed").to_owned())
        }
        RefundState::Pending | RefundState::Succeeded => None,
    };
    let amount = from_stripe(refund.amount, &refund.currency.to_string());
    Ok(ProviderRefund {
        id: refund.id.to_string(),
        reference: refund.metadata.as_ref().and_then(|metadata| id_of(metadata, REFUND)),
        amount: amount.map_err(|e| GatewayError::Broken(e.to_string()))?,
        state,
        failure,
    })
}
