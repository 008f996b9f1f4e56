//! A fold beside its own log: the one way in which this broker changes replicated state.
//!
//! ```text
//!  decide(fold) -> records + reply     records -> partition (in order) -> fold.apply
//!                                      reply parks until the log is committed that far
//! ```
//! Invariants:
//! 1. Whoever decides sees every record decided before, committed or not; nobody is answered before
//!    everything that the answer was made from is committed. A read is a decision without records.
//! 2. The fold and the log never part: an append names the end that the decision assumed, and after
//!    any failure the fold is read again from the log before it is asked anything.
//!
//! It knows nothing of what the records mean.
use bytes::{Bytes, BytesMut};
use millrace_record::{BatchBuilder, BatchError, BatchHeader, Codec, Level, Offset, Records, split};
use millrace_shard::{AppendError, AppendOptions, Partition, ReadError, Upto};
use parking_lot::Mutex;

/// A record's bytes in the log.
pub struct Encoded {
    pub key: Option<Bytes>,
    /// `None` is a tombstone.
    pub value: Option<Bytes>,
}

/// A fold together with the bytes of its records.
pub trait Logged: Send + 'static {
    type Record: Send + 'static;
    /// Total and deterministic, as of every fold.
    fn apply(&mut self, at: Offset, record: Self::Record);
    fn encode(record: &Self::Record) -> Encoded;
    /// `Ok(None)`: a record that is rightly nothing to this fold. An error stops the load: a state
    /// that was read in part must not be acted on.
    fn decode(key: Option<&[u8]>, value: Option<&[u8]>) -> Result<Option<Self::Record>, String>;
}

/// Why there is no answer.
#[derive(Clone, Debug, thiserror::Error)]
pub enum FoldedError {
    /// Ask another node, or this one later.
    #[error("this node does not lead the log")]
    NotLeader,
    /// It may or may not have happened.
    #[error("the change could not be written: {0}")]
    Append(AppendError),
    #[error("the log could not be read: {0}")]
    Read(#[from] ReadError),
    #[error("the start of the log could not be moved: {0}")]
    Trim(millrace_shard::ShardError),
    #[error("the log holds something this node does not understand, at offset {at}: {why}")]
    Unreadable { at: Offset, why: String },
}

/// What a batch of our own records may decompress to. They are written uncompressed; a coordinator's
/// log may hold what another broker wrote.
const BATCH_BYTES_MAX: usize = 64 << 20;
const READ_BYTES: usize = 4 << 20;

pub struct Folded<F: Logged> {
    partition: Partition,
    empty: Box<dyn Fn() -> F + Send + Sync>,
    state: Mutex<State<F>>,
}

struct State<F> {
    fold: F,
    /// Where the next record goes; `None` after a failure, until the log has been read again.
    next: Option<Offset>,
}

impl<F: Logged> Folded<F> {
    /// Reads the whole log. The partition must lead by now.
    pub fn load(partition: Partition, empty: impl Fn() -> F + Send + Sync + 'static) -> Result<Folded<F>, FoldedError> {
        let (fold, next) = read_log(&partition, empty())?;
        let state = State { fold, next: Some(next) };
        Ok(Folded { partition, empty: Box::new(empty), state: Mutex::new(state) })
    }

    pub fn partition(&self) -> &Partition {
        &self.partition
    }

    /// Looks at the state as it is, with what is not committed yet: for timers and metrics, never
    /// for an answer.
    pub fn peek<R>(&self, look: impl FnOnce(&F) -> R) -> R {
        look(&self.state.lock().fold)
    }

    /// Asks `question`; its records are appended, and its reply is given when they, and all before
    /// them, are committed.
    pub async fn decide<R>(&self, question: impl FnOnce(&F) -> (Vec<F::Record>, R), now_ms: i64) -> Result<R, FoldedError> {
        self.decide_and_look(question, |_, _| (), now_ms).await.map(|(reply, ())| reply)
    }

