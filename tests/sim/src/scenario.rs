//! One node of the storage, some producers, and a seed that decides everything: how the node is set
//! up, who does what when, what breaks, and when the power fails. After every crash the node starts
//! again and the whole of every partition is held against what its clients know ([`Model`]). In the
//! end everything heals, and then everything must work.
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;
use millrace_record::Offset;
use millrace_shard::{Cleanup, Flush, GroupId, LogConfig, Partition, PartitionConfig, PartitionSpec, Plant, ReplicaId, Shard, ShardError, ShardSettings};
use millrace_world::World;

use crate::disk::{Loss, SimDisk};
use crate::fixture;
use crate::model::Model;
use crate::producer::{Heard, Producer};
use crate::rng::Rng;
use crate::trace::Trace;
use crate::world::SimWorld;

#[derive(Clone, Copy, Debug, Default)]
pub struct Options {
    pub print: bool,
    pub plant: Plant,
}

/// What became of a seed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Outcome {
    /// What must never happen, and did.
    pub failure: Option<String>,
    pub fingerprint: u64,
    pub crashes: u64,
    pub acked: u64,
}

/// Runs one seed from an empty disk to the last check.
pub fn run(seed: u64, options: Options) -> Outcome {
    let mut run = Run::new(seed, options);
    let failure = run.play().err();
    if let Some(failure) = &failure {
        run.trace.note(format_args!("FAILED: {failure}"));
    }
    Outcome { failure, fingerprint: run.trace.fingerprint(), crashes: run.crashes, acked: run.acked }
}

struct Run {
    rng: Rng,
    trace: Trace,
    disk: SimDisk,
    world: Arc<SimWorld>,
    settings: ShardSettings,
    specs: Vec<PartitionSpec>,
    models: Vec<Model>,
    producers: Vec<Producer>,
    node: Option<Node>,
    crashes: u64,
    acked: u64,
    padding_max: usize,
    /// A failed fsync or write was ordered: the next crash takes the page cache along.
    broke_disk: bool,
    full: bool,
    trims: Vec<Trim>,
    lost_some: Vec<bool>,
}

struct Node {
    shard: Shard,
    partitions: Vec<Option<Partition>>,
}

impl Node {
    /// Turns until all mail that is there has been looked at.
    fn turn_through(&mut self) {
        loop {
            self.shard.turn();
            if !self.shard.has_mail() {
                return;
            }
        }
    }
}

struct Trim {
    partition: usize,
    reply: std::pin::Pin<Box<dyn Future<Output = Result<Offset, ShardError>>>>,
}

impl Run {
    fn new(seed: u64, options: Options) -> Self {
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new(rng.next());
        let world = SimWorld::new(rng.next(), disk.clone());
        let settings = ShardSettings {
            ring_bytes: *rng.pick(&[64 << 10, 128 << 10, 1 << 20]),
            direct_bytes: *rng.pick(&[600, 4_000, 20_000, 1 << 20]),
            turn_bytes_max: *rng.pick(&[3_000, 100_000, 1 << 20]),
            checkpoint_ms: *rng.pick(&[50, 1_000, 60_000]),
            retention_delay_ms: *rng.pick(&[100, 30_000]),
            retention_check_ms: *rng.pick(&[100, 2_000]),
            clean_check_ms: *rng.pick(&[50, 500]),
            clean_map_bytes: *rng.pick(&[1 << 10, 1 << 20]),
            disk_reserve_bytes: *rng.pick(&[0, 64 << 10]),
            plant: options.plant,
            ..fixture::shard_settings()
        };
        let specs: Vec<PartitionSpec> = (0..rng.range(1, 5)).map(|number| spec(number, &mut rng)).collect();
        let retention = |spec: &PartitionSpec| spec.config.log.retention_bytes.is_some() || spec.config.log.retention_ms.is_some();
        let models = specs.iter().map(|spec| Model::new(format!("partition {}", spec.id.0), spec.config.log.cleanup.compact, retention(spec))).collect();
        let producers = (0..rng.range(1, 7))
            .map(|number| {
                let partition = rng.below(specs.len());
                Producer::new(number, rng.percent(70), partition)
            })
            .collect();
        if rng.percent(30) {
            disk.set_faults(|faults, _| faults.sync_nanos_max = 20_000_000);
        }
        let padding_max = *rng.pick(&[10, 300, 3_000, 12_000]);
        let lost_some = vec![false; specs.len()];
        let trace = Trace::new(options.print);
        Run { rng, trace, disk, world, settings, specs, models, producers, node: None, crashes: 0, acked: 0, padding_max, broke_disk: false, full: false, trims: Vec::new(), lost_some }
    }

