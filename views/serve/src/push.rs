//! Push queries: a query of its own for each subscriber, fed from where the subscriber wants to begin.
//!
//! A subscriber that does not read holds up its own query and nothing else: changes wait in the log, where they are
//! anyway. When it has taken nothing for too long its query ends; it is told why, and goes on from the cut that it saw
//! last. What can never be told again is said too: a gap is never silent.
use std::sync::Arc;
use std::time::Duration;

use futures_channel::mpsc;
use futures_util::future::{Either, select};
use futures_util::{SinkExt, StreamExt};
use millrace_engine::Change;
use millrace_engine::state::{Cut, InputId};
use millrace_shard::{GroupId, Partition, Upto};
use millrace_sql::catalog::Settings;
use millrace_sql::schema::Schema;
use millrace_world::World;
use parking_lot::Mutex;

use crate::host::Reads;
use crate::run::Stop;

/// Batches between the query and its subscriber.
const BUFFERED: usize = 4;
/// How long a subscriber may take nothing; a property of the session or the server sets it.
const STALLED: Duration = Duration::from_secs(60);
const STALLED_CONFIG: &str = "ksql.query.push.stalled.max.ms";
const STALLED_MS_MAX: u64 = 600_000;
/// How far a cut may lag where the query passes over every record.
const CUT_TOLD_EVERY: Duration = Duration::from_secs(1);

/// Where a subscriber begins.
#[derive(Clone, Debug, PartialEq)]
pub enum From {
    Earliest,
    Latest,
    /// Right behind an answer that it has seen.
    Cut(Cut),
}

/// Changes, and the cut behind the last of them.
#[derive(Clone, Debug)]
pub struct PushBatch {
    pub changes: Vec<Change>,
    pub cut: Cut,
}

/// Why a query that would go on does not.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Ended {
    #[error("the query was ended, by a request or by the stop of this node; it can resume behind the last cut")]
    Stopped,
    #[error("the subscriber took nothing for {} s ({STALLED_CONFIG}); it can resume behind the last cut", .0.as_secs_f64())]
    Stalled(Duration),
    /// Records that nobody can read any more.
    #[error("{0}; what follows can be had from earliest")]
    Gone(String),
    #[error("{0}")]
    Trouble(String),
}

/// Dropping it ends the query.
pub struct Subscription {
    pub id: String,
    pub schema: Schema,
    pub limit: Option<i64>,
    /// The rows are changes of a table: a missing row is a deletion.
    pub table: bool,
    /// Where it began.
    pub begin: Cut,
    pub(crate) reads: Arc<Reads>,
    pub(crate) receiver: mpsc::Receiver<PushBatch>,
    pub(crate) ended: Arc<Mutex<Option<Ended>>>,
    pub(crate) stop: Stop,
}

impl Subscription {
    /// The next changes; `None` at the end of a query that ends.
    pub async fn next(&mut self) -> Option<Result<PushBatch, Ended>> {
        match self.receiver.next().await {
            Some(batch) => Some(Ok(batch)),
            None => self.ended.lock().take().map(Err),
        }
    }

    /// The log that is read as this input, as no other is ever called.
    pub fn log_of(&self, input: &InputId) -> Option<GroupId> {
        self.reads.known.lock().iter().find(|(id, _)| id == input).map(|(_, partition)| partition.id())
    }

    /// Records between a cut and the present ends of the inputs.
    pub fn behind(&self, cut: &Cut) -> i64 {
        let behind = |(id, partition): &(InputId, Partition)| {
            let end = partition.limit(Upto::LastStable).0;
            (end - cut.next(id).unwrap_or(end)).max(0)
        };
        self.reads.known.lock().iter().map(behind).sum()
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

/// The query's end of a subscription.
pub(crate) struct Feed {
    world: Arc<dyn World>,
    sender: mpsc::Sender<PushBatch>,
    ended: Arc<Mutex<Option<Ended>>>,
    stalled_after: Duration,
}

impl Feed {
    pub(crate) fn open(world: Arc<dyn World>, settings: &Settings) -> (Feed, mpsc::Receiver<PushBatch>, Arc<Mutex<Option<Ended>>>) {
        let (sender, receiver) = mpsc::channel(BUFFERED);
        let ended = Arc::new(Mutex::new(None));
        let given = settings.get(STALLED_CONFIG).and_then(|value| value.parse::<u64>().ok());
        let stalled_after = given.map_or(STALLED, |ms| Duration::from_millis(ms.clamp(1, STALLED_MS_MAX)));
        (Feed { world, sender, ended: ended.clone(), stalled_after }, receiver, ended)
    }

    /// Gives batches to the subscriber, waiting for it. Where nothing changes, the cut alone is told now and then.
    pub(crate) fn deliver(&self) -> crate::run::Deliver {
        let (world, sender, ended, stalled_after) = (self.world.clone(), self.sender.clone(), self.ended.clone(), self.stalled_after);
        let mut told = world.now();
        Box::new(move |changes, cut| {
            let (world, mut sender, ended) = (world.clone(), sender.clone(), ended.clone());
            let silent = changes.is_empty() && world.now() - told < CUT_TOLD_EVERY;
            if !silent {
                told = world.now();
            }
            Box::pin(async move {
                if silent {
                    return (!sender.is_closed()).then_some(());
                }
                let deadline = world.sleep_until(world.now() + stalled_after);
                match select(sender.send(PushBatch { changes, cut }), deadline).await {
                    Either::Left((sent, _)) => sent.ok(),
                    Either::Right(_) => {
                        *ended.lock() = Some(Ended::Stalled(stalled_after));
                        None
                    }
                }
            })
        })
    }

    /// The query is over; what was not said before is said now.
    pub(crate) fn close(self, why: Option<Ended>) {
        if let Some(why) = why {
            self.ended.lock().get_or_insert(why);
        }
    }
}
