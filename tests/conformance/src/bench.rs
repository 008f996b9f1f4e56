//! Topics and queries in memory, run one record at a time: one partition, one worker, a clock that stands still.

use std::collections::BTreeMap;
use std::sync::Arc;

use bytes::Bytes;
use millrace_engine::state::MemoryStore;
use millrace_engine::{EngineError, Header, InputRecord, OutputRecord, Query, Task};

/// A record to be written.
#[derive(Clone, Debug)]
pub struct Written {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub timestamp: i64,
    pub headers: Arc<[Header]>,
}

#[derive(Default)]
pub struct Topic {
    pub partitions: i32,
    pub records: Vec<Written>,
}

struct Running {
    id: String,
    sink: Arc<str>,
    topics: Vec<Arc<str>>,
    task: Task<MemoryStore>,
}

#[derive(Default)]
pub struct Bench {
    pub topics: BTreeMap<Arc<str>, Topic>,
    queries: Vec<Running>,
}

/// What UNIX_TIMESTAMP answers in every run: some time after all cases were written. Stream time never looks at it.
const CLOCK_MS: i64 = 1_800_000_000_000;

/// How deep queries may feed each other: enough for any chain, an end for a loop.
const CHAIN_MAX: usize = 64;

impl Bench {
    pub fn create_topic(&mut self, name: &str, partitions: i32) {
        self.topics.entry(Arc::from(name)).or_insert_with(|| Topic { partitions, records: Vec::new() });
    }

    /// Starts a query, or puts a new plan in the place of the one with the same id and keeps its state.
    pub fn start(&mut self, id: &str, query: Query, sink: &str) -> Result<(), String> {
        let (query, sink) = (Arc::new(query), Arc::from(sink));
        let topics = query.topics();
        if let Some(running) = self.queries.iter_mut().find(|running| running.id == id) {
            running.task.replace_query(query);
            (running.sink, running.topics) = (sink, topics);
            return Ok(());
        }
        let task = Task::open(query, MemoryStore::new()).map_err(|error| error.to_string())?;
        self.queries.push(Running { id: id.to_string(), sink, topics, task });
        Ok(())
    }

    pub fn stop(&mut self, id: &str) {
        self.queries.retain(|running| running.id != id);
    }

    pub fn query_count(&self) -> usize {
        self.queries.len()
    }

    /// Appends a record and returns its offset.
    pub fn append(&mut self, topic: &Arc<str>, record: Written) -> i64 {
        let records = &mut self.topics.entry(Arc::clone(topic)).or_default().records;
        records.push(record);
        records.len() as i64 - 1
    }

    fn input(&self, topic: &Arc<str>, offset: i64) -> Option<InputRecord> {
        let record = self.topics.get(topic)?.records.get(usize::try_from(offset).ok()?)?.clone();
        Some(InputRecord {
            topic: Arc::clone(topic),
            partition: 0,
            offset,
            timestamp: record.timestamp,
            key: record.key,
            value: record.value,
            headers: record.headers,
        })
    }

    /// Feeds one record to one query; its outputs go to the sink. Returns where they stand.
    fn feed(&mut self, query: usize, topic: &Arc<str>, offset: i64) -> Result<Vec<(Arc<str>, i64)>, EngineError> {
        let Some(record) = self.input(topic, offset) else { return Ok(Vec::new()) };
        let running = &mut self.queries[query];
        let fed = running.task.feed(&record, CLOCK_MS)?;
        running.task.commit()?;
        let sink = Arc::clone(&running.sink);
        let append = |record: OutputRecord| {
            let OutputRecord { key, value, timestamp, headers, .. } = record;
            (Arc::clone(&sink), self.append(&sink, Written { key, value, timestamp, headers }))
        };
        Ok(fed.records.into_iter().map(append).collect())
    }

    /// Runs the queries one after the other: first the given records in their order, then every other topic they read.
    pub fn run_in_turn(&mut self, given: &[(Arc<str>, i64)]) -> Result<(), EngineError> {
        for query in 0..self.queries.len() {
            let topics = self.queries[query].topics.clone();
            for (topic, offset) in given.iter().filter(|(topic, _)| topics.contains(topic)) {
                self.feed(query, topic, *offset)?;
            }
            for topic in topics.iter().filter(|topic| given.iter().all(|(other, _)| other != *topic)) {
                let count = self.topics.get(topic).map_or(0, |topic| topic.records.len()) as i64;
                for offset in 0..count {
                    self.feed(query, topic, offset)?;
                }
            }
        }
        Ok(())
    }

    /// Runs one new record through all queries that read its topic, and what they write through those that read that.
    pub fn run_through(&mut self, topic: &Arc<str>, offset: i64) -> Result<(), EngineError> {
        self.follow(topic, offset, 0)
    }

    fn follow(&mut self, topic: &Arc<str>, offset: i64, depth: usize) -> Result<(), EngineError> {
        if depth > CHAIN_MAX {
            return Err(EngineError::Stopped("queries feed each other in a loop".to_string()));
        }
        for query in 0..self.queries.len() {
            if self.queries[query].topics.contains(topic) {
                for (sink, offset) in self.feed(query, topic, offset)? {
                    self.follow(&sink, offset, depth + 1)?;
                }
            }
        }
        Ok(())
    }
}
