//! Stripe: payment intents with cards, held first and captured later.
//!
//! Requests and objects are async-stripe's; the wire they travel on is our own ([`wire`]), so that what is known about a
//! call that failed is known. One HTTP call for each call of the trait, but for those that Stripe answers with an error
//! where the trait shows an object: there the object is read.

mod amounts;
mod declines;
mod outcomes;
mod rows;
mod settings;
mod show;
mod wire;

use async_trait::async_trait;
use backstitch_proto::money::Money;
use futures::{StreamExt as _, TryStreamExt as _};
use stripe_client_core::{IdempotencyKey, RequestStrategy, StripeRequest};
use stripe_core::payment_intent::{
    CancelPaymentIntent, CapturePaymentIntent, ConfirmPaymentIntent, CreatePaymentIntent, ListPaymentIntent,
    RetrievePaymentIntent,
};
use stripe_core::refund::{CreateRefund, ListRefund};
use stripe_shared::{PaymentIntent, PaymentIntentAllowedPaymentMethodTypes, PaymentIntentCaptureMethod};
use stripe_types::RangeQueryTs;
use uuid::Uuid;

use self::amounts::to_stripe;
use self::outcomes::{Ask, Failed, is_absent, is_spent, outcome};
use self::rows::{OneByOne, Row};
pub use self::settings::{BaseUrl, Limits, ReturnUrl, SecretKey, Settings, URL};
use self::wire::Wire;
use super::{
    Decline, DeclineReason, GatewayError, Listed, NewPayment, Page, PaymentGateway, PaymentMethod,
    ProviderId, ProviderPayment, ProviderRefund, ProviderState, Unreadable,
};

/// The version of Stripe's API that is spoken.
pub const VERSION: &str = wire::VERSION;

/// How many objects a list shows at once: the most that Stripe shows.
const PAGE: i64 = 100;

/// How many keys an end may use up. Stripe gives its own trouble again under a key, perhaps for a day; to ask for an end
/// under another one does no harm, and a hold should not wait so long.
const KEYS_OF_A_CANCEL: usize = 4;

/// How many refunded objects of a page have their refunds read at once.
const READERS: usize = 4;

/// Stripe. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Stripe {
    wire: Wire,
    return_url: Option<settings::ReturnUrl>,
}

impl Stripe {
    /// A gateway with these settings. Calls nobody yet.
    pub fn new(settings: Settings) -> Self {
        Self { return_url: settings.return_url.clone(), wire: Wire::new(settings) }
    }

    /// Makes a call under `key` that changes something.
    async fn change<R>(&self, ask: Ask, key: &str, request: R) -> Result<R::Output, GatewayError>
    where
        R: StripeRequest<Output: miniserde::Deserialize>,
    {
        self.send(key, &request).await?.map_err(|failed| outcome(ask, &failed))
    }

    /// The same, told as what is known about it.
    async fn send<R>(&self, key: &str, request: &R) -> Result<Result<R::Output, Failed>, GatewayError>
    where
        R: StripeRequest<Output: miniserde::Deserialize>,
    {
        let request =
            request.customize().request_strategy(RequestStrategy::Idempotent(idempotency_key(key)?));
        Ok(request.send(&self.wire).await)
    }

    /// Asks for the end of an intent, under the next key where one is used up.
    async fn end(&self, key: &str, id: &ProviderId) -> Result<PaymentIntent, GatewayError> {
        let request = CancelPaymentIntent::new(intent_id(id)?).expand(charge());
        let mut answer = self.send(key, &request).await?;
        for number in 2..=KEYS_OF_A_CANCEL {
            match &answer {
                Err(failed) if is_spent(failed) => {
                    answer = self.send(&format!("{key}/{number}"), &request).await?;
                }
                _ => break,
            }
        }
        answer.map_err(|failed| outcome(Ask::Cancel, &failed))
    }

    /// Makes a call that changes nothing.
    async fn look<R>(&self, request: R) -> Result<R::Output, GatewayError>
    where
        R: StripeRequest<Output: miniserde::Deserialize>,
    {
        self.ask(request).await.map_err(|failed| outcome(Ask::Read, &failed))
    }

    /// The same, told as what is known about it.
    async fn ask<R>(&self, request: R) -> Result<R::Output, Failed>
    where
        R: StripeRequest<Output: miniserde::Deserialize>,
    {
        request.customize().request_strategy(RequestStrategy::Once).send(&self.wire).await
    }

