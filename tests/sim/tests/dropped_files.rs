//! What retention and deletion let go of leaves its log at once, and the disk after `file.delete.delay.ms`.
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, Offset};
use millrace_shard::{
    AppendOptions, Cleanup, Flush, GroupId, LogConfig, Partition, PartitionConfig, PartitionSpec, ReplicaId, Shard, ShardSettings,
};
use millrace_sim::{Loss, SimDisk, SimWorld, fixture};
use millrace_world::World;

const MINUTE: Duration = Duration::from_secs(60);

fn config(cleanup: Cleanup, retention_ms: Option<i64>) -> PartitionConfig {
    let log = LogConfig {
        segment_bytes: 600,
        index_interval_bytes: 0,
        retention_ms,
        cleanup,
        min_cleanable_dirty_ratio: 0.0,
        ..fixture::log_config()
    };
    PartitionConfig { log, flush: Flush::BEFORE_ANSWER, delete_delay_ms: 60_000 }
}

fn settings() -> ShardSettings {
    ShardSettings { clean_check_ms: 1_000, ..fixture::shard_settings() }
}

struct Run {
    world: Arc<SimWorld>,
    shard: Shard,
    partition: Partition,
}

impl Run {
    fn start(world: &Arc<SimWorld>, config: PartitionConfig) -> Run {
        let mut shard = Shard::open(world.clone(), settings()).unwrap();
        let handle = shard.handle();
        let spec = PartitionSpec { id: GroupId(1), dir: PathBuf::from("data/t-0"), identity: 7, config, voters: vec![ReplicaId(1)], me: ReplicaId(1) };
        let mut opening = Box::pin(handle.open_partition(spec));
        assert!(opening.as_mut().now_or_never().is_none());
        shard.turn();
        let partition = opening.now_or_never().expect("a turn opens it").unwrap();
        Run { world: world.clone(), shard, partition }
    }

    /// Records of one key, a few to each segment.
    fn append(&mut self, count: usize) {
        for _ in 0..count {
            let mut builder = BatchBuilder::new(Codec::None, Level::Default);
            builder.push(self.world.wall_ms(), Some(b"key"), Some(&[0; 100]), &[]);
            let batch = builder.build();
            let header = BatchHeader::parse(&batch).unwrap();
            let reply = self.partition.append(batch, header, AppendOptions::CLIENT);
            self.shard.turn();
            reply.now_or_never().expect("answered in its turn").unwrap();
        }
    }

    fn ask<T>(&mut self, question: impl Future<Output = T>) -> T {
        let shard = &mut self.shard;
        self.world.block_on(question, || _ = shard.turn()).expect("it is answered")
    }

    /// Time passes, with turns when they are due.
    fn pass(&mut self, span: Duration) {
        let end = self.world.now() + span;
        while self.shard.next_due() <= end {
            self.world.advance(self.shard.next_due().since(self.world.now()));
            self.shard.turn();
            while self.shard.run_job() {}
        }
        self.world.advance(end.since(self.world.now()));
    }

    fn names(&self, ending: &str) -> usize {
        names(&self.world, ending)
    }
}

fn names(world: &SimWorld, ending: &str) -> usize {
    let files = world.sim_disk().files(Path::new("data"));
    files.iter().filter(|(path, _)| path.to_string_lossy().ends_with(ending)).count()
}

#[test]
fn trimmed_segments_stay_under_another_name_for_the_delay() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let mut run = Run::start(&world, config(Cleanup::DELETE, None));
    run.append(20);
    let segments = run.names(".log");
    assert!(segments > 4);
    let partition = run.partition.clone();
    let start = run.ask(partition.trim(Offset(15))).unwrap();
    assert_eq!(start, Offset(15));
    let doomed = run.names(".deleted");
    assert!(doomed > 2);
    assert!(doomed + run.names(".log") >= segments, "no file went");
    run.pass(MINUTE - Duration::from_secs(1));
    assert_eq!(run.names(".deleted"), doomed, "they wait");
    run.pass(Duration::from_secs(2));
    assert_eq!(run.names(".deleted"), 0);
    assert_eq!(run.partition.state().start, Offset(15));
}

#[test]
fn the_next_start_removes_what_still_waits() {
    for loss in [Loss::Nothing, Loss::Everything, Loss::Some] {
        let world = SimWorld::new(1, SimDisk::new(1));
        let mut run = Run::start(&world, config(Cleanup::DELETE, None));
        run.append(20);
        let partition = run.partition.clone();
        run.ask(partition.trim(Offset(15))).unwrap();
        assert!(run.names(".deleted") > 2);
        drop((run, partition));
        world.sim_disk().crash(loss);
        let run = Run::start(&world, config(Cleanup::DELETE, None));
        assert_eq!(run.names(".deleted"), 0, "{loss:?}");
        assert_eq!((run.partition.state().start, run.partition.state().end), (Offset(15), Offset(20)));
    }
}

#[test]
fn what_compaction_replaces_waits_too() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let mut run = Run::start(&world, config(Cleanup::COMPACT, None));
    run.append(20);
    run.pass(Duration::from_secs(5));
    let doomed = run.names(".deleted");
    assert!(doomed > 2, "{doomed}");
    run.pass(MINUTE);
    assert_eq!(run.names(".deleted"), 0);
}

#[test]
fn a_deleted_partitions_folder_waits_too() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let mut run = Run::start(&world, config(Cleanup::DELETE, None));
    run.append(5);
    let handle = run.shard.handle();
    run.ask(handle.close_partition(GroupId(1), true)).unwrap();
    assert!(run.names(".log") > 0, "in the folder's new name");
    run.pass(MINUTE + Duration::from_secs(1));
    assert_eq!(run.names(".log"), 0);
}

#[test]
fn a_start_removes_the_folders_of_deleted_partitions() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let mut run = Run::start(&world, config(Cleanup::DELETE, None));
    run.append(5);
    let handle = run.shard.handle();
    run.ask(handle.close_partition(GroupId(1), true)).unwrap();
    drop(run);
    world.sim_disk().crash(Loss::Nothing);
    let mut shard = Shard::open(world.clone(), settings()).unwrap();
    let handle = shard.handle();
    let found = world.block_on(handle.bury_leftovers("data".into()), || _ = shard.turn()).expect("it is answered");
    assert_eq!(found.unwrap(), 1);
    shard.turn();
    while shard.run_job() {}
    assert_eq!(names(&world, ".log"), 0);
}

#[test]
fn retention_looks_half_a_minute_after_the_start_and_takes_new_settings_as_they_come() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let mut run = Run::start(&world, config(Cleanup::DELETE, Some(1)));
    run.append(20);
    run.pass(Duration::from_secs(25));
    assert_eq!(run.partition.state().start, Offset(0), "not yet");
    run.pass(Duration::from_secs(10));
    assert_eq!(run.partition.state().start, Offset(20));
    let partition = run.partition.clone();
    run.ask(partition.set_config(config(Cleanup::DELETE, None))).unwrap();
    run.append(20);
    run.pass(20 * MINUTE);
    assert_eq!(run.partition.state().start, Offset(20), "no limit any more");
    run.ask(partition.set_config(config(Cleanup::DELETE, Some(1)))).unwrap();
    run.pass(6 * MINUTE);
    assert_eq!(run.partition.state().start, Offset(40));
}
