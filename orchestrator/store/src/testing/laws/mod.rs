//! The laws that every store passes. Each is one sentence: the function's doc and its name.
//!
//! [`for_each_law!`](crate::for_each_law) hands every law to a macro of the caller, so that a store's tests are
//! one test per law.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::missing_panics_doc)]

pub mod append;
pub mod definitions;
pub mod fencing;
pub mod halving;
pub mod judgements;
pub mod keys;
pub mod leases;
pub mod listing;
pub mod outbox;
pub mod repeat;
pub mod restart;
pub mod retention;

/// Calls `$run! { area law }` for every law.
#[macro_export]
macro_rules! for_each_law {
    ($run:ident) => {
        $run! { append a_committed_saga_is_loaded_with_its_row_and_its_records }
        $run! { append a_saga_that_nobody_started_is_not_there }
        $run! { append records_come_back_byte_for_byte }
        $run! { append appends_follow_each_other }
        $run! { append one_append_carries_as_many_records_as_is_promised }
        $run! { append an_empty_batch_changes_nothing }
        $run! { append verdicts_come_in_the_order_of_the_batch }
        $run! { append a_hole_is_refused }
        $run! { append records_of_a_saga_that_never_started_are_refused }
        $run! { append an_append_without_records_is_refused }
        $run! { append an_append_with_too_many_records_is_refused }
        $run! { append a_record_over_the_limit_is_refused }
        $run! { append the_row_comes_with_record_one_and_only_with_it }
        $run! { append record_numbers_have_a_first_and_a_last }
        $run! { append a_saga_never_changes_its_shard }
        $run! { append a_saga_never_changes_its_root }
        $run! { append a_saga_may_belong_to_another_root }
        $run! { append a_shard_that_is_not_there_is_refused }
        $run! { append a_new_saga_is_running_unless_it_says_otherwise }
        $run! { append a_status_stays_until_another_comes }
        $run! { append the_time_of_update_never_goes_back }
        $run! { append a_finished_saga_takes_no_more_records }
        $run! { append a_parked_saga_goes_on }
        $run! { append a_saga_may_start_and_end_in_one_append }
        $run! { append several_appends_of_one_saga_follow_each_other }
        $run! { append the_appends_of_one_saga_share_one_fate }
        $run! { append the_appends_of_one_saga_agree }
        $run! { append nothing_follows_the_end_in_the_same_batch }
        $run! { append a_batch_of_thousands_is_one_commit }
        $run! { append times_before_1970_are_refused }
        $run! { append a_definition_has_a_name }
        $run! { append the_largest_version_number_is_kept }
        $run! { repeat the_same_append_again_writes_nothing }
        $run! { repeat the_same_batch_again_writes_nothing }
        $run! { repeat an_earlier_append_is_recognised_after_later_ones }
        $run! { repeat the_last_append_of_a_finished_saga_is_recognised }
        $run! { repeat other_bytes_under_the_same_number_are_refused }
        $run! { repeat another_start_of_a_saga_that_is_there_is_refused }
        $run! { repeat an_append_that_is_there_in_part_is_refused }
        $run! { repeat what_is_there_may_be_repeated_with_more_behind_it }
        $run! { repeat what_is_there_stays_committed_when_more_is_refused }
        $run! { repeat a_repeated_start_has_its_key }
        $run! { repeat a_repeat_does_not_bring_back_its_status }
        $run! { repeat a_repeat_by_a_lost_lease_is_fenced }
        $run! { repeat a_repeat_under_a_newer_lease_is_recognised }
        $run! { repeat a_repeat_is_recognised_after_a_restart }
        $run! { keys a_used_key_tells_its_saga }
        $run! { keys an_unused_key_is_not_there }
        $run! { keys a_second_saga_with_a_key_drops_out_whole }
        $run! { keys within_a_batch_the_first_wins }
        $run! { keys a_key_is_taken_in_every_shard }
        $run! { keys the_loser_drops_out_with_all_its_appends }
        $run! { keys the_loser_may_come_back_with_another_key }
        $run! { keys keys_of_different_scopes_never_meet }
        $run! { keys scope_and_key_are_not_run_together }
        $run! { keys keys_are_compared_exactly }
        $run! { keys sagas_without_a_key_never_collide }
        $run! { keys a_key_stays_taken_when_its_saga_is_finished }
        $run! { keys a_blocked_key_starts_nothing }
        $run! { keys blocking_a_used_key_tells_who_has_it }
        $run! { keys blocking_twice_is_blocking_once }
        $run! { keys control_characters_are_refused_at_the_door }
        $run! { keys a_key_has_one_to_255_characters }
        $run! { keys a_start_that_is_not_written_takes_no_key }
        $run! { keys a_taken_key_costs_nobody_else_anything }
        $run! { fencing acquiring_answers_every_shard }
        $run! { fencing every_acquisition_draws_higher_epochs }
        $run! { fencing epochs_rise_after_a_restart }
        $run! { fencing a_lost_lease_appends_nothing }
        $run! { fencing a_lost_lease_appends_nothing_in_any_shard }
        $run! { fencing a_restart_takes_no_lease_away }
        $run! { fencing a_new_lease_goes_on_where_the_old_one_stopped }
        $run! { fencing an_epoch_counts_for_its_own_shard }
        $run! { fencing an_epoch_that_was_never_drawn_is_fenced }
        $run! { fencing fenced_appends_drop_out_and_the_others_are_committed }
        $run! { fencing a_malformed_append_of_a_lost_lease_is_refused }
        $run! { fencing a_lost_lease_is_not_told_who_has_its_key }
        $run! { fencing every_shard_can_be_appended_to }
        $run! { fencing a_node_has_a_name }
        $run! { fencing reading_needs_no_lease }
        $run! { leases members_see_each_other }
        $run! { leases a_member_that_says_nothing_is_not_live }
        $run! { leases a_member_that_was_forgotten_comes_back }
        $run! { leases who_leaves_gives_everything_back }
        $run! { leases who_has_left_claims_nothing }
        $run! { leases a_free_shard_goes_to_who_claims_it }
        $run! { leases a_shard_is_claimed_once }
        $run! { leases claiming_a_shard_twice_is_claiming_it_once }
        $run! { leases every_claim_draws_a_higher_epoch }
        $run! { leases a_claim_answers_the_current_epochs }
        $run! { leases a_lease_that_has_ended_is_taken_over }
        $run! { leases a_shard_that_was_taken_over_is_fenced }
        $run! { leases an_ended_lease_that_nobody_took_is_not_fenced }
        $run! { leases a_lease_that_is_tended_is_kept }
        $run! { leases a_renewal_sets_the_end_anew }
        $run! { leases what_has_ended_is_not_renewed }
        $run! { leases each_lease_is_renewed_on_its_own }
        $run! { leases an_older_epoch_is_not_renewed }
        $run! { leases what_is_given_back_is_free }
        $run! { leases a_lost_lease_is_not_given_back }
        $run! { leases giving_back_fences_nothing }
        $run! { leases a_node_that_restarts_takes_its_own_back }
        $run! { leases a_replaced_process_is_told_so }
        $run! { leases a_replaced_process_leaves_nothing_behind }
        $run! { leases the_later_process_counts }
        $run! { leases what_was_acquired_is_not_claimed }
        $run! { leases acquiring_asks_nobody }
        $run! { leases leases_survive_a_restart }
        $run! { leases recovery_finds_the_sagas_of_the_shards_that_are_asked_for }
        $run! { leases what_cannot_be_a_lease_is_refused_at_the_door }
        $run! { judgements what_is_acknowledged_is_told_by_its_id }
        $run! { judgements acknowledging_twice_is_acknowledging_once }
        $run! { judgements the_last_judgement_counts }
        $run! { judgements only_what_is_acknowledged_is_taken_back }
        $run! { judgements two_judgements_at_once_have_one_order }
        $run! { judgements judgements_survive_a_restart }
        $run! { judgements a_finding_is_forgotten_long_after_its_last_word }
        $run! { judgements what_cannot_be_a_judgement_is_refused_at_the_door }
        $run! { outbox events_are_numbered_in_commit_order }
        $run! { outbox a_sagas_events_are_counted_from_one }
        $run! { outbox counting_goes_on_after_a_restart_and_a_purge }
        $run! { outbox an_events_id_is_its_own_and_stays }
        $run! { outbox every_shard_counts_its_own_lane }
        $run! { outbox what_is_not_written_leaves_no_gap }
        $run! { outbox an_event_comes_back_as_it_went }
        $run! { outbox an_event_has_a_kind_and_a_topic }
        $run! { outbox pending_events_come_in_order }
        $run! { outbox what_is_published_is_pending_no_more }
        $run! { outbox what_lies_behind_a_gap_stays_pending }
        $run! { outbox every_lane_is_published_on_its_own }
        $run! { outbox publishing_twice_changes_nothing }
        $run! { outbox numbers_that_are_not_there_move_nothing }
        $run! { outbox the_watermark_survives_a_restart }
        $run! { outbox a_poisoned_event_holds_back_its_own_root_only }
        $run! { outbox a_parked_root_holds_back_its_family }
        $run! { outbox the_watermark_passes_over_what_is_held_back }
        $run! { outbox parking_a_root_again_changes_nothing }
        $run! { outbox a_published_event_is_not_parked }
        $run! { outbox what_is_parked_survives_a_restart }
        $run! { outbox only_what_was_published_before_is_purged }
        $run! { outbox what_is_held_back_is_never_purged }
        $run! { outbox numbers_go_on_after_a_purge }
        $run! { outbox what_was_published_since_comes_again }
        $run! { outbox publishing_times_never_go_back }
        $run! { outbox the_lag_counts_what_waits }
        $run! { outbox events_outlive_their_saga }
        $run! { outbox a_lane_that_is_not_there_is_told_so }
        $run! { outbox a_lane_is_woken_by_its_own_events }
        $run! { listing the_newest_comes_first }
        $run! { listing a_listed_row_is_the_row_that_is_loaded }
        $run! { listing an_empty_store_lists_nothing }
        $run! { listing pages_together_are_the_whole_list }
        $run! { listing the_last_page_has_no_cursor }
        $run! { listing sagas_that_start_meanwhile_move_nothing }
        $run! { listing a_cursor_outlives_its_saga }
        $run! { listing a_cursor_works_after_it_went_through_its_text }
        $run! { listing a_limit_of_nothing_answers_nothing }
        $run! { listing a_status_lists_the_sagas_that_have_it }
        $run! { listing pages_of_one_status_are_the_whole_of_it }
        $run! { listing a_definition_lists_its_own_sagas }
        $run! { listing a_range_has_its_beginning_and_not_its_end }
        $run! { listing filters_narrow_each_other }
        $run! { listing sagas_of_every_shard_are_listed }
        $run! { listing recovery_finds_the_unfinished_by_id }
        $run! { listing recovery_finds_sagas_of_every_shard }
        $run! { listing the_oldest_that_has_not_ended_is_found }
        $run! { listing what_of_a_family_has_not_ended_is_found }
        $run! { retention a_finished_saga_goes_when_it_is_old }
        $run! { retention age_counts_from_the_last_change }
        $run! { retention the_unfinished_and_the_parked_are_never_purged }
        $run! { retention a_purge_takes_the_oldest_first }
        $run! { retention a_key_outlives_its_saga_for_seven_days }
        $run! { retention a_key_stays_while_its_saga_is_there }
        $run! { retention a_key_may_be_kept_longer }
        $run! { retention a_key_goes_with_its_saga_if_both_are_old }
        $run! { retention a_blocked_key_is_free_again_when_it_is_old }
        $run! { retention a_purged_saga_takes_no_more_records }
        $run! { retention a_purged_saga_that_starts_again_has_its_own_key }
        $run! { retention a_purge_that_may_take_nothing_takes_nothing }
        $run! { retention what_is_purged_stays_so }
        $run! { restart sagas_are_there_again }
        $run! { restart keys_are_taken_again }
        $run! { restart the_unfinished_are_found_again }
        $run! { restart a_saga_goes_on_under_a_new_lease }
        $run! { restart what_was_refused_is_refused }
        $run! { restart old_leases_are_fenced_once_the_shards_are_taken }
        $run! { restart the_number_of_shards_stays }
        $run! { restart unpublished_events_wait_again }
        $run! { restart a_restore_is_told_from_then_on }
        $run! { restart a_restore_is_later_than_every_saga_that_was_there }
        $run! { halving the_culprit_is_refused_alone }
        $run! { halving several_culprits_are_found }
        $run! { halving a_culprit_alone_writes_nothing }
        $run! { halving a_later_culprit_keeps_what_it_had }
        $run! { halving a_culprits_key_goes_to_the_next }
        $run! { halving all_appends_of_a_culprit_are_refused }
        $run! { halving a_culprits_repeat_is_committed }
        $run! { halving a_culprit_among_hundreds_costs_the_others_nothing }
        $run! { halving after_a_culprit_the_store_goes_on }
        $run! { definitions what_is_announced_is_listed }
        $run! { definitions nothing_is_known_before_it_is_announced }
        $run! { definitions a_changed_version_is_refused_by_name }
        $run! { definitions a_fingerprint_outlives_its_nodes }
        $run! { definitions an_announcement_replaces_the_one_before }
        $run! { definitions the_first_version_of_a_name_is_on }
        $run! { definitions what_was_switched_off_stays_off }
        $run! { definitions a_new_name_waits_for_every_live_node }
        $run! { definitions switching_on_waits_for_every_live_node }
        $run! { definitions a_node_that_is_gone_holds_nobody_up }
        $run! { definitions announcing_again_keeps_a_node_live }
        $run! { definitions a_node_that_withdraws_holds_nobody_up }
        $run! { definitions nothing_is_switched_on_for_nobody }
        $run! { definitions nodes_that_are_gone_are_forgotten }
        $run! { definitions switching_off_needs_no_node }
        $run! { definitions switching_twice_is_switching_once }
        $run! { definitions the_last_switching_counts }
        $run! { definitions two_switchings_at_once_have_one_order }
        $run! { definitions switching_off_touches_no_saga }
        $run! { definitions sagas_in_flight_are_counted_by_version }
        $run! { definitions versions_survive_a_restart }
        $run! { definitions the_largest_version_is_kept }
        $run! { definitions what_cannot_be_kept_is_refused_at_the_door }
    };
}

