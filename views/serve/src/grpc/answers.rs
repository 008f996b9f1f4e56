//! Answers in messages of bounded size.
use std::pin::Pin;

use futures_util::{Stream, StreamExt, stream};
use millrace_engine::Change;
use millrace_proto::subscribe_response::{Changes, Header, What};
use millrace_proto::{self as proto, Column, Cut, Row, RowsResponse, SubscribeResponse};
use millrace_sql::schema::Role;
use millrace_sql::value::Value;
use prost::Message;
use tonic::Status;

use crate::grpc::convert::{columns, named_cut, to_row};
use crate::grpc::error::ended;
use crate::{PushBatch, Subscription};

/// About how much goes into one message: clients take four times this unless they say otherwise.
const MESSAGE_BYTES: usize = 1 << 20;

pub type Answers<T> = Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>>;

/// Cuts off the next message's worth; at least one.
fn take<T: Message>(from: &mut std::iter::Peekable<impl Iterator<Item = T>>) -> Vec<T> {
    let (mut taken, mut bytes) = (Vec::new(), 0);
    while bytes < MESSAGE_BYTES
        && let Some(next) = from.next()
    {
        bytes += next.encoded_len() + 6;
        taken.push(next);
    }
    taken
}

/// Rows that are all there: the columns with the first message, the cut with the last.
pub fn rows(columns: Vec<Column>, rows: impl Iterator<Item = Row> + Send + 'static, cut: Cut) -> Answers<RowsResponse> {
    let state = Some((columns, rows.peekable(), cut));
    Box::pin(stream::unfold(state, |state| async move {
        let (columns, mut rows, cut) = state?;
        let taken = take(&mut rows);
        if rows.peek().is_none() {
            return Some((Ok(RowsResponse { columns, rows: taken, cut: Some(cut) }), None));
        }
        Some((Ok(RowsResponse { columns, rows: taken, cut: None }), Some((Vec::new(), rows, cut))))
    }))
}

/// Rows of a stream up to its present end, as they are read.
pub fn finite(subscription: Subscription) -> Answers<RowsResponse> {
    let columns = columns(&subscription.schema);
    let left = subscription.limit.map(|limit| usize::try_from(limit).unwrap_or(0));
    let cut = subscription_cut(&subscription, &subscription.begin);
    Box::pin(stream::unfold(Some((subscription, columns, left, cut)), |state| async {
        let (mut subscription, columns, mut left, mut cut) = state?;
        let mut rows = Vec::new();
        let mut bytes = 0;
        while bytes < MESSAGE_BYTES && left != Some(0) {
            let batch = match subscription.next().await {
                None => {
                    left = Some(0);
                    break;
                }
                Some(Err(why)) => return Some((Err(ended(&why)), None)),
                Some(Ok(batch)) => batch,
            };
            for row in batch.changes.iter().filter_map(|change| change.new.as_ref()).take(left.unwrap_or(usize::MAX)) {
                let row = to_row(row, None);
                bytes += row.encoded_len();
                rows.push(row);
                left = left.map(|left| left - 1);
            }
            cut = subscription_cut(&subscription, &batch.cut);
        }
        if left == Some(0) {
            return Some((Ok(RowsResponse { columns, rows, cut: Some(cut) }), None));
        }
        Some((Ok(RowsResponse { columns, rows, cut: None }), Some((subscription, Vec::new(), left, cut))))
    }))
}

/// The header, then changes with the cut behind the last of each batch.
pub fn changes(subscription: Subscription) -> Answers<SubscribeResponse> {
    let header = Header {
        query_id: subscription.id.clone(),
        columns: columns(&subscription.schema),
        cut: Some(subscription_cut(&subscription, &subscription.begin)),
        limit: subscription.limit,
    };
    let first = SubscribeResponse { what: Some(What::Header(header)) };
    let following = Following::new(subscription);
    let rest = stream::unfold(Some(following), |state| async {
        let mut following = state?;
        if following.left == Some(0) {
            return None;
        }
        match following.subscription.next().await? {
            Ok(batch) => {
                let messages = following.messages(&batch);
                Some((stream::iter(messages.into_iter().map(Ok).collect::<Vec<_>>()), Some(following)))
            }
            Err(why) => Some((stream::iter(vec![Err(ended(&why))]), None)),
        }
    });
    Box::pin(stream::once(async { Ok(first) }).chain(rest.flatten()))
}

/// A subscriber may come back with it after the topic was made anew, and must not be told of other records as if nothing had been.
fn subscription_cut(subscription: &Subscription, cut: &millrace_engine::state::Cut) -> Cut {
    named_cut(cut, |input| subscription.log_of(input))
}

struct Following {
    subscription: Subscription,
    keys: Vec<usize>,
    left: Option<i64>,
}

impl Following {
    fn new(subscription: Subscription) -> Following {
        let keys = subscription.schema.columns().iter().enumerate().filter(|(_, column)| column.role == Role::Key);
        Following { keys: keys.map(|(at, _)| at).collect(), left: subscription.limit, subscription }
    }

    /// One batch is one message, unless it is too large for one: only its last piece has a cut to resume from.
    fn messages(&mut self, batch: &PushBatch) -> Vec<SubscribeResponse> {
        let left = self.left.map_or(usize::MAX, |left| usize::try_from(left).unwrap_or(0));
        let changes: Vec<proto::Change> = batch.changes.iter().filter_map(|change| self.change(change)).take(left).collect();
        self.left = self.left.map(|left| left - changes.len() as i64);
        let behind = self.subscription.behind(&batch.cut);
        let mut changes = changes.into_iter().peekable();
        let mut messages = Vec::new();
        loop {
            let taken = take(&mut changes);
            let last = changes.peek().is_none();
            let cut = last.then(|| subscription_cut(&self.subscription, &batch.cut));
            messages.push(SubscribeResponse { what: Some(What::Changes(Changes { changes: taken, cut, records_behind: behind })) });
            if last {
                return messages;
            }
        }
    }

    fn change(&self, change: &Change) -> Option<proto::Change> {
        let row = match (&change.new, &change.key) {
            (Some(row), _) => to_row(row, change.window),
            // A record of a stream without a value is no row.
            (None, Some(key)) if self.subscription.table => {
                let mut values = vec![Value::Null; self.subscription.schema.len()];
                self.keys.iter().zip(key.iter()).for_each(|(at, value)| values[*at] = value.clone());
                to_row(&values, change.window)
            }
            (None, _) => return None,
        };
        Some(proto::Change { deleted: change.new.is_none(), row: Some(row), timestamp_ms: change.timestamp })
    }
}
