//! The metadata log is rewritten by its fold, and whatever moment the power fails at, the next start folds
//! the same image.
use std::path::Path;
use std::sync::Arc;

use bytes::Bytes;
use futures_util::FutureExt;
use millrace::cluster::ClusterLog;
use millrace::partitions::metadata_spec;
use millrace_cluster::config::{Layers, Map};
use millrace_cluster::decide::{Cluster, Decision};
use millrace_cluster::{Image, Record, Scope};
use millrace_fold::Fold;
use millrace_shard::{Shard, ShardSettings};
use millrace_sim::{Loss, SimDisk, SimWorld, fixture};
use uuid::Uuid;

const NODE: i32 = 1;

fn settings() -> ShardSettings {
    ShardSettings {
        // Small changes go through the ring, the snapshot into its segment.
        direct_bytes: 4 << 10,
        ..fixture::shard_settings()
    }
}

struct Run {
    world: Arc<SimWorld>,
    shard: Shard,
    log: ClusterLog,
}

impl Run {
    fn start(world: &Arc<SimWorld>) -> Run {
        let mut shard = Shard::open(world.clone(), settings()).unwrap();
        let none = Map::new();
        let layers = Layers { fixed: &none, default_broker: &none, broker: &none };
        let handle = shard.handle();
        let mut opening = Box::pin(handle.open_partition(metadata_spec(Path::new("data/partitions"), NODE, &layers)));
        assert!(opening.as_mut().now_or_never().is_none());
        shard.turn();
        let partition = opening.now_or_never().expect("a turn opens it").unwrap();
        let log = ClusterLog::load(partition, NODE, Map::new()).unwrap();
        Run { world: world.clone(), shard, log }
    }

    /// Whether the records are committed.
    fn write(&mut self, records: Vec<Record>) -> bool {
        let shard = &mut self.shard;
        let question = |_: Cluster<'_>| Decision { records, reply: () };
        self.world.block_on(self.log.decide(question, 0), || _ = shard.turn()).expect("it is answered").is_ok()
    }

    fn keep_short(&mut self) {
        let shard = &mut self.shard;
        self.world.block_on(self.log.keep_short(0), || _ = shard.turn()).expect("it ends");
    }

    fn length(&self) -> i64 {
        let state = self.log.partition().state();
        state.end.0 - state.start.0
    }

    fn image(&self) -> Arc<Image> {
        self.log.image()
    }
}

fn config(topic: &str, value: i32) -> Record {
    Record::Config { scope: Scope::Topic(topic.into()), name: "retention.ms".into(), value: Some(value.to_string()) }
}

/// Some topics and commands of views, and far more changes than are left of them.
fn fill(run: &mut Run) {
    for number in 0..20 {
        let name = format!("t-{number}");
        let command = Record::Command { bytes: Bytes::from(format!("CREATE STREAM S{number} ..")) };
        let mut records = vec![Record::Topic { name: name.clone(), id: Uuid::from_u128(number + 1) }, command];
        records.extend((0..60).map(|value| config(&name, value)));
        assert!(run.write(records));
    }
    assert!(run.length() > 1_200);
}

#[test]
fn a_log_that_is_mostly_history_is_rewritten_and_a_start_reads_what_is_left() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let mut run = Run::start(&world);
    fill(&mut run);
    let before = run.image();
    run.keep_short();
    assert_eq!(run.image(), before, "a rewrite changes nothing");
    let length = run.length();
    assert_eq!(length, 1 + before.rewrite().len() as i64);
    run.keep_short();
    assert_eq!(run.length(), length, "what is all needed is not rewritten");
    // Years of changes: the log stays short, and its files go.
    for round in 0..200 {
        assert!(run.write((0..2_000).map(|value| config("t-1", round * 2_000 + value)).collect()));
        run.keep_short();
        assert!(run.length() < 3_500, "{} records", run.length());
    }
    // What the trims let go of waits for its removal under another name.
    let files = world.sim_disk().files(Path::new("data/partitions"));
    let bytes: u64 = files.into_iter().filter(|(path, _)| path.extension().is_some_and(|ending| ending == "log")).map(|(_, len)| len).sum();
    assert!(bytes < 10 << 20, "{bytes} bytes of log");
    let before = run.image();
    drop(run);
    world.sim_disk().crash(Loss::Everything);
    let run = Run::start(&world);
    assert_eq!(run.image(), before);
    assert_eq!(before.commands().len(), 20);
}

#[test]
fn a_log_of_things_that_all_count_is_left_alone() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let mut run = Run::start(&world);
    let records = (0..1_500).map(|number| Record::Topic { name: format!("t-{number}"), id: Uuid::from_u128(number + 1) });
    assert!(run.write(records.collect()));
    run.keep_short();
    assert_eq!(run.length(), 1_500);
}

#[test]
fn the_power_fails_at_every_step_of_a_rewrite() {
    let mut survived = 0;
    for (loss, number) in [(Loss::Nothing, 1), (Loss::Everything, 2), (Loss::Some, 3), (Loss::Some, 4)] {
        for step in 1.. {
            assert!(step < 500, "it never gets through");
            let world = SimWorld::new(number, SimDisk::new(number * 1_000 + step));
            let mut run = Run::start(&world);
            fill(&mut run);
            let before = run.image();
            world.sim_disk().set_faults(|faults, now| faults.power_off_at = Some(now + step));
            run.keep_short();
            let written = run.write(vec![config("t-0", 777)]);
            let after = run.image();
            let through = !world.sim_disk().is_off();
            drop(run);
            world.sim_disk().crash(loss);
            let mut run = Run::start(&world);
            let found = run.image();
            let with_the_last = {
                let mut image = (*before).clone();
                image.take(config("t-0", 777));
                image
            };
            if written {
                assert_eq!(found, after, "{loss:?}, power off at {step}");
                assert_eq!(*found, with_the_last);
            } else {
                assert!(found == before || *found == with_the_last, "{loss:?}, power off at {step}");
            }
            // Life goes on, and the next rewrite gets done.
            assert!(run.write((0..2_000).map(|value| config("t-2", value)).collect()));
            run.keep_short();
            assert!(run.length() < 1_000, "{} records", run.length());
            if through {
                survived += 1;
                break;
            }
        }
    }
    assert_eq!(survived, 4);
}
