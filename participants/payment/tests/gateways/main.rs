//! What every gateway promises, tried on each provider: the trait's guarantees as laws.
//!
//! A new provider is a file beside `sandbox.rs` that gives the laws its test cards and the other side of the counter.

#![allow(clippy::unwrap_used)]

mod bank;
mod laws;
mod sandbox;
mod stripe;

/// Each law on each bank, as a test of its own.
macro_rules! each_bank {
    ($($law:ident),+ $(,)?) => { $(
        mod $law {
            #[tokio::test]
            async fn on_the_sandbox() {
                crate::laws::$law(&crate::sandbox::Bank::open().await).await;
            }

            #[tokio::test]
            async fn on_stripe() {
                crate::laws::$law(&crate::stripe::Bank::open().await).await;
            }
        }
    )+ };
}

each_bank!(
    a_created_object_holds_nothing_and_bears_our_id,
    a_hold_is_for_the_whole_amount_and_has_an_end,
    a_key_has_its_effect_once_and_is_answered_the_same_also_to_another_process,
    a_key_used_for_another_call_is_broken_and_moves_nothing,
    a_declined_card_holds_nothing_and_never_will,
    an_unknown_token_is_told_by_name_and_holds_nothing,
    a_customer_who_proves_it_is_held_and_one_who_fails_is_not,
    a_customer_cannot_come_back_to_what_was_cancelled,
    a_capture_takes_the_hold_once_and_ends_it_for_cancels,
    a_capture_of_a_part_lets_go_of_the_rest_for_good,
    a_capture_above_the_hold_is_refused_and_takes_nothing,
    a_cancel_ends_a_hold_once_and_for_captures_and_confirms,
    a_hold_that_has_run_out_cannot_be_captured,
    refunds_never_exceed_what_was_captured_and_are_shown_oldest_first,
    nothing_is_given_back_of_what_was_not_captured,
    a_refund_is_decided_later_and_may_fail_after_that,
    a_list_shows_every_object_newest_first_as_it_is_read,
    an_object_that_is_not_there_is_broken,
    an_amount_of_nothing_moves_nothing,
);
