//! A query's rows as texts, as they come: until the query ends, the limit is reached, or whoever reads goes away, which drops
//! the subscription and with it the query.
use std::collections::VecDeque;

use futures_util::Stream;
use futures_util::stream;
use millrace_engine::Change;

use crate::{Ended, Failed, Subscription};
use crate::rest::error::{RestError, SERVER_ERROR};
use crate::rest::writer::{Shape, Writer};

pub struct Rows {
    writer: Writer,
    subscription: Subscription,
    left: Option<i64>,
    ready: VecDeque<String>,
    done: bool,
}

impl Rows {
    pub fn new(subscription: Subscription, shape: Shape, marks_keys: bool) -> Result<Rows, Failed> {
        let writer = Writer::streaming(shape, subscription.schema.clone(), marks_keys)?;
        let head = writer.head(&subscription.id);
        let left = subscription.limit;
        Ok(Rows { writer, subscription, left, ready: VecDeque::from([head]), done: false })
    }

    pub fn into_stream(self) -> impl Stream<Item = Result<String, std::convert::Infallible>> {
        stream::unfold(self, |mut rows| async move { rows.next().await.map(|text| (Ok(text), rows)) })
    }

    /// The next text; nothing at the end. Each row is one of its own: there are clients that take what arrives together for one row.
    pub async fn next(&mut self) -> Option<String> {
        loop {
            if let Some(text) = self.ready.pop_front() {
                return Some(text);
            }
            if self.done {
                return None;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        if self.left == Some(0) {
            return self.finish("Limit Reached");
        }
        match self.subscription.next().await {
            // It has read to the end, or was closed.
            None => self.finish("Query Completed"),
            Some(Err(Ended::Stopped)) => self.finish("Query Completed"),
            Some(Err(why)) => {
                self.say(self.writer.failed(&RestError::generic(SERVER_ERROR, why.to_string())));
                self.done = true;
            }
            Some(Ok(batch)) => {
                // A record of a stream without a value is no row, and the limit does not count it.
                let table = self.subscription.table;
                for change in batch.changes.iter().filter(|change| table || change.new.is_some()) {
                    if self.left == Some(0) {
                        break;
                    }
                    let row = self.change(change);
                    self.say(row);
                    self.left = self.left.map(|left| left - 1);
                }
                if self.left == Some(0) {
                    self.finish("Limit Reached");
                }
            }
        }
    }

    fn change(&mut self, change: &Change) -> String {
        match (&change.new, &change.key) {
            (Some(row), _) => self.writer.row(row),
            (None, Some(key)) if self.subscription.table => self.writer.tombstone(key, change.window),
            (None, _) => String::new(),
        }
    }

    fn finish(&mut self, message: &str) {
        self.say(self.writer.last(message));
        self.done = true;
    }

    fn say(&mut self, text: String) {
        if !text.is_empty() {
            self.ready.push_back(text);
        }
    }
}