    async fn intent(&self, id: &ProviderId) -> Result<PaymentIntent, GatewayError> {
        self.look(RetrievePaymentIntent::new(intent_id(id)?).expand(charge())).await
    }
}

/// Cards, and with them the wallets that hold cards. Not what the account takes as far as nobody is redirected for it: a
/// challenge may redirect, and a way back would be named where no redirect is allowed.
const TAKEN: [PaymentIntentAllowedPaymentMethodTypes; 1] = [PaymentIntentAllowedPaymentMethodTypes::Card];

/// Shows the charge with its intent.
fn charge() -> Vec<String> {
    vec!["latest_charge".to_owned()]
}

fn idempotency_key(key: &str) -> Result<IdempotencyKey, GatewayError> {
    let printable = key.bytes().all(|byte| byte.is_ascii_graphic());
    IdempotencyKey::new(key).ok().filter(|_| printable).ok_or_else(|| {
        GatewayError::Broken(format!("`{key}` is no idempotency key of 1 to 255 printable characters"))
    })
}

/// An id as it may stand in a path: what else is in it could name another call.
fn intent_id(id: &ProviderId) -> Result<&str, GatewayError> {
    let rest = id.as_str().strip_prefix("pi_").unwrap_or_default();
    let good = !rest.is_empty() && rest.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    good.then_some(id.as_str())
        .ok_or_else(|| GatewayError::Broken(format!("`{id}` is no payment intent of Stripe's")))
}

/// Whether a card said no, after which the intent shows what came of it.
fn is_a_card_s(reason: DeclineReason) -> bool {
    use DeclineReason::{AuthenticationFailed, CardDeclined, InsufficientFunds};
    matches!(reason, CardDeclined | InsufficientFunds | AuthenticationFailed)
}

/// An amount in Stripe's units, or the refusal of one that has none.
fn units(amount: Money) -> Result<i64, GatewayError> {
    if amount.minor <= 0 {
        return Err(GatewayError::Broken(format!("{amount} is no amount to move")));
    }
    to_stripe(amount).map_err(|error| {
        tracing::warn!(%error, "an amount that Stripe does not take");
        GatewayError::Refused(Decline::new(DeclineReason::AmountNotAllowed, "amount_not_representable"))
    })
}