    /// The same, and also looks at the state right behind the decision, before any other one.
    pub async fn decide_and_look<R, L>(
        &self,
        question: impl FnOnce(&F) -> (Vec<F::Record>, R),
        look: impl FnOnce(&F, Offset) -> L,
        now_ms: i64,
    ) -> Result<(R, L), FoldedError> {
        let (reply, looked, written, end) = {
            let mut state = self.state.lock();
            let next = match state.next {
                Some(next) => next,
                None => self.reload(&mut state)?,
            };
            if !self.partition.state().is_leader {
                state.next = None;
                return Err(FoldedError::NotLeader);
            }
            let (records, reply) = question(&state.fold);
            let mut end = next;
            let mut written = None;
            if !records.is_empty() {
                // Into the mailbox under the lock: the log has the order of the decisions.
                written = Some(self.append::<F>(&records, next, now_ms));
                for record in records {
                    state.fold.apply(end, record);
                    end = end.next();
                }
                state.next = Some(end);
            }
            (reply, look(&state.fold, end), written, end)
        };
        match written {
            Some(written) => {
                if let Err(error) = written.await {
                    self.state.lock().next = None;
                    return Err(match error {
                        AppendError::NotLeader => FoldedError::NotLeader,
                        other => FoldedError::Append(other),
                    });
                }
            }
            None if end > Offset::ZERO => {
                // Others' records may still be on their way; on a quiet log this is no wait.
                let last = Offset(end.0 - 1);
                if self.partition.beyond(last).await.high_watermark <= last {
                    self.state.lock().next = None;
                    return Err(FoldedError::NotLeader);
                }
            }
            None => {}
        }
        Ok((reply, looked))
    }

    fn append<E: Logged>(&self, records: &[E::Record], next: Offset, now_ms: i64) -> millrace_shard::AppendReply {
        let batch = encode_batch::<E>(records, next, now_ms);
        let header = BatchHeader::parse(&batch).expect("a batch that was just built parses");
        let options = AppendOptions { expected_end: Some(next), ..AppendOptions::INTERNAL };
        self.partition.append(batch, header, options)
    }

    fn reload(&self, state: &mut State<F>) -> Result<Offset, FoldedError> {
        let now = self.partition.state();
        if !now.is_leader {
            return Err(FoldedError::NotLeader);
        }
        let (fold, next) = read_log(&self.partition, (self.empty)())?;
        *state = State { fold, next: Some(next) };
        Ok(next)
    }
}

fn encode_batch<F: Logged>(records: &[F::Record], base: Offset, now_ms: i64) -> BytesMut {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default).base_offset(base);
    for record in records {
        let Encoded { key, value } = F::encode(record);
        builder.push(now_ms, key.as_deref(), value.as_deref(), &[]);
    }
    builder.build()
}

/// Takes the whole log into `fold`, committed or not. Answers it with the offset behind the last record.
pub fn read_log<F: Logged>(partition: &Partition, mut fold: F) -> Result<(F, Offset), FoldedError> {
    let state = partition.state();
    let mut at = state.start;
    while at < state.end {
        let read = partition.read(at, READ_BYTES, Upto::End, true)?;
        for slice in &read.slices.slices {
            for batch in split(slice) {
                let (header, batch) = batch.map_err(|error| unreadable(at, error))?;
                if !header.attributes.is_control() {
                    apply_batch(&mut fold, batch)?;
                }
                at = header.next_offset();
            }
        }
        // Whatever is not there (compacted away) is stepped over.
        if read.slices.next_offset <= at && read.slices.slices.is_empty() {
            break;
        }
        at = at.max(read.slices.next_offset);
    }
    Ok((fold, state.end))
}

fn apply_batch<F: Logged>(fold: &mut F, batch: &[u8]) -> Result<(), FoldedError> {
    let header = BatchHeader::parse(batch).map_err(|error| unreadable(Offset::ZERO, error))?;
    let records = Records::open(batch, BATCH_BYTES_MAX).map_err(|error| unreadable(header.base_offset, error))?;
    for record in records.iter() {
        let record = record.map_err(|error| unreadable(header.base_offset, error))?;
        let at = header.offset_of(&record);
        match F::decode(record.key, record.value) {
            Ok(Some(record)) => fold.apply(at, record),
            Ok(None) => {}
            Err(why) => return Err(FoldedError::Unreadable { at, why }),
        }
    }
    Ok(())
}

fn unreadable(at: Offset, error: BatchError) -> FoldedError {
    FoldedError::Unreadable { at, why: error.to_string() }
}
