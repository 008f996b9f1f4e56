//! A day in the life of a broker: the whole node but its sockets, on a simulated World, for as many hours as it is told.
//!
//! ```text
//!  minutes pass -> timers, turns, jobs (retention, rolling, cleaning, checkpoints, expiry) -> something happens:
//!    producers send, records are deleted, members come, go, vanish and commit, the node stops, dies, loses its page cache
//! ```
//! What must hold, beside what [`Model`] says of every partition and [`Book`] of every group: **disk and memory stay bounded**,
//! by what the topics' configs keep and not by how long the node has run.
mod groups;
mod node;

use std::sync::Arc;
use std::time::Duration;

use millrace_harness::memory;
use millrace_protocol::messages as m;
use millrace_shard::Partition;
use millrace_world::World;
use parking_lot::Mutex;

use crate::disk::{Loss, SimDisk};
use crate::model::Model;
use crate::producer::{Heard, Producer};
use crate::rng::Rng;
use crate::scenario::Outcome;
use crate::trace::Trace;
use crate::world::SimWorld;
use groups::{Book, GROUPS};
use node::{Life, ask, topic_name};

/// A topic and what bounds it.
struct Topic {
    name: &'static str,
    partitions: usize,
    configs: &'static [(&'static str, &'static str)],
    compacted: bool,
}

const TOPICS: &[Topic] = &[
    Topic { name: "sized", partitions: 2, configs: &[("retention.bytes", "3000000"), ("segment.bytes", "1048576")], compacted: false },
    Topic { name: "timed", partitions: 1, configs: &[("retention.ms", "3600000"), ("segment.ms", "600000")], compacted: false },
    Topic { name: "latest", partitions: 2, configs: &[("cleanup.policy", "compact"), ("segment.ms", "900000"), ("min.cleanable.dirty.ratio", "0.2")], compacted: true },
    Topic {
        name: "both",
        partitions: 1,
        configs: &[("cleanup.policy", "compact,delete"), ("retention.ms", "7200000"), ("segment.bytes", "1048576"), ("segment.ms", "900000")],
        compacted: true,
    },
];

/// What one partition may keep beyond what was produced lately: its retention in bytes, an active segment, one that is being replaced.
const PARTITION_BYTES_MAX: u64 = 7 << 20;
/// What everything else may take: the journal, the metadata log, the offsets of the groups.
const OTHER_BYTES_MAX: u64 = 12 << 20;
/// "Lately": the longest time for which a topic keeps records by age, and then a segment's.
const LATELY_MS: i64 = 3 * 3_600_000;
/// What node, clients and checker may hold beside the simulated disk.
const MEMORY_BYTES_MAX: usize = 96 << 20;
const PADDING_MAX: usize = 9_000;

pub struct Day {
    rng: Rng,
    trace: Trace,
    disk: SimDisk,
    world: Arc<SimWorld>,
    life: Option<Life>,
    /// The checker of each partition, with the topic and the number that it stands for.
    models: Vec<(&'static Topic, i32, Model)>,
    producers: Vec<Producer>,
    book: Arc<Mutex<Book>>,
    /// When how much was sent.
    sent: Vec<(i64, u64)>,
    crashes: u64,
    acked: u64,
    fullest: u64,
    held_before: isize,
}

/// Runs one seed for so many hours of simulated time.
pub fn run(seed: u64, hours: u64, print: bool) -> Outcome {
    let mut day = Day::new(seed, print);
    let failure = day.live(hours).err();
    if let Some(failure) = &failure {
        day.trace.note(format_args!("FAILED: {failure}"));
    }
    let book = day.book.lock();
    day.trace.note(format_args!("{} joins, {} commits, the disk held {} at the most", book.joined, book.committed, day.fullest));
    let outcome = Outcome { failure, fingerprint: day.trace.fingerprint(), crashes: day.crashes, acked: day.acked };
    drop(book);
    day.end();
    outcome
}

impl Day {
    fn new(seed: u64, print: bool) -> Day {
        let held_before = memory::begin();
        let mut rng = Rng::new(seed);
        let disk = SimDisk::new(rng.next());
        let world = SimWorld::new(rng.next(), disk.clone());
        let models: Vec<_> = TOPICS
            .iter()
            .flat_map(|topic| (0..topic.partitions).map(move |number| (topic, number as i32, Model::new(format!("{}-{number}", topic.name), topic.compacted, topic.name != "latest"))))
            .collect();
        let producers = (0..models.len() as u64 + 3).map(|number| Producer::new(number, rng.percent(80), number as usize % models.len())).collect();
        let book = Arc::new(Mutex::new(Book::default()));
        let trace = Trace::new(print);
        Day { rng, trace, disk, world, life: None, models, producers, book, sent: Vec::new(), crashes: 0, acked: 0, fullest: 0, held_before }
    }

