//! Which test finds which planted bug: the smallest that is there, without a clock where that is possible.

/// A bug and the one test that must find it.
#[derive(Debug)]
pub(super) struct Finder {
    /// The name of the bug, as `crates/ledger/src/planted.rs` lists it.
    pub(super) bug: &'static str,
    /// The folder of the test's package.
    pub(super) folder: &'static str,
    /// The file of the test, without its ending.
    pub(super) target: &'static str,
    /// Its name.
    pub(super) name: &'static str,
}

impl Finder {
    /// Returns where the test is and what it is called.
    pub(super) fn test(&self) -> (&'static str, &'static str, &'static str) {
        (self.folder, self.target, self.name)
    }
}

const LEDGER: &str = "crates/ledger";
const REDIS: &str = "crates/ledger-redis";
const LIVE: &str = "crates/live";
const MATCHING: &str = "services/matching";

const fn found(bug: &'static str, folder: &'static str, target: &'static str, name: &'static str) -> Finder {
    Finder { bug, folder, target, name }
}

/// Every bug, in order of name.
#[rustfmt::skip]
pub(super) const FINDERS: &[Finder] = &[
    found("absence-not-compared", REDIS, "conformance", "an_expected_absence_is_compared"),
    found("answer-not-looked-up", LEDGER, "live", "transacting::a_repeated_request_answers_as_before_even_where_it_would_now_be_refused"),
    found("attestation-ignored", REDIS, "seal", "a_server_whose_log_is_cut_never_opens_while_its_writer_lives"),
    found("check-only-writes", LEDGER, "live", "transacting::checking_only_writes_nothing"),
    found("clock-used-for-safety", LEDGER, "live", "transacting::a_record_that_is_written_unread_must_not_be_there"),
    found("conflict-writes", REDIS, "conformance", "nothing_is_written_if_any_record_has_changed"),
    found("deletion-forgotten", REDIS, "conformance", "a_deleted_record_is_absent"),
    found("digest-not-compared", REDIS, "conformance", "with_another_digest_it_is_refused"),
    found("emptied-store-opened", REDIS, "seal", "a_process_that_read_a_closed_ledger_does_not_open_an_empty_one"),
    found("epoch-ignored", REDIS, "seal", "a_server_that_was_made_a_replica_and_a_primary_again_is_another_server"),
    found("expected-revision-ignored", LIVE, "mutating", "a_change_that_was_made_for_an_earlier_revision_is_refused_with_the_present_one"),
    found("follower-applies-twice", LEDGER, "live", "following::a_watcher_of_some_records_has_the_right_ones_as_they_come_and_go"),
    found("follower-skips", LEDGER, "live", "following::while_the_store_is_away_the_picture_ages_and_then_goes_on_where_it_was"),
    found("fork-not-noticed", REDIS, "seal", "a_server_that_was_made_a_replica_and_a_primary_again_is_another_server"),
    found("history-kept-by-a-rebuild", REDIS, "keeping", "a_restored_ledger_has_a_history_of_its_own"),
    found("lease-left", MATCHING, "engine", "handing_over::an_engine_that_is_told_to_stop_hands_over_at_once"),
    found("lease-not-expected", MATCHING, "engine", "handing_over::an_engine_whose_lease_has_moved_steps_down_and_stands_by"),
    found("lease-stale", MATCHING, "engine", "handing_over::a_standby_leaves_the_lease_to_an_engine_that_renews_it"),
    found("lease-taken-at-once", MATCHING, "engine", "handing_over::when_the_active_engine_dies_the_other_takes_over_after_the_lease"),
    found("leaves-without-a-word", REDIS, "seal", "a_process_that_leaves_says_first_what_the_server_has_lost"),
    found("loss-not-noticed", REDIS, "outage", "a_ledger_that_falls_behind_without_a_restart_never_says_ok"),
    found("offer-not-freed", MATCHING, "engine", "answering::a_no_with_the_true_figure_keeps_the_offer_right"),
    found("outcome-not-stored", REDIS, "conformance", "the_same_request_id_answers_as_before"),
    found("outcomes-forgotten-early", REDIS, "conformance", "an_outcome_is_remembered_for_72_hours"),
    found("reads-not-remembered", REDIS, "seal", "a_server_whose_log_is_cut_never_opens_while_a_reader_of_it_lives"),
    found("replay-answers-another", REDIS, "conformance", "the_request_id_is_looked_up_first"),
    found("reply-before-wait", REDIS, "replicas", "a_commit_that_too_few_replicas_hold_is_of_unknown_outcome_and_a_replay_tells"),
    found("request-id-not-scoped", REDIS, "conformance", "request_ids_are_scoped"),
    found("revision-not-dense", REDIS, "conformance", "each_change_is_exactly_one_more_than_the_one_before"),
    found("seal-skipped", REDIS, "seal", "a_server_that_was_made_a_replica_and_a_primary_again_is_another_server"),
    found("settings-asked-once", REDIS, "seal", "a_server_that_is_tuned_into_losing_data_takes_no_writes_until_it_is_right_again"),
    found("settles-without-witness", REDIS, "seal", "a_process_that_was_not_there_waits_for_one_that_was"),
    found("silent-writer-not-waited-for", REDIS, "seal", "a_restart_of_the_same_server_opens_by_itself_once_all_writers_have_spoken"),
    found("struck-off-unfenced", REDIS, "seal", "a_writer_that_was_asleep_is_on_record_again_before_it_writes"),
    found("torn-end-kept", REDIS, "outage", "what_is_written_behind_a_torn_log_outlives_the_next_restart"),
    found("touch-skipped", REDIS, "replicas", "a_replay_leaves_a_mark_that_replicas_must_confirm"),
    found("trimmed-unarchived", REDIS, "conformance", "at_most_limit_changes"),
    found("ttl-used", REDIS, "outage", "nothing_of_a_ledger_runs_out_by_itself"),
    found("unknown-said-to-be-away", REDIS, "outage", "a_commit_that_is_not_answered_in_time_is_of_unknown_outcome"),
    found("version-not-compared", REDIS, "conformance", "nothing_is_written_if_any_record_has_changed"),
    found("witness-saw-nothing", REDIS, "seal", "a_process_that_was_not_there_waits_for_one_that_was"),
    found("write-not-logged", REDIS, "conformance", "changes_go_on_from_a_snapshot_without_gap_or_repeat"),
];

#[cfg(test)]
mod tests {
    use super::*;

    /// The list of bugs, as it is written.
    const LISTED: &str = include_str!("../../../crates/ledger/src/planted.rs");

    #[test]
    fn every_bug_has_its_test_and_no_test_has_lost_its_bug() {
        let list = LISTED.split_once("pub const BUGS").unwrap().1.split_once("];").unwrap().0;
        let opening = list.split('(').skip(1);
        let listed: Vec<&str> =
            opening.filter_map(|entry| entry.trim_start().strip_prefix('"')?.split('"').next()).collect();
        let found: Vec<&str> = FINDERS.iter().map(|finder| finder.bug).collect();
        assert!(listed.len() > 20, "{listed:?}");
        assert_eq!(found, listed);
    }
}
