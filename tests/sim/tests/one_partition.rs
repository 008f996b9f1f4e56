//! The thinnest whole thread: open, append, read back, stop or crash, open again.
use std::path::PathBuf;
use std::sync::Arc;

use bytes::BytesMut;
use futures_util::FutureExt;
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, Offset, ProducerId};
use millrace_shard::{
    AppendOptions, Flush, GroupId, Partition, PartitionConfig, PartitionSpec, ReplicaId, Shard, ShardSettings, Upto,
};
use millrace_sim::{Loss, SimDisk, SimWorld, fixture};

fn settings() -> ShardSettings {
    ShardSettings {
        ring_bytes: 32 << 20,
        turn_bytes_max: 32 << 20,
        checkpoint_ms: 10_000,
        disk_reserve_bytes: 1 << 20,
        ..fixture::shard_settings()
    }
}

fn spec() -> PartitionSpec {
    let log = fixture::log_config();
    let config = PartitionConfig { log, flush: Flush::BEFORE_ANSWER, delete_delay_ms: 60_000 };
    PartitionSpec { id: GroupId(1), dir: PathBuf::from("data/t-0"), identity: 7, config, voters: vec![ReplicaId(1)], me: ReplicaId(1) }
}

fn batch(value: &str, sequence: i32) -> (BytesMut, BatchHeader) {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default).producer(ProducerId(5), 0, sequence);
    builder.push(1_000, None, Some(value.as_bytes()), &[]);
    let batch = builder.build();
    let header = BatchHeader::parse(&batch).unwrap();
    (batch, header)
}

fn start(world: &Arc<SimWorld>) -> (Shard, Partition) {
    let mut shard = Shard::open(world.clone(), settings()).unwrap();
    let handle = shard.handle();
    let mut opening = Box::pin(handle.open_partition(spec()));
    assert!(opening.as_mut().now_or_never().is_none());
    shard.turn();
    let partition = opening.now_or_never().expect("a turn opens it").unwrap();
    (shard, partition)
}

fn values(partition: &Partition) -> Vec<String> {
    let read = partition.read(partition.state().start, 1 << 20, Upto::HighWatermark, true).unwrap();
    let mut values = Vec::new();
    for slice in read.slices.slices {
        for batch in millrace_record::split(&slice) {
            let (_, batch) = batch.unwrap();
            let records = millrace_record::Records::open(batch, 1 << 20).unwrap();
            values.extend(records.iter().map(|record| String::from_utf8(record.unwrap().value.unwrap().to_vec()).unwrap()));
        }
    }
    values
}

#[test]
fn what_was_acknowledged_is_there_after_a_crash_that_lost_the_page_cache() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let (mut shard, partition) = start(&world);
    assert!(partition.state().is_leader);
    let mut replies = Vec::new();
    for (number, value) in ["a", "b", "c"].iter().enumerate() {
        let (batch, header) = batch(value, number as i32);
        replies.push(partition.append(batch, header, AppendOptions::CLIENT));
    }
    let syncs = world.sim_disk().syncs();
    shard.turn();
    assert_eq!(world.sim_disk().syncs(), syncs + 1, "three batches, one fsync");
    for (offset, reply) in replies.into_iter().enumerate() {
        assert_eq!(reply.now_or_never().unwrap().unwrap().base_offset, Offset(offset as i64));
    }
    assert_eq!(values(&partition), ["a", "b", "c"]);
    drop(shard);
    world.sim_disk().crash(Loss::Everything);
    let (mut shard, partition) = start(&world);
    assert_eq!(values(&partition), ["a", "b", "c"]);
    // The producer did not hear of it and sends again.
    let (again, header) = batch("c", 2);
    let reply = partition.append(again, header, AppendOptions::CLIENT);
    shard.turn();
    let appended = reply.now_or_never().unwrap().unwrap();
    assert!(appended.duplicate);
    assert_eq!(appended.base_offset, Offset(2));
}

#[test]
fn a_clean_stop_leaves_nothing_to_replay() {
    let world = SimWorld::new(1, SimDisk::new(1));
    let (mut shard, partition) = start(&world);
    let (first, header) = batch("a", 0);
    let reply = partition.append(first, header, AppendOptions::CLIENT);
    let handle = shard.handle();
    let mut stopping = Box::pin(handle.stop());
    assert!(stopping.as_mut().now_or_never().is_none());
    assert!(!shard.turn(), "the turn with the stop is the last");
    stopping.now_or_never().unwrap().unwrap();
    assert!(reply.now_or_never().unwrap().is_ok(), "what was queued before the stop is done");
    drop(shard);
    world.sim_disk().crash(Loss::Everything);
    let (_shard, partition) = start(&world);
    assert_eq!(values(&partition), ["a"]);
}