    fn play(&mut self) -> Result<(), String> {
        self.trace.note(format_args!("{:?}", self.settings));
        for spec in &self.specs {
            self.trace.note(format_args!("{:?} {:?}", spec.id, spec.config));
        }
        self.start(Loss::Nothing)?;
        let steps = self.rng.range(40, 300);
        for _ in 0..steps {
            self.step()?;
            if self.disk.is_off() {
                let loss = self.choose_loss();
                self.crash(loss)?;
            }
        }
        self.heal_and_finish()
    }

    fn step(&mut self) -> Result<(), String> {
        match self.rng.range(0, 100) {
            0..=39 => self.produce(),
            40..=64 => self.turn()?,
            65..=71 => self.run_job(),
            72..=76 => {
                let ms = *self.rng.pick(&[1, 20, 300, 5_000, 120_000]);
                self.world.advance(Duration::from_millis(ms));
                self.trace.note(format_args!("{ms} ms pass"));
            }
            77..=79 => self.repeat(),
            80..=82 => self.trim(),
            83..=85 => self.look()?,
            86 => self.change_flush()?,
            87..=88 => self.reopen_one()?,
            89..=93 => self.arm_power_failure(),
            94 => self.arm_broken_disk(),
            95..=96 => self.fill_or_free_disk(),
            97 => {
                let loss = self.choose_loss();
                self.crash(loss)?;
            }
            98 => self.stop_cleanly()?,
            _ => {
                let ms = self.rng.range(0, 7_200_000) as i64 - 3_600_000;
                self.world.jump_wall(ms);
                self.trace.note(format_args!("the wall clock jumps by {ms} ms"));
            }
        }
        Ok(())
    }

    fn produce(&mut self) {
        let at = self.rng.below(self.producers.len());
        let now_ms = self.world.wall_ms();
        let producer = &mut self.producers[at];
        let partition = self.node.as_ref().and_then(|node| node.partitions[producer.partition].as_ref());
        let padding = if self.rng.percent(5) { self.padding_max * 8 } else { self.padding_max };
        producer.produce(&mut self.rng, padding, now_ms, &mut self.models[producer.partition], partition);
        if let Some(partition) = partition {
            producer.resend(partition);
        }
        self.trace.note(format_args!("producer {} sends", producer.number));
    }

    fn repeat(&mut self) {
        let at = self.rng.below(self.producers.len());
        let producer = &mut self.producers[at];
        let Some(partition) = self.node.as_ref().and_then(|node| node.partitions[producer.partition].as_ref()) else { return };
        if producer.idempotent && producer.repeat(&mut self.rng, partition) {
            self.trace.note(format_args!("producer {} repeats itself", producer.number));
        }
    }

    fn turn(&mut self) -> Result<(), String> {
        let Some(node) = &mut self.node else { return Ok(()) };
        let more = node.shard.turn();
        assert!(more, "nobody told it to stop");
        let operations = self.disk.operations();
        self.trace.note(format_args!("turn, {operations} operations"));
        self.listen()
    }

    fn run_job(&mut self) {
        if let Some(node) = &mut self.node {
            let ran = node.shard.run_job();
            self.trace.note(format_args!("job: {ran}"));
        }
    }

    /// Answers, as far as they have come.
    fn listen(&mut self) -> Result<(), String> {
        for producer in &mut self.producers {
            let at = producer.partition;
            let durable = self.specs[at].config.flush.before_answer();
            let (trace, acked, number) = (&mut self.trace, &mut self.acked, producer.number);
            producer.listen(&mut self.models[at], durable, self.lost_some[at], |heard| match heard {
                Heard::Acked { base, records, duplicate } => {
                    *acked += records as u64;
                    trace.note(format_args!("producer {number}: {records} at {base} in partition {at}{}", if duplicate { ", again" } else { "" }));
                }
                Heard::Failed(error) => trace.note(format_args!("producer {number}: {error}")),
            })?;
        }
        let (models, trace) = (&mut self.models, &mut self.trace);
        self.trims.retain_mut(|trim| match trim.reply.as_mut().now_or_never() {
            None => true,
            Some(answer) => {
                trace.note(format_args!("trim of partition {}: {answer:?}", trim.partition));
                if let Ok(start) = answer {
                    models[trim.partition].trimmed(start.0);
                }
                false
            }
        });
        Ok(())
    }

