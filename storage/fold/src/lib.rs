//! State as records applied in order: the traits, and the checks that every fold passes.
//!
//! * **decide** looks at the state and says what should happen: records and a reply. It may refuse;
//!   it changes nothing.
//! * **apply** takes one record that was appended and changes the state. It is total and
//!   deterministic: no clock, no chance, no error, nothing read but the state and the record.
//! * A reply leaves when the log position it saw is committed; whoever runs the fold parks it.
//!
//! So the same log gives the same state on every replica, `rewrite` is snapshot and compaction at
//! once, and three properties can be checked for any fold ([`check`]).
//!
//! No I/O here, no threads, no encoding of records: a fold never learns where its log lives.
pub mod check;

use millrace_record::Offset;

/// A state that is a function of a log.
pub trait Fold {
    type Record;

    /// Takes the record that stands at `at`. Must not fail, and must not depend on anything else
    /// than `self`, `at` and `record`.
    fn apply(&mut self, at: Offset, record: Self::Record);

    /// The shortest list of records that builds this state again from an empty one, in an order that
    /// depends on the state alone.
    fn rewrite(&self) -> Vec<Self::Record>;
}

/// What a question came to: the records to append, and the reply to give once they are committed.
///
/// A crate with one kind of record names it once:
/// `type Decision<Reply> = millrace_fold::Decision<MyRecord, Reply>;`
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "the records are not appended yet and the reply is not sent"]
pub struct Decision<Record, Reply> {
    pub records: Vec<Record>,
    pub reply: Reply,
}

impl<Record, Reply> Decision<Record, Reply> {
    /// An answer that changes nothing: a refusal, or a read.
    pub fn only_reply(reply: Reply) -> Self {
        Decision { records: Vec::new(), reply }
    }

    pub fn new(records: Vec<Record>, reply: Reply) -> Self {
        Decision { records, reply }
    }

    /// The same records with another form of the reply.
    pub fn map<Other>(self, convert: impl FnOnce(Reply) -> Other) -> Decision<Record, Other> {
        Decision { records: self.records, reply: convert(self.reply) }
    }
}

impl<Record> Decision<Record, ()> {
    /// What a timer decides: records, and nobody who waits.
    pub fn only_records(records: Vec<Record>) -> Self {
        Decision { records, reply: () }
    }
}

/// Applies `records` one after another, the first at `from`.
pub fn replay<F: Fold>(fold: &mut F, from: Offset, records: impl IntoIterator<Item = F::Record>) {
    let mut at = from;
    for record in records {
        fold.apply(at, record);
        at = Offset(at.0 + 1);
    }
}