#[async_trait]
impl PaymentGateway for Stripe {
    fn name(&self) -> &'static str {
        "stripe"
    }

    async fn create(&self, key: &str, new: &NewPayment) -> Result<ProviderPayment, GatewayError> {
        let currency = new.amount.currency.as_str().to_ascii_lowercase();
        let request = CreatePaymentIntent::new(units(new.amount)?, stripe_currency(&currency))
            .capture_method(PaymentIntentCaptureMethod::Manual)
            .allowed_payment_method_types(TAKEN)
            .metadata(show::metadata(new))
            .expand(charge());
        show::payment(&self.change(Ask::Create, key, request).await?)
    }

    async fn confirm(
        &self,
        key: &str,
        id: &ProviderId,
        method: &PaymentMethod,
    ) -> Result<ProviderPayment, GatewayError> {
        let request =
            ConfirmPaymentIntent::new(intent_id(id)?).payment_method(method.expose()).expand(charge());
        let request = match &self.return_url {
            Some(url) => request.return_url(url.as_str()),
            None => request.use_stripe_sdk(true),
        };
        match self.change(Ask::Confirm, key, request).await {
            Ok(intent) => show::payment(&intent),
            // A card's no leaves the intent open; what it shows then is what came of it.
            Err(GatewayError::Refused(decline)) if is_a_card_s(decline.reason) => {
                match self.read(id).await? {
                    seen if seen.state == ProviderState::Created => {
                        Ok(ProviderPayment { state: ProviderState::Declined(decline), ..seen })
                    }
                    seen => Ok(seen),
                }
            }
            Err(error) => Err(error),
        }
    }

    async fn capture(
        &self,
        key: &str,
        id: &ProviderId,
        amount: Money,
    ) -> Result<ProviderPayment, GatewayError> {
        let request =
            CapturePaymentIntent::new(intent_id(id)?).amount_to_capture(units(amount)?).expand(charge());
        show::payment(&self.change(Ask::Capture, key, request).await?)
    }

    async fn cancel(&self, key: &str, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        match self.end(key, id).await {
            Ok(intent) => show::payment(&intent),
            // Ended already, or captured: the intent tells which.
            Err(GatewayError::Refused(decline)) => match self.read(id).await? {
                seen if matches!(seen.state, ProviderState::Cancelled | ProviderState::Refused(_)) => {
                    Ok(seen)
                }
                _ => Err(GatewayError::Refused(decline)),
            },
            Err(error) => Err(error),
        }
    }

    async fn refund(
        &self,
        key: &str,
        id: &ProviderId,
        reference: Uuid,
        amount: Money,
    ) -> Result<ProviderRefund, GatewayError> {
        let request = CreateRefund::new()
            .payment_intent(intent_id(id)?)
            .amount(units(amount)?)
            .metadata(show::refund_metadata(reference));
        show::refund(&self.change(Ask::Refund, key, request).await?)
    }

    async fn read(&self, id: &ProviderId) -> Result<ProviderPayment, GatewayError> {
        show::payment(&self.intent(id).await?)
    }

    async fn refunds(&self, id: &ProviderId) -> Result<Vec<ProviderRefund>, GatewayError> {
        let (mut refunds, mut after) = (Vec::new(), None);
        loop {
            let mut request = ListRefund::new().payment_intent(intent_id(id)?).limit(PAGE);
            if let Some(after) = after {
                request = request.starting_after(after);
            }
            let page = self.look(request).await?;
            for refund in &page.data {
                refunds.push(show::refund(refund)?);
            }
            after = page.data.last().map(|refund| refund.id.to_string()).filter(|_| page.has_more);
            if after.is_none() {
                refunds.reverse();
                return Ok(refunds);
            }
        }
    }

    async fn list(&self, created_from_ms: i64, page: Option<&str>) -> Result<Page, GatewayError> {
        // Stripe counts in seconds: all of the one in which it begins.
        let mut request = ListPaymentIntent::new()
            .created(RangeQueryTs::gte(created_from_ms.max(0) / 1_000))
            .limit(PAGE)
            .expand(vec!["data.latest_charge".to_owned()]);
        if let Some(after) = page {
            request = request.starting_after(intent_id(&ProviderId::new(after))?);
        }
        let page = self.look(OneByOne(request)).await?;
        let rows = page.data.into_iter().map(Row::parse).collect::<Result<Vec<_>, _>>()?;
        let next = rows.last().map(|row| row.id.clone()).filter(|_| page.has_more);
        let mut shown = futures::stream::iter(rows).map(|row| self.row(row)).buffered(READERS);
        let (mut objects, mut unreadable) = (Vec::new(), Vec::new());
        while let Some(row) = shown.try_next().await? {
            match row {
                Ok(listed) => objects.push(listed),
                Err(foreign) => unreadable.push(foreign),
            }
        }
        Ok(Page { objects, unreadable, next })
    }

    async fn find(&self, id: &ProviderId) -> Result<Option<Listed>, GatewayError> {
        // What cannot be an id of Stripe's is none.
        let Ok(known) = intent_id(id) else { return Ok(None) };
        match self.ask(RetrievePaymentIntent::new(known).expand(charge())).await {
            Ok(intent) => self.listed(intent).await.map(Some),
            Err(failed) if is_absent(&failed) => Ok(None),
            Err(failed) => Err(outcome(Ask::Read, &failed)),
        }
    }
}

impl Stripe {
    /// An intent of a list; the inner error is of one that somebody else made.
    async fn row(&self, row: Row) -> Result<Result<Listed, Unreadable>, GatewayError> {
        let Row { id, is_ours, intent } = row;
        let listed = match intent {
            Ok(intent) => self.listed(intent).await,
            Err(why) => Err(GatewayError::Broken(format!("{id}: {why}"))),
        };
        match listed {
            Err(GatewayError::Broken(why)) if !is_ours => Ok(Err(Unreadable { id, why })),
            listed => listed.map(Ok),
        }
    }

    /// As it is shown, with its refunds if anything was given back.
    async fn listed(&self, intent: PaymentIntent) -> Result<Listed, GatewayError> {
        let listed = show::listed(&intent, Vec::new())?;
        if listed.object.refunded_minor == 0 {
            return Ok(listed);
        }
        let refunds = self.refunds(&listed.object.id).await?;
        Ok(Listed { refunds, ..listed })
    }
}

fn stripe_currency(code: &str) -> stripe_types::Currency {
    code.parse().unwrap_or_else(|never: std::convert::Infallible| match never {})
}