    fn trim(&mut self) {
        let Some(node) = &self.node else { return };
        let at = self.rng.below(node.partitions.len());
        let Some(partition) = node.partitions[at].clone() else { return };
        let state = partition.state();
        let to = self.rng.range(state.start.0 as u64, state.high_watermark.0 as u64 + 1) as i64;
        self.models[at].trim_asked(to);
        let mut reply: std::pin::Pin<Box<dyn Future<Output = _>>> = Box::pin(async move { partition.trim(Offset(to)).await });
        // Into the mailbox.
        assert!(reply.as_mut().now_or_never().is_none());
        self.trims.push(Trim { partition: at, reply });
        self.trace.note(format_args!("trim of partition {at} to {to} asked"));
    }

    /// A reader reads everything.
    fn look(&mut self) -> Result<(), String> {
        let Some(node) = &self.node else { return Ok(()) };
        if self.disk.is_off() {
            return Ok(());
        }
        for (at, partition) in node.partitions.iter().enumerate() {
            let Some(partition) = partition else { continue };
            let durable = self.specs[at].config.flush.before_answer();
            let records = match self.models[at].check(partition, durable) {
                Ok(records) => records,
                // The power failed under the reader.
                Err(_) if self.disk.is_off() => return Ok(()),
                Err(failure) => return Err(failure),
            };
            let state = partition.state();
            self.trace.note(format_args!("partition {at}: {records} records, {}..{}", state.start, state.high_watermark));
        }
        Ok(())
    }

    fn change_flush(&mut self) -> Result<(), String> {
        let Some(node) = &mut self.node else { return Ok(()) };
        let at = self.rng.below(node.partitions.len());
        let Some(partition) = node.partitions[at].clone() else { return Ok(()) };
        let mut config = self.specs[at].config.clone();
        config.flush = any_flush(&mut self.rng);
        let mut reply = Box::pin(partition.set_config(config.clone()));
        assert!(reply.as_mut().now_or_never().is_none());
        node.turn_through();
        let answer = reply.now_or_never().ok_or("set_config was not answered in its turn")?;
        self.trace.note(format_args!("partition {at}: {:?}: {answer:?}", config.flush));
        // What was answered in this turn was answered under the old settings.
        self.listen()?;
        if answer.is_ok() {
            if config.flush.before_answer() {
                self.models[at].all_durable();
            }
            self.specs[at].config = config;
        }
        Ok(())
    }

    fn reopen_one(&mut self) -> Result<(), String> {
        let Some(node) = &mut self.node else { return Ok(()) };
        let at = self.rng.below(node.partitions.len());
        if node.partitions[at].take().is_none() {
            return Ok(());
        }
        let handle = node.shard.handle();
        let mut closing = Box::pin(handle.close_partition(self.specs[at].id, false));
        assert!(closing.as_mut().now_or_never().is_none());
        node.turn_through();
        let closed = closing.now_or_never().ok_or("close was not answered in its turn")?;
        self.trace.note(format_args!("partition {at} closes: {closed:?}"));
        self.listen()?;
        if closed.is_err() {
            return Ok(());
        }
        self.producers.iter_mut().filter(|producer| producer.partition == at).for_each(|producer| producer.disconnected(false));
        self.open_one(at)?;
        self.look()
    }

