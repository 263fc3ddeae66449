//! The repair of an object at the payment provider that nobody owns.

use backstitch_core::{Context, Definition, DefinitionBuilder, DefinitionError, Invalid};
use backstitch_proto::ids::derived;
use backstitch_proto::payment::{TakeBackObjectRequest, TakeBackObjectResponse};
use backstitch_proto::returns::RepairInput;
use bytes::Bytes;

use crate::names::{definition, return_step, return_thing};
use crate::operations::payment;
use crate::refunds::REFUND;

/// Takes back what the object holds or has taken, if it still is as it was when that was decided.
pub fn repair() -> Result<Definition, DefinitionError> {
    let mut d = DefinitionBuilder::<RepairInput>::new(definition::REPAIR, 1);
    d.step(return_step::TAKE_BACK_OBJECT, payment::TAKE_BACK_OBJECT)
        .retry(REFUND)
        .request(|c: &Context<RepairInput>, ()| TakeBackObjectRequest {
            provider_id: c.input.provider_id.clone(),
            state: c.input.state.clone(),
            refund_id: derived(c.saga, return_thing::REFUND).to_string(),
        })
        .answer(taken_back)
        .pivot();
    d.build()
}

fn taken_back(
    _: &Context<RepairInput>,
    (): (),
    answer: &TakeBackObjectResponse,
) -> Result<Option<Bytes>, Invalid> {
    match answer.outcome.as_str() {
        "voided" | "refunded" | "nothing" => Ok(None),
        other => Err(Invalid(format!("it says that the object is `{other}`"))),
    }
}
