//! A refund that failed after it had been reported as done: a customer without their money, and a person who sees to it.

use backstitch_core::{Context, Definition, DefinitionBuilder, DefinitionError};
use backstitch_proto::payment::SettleCaseRequest;
use backstitch_proto::returns::CaseInput;

use crate::names::{definition, return_step};
use crate::operations::payment;

/// Stays parked until a person has written down how the customer got their money.
pub fn refund_case() -> Result<Definition, DefinitionError> {
    let mut d = DefinitionBuilder::<CaseInput>::new(definition::REFUND_CASE, 1);
    d.step(return_step::SETTLE_CASE, payment::SETTLE_CASE)
        .request(|c: &Context<CaseInput>, ()| SettleCaseRequest { case_id: c.input.case_id.clone() })
        .pivot();
    d.build()
}
