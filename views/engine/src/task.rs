//! One partition of a view: a fold over its input records.
//!
//! Invariants: feeding the same records in the same order gives the same outputs and the same state, however the run is cut into
//! commits and restarts; a record behind the cut changes nothing and emits nothing. After an error the task is dropped and opened
//! again from its store. Absences: no topics, no threads, no clock (the caller says what time it is, and says the same on replay).

use std::sync::Arc;

use millrace_formats::{Codec, ColumnSpec, Side, codec};
use millrace_sql::expr::{EvalContext, SizeLimits};
use millrace_sql::plan::{PersistentPlan, Step};

use crate::compile::{Moves, Settings, compile, compile_crossing};
use crate::crossing;
use crate::dataflow::Dataflow;
use crate::error::{CompileError, EngineError};
use crate::log::LogEvent;
use crate::operators::{Context, Live};
use crate::record::{InputRecord, OutputRecord};
use crate::row::Change;
use crate::stages::Crossing;
use crate::sink::Sink;
use crate::state::{Cut, InputId, Pending, Store, StoreError, Stored, TableId, Unit};

/// A compiled query: shared by the tasks of all its partitions.
pub struct Query {
    pub(crate) dataflow: Dataflow,
    output: Output,
    pub(crate) limits: SizeLimits,
}

/// What becomes of a result's changes.
enum Output {
    Changes,
    Sink(Sink),
    /// Records for another stage, with their keys in its format.
    Crossing(Option<Box<dyn Codec>>),
}

impl Query {
    pub fn persistent(plan: &PersistentPlan, settings: &Settings<'_>) -> Result<Query, CompileError> {
        Query::last_stage(plan, Moves::default(), settings)
    }

    /// The stage that writes the sink, where rows move through topics.
    pub fn last_stage(plan: &PersistentPlan, moves: Moves<'_>, settings: &Settings<'_>) -> Result<Query, CompileError> {
        let dataflow = compile(&plan.root, moves, settings)?;
        let sink = Sink::compile(&plan.sink.source, plan.root.schema(), settings)?;
        Ok(Query { dataflow, output: Output::Sink(sink), limits: settings.function_settings.sizes })
    }

    /// The stage that writes a crossing's topic.
    pub fn crossing(at: usize, moves: Moves<'_>, settings: &Settings<'_>) -> Result<Query, CompileError> {
        let dataflow = compile_crossing(at, moves, settings)?;
        let output = Output::Crossing(meeting_codec(&moves.crossings[at])?);
        Ok(Query { dataflow, output, limits: settings.function_settings.sizes })
    }

    /// A query whose changes go to a reader rather than a topic.
    pub fn transient(root: &Step, settings: &Settings<'_>) -> Result<Query, CompileError> {
        let dataflow = compile(root, Moves::default(), settings)?;
        Ok(Query { dataflow, output: Output::Changes, limits: settings.function_settings.sizes })
    }

    pub fn topics(&self) -> Vec<Arc<str>> {
        self.dataflow.topics()
    }

    /// How the rows of its state are laid out. A state of another number says nothing to this query.
    pub fn state_layout(&self) -> i32 {
        self.dataflow.state_layout
    }
}

fn meeting_codec(crossing: &Crossing<'_>) -> Result<Option<Box<dyn Codec>>, CompileError> {
    let Some(source) = crossing.meets else { return Ok(None) };
    let keys = source.schema.keys().map(|column| ColumnSpec::new(column.name.as_str(), column.sql_type.clone()));
    Ok(Some(codec(&source.key_format, Side::Key, keys.collect())?))
}

/// What one record caused.
#[derive(Debug, Default, PartialEq)]
pub struct Fed {
    /// The result's changes, in order.
    pub changes: Vec<Change>,
    /// The same as records of the sink, when there is one.
    pub records: Vec<OutputRecord>,
    pub log: Vec<LogEvent>,
    /// Keys of rows of the result, as `encode_windowed` makes them, whose windows are past the retention: some each time.
    pub expired: Vec<Vec<u8>>,
    /// Which of the result's windows are left.
    pub live: Option<Live>,
}