    fn live(&mut self, hours: u64) -> Result<(), String> {
        self.start()?;
        self.make_topics()?;
        let until = self.world.now() + Duration::from_secs(hours * 3_600);
        let mut next_look = self.world.now();
        while self.world.now() < until {
            let pause = Duration::from_millis(self.rng.range(100, *self.rng.clone().pick(&[2_000, 20_000, 120_000])));
            self.pass(pause)?;
            self.happen()?;
            if self.world.now() >= next_look {
                next_look = self.world.now() + Duration::from_secs(1_800);
                self.look()?;
                self.check_bounds()?;
            }
        }
        self.heal()
    }

    fn start(&mut self) -> Result<(), String> {
        for attempt in 0..20 {
            if attempt < 3 && self.crashes > 0 && self.rng.percent(15) {
                self.arm_power_failure();
            }
            match Life::begin(&self.world, &mut self.rng.fork()) {
                Ok(life) => {
                    if !self.disk.is_off() {
                        life.bring_members(&self.world, &self.book, &mut self.rng);
                        self.life = Some(life);
                        return Ok(());
                    }
                }
                Err(why) if self.disk.is_off() => self.trace.note(format_args!("the power failed while it started: {why}")),
                Err(why) => return Err(format!("the node does not start: {why}")),
            }
            self.lose(Loss::Some);
        }
        Err("the node did not start in 20 attempts".into())
    }

    fn make_topics(&mut self) -> Result<(), String> {
        use m::create_topics_request::{CreatableTopic, CreatableTopicConfig};
        for topic in TOPICS {
            let configs = topic.configs.iter().map(|(name, value)| CreatableTopicConfig::default().with_name(node::text(name)).with_value(Some(node::text(value))));
            let new = CreatableTopic::default().with_name(topic_name(topic.name)).with_num_partitions(topic.partitions as i32).with_replication_factor(1).with_configs(configs.collect());
            let request = m::CreateTopicsRequest::default().with_topics(vec![new]).with_timeout_ms(10_000);
            let answer = self.ask(request, 7).ok_or("CreateTopics was not answered")?;
            if answer.topics[0].error_code != 0 {
                return Err(format!("{}: {:?}", topic.name, answer.topics[0].error_message));
            }
        }
        Ok(())
    }

    /// Asks the node as a client would; nothing when it died meanwhile.
    fn ask<R: millrace_protocol::Request>(&mut self, request: R, version: i16) -> Option<R::Response> {
        let life = self.life.as_mut()?;
        let ctx = life.ctx.clone();
        life.drive(&self.world, async move { ask(&ctx, &request, version).await })?
    }

    fn partition(&self, at: usize) -> Option<Partition> {
        let (topic, number, _) = self.models[at];
        let directory = self.life.as_ref()?.ctx.node.partitions.directory();
        directory.named(topic.name)?.partition(number).cloned()
    }

    /// Time passes, and what is due happens at its time.
    fn pass(&mut self, by: Duration) -> Result<(), String> {
        let until = self.world.now() + by;
        if let Some(life) = &mut self.life {
            life.run_until(&self.world, until);
        }
        self.listen()?;
        if self.disk.is_off() { self.die() } else { Ok(()) }
    }

