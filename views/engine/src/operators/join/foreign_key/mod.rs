//! Table with table where a left expression names the right side's primary key.
//!
//! The two sides lie in the partitions of different keys, so the join is three operators: at the left key a row [`Subscribe`]s to the
//! right key that it names; there changes of either side are [`Answer`]ed; back at the left key the answers are [`Resolve`]d. In one task
//! they follow each other at once; in stages rows move between them, and what is said of one left row by two right keys, the one
//! that it named before and the one that it names now, comes in any order.
//!
//! Invariants: the changes of one left partition are numbered, and of one left key no answer is taken after one of a higher number. A right
//! key that a row leaves says last that it has nothing more to say of it, and with the row's end comes how many it has left in all: until
//! as many have said so, the number is remembered. (Where a row came and went twice, and what was said of its first life is later than all
//! that was said of its second, its first row may stand for a moment again, until its end is told too.)
//!
//! As in Kafka Streams, a deleted left row that named a right key gives a deletion whether or not it had joined, and an updated one is
//! silent only where nothing can have been there; a right change reaches its subscribers in the order of their keys.

mod answer;
mod resolve;
mod subscribe;

pub use answer::Answer;
pub use resolve::Resolve;
pub use subscribe::Subscribe;

use millrace_sql::value::Value;

use crate::row::Row;
use crate::state::CorruptRow;

/// What stands before the values in every row that the operators send each other or keep.
#[derive(Clone, Copy)]
struct Head {
    /// The left change that it is about: the partition it came from, and its number there.
    partition: i32,
    number: i64,
    /// The number with which the left row came into being: its life.
    life: i64,
    /// What the row says of itself, by its kind.
    word: i32,
    /// Where the left row's life ends: how many right keys it has left, with this one. Otherwise none.
    left: i32,
}

impl Head {
    fn before<'a>(self, values: impl IntoIterator<Item = &'a Value>) -> Row {
        let Head { partition, number, life, word, left } = self;
        let head = [Value::Int(partition), Value::BigInt(number), Value::BigInt(life), Value::Int(word), Value::Int(left)];
        head.into_iter().chain(values.into_iter().cloned()).collect()
    }

    fn split(row: &[Value]) -> Result<(Head, &[Value]), CorruptRow> {
        match row {
            [Value::Int(partition), Value::BigInt(number), Value::BigInt(life), Value::Int(word), Value::Int(left), values @ ..] => {
                Ok((Head { partition: *partition, number: *number, life: *life, word: *word, left: *left }, values))
            }
            _ => Err(CorruptRow("a row of a foreign-key join begins with something else than its head")),
        }
    }

    /// Partitions number their changes apart: where a key came from two of them, the last to come counts.
    fn is_older_than(self, other: Head) -> bool {
        self.partition == other.partition && self.number < other.number
    }
}

/// Words of a subscription.
mod subscription {
    /// The left row is here now; otherwise it left.
    pub const HERE: i32 = 1;
    /// It is answered whatever is found.
    pub const ANSWER: i32 = 2;
}

/// Words of an answer.
mod answer_word {
    /// The values are the result's row; without values it is gone.
    pub const TELLS: i32 = 1;
    /// This right key has nothing more to say of the left row.
    pub const LAST: i32 = 2;
}
