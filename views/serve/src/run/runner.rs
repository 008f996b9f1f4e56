//! A task's life: open at its state's cut, repeat what its schedule says, then follow its inputs.
//!
//! Invariants:
//! 1. The state is written back only when every output that it counts is durable, and every schedule entry that it
//!    contains; until then the inputs are the redo log.
//!    Outputs are sent only when the schedule entry that led to them is durable: a log may refuse one append and take the next.
//! 2. A reader sees the state between two records, never inside one.
//! 3. Retention that passes an input's cut is counted and said, never silent.
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;
use std::time::Duration;

use futures_util::future::{Either, select};
use millrace_engine::state::Cut;
use millrace_engine::{Change, Fed, InputRecord, LogEvent};
use millrace_record::Offset;
use millrace_shard::{AppendReply, Bell, BellHook};
use millrace_world::{Moment, World};
use parking_lot::Mutex;

use crate::run::order::steps_by_time;
use crate::run::schedule::Step;
use crate::run::{Cell, Input, LIVE, Output, PROGRESS, Plant, RESULT, RunError, Schedule, ViewStore, note_input, stored_change, stored_live};

/// Bytes of one input that are read in one step.
const STEP_BYTES: usize = 1 << 20;
/// Offsets of one input that are one step: between two steps others have their turn, appends are waited for, the state
/// may be written back, and a stop is heard.
const STEP_OFFSETS: i64 = 8192;
/// Records of one commit: readers see the state between two of them.
const CHUNK: usize = 256;
/// Chunks after which a busy task lets others run: a few milliseconds.
const CHUNKS_A_TURN: usize = 4;
/// Steps that are worth trimming away: each time costs a sync of the state.
const SCHEDULE_KEPT: i64 = 1000;
/// How long the state on disk may lag behind a busy task, and behind an idle one.
const WRITE_BACK_BUSY: Duration = Duration::from_secs(5);
const WRITE_BACK_IDLE: Duration = Duration::from_millis(500);
/// How long what was written back may lie in the machine's memory: until it is on disk, the inputs it came from are needed.
const KEEP_AFTER: Duration = Duration::from_secs(30);

/// Asks a runner to end.
#[derive(Clone, Default)]
pub struct Stop {
    asked: Arc<AtomicBool>,
    bell: Bell,
}

impl Stop {
    pub fn ask(&self) {
        self.asked.store(true, Ordering::Release);
        self.bell.ring();
    }

    /// Waits until the end has been asked for.
    pub async fn asked_for(&self) {
        while !self.asked() {
            self.bell.rung().await;
        }
    }

    /// Wakes the runner to look at what there is.
    pub fn look(&self) {
        self.bell.ring();
    }

    pub fn asked(&self) -> bool {
        self.asked.load(Ordering::Acquire)
    }
}

/// Where a transient query's changes go. `None`: nobody listens any more.
pub type Deliver = Box<dyn FnMut(Vec<Change>, Cut) -> crate::Answer<Option<()>> + Send>;

pub struct Runner {
    pub name: String,
    pub world: Arc<dyn World>,
    pub cell: Arc<Cell>,
    pub inputs: Vec<Input>,
    /// Partitions that a topic got since the state was written: read only when there is nothing left to repeat, so that what
    /// is repeated comes in the order of the first time.
    pub later: Vec<Input>,
    /// Partitions that a topic gets while the query runs, for queries that keep nothing: read from now on.
    pub fresh: Arc<Mutex<Vec<Input>>>,
    /// They ring when an input has something new.
    pub hooks: Vec<BellHook>,
    pub schedule: Option<Schedule>,
    pub output: Option<Output>,
    pub deliver: Option<Deliver>,
    /// Rows of the result are there for look-ups, with their windows if it has any.
    pub keep_result: bool,
    pub windowed: bool,
    /// Read up to here before anything is delivered: a subscriber that resumes has seen what comes of it.
    pub warm: Option<Vec<Offset>>,
    /// Ends by itself when every input has been read up to here; one for each of the inputs.
    pub until: Option<Vec<Offset>>,
    pub stop: Stop,
    /// Schedule entries that may not be durable yet.
    pub entries: VecDeque<AppendReply>,
    pub plant: Plant,
    /// Something was read since everything that came of it was last known to be in its topic.
    pub unsettled: bool,
    /// Where the output's partitions ended when the state was last written back.
    pub written_ends: Vec<Offset>,
    /// When the state was last made to outlive a crash of the machine.
    pub kept_at: Moment,
    pub on_log: Arc<dyn Fn(&LogEvent) + Send + Sync>,
}