    fn happen(&mut self) -> Result<(), String> {
        match self.rng.range(0, 1_000) {
            0..=899 => self.produce(),
            900..=959 => self.delete_records()?,
            960..=969 => self.repeat(),
            970..=979 => self.audit()?,
            980..=989 => self.arm_power_failure(),
            990..=994 => self.die()?,
            _ => self.stop_cleanly()?,
        }
        if self.disk.is_off() { self.die() } else { Ok(()) }
    }

    fn produce(&mut self) {
        let now_ms = self.world.wall_ms();
        for _ in 0..self.rng.range(1, 12) {
            let at = self.rng.below(self.producers.len());
            let partition = self.partition(self.producers[at].partition);
            let producer = &mut self.producers[at];
            let model = &mut self.models[producer.partition].2;
            producer.produce(&mut self.rng, PADDING_MAX, now_ms, model, partition.as_ref());
            if let Some(partition) = &partition {
                producer.resend(partition);
            }
            // The most that it can have been.
            self.sent.push((now_ms, 5 * (PADDING_MAX as u64 + 200)));
        }
    }

    fn repeat(&mut self) {
        let at = self.rng.below(self.producers.len());
        if let Some(partition) = self.partition(self.producers[at].partition)
            && self.producers[at].idempotent
        {
            self.producers[at].repeat(&mut self.rng, &partition);
        }
    }

    /// Answers, as far as they have come. All topics flush before they answer.
    fn listen(&mut self) -> Result<(), String> {
        for producer in &mut self.producers {
            let (acked, trace, number) = (&mut self.acked, &mut self.trace, producer.number);
            producer.listen(&mut self.models[producer.partition].2, true, false, |heard| match heard {
                Heard::Acked { base, records, .. } => {
                    *acked += records as u64;
                    trace.note(format_args!("producer {number}: {records} at {base}"));
                }
                Heard::Failed(error) => trace.note(format_args!("producer {number}: {error}")),
            })?;
        }
        Ok(())
    }

    fn delete_records(&mut self) -> Result<(), String> {
        use m::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
        let at = self.rng.below(self.models.len());
        let Some(partition) = self.partition(at) else { return Ok(()) };
        let state = partition.state();
        let to = self.rng.range(state.start.0 as u64, state.high_watermark.0 as u64 + 1) as i64;
        let (topic, number, model) = &mut self.models[at];
        // Kafka refuses it where only compaction cleans.
        let refused = topic.name == "latest";
        if !refused {
            model.trim_asked(to);
        }
        let asked = DeleteRecordsTopic::default().with_name(topic_name(topic.name)).with_partitions(vec![DeleteRecordsPartition::default().with_partition_index(*number).with_offset(to)]);
        let answer = self.ask(m::DeleteRecordsRequest::default().with_topics(vec![asked]).with_timeout_ms(5_000), 2);
        let Some(answer) = answer else { return Ok(()) };
        let told = &answer.topics[0].partitions[0];
        self.trace.note(format_args!("DeleteRecords to {to}: {} {}", told.error_code, told.low_watermark));
        match (told.error_code, refused) {
            (0, false) => self.models[at].2.trimmed(told.low_watermark),
            (0, true) => return Err("DeleteRecords was answered on a topic that only compacts".into()),
            _ => {}
        }
        Ok(())
    }

    /// What the groups have stored is what they were told, or what was under way.
    fn audit(&mut self) -> Result<(), String> {
        for group in GROUPS {
            let Some(answer) = self.ask(groups::fetch_request(group), 9) else { return Ok(()) };
            self.book.lock().check(group, &answer)?;
        }
        let broken = self.book.lock().broken.take();
        broken.map_or(Ok(()), Err)
    }

    fn look(&mut self) -> Result<(), String> {
        for at in 0..self.models.len() {
            let Some(partition) = self.partition(at) else { continue };
            match self.models[at].2.check(&partition, true) {
                Ok(_) => self.models[at].2.forget_gone(),
                Err(_) if self.disk.is_off() => return Ok(()),
                Err(failure) => return Err(failure),
            }
        }
        Ok(())
    }

