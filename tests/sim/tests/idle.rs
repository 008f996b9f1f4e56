//! A shard that nobody asks anything turns as often as its timers say and not more. A deadline that no
//! turn moves on would have its thread turn for ever.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use bytes::BytesMut;
use futures_util::FutureExt;
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level};
use millrace_shard::{
    AppendError, AppendOptions, Cleanup, Flush, GroupId, LogConfig, Partition, PartitionConfig, PartitionSpec, ReplicaId, Shard, ShardSettings,
};
use millrace_sim::{SimDisk, SimWorld, fixture};
use millrace_world::{Moment, World};

const HOURS: Duration = Duration::from_secs(3 * 3600);

fn settings() -> ShardSettings {
    fixture::shard_settings()
}

fn spec(number: u64, cleanup: Cleanup, flush: Flush) -> PartitionSpec {
    let log = LogConfig {
        segment_bytes: 600,
        segment_ms: 60_000,
        index_interval_bytes: 0,
        retention_ms: Some(600_000),
        cleanup,
        // Whatever can be cleaned at all, is.
        min_cleanable_dirty_ratio: 0.0,
        ..fixture::log_config()
    };
    PartitionSpec {
        id: GroupId(number),
        dir: PathBuf::from(format!("data/t-{number}")),
        identity: u128::from(number),
        config: PartitionConfig { log, flush, delete_delay_ms: 60_000 },
        voters: vec![ReplicaId(1)],
        me: ReplicaId(1),
    }
}

/// One partition of each kind: deleted, compacted, both, and flushed by time.
fn start(world: &Arc<SimWorld>, settings: ShardSettings) -> (Shard, Vec<Partition>) {
    let mut shard = Shard::open(world.clone(), settings).unwrap();
    let by_time = Flush { messages: u64::MAX, ms: 1_000 };
    let kinds = [
        (Cleanup::DELETE, Flush::BEFORE_ANSWER),
        (Cleanup::COMPACT, Flush::BEFORE_ANSWER),
        (Cleanup::BOTH, Flush::BEFORE_ANSWER),
        (Cleanup::DELETE, by_time),
        (Cleanup::COMPACT, Flush::BEHIND),
    ];
    let handle = shard.handle();
    let partitions = kinds.into_iter().zip(1..).map(|((cleanup, flush), number)| {
        let mut opening = Box::pin(handle.open_partition(spec(number, cleanup, flush)));
        assert!(opening.as_mut().now_or_never().is_none());
        shard.turn();
        opening.now_or_never().expect("a turn opens it").unwrap()
    });
    let partitions = partitions.collect();
    (shard, partitions)
}

/// The same few keys over and over: there is something to clean.
fn batch(world: &SimWorld, round: usize) -> (BytesMut, BatchHeader) {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default);
    builder.push(world.wall_ms(), Some(&[round as u8 % 3]), Some(&[0; 100]), &[]);
    let batch = builder.build();
    let header = BatchHeader::parse(&batch).unwrap();
    (batch, header)
}

fn append_some(world: &SimWorld, shard: &mut Shard, partitions: &[Partition]) -> Vec<Result<(), AppendError>> {
    let mut answers = Vec::new();
    for round in 0..20 {
        let replies: Vec<_> = partitions
            .iter()
            .map(|partition| {
                let (batch, header) = batch(world, round);
                partition.append(batch, header, AppendOptions::CLIENT)
            })
            .collect();
        shard.turn();
        answers.extend(replies.into_iter().map(|reply| reply.now_or_never().expect("answered in its turn").map(|_| ())));
    }
    answers
}

fn turns_in_hours(world: &SimWorld, shard: &mut Shard) -> u64 {
    turns_in(HOURS, world, shard)
}

/// Turns exactly when the shard says that something is due; how often that was.
fn turns_in(span: Duration, world: &SimWorld, shard: &mut Shard) -> u64 {
    let end = world.now() + span;
    let mut turns = 0;
    loop {
        let due = shard.next_due();
        if due >= end {
            return turns;
        }
        world.advance(due.since(world.now()));
        shard.turn();
        turns += 1;
        // Jobs end a little later, as on threads.
        world.advance(Duration::from_millis(3));
        while shard.run_job() {}
        assert!(turns < 100_000, "it spins");
    }
}

/// One turn a second for checkpoints, the other rounds on top, and the flushes of what was written.
const TURNS_MAX: u64 = HOURS.as_secs() + HOURS.as_secs() / 10;

#[test]
fn an_idle_shard_turns_when_a_timer_says_so() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let (mut shard, partitions) = start(&world, settings());
    let turns = turns_in_hours(&world, &mut shard);
    assert!(turns <= TURNS_MAX, "{turns} turns with nothing in it");
    assert!(append_some(&world, &mut shard, &partitions).into_iter().all(|answer| answer.is_ok()));
    let turns = turns_in_hours(&world, &mut shard);
    assert!(turns <= TURNS_MAX, "{turns} turns after some appends");
    let syncs = world.sim_disk().syncs();
    turns_in_hours(&world, &mut shard);
    assert_eq!(world.sim_disk().syncs(), syncs, "nothing changed, so nothing is synced");
}

#[test]
fn a_shard_whose_disk_failed_has_nothing_due() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let (mut shard, partitions) = start(&world, settings());
    world.sim_disk().set_faults(|faults, now| faults.broken.extend(now..now + 10_000));
    assert!(append_some(&world, &mut shard, &partitions).into_iter().any(|answer| answer.is_err()));
    assert!(shard.has_failed());
    assert_eq!(shard.next_due(), Moment(u64::MAX));
    assert_eq!(turns_in_hours(&world, &mut shard), 0);
}

#[test]
fn a_background_flush_that_fails_leaves_nothing_due() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let (mut shard, partitions) = start(&world, settings());
    append_some(&world, &mut shard, &partitions);
    world.sim_disk().set_faults(|faults, now| faults.broken.extend(now..now + 10_000));
    let turns = turns_in_hours(&world, &mut shard);
    assert!(shard.has_failed());
    assert!(turns < 100, "{turns} turns before the failed flush was noticed");
}

#[test]
fn a_pause_of_zero_is_a_short_one() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let (mut shard, _partitions) = start(&world, ShardSettings { clean_check_ms: 0, retention_check_ms: 0, ..settings() });
    let turns = turns_in(Duration::from_secs(60), &world, &mut shard);
    assert!(turns <= 6_000, "{turns} turns in a minute");
}
