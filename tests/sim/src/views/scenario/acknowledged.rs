//! What producers were told is in the log, and must be there after every crash.
//!
//! The views themselves cannot tell an acknowledgement that came too early: they act between two turns of the storage, and by then its
//! journal is written or the power is off. Who was answered within the turn can.
use std::collections::BTreeMap;

use futures_util::FutureExt;
use millrace_oracle::{Event, Logs};
use millrace_shard::AppendReply;

/// Topic, partition and offset.
type Place = (&'static str, usize, i64);

#[derive(Default)]
pub(super) struct Acknowledged {
    waiting: Vec<Sent>,
    /// The number that each record has; none where it is no JSON.
    there: BTreeMap<Place, Option<i64>>,
}

struct Sent {
    topic: &'static str,
    partition: usize,
    numbers: Vec<Option<i64>>,
    reply: AppendReply,
}

impl Acknowledged {
    pub(super) fn sent(&mut self, topic: &'static str, partition: usize, numbers: Vec<Option<i64>>, reply: AppendReply) {
        self.waiting.push(Sent { topic, partition, numbers, reply });
    }

    /// Takes the answers that have come, also those of nodes that died since.
    fn take_answers(&mut self) {
        for mut sent in std::mem::take(&mut self.waiting) {
            match (&mut sent.reply).now_or_never() {
                None => self.waiting.push(sent),
                Some(Err(_)) => {}
                Some(Ok(appended)) => {
                    let offsets = appended.base_offset.0..;
                    self.there.extend(offsets.zip(sent.numbers).map(|(offset, number)| ((sent.topic, sent.partition, offset), number)));
                }
            }
        }
    }

    pub(super) fn check(&mut self, logs: &Logs) -> Result<(), String> {
        self.take_answers();
        let number = |event: &Event| ["N", "VERSION", "CAP"].into_iter().find_map(|name| event.integer(name));
        let mut found = BTreeMap::new();
        for (name, events) in logs {
            found.extend(events.iter().map(|event| ((name.as_str(), event.partition, event.offset), number(event))));
        }
        // A node that starts has not opened all topics yet.
        for (place, number) in self.there.iter().filter(|((topic, ..), _)| logs.contains_key(*topic)) {
            if found.get(place) != Some(number) {
                return Err(format!("a record that was acknowledged at {place:?} with {number:?} is {:?}", found.get(place)));
            }
        }
        Ok(())
    }
}
