//! PRINT: a topic's records, from its start or from now on.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use millrace_engine::InputRecord;
use millrace_engine::state::InputId;
use millrace_shard::{Bell, BellHook};

use crate::Failed;
use crate::host::Views;
use crate::run::Input;

/// Bytes of one partition that are read at a time.
const READ_BYTES: usize = 256 << 10;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrintAsk {
    pub topic: String,
    pub from_beginning: bool,
    /// Every how many records one is shown.
    pub interval: i64,
    pub limit: Option<i64>,
}

/// Records as they come. Dropping it ends it.
pub struct Printing {
    inputs: Vec<Input>,
    bell: Bell,
    _hooks: Vec<BellHook>,
    interval: i64,
    left: Option<i64>,
    passed: i64,
    turn: usize,
    _place: Place,
}

/// One of the places that push queries and PRINTs have; given back when it is dropped.
pub(super) struct Place(Arc<AtomicUsize>);

impl Views {
    /// Refuses what would be one too many.
    pub(super) fn place(&self) -> Result<Place, Failed> {
        let max = self.settings.push_queries_max;
        let place = Place(self.pushing.clone());
        if self.pushing.fetch_add(1, Ordering::AcqRel) < max {
            return Ok(place);
        }
        Err(Failed::Busy(format!(
            "Maximum number of push queries exceeded: {max} run already (ksql.max.push.queries). Close one, or raise the limit."
        )))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

impl Views {
    pub fn print(&self, ask: &PrintAsk) -> Result<Printing, Failed> {
        let place = self.place()?;
        let partitions = self.outside.partitions(&ask.topic).ok_or_else(|| self.no_topic(&ask.topic))?;
        let bell = Bell::new();
        let hooks = partitions.iter().map(|partition| partition.watch(&bell)).collect();
        let topic: Arc<str> = ask.topic.as_str().into();
        let inputs = partitions.into_iter().zip(0..).map(|(partition, number)| {
            let state = partition.state();
            let next = if ask.from_beginning { state.start } else { state.high_watermark };
            Input::new(InputId::new(topic.clone(), number), partition, next, false)
        });
        Ok(Printing {
            inputs: inputs.collect(),
            bell,
            _hooks: hooks,
            interval: ask.interval.max(1),
            left: ask.limit,
            passed: 0,
            turn: 0,
            _place: place,
        })
    }

    fn no_topic(&self, name: &str) -> Failed {
        let mut message = format!(
            "Could not find topic '{name}', or the KSQL user does not have permissions to list the topic. Topic names are case-sensitive."
        );
        let topics = self.outside.topics();
        let alike: Vec<&str> = topics.iter().map(|topic| topic.name.as_str()).filter(|known| known.eq_ignore_ascii_case(name)).collect();
        if !alike.is_empty() {
            message.push_str("\nDid you mean:");
            alike.iter().for_each(|known| message.push_str(&format!("\n\tprint `{known}`;")));
        }
        Failed::statement(message)
    }
}

impl Printing {
    /// The next records, at least one; nothing after the limit.
    pub async fn next(&mut self) -> Option<Result<Vec<InputRecord>, String>> {
        loop {
            if self.left == Some(0) {
                return None;
            }
            match self.read() {
                Err(error) => return Some(Err(error)),
                Ok(records) if records.is_empty() => self.bell.rung().await,
                Ok(records) => {
                    let chosen = self.choose(records);
                    if !chosen.is_empty() {
                        return Some(Ok(chosen));
                    }
                }
            }
        }
    }

    /// A piece of the next partition that has something, going round.
    fn read(&mut self) -> Result<Vec<InputRecord>, String> {
        let count = self.inputs.len();
        for _ in 0..count {
            self.turn = (self.turn + 1) % count;
            let input = &mut self.inputs[self.turn];
            let upto = input.available();
            while input.next < upto {
                let taken = input.take(upto, READ_BYTES).map_err(|error| error.to_string())?;
                if taken.next <= input.next {
                    break;
                }
                input.next = taken.next;
                if !taken.records.is_empty() {
                    return Ok(taken.records);
                }
            }
        }
        Ok(Vec::new())
    }

    fn choose(&mut self, records: Vec<InputRecord>) -> Vec<InputRecord> {
        let mut chosen = Vec::new();
        for record in records {
            if self.left == Some(0) {
                break;
            }
            if self.passed % self.interval == 0 {
                chosen.push(record);
                self.left = self.left.map(|left| left - 1);
            }
            self.passed += 1;
        }
        chosen
    }
}
