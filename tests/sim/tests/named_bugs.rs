//! Bugs that seeds found, by name. Each seed failed before its fix; what it stood for is said here.
//! When the scenario's throws change, a seed may stop showing its bug: then the rest of the seeds
//! still look for it.
use millrace_sim::scenario::{Options, run};

fn holds(seed: u64) {
    assert_eq!(run(seed, Options::default()).failure, None, "seed {seed}");
}

#[test]
fn a_full_disk_does_not_move_the_high_watermark_back() {
    holds(7);
}

#[test]
fn a_failed_change_of_flush_settings_promises_nothing() {
    holds(10);
}

#[test]
fn closing_on_a_full_disk_is_no_failed_disk() {
    holds(21);
}

#[test]
fn a_trim_counts_once_it_is_on_disk() {
    holds(39);
}

#[test]
fn an_index_that_finds_no_room_is_written_later() {
    holds(41);
}

#[test]
fn a_full_ring_on_a_full_disk_refuses_and_does_not_fail() {
    holds(70);
}

#[test]
fn a_flush_begun_before_a_failed_sync_vouches_for_nothing() {
    holds(73);
}

#[test]
fn a_trim_beyond_what_was_flushed_leaves_a_log() {
    holds(75);
    holds(84);
}

#[test]
fn entries_that_only_the_page_cache_had_are_synced_before_they_count() {
    holds(94);
}

#[test]
fn frames_read_back_after_a_kill_are_synced_before_the_next() {
    holds(139);
}

#[test]
fn a_cleaned_segment_that_a_crash_left_last_takes_no_entries() {
    holds(136);
}

#[test]
fn producers_outlive_the_segments_they_were_known_from() {
    holds(284);
    holds(747);
}

#[test]
fn an_entry_that_cannot_be_read_closes_one_partition_and_not_the_process() {
    holds(422);
}

#[test]
fn a_torn_end_that_was_cut_does_not_come_back() {
    holds(941);
}

#[test]
fn what_found_no_room_does_not_come_back() {
    holds(196);
    holds(2491);
    // In a segment that was preallocated, too.
    holds(1970);
    holds(3679);
}

#[test]
fn a_start_that_only_the_page_cache_knew_is_synced_before_it_is_published() {
    holds(1324);
}

#[test]
fn a_roll_that_found_no_room_leaves_no_damage() {
    holds(1809);
    holds(2607);
}

#[test]
fn a_log_that_stopped_is_noticed_at_once() {
    holds(595);
}

#[test]
fn a_cleaning_that_failed_on_the_disk_stops_the_writers() {
    holds(161);
}

#[test]
fn a_checkpoint_read_after_a_kill_does_not_give_way_to_an_older_one() {
    holds(9160);
}

#[test]
fn what_was_refused_and_cannot_be_cut_off_is_not_called_refused() {
    holds(5003);
}

#[test]
fn a_stop_that_waits_for_a_failed_flush_does_not_sync_again() {
    holds(10154);
}

#[test]
fn what_producers_may_send_again_outlives_a_cleaning_and_a_lost_tail() {
    holds(13782);
}