#[cfg(test)]
mod tests {
    /// A law that is not listed would never run.
    #[test]
    fn every_law_is_listed_and_told_in_a_sentence() {
        let mut listed = Vec::new();
        macro_rules! name {
            ($area:ident $law:ident) => {
                listed.push(concat!(stringify!($area), "::", stringify!($law)).to_owned());
            };
        }
        crate::for_each_law!(name);
        let mut written = Vec::new();
        for (area, text) in [
            ("append", include_str!("append.rs")),
            ("repeat", include_str!("repeat.rs")),
            ("keys", include_str!("keys.rs")),
            ("fencing", include_str!("fencing.rs")),
            ("leases", include_str!("leases.rs")),
            ("judgements", include_str!("judgements.rs")),
            ("outbox", include_str!("outbox.rs")),
            ("listing", include_str!("listing.rs")),
            ("retention", include_str!("retention.rs")),
            ("restart", include_str!("restart.rs")),
            ("halving", include_str!("halving.rs")),
            ("definitions", include_str!("definitions.rs")),
        ] {
            let lines: Vec<&str> = text.lines().collect();
            for (at, line) in lines.iter().enumerate() {
                let Some(rest) = line.strip_prefix("pub async fn ") else { continue };
                written.push(format!("{area}::{}", rest.split('(').next().unwrap()));
                assert!(lines[at - 1].starts_with("/// ") && lines[at - 1].ends_with('.'), "{line}");
            }
        }
        assert_eq!(listed, written);
        assert!(written.len() >= 100, "{} laws", written.len());
    }
}
