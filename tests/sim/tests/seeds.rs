//! The simulator itself: it finds nothing in a sound node, the same seed does the same, and a bug that
//! is ordered is found.
use millrace_shard::Plant;
use millrace_sim::scenario::{Options, run};

#[test]
fn a_few_seeds_find_nothing() {
    let mut crashes = 0;
    for seed in 1..=60 {
        let outcome = run(seed, Options::default());
        assert_eq!(outcome.failure, None, "seed {seed}");
        crashes += outcome.crashes;
    }
    assert!(crashes > 200, "{crashes} crashes are too few to mean anything");
}

#[test]
fn a_seed_twice_is_the_same_run() {
    for seed in 100..115 {
        assert_eq!(run(seed, Options::default()), run(seed, Options::default()), "seed {seed}");
    }
}

#[test]
fn answers_that_leave_before_the_fsync_are_found() {
    let planted = Options { plant: Plant::AckBeforePersist, ..Options::default() };
    let found = (1..=60).filter_map(|seed| run(seed, planted).failure).count();
    assert!(found > 0, "the planted bug was not found in 60 seeds");
}
