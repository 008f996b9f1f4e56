//! Push queries: a query of its own for each subscriber, fed from where the subscriber wants to begin.
//!
//! A subscriber that does not read holds up its own query and nothing else: changes wait in the log, where they are
//! anyway, and it can go on later from the cut that it saw last.
use futures_channel::mpsc;
use futures_util::{SinkExt, StreamExt};
use millrace_engine::Change;
use millrace_engine::state::Cut;
use millrace_sql::schema::Schema;

use crate::run::Stop;

/// Batches between the query and its subscriber.
const BUFFERED: usize = 4;

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

/// Dropping it ends the query.
pub struct Subscription {
    pub id: String,
    pub schema: Schema,
    pub limit: Option<i64>,
    /// The rows are changes of a table: a missing row is a deletion.
    pub table: bool,
    pub(crate) receiver: mpsc::Receiver<Result<PushBatch, String>>,
    pub(crate) stop: Stop,
}

impl Subscription {
    /// The next changes; `None` at the end of a query that ends.
    pub async fn next(&mut self) -> Option<Result<PushBatch, String>> {
        self.receiver.next().await
    }
}

impl Drop for Subscription {
    fn drop(&mut self) {
        self.stop.ask();
    }
}

pub(crate) type Sender = mpsc::Sender<Result<PushBatch, String>>;

pub(crate) fn channel() -> (Sender, mpsc::Receiver<Result<PushBatch, String>>) {
    mpsc::channel(BUFFERED)
}

/// Gives batches to the subscriber, waiting for it; batches without changes are not worth a wake-up.
pub(crate) fn deliver(sender: Sender) -> crate::run::Deliver {
    Box::new(move |changes, cut| {
        let mut sender = sender.clone();
        let silent = changes.is_empty();
        Box::pin(async move {
            if silent {
                return (!sender.is_closed()).then_some(());
            }
            sender.send(Ok(PushBatch { changes, cut })).await.ok()
        })
    })
}
