//! How many batches a second one shard takes on a real disk, with many in flight:
//! `cargo run --release -p millrace-shard --example append_rate -- DIR [partitions] [in flight] [bytes] [seconds]
//! [ring, in MiB] [direct from, in KiB]`
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use millrace_record::{BatchBuilder, BatchHeader, Codec, Level};
use millrace_shard::{
    AppendOptions, Cleanup, Flush, GroupId, LogConfig, PartitionConfig, PartitionSpec, Plant, ReplicaId, Shard, ShardSettings,
};
use millrace_world::World;
use millrace_world::production::Production;

fn log() -> LogConfig {
    LogConfig {
        segment_bytes: 1 << 30,
        segment_ms: 604_800_000,
        segment_jitter_ms: 0,
        segment_index_bytes: 10 << 20,
        index_interval_bytes: 4096,
        retention_bytes: None,
        retention_ms: None,
        cleanup: Cleanup::DELETE,
        delete_retention_ms: 0,
        min_compaction_lag_ms: 0,
        max_compaction_lag_ms: i64::MAX,
        min_cleanable_dirty_ratio: 0.5,
        preallocate: false,
    }
}

fn main() {
    let mut arguments = std::env::args().skip(1);
    let dir = PathBuf::from(arguments.next().expect("the first argument is a folder"));
    let mut number = |default: usize| arguments.next().map_or(default, |text| text.parse().expect("arguments are numbers"));
    let (partitions, in_flight, bytes, seconds) = (number(1), number(1000), number(1024), number(5));
    let (ring_mib, direct_kib) = (number(32), number(256));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime starts");
    let world: Arc<dyn World> = Arc::new(Production::new(runtime.handle().clone()));
    let settings = ShardSettings {
        journal_dir: dir.join("journal"),
        ring_bytes: (ring_mib as u64) << 20,
        direct_bytes: direct_kib << 10,
        turn_bytes_max: 8 << 20,
        checkpoint_ms: 1_000,
        retention_delay_ms: 30_000,
        retention_check_ms: 300_000,
        clean_check_ms: 15_000,
        clean_map_bytes: 1 << 20,
        producer_expiration_ms: 86_400_000,
        disk_reserve_bytes: 64 << 20,
        plant: Plant::Nothing,
    };
    let began = world.now();
    let shard = Shard::start(world.clone(), settings).expect("the shard starts");
    for (name, flush) in [("fsync before the answer", Flush::BEFORE_ANSWER), ("flushed behind", Flush::BEHIND)] {
        runtime.block_on(async {
            let opening = (0..partitions).map(|at| {
                shard.open_partition(PartitionSpec {
                    id: GroupId(at as u64 + 1),
                    dir: dir.join(format!("p-{at}")),
                    identity: at as u128 + 1,
                    config: PartitionConfig { log: log(), flush, delete_delay_ms: 0 },
                    voters: vec![ReplicaId(1)],
                    me: ReplicaId(1),
                })
            });
            let open = futures_util::future::join_all(opening).await;
            let open: Vec<_> = open.into_iter().map(|partition| partition.expect("it opens")).collect();
            println!("{} partitions open after {:?}", open.len(), world.now().since(began));
            let mut builder = BatchBuilder::new(Codec::None, Level::Default);
            builder.push(0, None, Some(&vec![7; bytes]), &[]);
            let batch = builder.build();
            let header = BatchHeader::parse(&batch).expect("it was just built");
            let (start, mut done) = (world.now(), 0_u64);
            let mut replies = VecDeque::new();
            let mut at = 0;
            while world.now().since(start) < Duration::from_secs(seconds as u64) {
                while replies.len() < in_flight {
                    replies.push_back(open[at % partitions].append(batch.clone(), header, AppendOptions::CLIENT));
                    at += 1;
                }
                for _ in 0..(in_flight / 4).max(1) {
                    if let Some(reply) = replies.pop_front() {
                        reply.await.expect("it is appended");
                        done += 1;
                    }
                }
            }
            let took = world.now().since(start).as_secs_f64();
            println!("{name}: {partitions} partitions, {in_flight} in flight, {bytes} bytes: {:.0} appends/s, {:.0} MiB/s", done as f64 / took, done as f64 * bytes as f64 / took / 1_048_576.0);
            for reply in replies {
                reply.await.expect("it is appended");
            }
            for partition in open {
                shard.close_partition(partition.id(), true).await.expect("it is deleted");
            }
        });
    }
    runtime.block_on(shard.stop()).expect("it stops");
}
