//! The laws can fail: every guard of a store is broken once, and the law that is meant for it has to notice.
//!
//! A mutant delegates to a store that keeps every law and breaks one guard on the way in or out, so it needs no switch
//! in the product. It is run over the store in memory, over SQLite and over Postgres. A mutant that survives is a missing
//! law.

#![allow(clippy::unwrap_used)]

#[path = "../common/mod.rs"]
mod common;

mod broken;
mod commit;
mod court;
mod kind;
mod leases;
mod outbox;
mod retention;
mod versions;

use backstitch_store::testing::Subject;
use broken::Suspect;
use court::{Law, broken_by, laws};
use kind::Kind;

/// A store that is empty.
type Fresh = fn() -> Box<dyn Subject>;

const STORES: [(&str, Fresh); 3] = [
    ("memory", || Box::<common::Memory>::default()),
    ("sqlite", || Box::new(common::Sqlite::new())),
    ("postgres", || Box::new(common::Postgres::new())),
];

/// The law that is meant to catch each mutant.
const CAUGHT: &[(Kind, &str)] = &[
    (Kind::EpochUnchecked, "fencing::a_lost_lease_appends_nothing"),
    (Kind::EpochOfAnyShard, "fencing::an_epoch_counts_for_its_own_shard"),
    (Kind::EpochOfTheFirstShardChecked, "fencing::a_lost_lease_appends_nothing_in_any_shard"),
    (Kind::EpochOfTheFirstAppendChecked, "fencing::a_lost_lease_appends_nothing"),
    (Kind::HigherEpochAccepted, "fencing::an_epoch_that_was_never_drawn_is_fenced"),
    (Kind::EpochDrawnTwice, "fencing::every_acquisition_draws_higher_epochs"),
    (Kind::FencedAnsweredCommitted, "restart::old_leases_are_fenced_once_the_shards_are_taken"),
    (Kind::RestartFences, "fencing::a_restart_takes_no_lease_away"),
    (Kind::FencedTakesAll, "fencing::fenced_appends_drop_out_and_the_others_are_committed"),
    (Kind::RepeatBeforeFence, "repeat::a_repeat_by_a_lost_lease_is_fenced"),
    (Kind::FenceBeforeDoor, "fencing::a_malformed_append_of_a_lost_lease_is_refused"),
    (Kind::KeyBeforeFence, "fencing::a_lost_lease_is_not_told_who_has_its_key"),
    (Kind::KeyNotUnique, "keys::a_second_saga_with_a_key_drops_out_whole"),
    (Kind::KeyOfItsShard, "keys::a_key_is_taken_in_every_shard"),
    (Kind::KeyUnseenWithinABatch, "keys::within_a_batch_the_first_wins"),
    (Kind::ScopeForgotten, "keys::keys_of_different_scopes_never_meet"),
    (Kind::ScopeRunIntoKey, "keys::scope_and_key_are_not_run_together"),
    (Kind::KeyWithoutCase, "keys::keys_are_compared_exactly"),
    (Kind::HashForgotten, "keys::a_used_key_tells_its_saga"),
    (Kind::BlockedKeyStarts, "keys::a_blocked_key_starts_nothing"),
    (Kind::BlocksUsedKeys, "keys::blocking_a_used_key_tells_who_has_it"),
    (Kind::LoserKeepsItsKey, "keys::a_start_that_is_not_written_takes_no_key"),
    (Kind::HoleAccepted, "append::a_hole_is_refused"),
    (Kind::EndForgotten, "append::a_finished_saga_takes_no_more_records"),
    (Kind::AnotherShard, "append::a_saga_never_changes_its_shard"),
    (Kind::AnotherRoot, "append::a_saga_never_changes_its_root"),
    (Kind::FateOfItsOwn, "append::the_appends_of_one_saga_share_one_fate"),
    (Kind::VerdictsReversed, "append::verdicts_come_in_the_order_of_the_batch"),
    (Kind::RefusedAnsweredCommitted, "halving::a_culprit_alone_writes_nothing"),
    (Kind::OneRefusalForAll, "halving::the_culprit_is_refused_alone"),
    (Kind::OtherBytesAnsweredCommitted, "repeat::other_bytes_under_the_same_number_are_refused"),
    (Kind::RepeatWritesAgain, "repeat::the_same_append_again_writes_nothing"),
    (Kind::RepeatSetsStatus, "repeat::a_repeat_does_not_bring_back_its_status"),
    (Kind::LoadsAPrefix, "append::appends_follow_each_other"),
    (Kind::RestartForgets, "restart::sagas_are_there_again"),
    (Kind::WaitingNotRecovered, "listing::recovery_finds_the_unfinished_by_id"),
    (Kind::ParkedNotOldest, "listing::the_oldest_that_has_not_ended_is_found"),
    (Kind::OldestOfTheFirstShard, "listing::the_oldest_that_has_not_ended_is_found"),
    (Kind::ParkedNotOfFamily, "listing::what_of_a_family_has_not_ended_is_found"),
    (Kind::FamilyWithItsRoot, "listing::what_of_a_family_has_not_ended_is_found"),
    (Kind::ParkedRecovered, "listing::recovery_finds_the_unfinished_by_id"),
    (Kind::ListSkips, "listing::pages_together_are_the_whole_list"),
    (Kind::ListRepeats, "listing::pages_together_are_the_whole_list"),
    (Kind::FiltersOfTheFirstPage, "listing::filters_narrow_each_other"),
    (Kind::ListsTheFirstShard, "listing::sagas_of_every_shard_are_listed"),
    (Kind::EventsDropped, "outbox::events_are_numbered_in_commit_order"),
    (Kind::EventsOfTheLost, "outbox::what_is_not_written_leaves_no_gap"),
    (Kind::SequenceOfTheLane, "outbox::a_sagas_events_are_counted_from_one"),
    (Kind::LaneBackwards, "outbox::pending_events_come_in_order"),
    (Kind::MarkPastAGap, "outbox::what_lies_behind_a_gap_stays_pending"),
    (Kind::EveryLanePublished, "outbox::every_lane_is_published_on_its_own"),
    (Kind::PoisonNotHeld, "outbox::a_poisoned_event_holds_back_its_own_root_only"),
    (Kind::OnlyPoisonHeld, "outbox::a_parked_root_holds_back_its_family"),
    (Kind::LaneHeld, "outbox::a_poisoned_event_holds_back_its_own_root_only"),
    (Kind::RestartUnparks, "outbox::what_is_parked_survives_a_restart"),
    (Kind::LanePurgedEarly, "outbox::only_what_was_published_before_is_purged"),
    (Kind::PublishedParked, "outbox::a_published_event_is_not_parked"),
    (Kind::BellSilent, "outbox::a_lane_is_woken_by_its_own_events"),
    (Kind::ParkedPurged, "retention::the_unfinished_and_the_parked_are_never_purged"),
    (Kind::RunningPurged, "retention::the_unfinished_and_the_parked_are_never_purged"),
    (Kind::PurgedYoung, "retention::a_finished_saga_goes_when_it_is_old"),
    (Kind::KeysPurgedYoung, "retention::a_key_outlives_its_saga_for_seven_days"),
    (Kind::KeyBeforeItsSaga, "retention::a_key_stays_while_its_saga_is_there"),
    (Kind::PurgesWithoutLimit, "retention::a_purge_takes_the_oldest_first"),
    (Kind::FingerprintMayChange, "definitions::a_changed_version_is_refused_by_name"),
    (Kind::AnnouncementAdds, "definitions::an_announcement_replaces_the_one_before"),
    (Kind::AnnouncingSwitchesOn, "definitions::what_was_switched_off_stays_off"),
    (Kind::SwitchedWithoutWaiting, "definitions::switching_on_waits_for_every_live_node"),
    (Kind::SwitchedForNobody, "definitions::nothing_is_switched_on_for_nobody"),
    (Kind::WithdrawnNodesCount, "definitions::a_node_that_withdraws_holds_nobody_up"),
    (Kind::SwitchingOffWaits, "definitions::switching_off_needs_no_node"),
    (Kind::ParkedNotInFlight, "definitions::sagas_in_flight_are_counted_by_version"),
    (Kind::GoneNodesCount, "definitions::a_node_that_is_gone_holds_nobody_up"),
    (Kind::JudgesAnew, "judgements::acknowledging_twice_is_acknowledging_once"),
    (Kind::TakesNothingBack, "judgements::the_last_judgement_counts"),
    (Kind::ForgetsJudgementsEarly, "judgements::a_finding_is_forgotten_long_after_its_last_word"),
    (Kind::ClaimsWhatOthersHave, "leases::a_free_shard_goes_to_who_claims_it"),
    (Kind::LeaseNeverEnds, "leases::a_lease_that_has_ended_is_taken_over"),
    (Kind::RenewsNothing, "leases::a_renewal_sets_the_end_anew"),
    (Kind::EndedRenewed, "leases::what_has_ended_is_not_renewed"),
    (Kind::OldEpochRenewed, "leases::an_older_epoch_is_not_renewed"),
    (Kind::ReplacedUnnoticed, "leases::a_replaced_process_is_told_so"),
    (Kind::ReplacedClaims, "leases::a_replaced_process_is_told_so"),
    (Kind::AddressForgotten, "leases::members_see_each_other"),
    (Kind::RestartWaits, "leases::a_node_that_restarts_takes_its_own_back"),
    (Kind::ClaimsOneAtATime, "leases::a_free_shard_goes_to_who_claims_it"),
    (Kind::GivesNothingBack, "leases::what_is_given_back_is_free"),
    (Kind::GivesBackByShard, "leases::a_lost_lease_is_not_given_back"),
    (Kind::GivingBackFences, "leases::giving_back_fences_nothing"),
    (Kind::LeavingChangesNothing, "leases::who_leaves_gives_everything_back"),
    (Kind::LeavesForTheLater, "leases::a_replaced_process_leaves_nothing_behind"),
    (Kind::RestoreForgotten, "restart::a_restore_is_told_from_then_on"),
    (Kind::RecoversEveryShard, "leases::recovery_finds_the_sagas_of_the_shards_that_are_asked_for"),
];