/// Lets whatever else is ready on this thread run first: a task that catches up must keep nobody from opening or asking.
async fn others_first() {
    let mut asked = false;
    std::future::poll_fn(|context| {
        if std::mem::replace(&mut asked, true) {
            return Poll::Ready(());
        }
        context.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
}

impl Runner {
    /// Runs until it is stopped, has reached its end, or meets trouble.
    pub async fn run(mut self) -> Result<(), RunError> {
        let ended = self.follow().await;
        // What is on its way must have arrived before another attempt looks at what is there.
        while let Some(entry) = self.entries.pop_front() {
            let _ = entry.await;
        }
        if let Some(output) = &mut self.output {
            output.drain().await;
        }
        ended
    }

    async fn follow(&mut self) -> Result<(), RunError> {
        self.hooks = self.inputs.iter().map(|input| input.partition.watch(&self.stop.bell)).collect();
        self.replay().await?;
        self.warm_up().await?;
        let mut written_back = self.world.now();
        let mut turn = 0;
        loop {
            if self.stop.asked() {
                self.write_back().await?;
                return self.keep();
            }
            self.take_fresh();
            let steps = self.next_steps(turn)?;
            match steps.last() {
                Some(last) => {
                    turn = last.input as usize + 1;
                    if let Some(schedule) = &self.schedule {
                        self.entries.push_back(schedule.append(&steps, &self.inputs)?);
                    }
                    if !self.apply_all(&steps).await? {
                        return Ok(());
                    }
                }
                None if self.finished() => return self.write_back().await,
                // Whoever waits for what comes of an input should not wait for the next one.
                None if self.unsettled && self.plant == Plant::Nothing => self.settle().await?,
                None if self.may_grow() => {
                    self.write_back().await?;
                    continue;
                }
                None => {
                    let now = self.world.now();
                    let deadline = match (self.has_unwritten(), self.is_kept()) {
                        (true, _) => Some(now + WRITE_BACK_IDLE),
                        (false, false) => Some(now.max(self.kept_at + KEEP_AFTER)),
                        (false, true) => None,
                    };
                    if !self.rest(deadline).await {
                        if self.has_unwritten() {
                            self.write_back().await?;
                        } else {
                            self.keep()?;
                        }
                        written_back = self.world.now();
                    }
                    continue;
                }
            }
            if self.wants_write_back() || self.world.now() - written_back > WRITE_BACK_BUSY {
                self.write_back().await?;
                written_back = self.world.now();
                if written_back - self.kept_at > KEEP_AFTER {
                    self.keep()?;
                }
            }
        }
    }

    /// Does again what was done beyond the state's cut, in the same order.
    async fn replay(&mut self) -> Result<(), RunError> {
        let Some(schedule) = &self.schedule else { return Ok(()) };
        for entry in schedule.read()? {
            let Some(at) = self.inputs.iter().position(|input| input.id == entry.input) else {
                return Err(RunError::Schedule("an entry names an input that the query does not have"));
            };
            let step = Step { input: at as u32, upto: entry.upto, clock_ms: entry.clock_ms };
            if step.upto > self.inputs[at].next && !self.apply_all(&[step]).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    async fn warm_up(&mut self) -> Result<(), RunError> {
        let Some(marks) = self.warm.take() else { return Ok(()) };
        let deliver = self.deliver.take();
        let marks = self.inputs.iter().zip(marks).map(|(input, mark)| mark.min(input.available())).collect();
        let until = self.until.replace(marks);
        while let steps @ [_, ..] = &*self.next_steps(0)? {
            self.apply_all(steps).await?;
        }
        self.until = until;
        self.deliver = deliver;
        Ok(())
    }

    /// What to read next. Of several topics that have something, the records go in the order of their times, as far as those
    /// are known; of one topic, or with nothing to choose, it goes round from `turn` so that no partition starves.
    fn next_steps(&mut self, turn: usize) -> Result<Vec<Step>, RunError> {
        let clock_ms = self.world.wall_ms();
        let count = self.inputs.len();
        let ready: Vec<(usize, Offset)> = (0..count)
            .map(|at| (turn + at) % count)
            .filter_map(|at| {
                let limit = self.until.as_ref().map_or(Offset(i64::MAX), |until| until[at]);
                let available = self.inputs[at].available().min(limit);
                (self.inputs[at].next < available).then_some((at, available))
            })
            .collect();
        let Some(&(first, available)) = ready.first() else { return Ok(Vec::new()) };
        if ready.iter().any(|(at, _)| self.inputs[*at].id.topic != self.inputs[first].id.topic) {
            return steps_by_time(&mut self.inputs, &ready, clock_ms);
        }
        let upto = available.min(Offset(self.inputs[first].next.0 + STEP_OFFSETS));
        Ok(vec![Step { input: first as u32, upto, clock_ms }])
    }

    fn take_fresh(&mut self) {
        for input in std::mem::take(&mut *self.fresh.lock()) {
            self.hooks.push(input.partition.watch(&self.stop.bell));
            self.cell.task().skip_to(&input.id, input.next.0);
            self.inputs.push(input);
        }
    }

    fn finished(&self) -> bool {
        self.until.as_ref().is_some_and(|until| self.inputs.iter().zip(until).all(|(input, until)| input.next >= *until))
    }

    async fn apply_all(&mut self, steps: &[Step]) -> Result<bool, RunError> {
        for step in steps {
            if !self.apply(*step).await? {
                return Ok(false);
            }
        }
        self.flush().await?;
        Ok(true)
    }

    /// Sends the outputs; what caused them is in the schedule then.
    async fn flush(&mut self) -> Result<(), RunError> {
        self.settle_entries().await?;
        if let Some(output) = &mut self.output {
            output.flush().await?;
        }
        Ok(())
    }

    /// Reads one input up to the step's end. `false`: nobody wants the outputs any more.
    async fn apply(&mut self, step: Step) -> Result<bool, RunError> {
        self.unsettled = true;
        let at = step.input as usize;
        while self.inputs[at].next < step.upto {
            let taken = self.inputs[at].take(step.upto, STEP_BYTES)?;
            if taken.missed > 0 {
                let input = &self.inputs[at];
                if self.deliver.is_some() {
                    let (topic, partition, next) = (input.id.topic.clone(), input.id.partition, input.next.0);
                    return Err(RunError::Removed { topic, partition, next, start: next + taken.missed });
                }
                tracing::error!(query = self.name, topic = &*input.id.topic, partition = input.id.partition, records = taken.missed,
                    "retention removed records before the query had read them");
                self.cell.update(|progress| progress.lost += taken.missed.unsigned_abs());
            }
            if taken.next <= self.inputs[at].next {
                return Err(RunError::InputShort { topic: self.inputs[at].id.topic.clone(), partition: self.inputs[at].id.partition, upto: step.upto });
            }
            if let Some(event) = self.inputs[at].astray(&taken.records) {
                (self.on_log)(&event);
            }
            let mut changes = Vec::new();
            for (number, chunk) in taken.records.chunks(CHUNK).enumerate() {
                self.feed(chunk, step.clock_ms, &mut changes)?;
                if number % CHUNKS_A_TURN == CHUNKS_A_TURN - 1 {
                    others_first().await;
                }
            }
            self.inputs[at].next = taken.next;
            let cut = {
                let mut task = self.cell.task();
                task.skip_to(&self.inputs[at].id, taken.next.0);
                task.commit()?;
                task.cut().clone()
            };
            self.cell.update(|progress| progress.cut = cut.clone());
            if self.output.as_ref().is_some_and(Output::has_full_batches) {
                self.flush().await?;
            }
            if let Some(deliver) = &mut self.deliver
                && deliver(changes, cut).await.is_none()
            {
                return Ok(false);
            }
            if self.stop.asked() && self.schedule.is_none() {
                return Ok(true);
            }
        }
        Ok(true)
    }

    fn feed(&mut self, records: &[InputRecord], clock_ms: i64, changes: &mut Vec<Change>) -> Result<(), RunError> {
        let (mut produced, mut errors, mut fed, mut live) = (0, 0, Fed::default(), None);
        let mut task = self.cell.task();
        let looked_up = task.query().kept().is_some();
        for record in records {
            // Without a schedule the clock must come from the input, or a replay would compute something else.
            let clock_ms = if self.schedule.is_some() { clock_ms } else { record.timestamp };
            task.feed_into(record, clock_ms, &mut fed)?;
            fed.log.iter().for_each(|event| (self.on_log)(event));
            errors += fed.log.len() as u64;
            if self.keep_result {
                if !looked_up {
                    for change in &fed.changes {
                        if let Some((key, stored)) = stored_change(change, self.windowed) {
                            task.put(RESULT, key, stored);
                        }
                    }
                    fed.expired.drain(..).for_each(|key| task.put(RESULT, key, None));
                }
                if fed.live.is_some() && fed.live != live {
                    live = fed.live;
                    if let Some((key, stored)) = live.map(stored_live) {
                        task.put(LIVE, key, Some(stored));
                    }
                }
            }
            if let Some(output) = &mut self.output {
                for out in &fed.records {
                    output.add(out, record.partition)?;
                }
                produced += fed.records.len() as u64;
            }
            if self.deliver.is_some() {
                changes.append(&mut fed.changes);
            }
        }
        task.commit()?;
        let cut = task.cut().clone();
        drop(task);
        let repeats = self.output.as_ref().is_some_and(Output::repeats);
        self.cell.update(|progress| {
            progress.cut = cut;
            progress.repeats = repeats;
            progress.records_in += records.len() as u64;
            progress.records_out += produced;
            progress.errors += errors;
        });
        Ok(())
    }

    /// Waits for the bell (`true`) or the deadline (`false`).
    async fn rest(&mut self, deadline: Option<Moment>) -> bool {
        let rung = self.stop.bell.rung();
        let Some(deadline) = deadline else {
            rung.await;
            return true;
        };
        let sleep = self.world.sleep_until(deadline);
        matches!(select(Box::pin(rung), sleep).await, Either::Left(_))
    }

    async fn settle_entries(&mut self) -> Result<(), RunError> {
        while let Some(entry) = self.entries.pop_front() {
            entry.await?;
        }
        Ok(())
    }

    async fn settle(&mut self) -> Result<(), RunError> {
        self.settle_entries().await?;
        if let Some(output) = &mut self.output {
            output.settle().await?;
        }
        let cut = self.cell.task().cut().clone();
        self.unsettled = false;
        self.cell.update(|progress| progress.settled = cut);
        Ok(())
    }

    /// Makes what was last written back outlive a crash of the machine, and says so: what it came from may go.
    fn keep(&mut self) -> Result<(), RunError> {
        let Some(database) = self.cell.store().database() else { return Ok(()) };
        database.sync()?;
        let kept = database.cut()?;
        self.kept_at = self.world.now();
        let ends = self.written_ends.clone();
        self.cell.update(|progress| (progress.kept, progress.kept_ends) = (kept, ends));
        Ok(())
    }

    /// Whether a crash of the machine would bring back the state as it is.
    fn is_kept(&self) -> bool {
        match &*self.cell.task().store().read() {
            ViewStore::Disk(store) => *store.written_cut() == self.cell.progress().kept,
            ViewStore::Memory(_) => true,
        }
    }

    fn forget_answers(&mut self) {
        self.entries.clear();
        if let Some(output) = &mut self.output {
            output.forget_answers();
        }
    }

    fn has_unwritten(&self) -> bool {
        matches!(&*self.cell.store(), ViewStore::Disk(store) if store.has_unwritten() || store.has_moved())
    }

    fn wants_write_back(&self) -> bool {
        matches!(&*self.cell.store(), ViewStore::Disk(store) if store.wants_write_back())
    }

    /// Makes the state on disk that of the present cut.
    async fn write_back(&mut self) -> Result<(), RunError> {
        self.write_back_once().await?;
        if !self.may_grow() {
            return Ok(());
        }
        // The new partitions must be in the state before anything comes from them or goes there.
        if let Some(output) = &mut self.output {
            output.grow();
        }
        for input in std::mem::take(&mut self.later) {
            self.hooks.push(input.partition.watch(&self.stop.bell));
            self.cell.note_log(&input.id, input.partition.id());
            note_input(&mut self.cell.task(), &input);
            self.inputs.push(input);
        }
        self.write_back_once().await?;
        // Nor may a crash of the machine bring back a state that does not know them.
        self.keep()
    }

    fn may_grow(&self) -> bool {
        let repeats = self.output.as_ref().is_some_and(Output::repeats);
        !repeats && (!self.later.is_empty() || self.output.as_ref().is_some_and(Output::may_grow))
    }

    async fn write_back_once(&mut self) -> Result<(), RunError> {
        match self.plant {
            Plant::Nothing => self.settle().await?,
            Plant::CutBeforeOutput => self.forget_answers(),
        }
        let scheduled = self.schedule.as_ref().filter(|schedule| schedule.kept() >= SCHEDULE_KEPT).map(Schedule::end);
        {
            let mut task = self.cell.task();
            if let Some(output) = &self.output {
                for (key, stored) in output.progress() {
                    task.put(PROGRESS, key, Some(stored));
                }
            }
            task.commit()?;
        }
        // Whoever reads waits for neither the disk nor the freeing of memory.
        let Some(back) = self.cell.task().store().begin_write_back() else { return Ok(()) };
        back.write()?;
        if scheduled.is_some() {
            // An older state than this one could not be brought up to date without the steps.
            back.sync()?;
        }
        self.cell.task().store().end_write_back(&back);
        drop(back);
        self.written_ends = self.output.as_ref().map(Output::ends).unwrap_or_default();
        if let (Some(schedule), Some(end)) = (&self.schedule, scheduled) {
            schedule.trim(end).await?;
        }
        Ok(())
    }
}