pub struct Task<S> {
    query: Arc<Query>,
    store: S,
    cut: Cut,
    pending: Pending,
    spare: Vec<Vec<Change>>,
}

impl<S: Store> Task<S> {
    /// Goes on where the store's last commit stands.
    pub fn open(query: Arc<Query>, store: S) -> Result<Task<S>, StoreError> {
        let cut = store.cut()?;
        Ok(Task { query, store, cut, pending: Pending::default(), spare: Vec::new() })
    }

    /// How far the inputs have been fed, committed or not.
    pub fn cut(&self) -> &Cut {
        &self.cut
    }

    pub fn query(&self) -> &Arc<Query> {
        &self.query
    }

    pub fn store(&self) -> &S {
        &self.store
    }

    /// Moves an input on over offsets that hold no record.
    pub fn skip_to(&mut self, input: &InputId, next: i64) {
        self.cut.advance(input, next);
    }

    /// For what a store can do beyond the trait, such as writing back.
    pub fn store_mut(&mut self) -> &mut S {
        &mut self.store
    }

    /// Changes a row of the owner's own, in a table that no operator uses, together with what was fed since the last commit.
    pub fn put(&mut self, table: TableId, key: Vec<u8>, row: Option<Stored>) {
        self.pending.put(table, key, row);
    }

    pub fn into_store(self) -> S {
        self.store
    }

    /// The same state under another plan of the same shape.
    pub fn replace_query(&mut self, query: Arc<Query>) {
        self.query = query;
    }

    /// Feeds one record at the given time of the schedule's clock.
    pub fn feed(&mut self, record: &InputRecord, clock_ms: i64) -> Result<Fed, EngineError> {
        let mut fed = Fed::default();
        self.feed_into(record, clock_ms, &mut fed)?;
        Ok(fed)
    }

    /// The same for callers with many records: what `fed` held before is forgotten, its room is used again.
    pub fn feed_into(&mut self, record: &InputRecord, clock_ms: i64, fed: &mut Fed) -> Result<(), EngineError> {
        fed.changes.clear();
        fed.records.clear();
        fed.log.clear();
        fed.expired.clear();
        fed.live = None;
        let input = InputId { topic: Arc::clone(&record.topic), partition: record.partition };
        if self.cut.covers(&input, record.offset) {
            return Ok(());
        }
        let unit = Unit::resume(&self.store, std::mem::take(&mut self.pending));
        let mut context = Context::new(unit, EvalContext::new(clock_ms, seed(record)).limited(self.query.limits));
        context.partition = record.partition;
        context.spare = std::mem::take(&mut self.spare);
        self.query.dataflow.process(record, &mut context, &mut fed.changes)?;
        match &self.query.output {
            Output::Changes => {}
            Output::Sink(sink) => {
                for change in &fed.changes {
                    fed.records.extend(sink.write(change, &record.headers, &mut context)?);
                }
            }
            Output::Crossing(meets) => {
                for change in &fed.changes {
                    fed.records.push(crossing::encode(change, meets.as_deref(), &record.headers)?);
                }
            }
        }
        for output in &fed.records {
            let bytes = [&output.key, &output.value].into_iter().flatten().map(|side| side.len()).sum();
            // Dropping it would lose a change, and a larger one follows.
            self.query.limits.check_row(bytes).map_err(|error| EngineError::Stopped(error.to_string()))?;
        }
        fed.log.append(&mut context.log);
        (fed.expired, fed.live) = (context.expired, context.live);
        self.spare = context.spare;
        self.pending = context.unit.into_pending();
        self.cut.advance(&input, record.offset.saturating_add(1));
        Ok(())
    }

    /// Writes everything since the last commit, with the cut that it stands for.
    pub fn commit(&mut self) -> Result<(), StoreError> {
        self.store.commit(self.pending.rows(), &self.cut)
    }
}

/// Chance that is the same on every replay and replica: it comes from the record's own place.
fn seed(record: &InputRecord) -> u64 {
    record.offset.unsigned_abs().wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ (u64::from(record.partition.unsigned_abs()) << 32)
}