    /// Opens one partition; a crash in the middle is no failure.
    fn open_one(&mut self, at: usize) -> Result<(), String> {
        let Some(node) = &mut self.node else { return Ok(()) };
        let handle = node.shard.handle();
        let mut opening = Box::pin(handle.open_partition(self.specs[at].clone()));
        assert!(opening.as_mut().now_or_never().is_none());
        node.turn_through();
        match opening.now_or_never() {
            Some(Ok(partition)) => {
                self.trace.note(format_args!("partition {at} opens: {:?}", partition.state()));
                node.partitions[at] = Some(partition);
                Ok(())
            }
            Some(Err(error)) => {
                self.trace.note(format_args!("partition {at} does not open: {error}"));
                let excused = self.disk.is_off() || self.broke_disk || self.full && matches!(error, ShardError::DiskFull | ShardError::Trouble(_));
                if excused { Ok(()) } else { Err(format!("partition {at} does not open: {error}")) }
            }
            None => Err(format!("opening partition {at} was not answered in its turn")),
        }
    }

    fn arm_power_failure(&mut self) {
        let within = *self.rng.pick(&[3, 15, 60]);
        let after = self.rng.range(1, within);
        self.disk.set_faults(|faults, now| faults.power_off_at = Some(now + after));
        self.trace.note(format_args!("the power will fail in {after} operations"));
    }

    fn arm_broken_disk(&mut self) {
        let after = self.rng.range(1, 25);
        self.disk.set_faults(|faults, now| {
            faults.broken.insert(now + after);
        });
        self.broke_disk = true;
        self.trace.note(format_args!("the disk will fail once in {after} operations"));
    }

    fn fill_or_free_disk(&mut self) {
        if self.full {
            return self.free_disk();
        }
        let room = self.rng.range(0, 200_000);
        let lie = if self.rng.percent(50) { 1 << 40 } else { 0 };
        let used = self.disk.used();
        self.disk.set_faults(|faults, _| (faults.capacity, faults.space_lie) = (Some(used + room), lie));
        self.full = true;
        self.trace.note(format_args!("the disk has {room} bytes left{}", if lie > 0 { ", and says otherwise" } else { "" }));
    }

    fn free_disk(&mut self) {
        self.disk.set_faults(|faults, _| (faults.capacity, faults.space_lie) = (None, 0));
        self.full = false;
        self.trace.note(format_args!("the disk has room again"));
    }

    fn choose_loss(&mut self) -> Loss {
        // After a failed fsync the page cache shows what the platter does not have.
        let choices: &[Loss] = if self.broke_disk { &[Loss::Everything, Loss::Some] } else { &[Loss::Nothing, Loss::Everything, Loss::Some, Loss::Some] };
        *self.rng.pick(choices)
    }

    fn stop_cleanly(&mut self) -> Result<(), String> {
        let Some(node) = &mut self.node else { return Ok(()) };
        let handle = node.shard.handle();
        let mut stopping = Box::pin(handle.stop());
        assert!(stopping.as_mut().now_or_never().is_none());
        let mut turns = 0;
        while node.shard.turn() {
            turns += 1;
            if turns > 1_000 {
                return Err("the shard does not stop".into());
            }
        }
        let stopped = stopping.now_or_never().ok_or("stop was not answered")?;
        self.trace.note(format_args!("stopped: {stopped:?}"));
        self.listen()?;
        let clean = stopped.is_ok() && !self.disk.is_off();
        if clean {
            // Everything was flushed.
            self.models.iter_mut().for_each(Model::all_durable);
        } else if !self.disk.is_off() && !self.broke_disk && !self.full {
            return Err(format!("the shard does not stop cleanly: {stopped:?}"));
        }
        let loss = if clean { Loss::Everything } else { self.choose_loss() };
        self.crash(loss)
    }

    /// The node dies and starts again.
    fn crash(&mut self, loss: Loss) -> Result<(), String> {
        self.crashes += 1;
        self.node = None;
        self.trims.clear();
        self.disk.crash(loss);
        self.broke_disk = false;
        self.trace.note(format_args!("crash, loses {loss:?}"));
        self.note_loss(loss);
        self.start(loss)
    }

    /// Who appended without waiting for a flush may have lost something.
    fn note_loss(&mut self, loss: Loss) {
        for (at, lost) in self.lost_some.iter_mut().enumerate() {
            *lost |= loss != Loss::Nothing && !self.specs[at].config.flush.before_answer();
        }
        for producer in &mut self.producers {
            producer.disconnected(self.lost_some[producer.partition]);
        }
    }

