//! The long run, kept short: `make sim HOURS=24 SEEDS=200` is the real one.
use millrace_sim::day::run;

#[global_allocator]
static ALLOCATOR: millrace_harness::memory::Counting = millrace_harness::memory::Counting;

#[test]
fn hours_of_churn_and_crashes_keep_every_promise_and_every_bound() {
    let mut crashes = 0;
    for seed in 1..=3 {
        let outcome = run(seed, 3, false);
        assert_eq!(outcome.failure, None, "seed {seed}");
        crashes += outcome.crashes;
    }
    assert!(crashes > 5, "{crashes} crashes are too few to mean anything");
}
