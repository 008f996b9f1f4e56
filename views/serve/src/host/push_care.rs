//! Looking after push queries: the topics that they read may get partitions, or go.
//!
//! Invariant: a subscriber is told of every record of its topics or why it is not; it never waits for what cannot come.
use std::collections::BTreeSet;
use std::sync::Arc;

use millrace_engine::state::InputId;
use millrace_shard::Partition;
use parking_lot::Mutex;

use crate::host::{Transient, Views};
use crate::push::Ended;
use crate::run::{Input, Stop};

/// What a push query reads; shared by the query, its subscriber and whoever looks after both.
pub(crate) struct Reads {
    pub(crate) known: Mutex<Vec<(InputId, Partition)>>,
    /// Partitions that came since it began, until the query takes them.
    pub(crate) fresh: Arc<Mutex<Vec<Input>>>,
    keys_only: bool,
    /// Those of the topics whose records are a table's rows.
    tables: BTreeSet<Arc<str>>,
}

impl Reads {
    pub(crate) fn new(known: Vec<(InputId, Partition)>, keys_only: bool, tables: BTreeSet<Arc<str>>) -> Arc<Reads> {
        Arc::new(Reads { known: Mutex::new(known), fresh: Arc::default(), keys_only, tables })
    }

    /// Reads this partition, too, from its start: nobody has been told of anything in it.
    fn add(&self, id: InputId, partition: Partition) {
        let start = partition.state().start;
        let input = Input::new(id.clone(), partition.clone(), start, self.tables.contains(&id.topic));
        self.fresh.lock().push(if self.keys_only { input.with_keys_only() } else { input });
        self.known.lock().push((id, partition));
    }
}

impl Views {
    /// Brings every push query to the partitions that its topics have now; one whose topic went ends and says so.
    pub(super) fn look_after_push_queries(&self) {
        let queries: Vec<Transient> = self.transient.lock().values().filter(|query| !query.finite).cloned().collect();
        for query in queries {
            if let Err(why) = self.look_after(&query.reads, &query.stop) {
                query.ended.lock().get_or_insert(Ended::Gone(why));
                query.stop.ask();
            }
        }
    }

    fn look_after(&self, reads: &Reads, stop: &Stop) -> Result<(), String> {
        let known = reads.known.lock().clone();
        let topics: BTreeSet<&Arc<str>> = known.iter().map(|(id, _)| &id.topic).collect();
        let mut came = Vec::new();
        for topic in topics {
            let now = self.outside.partitions(topic).ok_or_else(|| format!("the topic {topic} was deleted while it was followed"))?;
            for (partition, number) in now.into_iter().zip(0..) {
                match known.iter().find(|(id, _)| id.topic == *topic && id.partition == number) {
                    Some((_, read)) if read.id() != partition.id() => {
                        return Err(format!("the topic {topic} was deleted and made again while it was followed"));
                    }
                    Some(_) => {}
                    None => came.push((InputId::new(topic.clone(), number), partition)),
                }
            }
        }
        if !came.is_empty() {
            came.into_iter().for_each(|(id, partition)| reads.add(id, partition));
            stop.look();
        }
        Ok(())
    }
}