    fn check_bounds(&mut self) -> Result<(), String> {
        let now_ms = self.world.wall_ms();
        self.sent.retain(|(at, _)| now_ms - at <= LATELY_MS);
        let lately: u64 = self.sent.iter().map(|(_, bytes)| bytes / 2).sum();
        let used = self.disk.used();
        self.fullest = self.fullest.max(used);
        let allowed = self.models.len() as u64 * PARTITION_BYTES_MAX + OTHER_BYTES_MAX + lately;
        if used > allowed {
            return Err(format!("the disk holds {used} bytes, {allowed} are what the topics keep: {:?}", self.largest_files()));
        }
        // A simulated page is held once or twice: as the cache shows it, and as the platter has it.
        let held = memory::growth(self.held_before).saturating_sub(2 * self.fullest as usize);
        if held > MEMORY_BYTES_MAX {
            return Err(format!("{held} bytes of memory are held beside the disk's"));
        }
        Ok(())
    }

    fn largest_files(&self) -> Vec<(String, u64)> {
        let mut files: Vec<_> = self.disk.files(std::path::Path::new("data")).into_iter().map(|(path, len)| (path.display().to_string(), len)).collect();
        files.sort_by_key(|(_, len)| std::cmp::Reverse(*len));
        files.truncate(8);
        files
    }

    fn arm_power_failure(&mut self) {
        let after = self.rng.range(1, *self.rng.clone().pick(&[10, 100, 1_000]));
        self.disk.set_faults(|faults, now| faults.power_off_at = Some(now + after));
        self.trace.note(format_args!("the power will fail in {after} operations"));
    }

    fn die(&mut self) -> Result<(), String> {
        let loss = *self.rng.pick(&[Loss::Nothing, Loss::Everything, Loss::Some]);
        self.lose(loss);
        self.start()?;
        self.after_start(loss)
    }

    fn lose(&mut self, loss: Loss) {
        self.crashes += 1;
        self.world.kill_tasks();
        self.life = None;
        self.disk.crash(loss);
        self.world = self.world.reborn();
        self.producers.iter_mut().for_each(|producer| producer.disconnected(false));
        self.trace.note(format_args!("crash, loses {loss:?}"));
    }

    fn after_start(&mut self, loss: Loss) -> Result<(), String> {
        for at in 0..self.models.len() {
            let Some(partition) = self.partition(at) else { return Err(format!("{} is not open after the start", self.models[at].2.name)) };
            if loss != Loss::Nothing {
                self.models[at].2.power_failed(partition.state().end.0, true)?;
            }
        }
        self.look()?;
        self.audit()
    }

    fn stop_cleanly(&mut self) -> Result<(), String> {
        let Some(life) = &mut self.life else { return Ok(()) };
        let node = life.ctx.node.clone();
        let stopped = life.drive(&self.world, async move { node.stop().await });
        self.trace.note(format_args!("stopped: {stopped:?}"));
        self.listen()?;
        if !self.disk.is_off() && !matches!(stopped, Some(Ok(()))) {
            return Err(format!("the node does not stop cleanly: {stopped:?}"));
        }
        self.lose(Loss::Everything);
        self.start()?;
        self.after_start(Loss::Everything)
    }

    /// In the end nothing is wrong any more: everybody is served.
    fn heal(&mut self) -> Result<(), String> {
        self.disk.set_faults(|faults, _| faults.power_off_at = None);
        for _ in 0..60 {
            for at in 0..self.producers.len() {
                if let Some(partition) = self.partition(self.producers[at].partition) {
                    self.producers[at].resend(&partition);
                }
            }
            self.pass(Duration::from_secs(5))?;
        }
        if let Some(producer) = self.producers.iter().find(|producer| !producer.is_idle()) {
            return Err(format!("producer {} is not served although nothing is wrong any more", producer.number));
        }
        self.look()?;
        self.check_bounds()?;
        self.audit()?;
        let book = self.book.lock();
        if book.joined == 0 || book.committed == 0 {
            return Err(format!("{} joins and {} commits are no churn", book.joined, book.committed));
        }
        Ok(())
    }

    /// Tasks hold the world that they run on.
    fn end(&mut self) {
        self.world.kill_tasks();
        self.life = None;
    }
}