fn named<'a>(laws: &'a [Law], name: &str) -> &'a Law {
    laws.iter().find(|law| law.name == name).unwrap_or_else(|| panic!("there is no law {name}"))
}

/// Every mutant breaks the law that is meant for it, on every store.
#[test]
fn every_mutant_is_caught_by_the_law_that_is_meant_for_it() {
    let laws = laws();
    let mut wrong = Vec::new();
    for (store, fresh) in STORES {
        for &(kind, name) in CAUGHT {
            if broken_by(named(&laws, name), || Suspect::new(fresh, kind)).is_none() {
                let catchers =
                    laws.iter().filter(|law| broken_by(law, || Suspect::new(fresh, kind)).is_some());
                let catchers: Vec<&str> = catchers.map(|law| law.name).collect();
                wrong.push(format!("{kind:?} keeps {name} on {store}; laws that it breaks: {catchers:?}"));
            }
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// It is the mutation that is caught: delegating without one keeps every law.
#[test]
fn whoever_only_delegates_keeps_every_law() {
    let laws = laws();
    let mut wrong = Vec::new();
    let memory = STORES[0].1;
    for law in &laws {
        wrong
            .extend(broken_by(law, || Suspect::new(memory, Kind::None)).map(|why| (law.name, "memory", why)));
    }
    for (store, fresh) in &STORES[1..] {
        for name in CAUGHT.iter().map(|(_, name)| *name).collect::<std::collections::BTreeSet<_>>() {
            let why = broken_by(named(&laws, name), || Suspect::new(*fresh, Kind::None));
            wrong.extend(why.map(|why| (name, *store, why)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// A mutant that is not in the table would never be tried, and one that is there twice would count twice.
#[test]
fn every_mutant_is_in_the_table_once() {
    let text = include_str!("kind.rs");
    let variants: Vec<&str> =
        text.lines().filter_map(|line| line.strip_prefix("    ")?.strip_suffix(',')).collect();
    let told: Vec<String> = CAUGHT.iter().map(|(kind, _)| format!("{kind:?}")).collect();
    assert_eq!(variants[1..], told);
}
