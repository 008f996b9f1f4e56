//! Views in the simulator: nothing is found in sound ones, the same seed does the same, and bugs that are ordered are found.
use millrace_serve::run::Plant as ViewPlant;
use millrace_shard::Plant as ShardPlant;
use millrace_sim::views::{Options, Tear, run};

#[test]
fn a_few_seeds_of_views_find_nothing() {
    let (mut crashes, mut rows, mut outputs) = (0, 0, 0);
    for seed in 1..=40 {
        let outcome = run(seed, Options::default());
        assert_eq!(outcome.failure, None, "seed {seed}");
        (crashes, rows, outputs) = (crashes + outcome.crashes, rows + outcome.rows, outputs + outcome.outputs);
    }
    assert!(crashes > 100 && rows > 1_000 && outputs > 1_000, "{crashes} crashes, {rows} rows and {outputs} outputs are too few to mean anything");
}

#[test]
fn a_seed_of_views_twice_is_the_same_run() {
    for seed in 100..110 {
        assert_eq!(run(seed, Options::default()), run(seed, Options::default()), "seed {seed}");
    }
}

fn holds(seed: u64) {
    assert_eq!(run(seed, Options::default()).failure, None, "seed {seed}");
}

#[test]
fn a_folder_whose_name_could_not_be_synced_is_made_again() {
    // A second attempt found the folder of a new partition there and took its name for durable; a crash then took the log.
    holds(6);
}

#[test]
fn a_batch_that_a_full_disk_refused_is_not_followed_by_the_next() {
    // The log then ended with the later sequence, and a replay took the earlier outputs for written.
    holds(208);
    holds(382);
}

#[test]
fn the_sessions_of_a_key_stay_in_one_partition() {
    holds(1);
    holds(2);
}

/// Fault matrix G3. Both sides are read at one cut only where that is told in positions of their common source: where each of them is
/// one task. In stages each has a topic of its own through which its rows come, and its cut is of that.
#[test]
fn the_ledger_balances_at_every_cut() {
    let balances: u64 = (1..=30).map(|seed| run(seed * 6 - 3, Options::default())).map(|outcome| match outcome.failure {
        None => outcome.balances,
        Some(failure) => panic!("{failure}"),
    }).sum();
    assert!(balances > 50, "{balances} reads of both sides at one cut are too few to mean anything");
}

/// Fault matrix G6.
#[test]
fn damaged_states_are_computed_again() {
    (4..80).step_by(5).for_each(holds);
}

/// Fault matrix G15.
#[test]
fn views_that_are_dropped_replaced_and_declared_again_are_exact() {
    (3..110).step_by(7).for_each(holds);
}

fn is_found(what: &str, options: Options) {
    let found = (1..=150).any(|seed| run(seed, options).failure.is_some());
    assert!(found, "{what} was not found in 150 seeds");
}

#[test]
fn a_cut_that_is_written_before_its_outputs_is_found() {
    is_found("the planted bug", Options { views: ViewPlant::CutBeforeOutput, ..Options::default() });
}

#[test]
fn a_cut_that_is_written_apart_from_its_rows_is_found() {
    is_found("the planted bug", Options { tear: Tear::CutApart, ..Options::default() });
}

#[test]
fn an_acknowledgement_before_the_record_is_safe_is_found() {
    is_found("the planted bug", Options { shard: ShardPlant::AckBeforePersist, ..Options::default() });
}