    fn start(&mut self, mut loss: Loss) -> Result<(), String> {
        for attempt in 0.. {
            if attempt < 3 && self.rng.percent(15) {
                self.arm_power_failure();
            }
            match Shard::open(self.world.clone(), self.settings.clone()) {
                Ok(shard) => {
                    self.node = Some(Node { shard, partitions: vec![None; self.specs.len()] });
                    for at in 0..self.specs.len() {
                        self.open_one(at)?;
                    }
                }
                Err(error) => {
                    self.trace.note(format_args!("the shard does not start: {error}"));
                    if !self.disk.is_off() && !self.full {
                        return Err(format!("the shard does not start: {error}"));
                    }
                    if self.full {
                        self.free_disk();
                    }
                }
            }
            let whole = self.node.as_ref().is_some_and(|node| node.partitions.iter().all(Option::is_some));
            if whole && !self.disk.is_off() {
                break;
            }
            if !self.disk.is_off() && self.full {
                self.free_disk();
            }
            self.node = None;
            let again = self.choose_loss();
            self.disk.crash(again);
            if again != Loss::Nothing {
                loss = again;
            }
            self.note_loss(again);
            self.trace.note(format_args!("crash while starting, loses {again:?}"));
        }
        let node = self.node.as_ref().expect("it has just started");
        for (at, partition) in node.partitions.iter().enumerate() {
            let Some(partition) = partition else { continue };
            if loss != Loss::Nothing {
                let flushed = self.specs[at].config.flush.before_answer();
                self.models[at].power_failed(partition.state().end.0, flushed)?;
            }
        }
        self.look()
    }

    /// All is well again: whoever waits must be served, without another start.
    fn heal_and_finish(&mut self) -> Result<(), String> {
        self.trace.note(format_args!("everything heals"));
        self.free_disk();
        self.disk.set_faults(|faults, _| {
            faults.power_off_at = None;
            faults.broken.clear();
        });
        while self.disk.is_off() || self.node.as_ref().is_some_and(|node| node.shard.has_failed()) {
            let loss = self.choose_loss();
            self.crash(loss)?;
            self.disk.set_faults(|faults, _| faults.power_off_at = None);
        }
        for at in 0..self.specs.len() {
            if self.node.as_ref().is_some_and(|node| node.partitions[at].is_none()) {
                self.open_one(at)?;
            }
        }
        for _ in 0..40 {
            self.world.advance(Duration::from_millis(700));
            for at in 0..self.producers.len() {
                let producer = &mut self.producers[at];
                if let Some(partition) = self.node.as_ref().and_then(|node| node.partitions[producer.partition].as_ref()) {
                    producer.resend(partition);
                }
            }
            self.turn()?;
            self.run_job();
        }
        if let Some(producer) = self.producers.iter().find(|producer| !producer.is_idle()) {
            return Err(format!("producer {} is not served although nothing is wrong any more", producer.number));
        }
        self.look()?;
        self.stop_cleanly()
    }
}

fn any_flush(rng: &mut Rng) -> Flush {
    match rng.below(5) {
        0..=2 => Flush::BEFORE_ANSWER,
        3 => Flush::BEHIND,
        _ => Flush { messages: rng.range(2, 20), ms: 500 },
    }
}

fn spec(number: u64, rng: &mut Rng) -> PartitionSpec {
    let compact = rng.percent(30);
    let cleanup = if compact { Cleanup::COMPACT } else { Cleanup::DELETE };
    let log = LogConfig {
        segment_bytes: *rng.pick(&[2_000, 10_000, 1 << 20]),
        segment_ms: *rng.pick(&[10_000, 86_400_000]),
        index_interval_bytes: *rng.pick(&[0, 500, 4096]),
        retention_bytes: (!compact && rng.percent(20)).then_some(30_000),
        cleanup,
        delete_retention_ms: 1_000,
        min_cleanable_dirty_ratio: *rng.pick(&[0.01, 0.5]),
        preallocate: rng.percent(20),
        ..fixture::log_config()
    };
    let flush = any_flush(rng);
    PartitionSpec {
        id: GroupId(number + 1),
        dir: PathBuf::from(format!("data/topic-{number}")),
        identity: u128::from(number) + 77,
        config: PartitionConfig { log, flush, delete_delay_ms: *rng.pick(&[0, 300, 60_000]) },
        voters: vec![ReplicaId(1)],
        me: ReplicaId(1),
    }
}
