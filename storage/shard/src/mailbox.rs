//! The shard's one entrance. While a turn waits for its fsync, questions queue here; the next turn
//! takes them all. That is the whole of group commit.
use std::path::PathBuf;
use std::time::Duration;

use bytes::BytesMut;
use millrace_log::ProducerView;
use millrace_record::{BatchHeader, Offset};
use parking_lot::{Condvar, Mutex};

use crate::background::Done;
use crate::partition::Partition;
use crate::reply::Answer;
use crate::settings::Pace;
use crate::spec::{AppendOptions, Appended, GroupId, PartitionConfig, PartitionSpec};
use crate::{AppendError, ShardError};

/// Where a partition lives inside the shard. Slots are used again, and a group that is closed and
/// opened again has another life: what is still under way for the old one does not reach the new.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct Address {
    pub slot: usize,
    pub group: GroupId,
    pub life: u64,
}

pub(crate) struct AppendMail {
    pub to: Address,
    pub batch: BytesMut,
    pub header: BatchHeader,
    pub options: AppendOptions,
    pub answer: Answer<Result<Appended, AppendError>>,
}

pub(crate) enum Mail {
    Append(AppendMail),
    Trim { to: Address, start: Offset, answer: Answer<Result<Offset, ShardError>> },
    SetConfig { to: Address, config: Box<PartitionConfig>, answer: Answer<Result<(), ShardError>> },
    Producers { to: Address, answer: Answer<Result<Vec<ProducerView>, ShardError>> },
    Open { spec: Box<PartitionSpec>, answer: Answer<Result<Partition, ShardError>> },
    Close { group: GroupId, delete: bool, answer: Answer<Result<(), ShardError>> },
    /// All partitions that exist are open: what the journal keeps for others may go.
    BuryLeftovers { dir: PathBuf, answer: Answer<Result<usize, ShardError>> },
    ForgetUnopened { answer: Answer<Result<usize, ShardError>> },
    SetPace { pace: Pace, answer: Answer<Result<(), ShardError>> },
    /// A job that ran beside the shard has ended.
    Done(Done),
    Stop { answer: Answer<Result<(), ShardError>> },
}

#[derive(Default)]
pub(crate) struct Mailbox {
    inside: Mutex<Inside>,
    filled: Condvar,
}

#[derive(Default)]
struct Inside {
    mail: Vec<Mail>,
    /// The shard sleeps; it is woken only then.
    asleep: bool,
    closed: bool,
}

impl Mailbox {
    /// Gives the mail back when nobody will read it.
    pub fn put(&self, mail: Mail) -> Result<(), Mail> {
        let mut inside = self.inside.lock();
        if inside.closed {
            return Err(mail);
        }
        inside.mail.push(mail);
        let wake = std::mem::take(&mut inside.asleep);
        drop(inside);
        if wake {
            self.filled.notify_one();
        }
        Ok(())
    }

    /// Takes all there is into `out`, which must be empty: the two lists change places.
    pub fn take(&self, out: &mut Vec<Mail>) {
        assert!(out.is_empty());
        std::mem::swap(&mut self.inside.lock().mail, out);
    }

    /// Waits until there is mail, `patience` at the longest.
    pub fn wait(&self, patience: Duration) {
        let mut inside = self.inside.lock();
        if inside.mail.is_empty() {
            inside.asleep = true;
            self.filled.wait_for(&mut inside, patience);
            inside.asleep = false;
        }
    }

    pub fn is_empty(&self) -> bool {
        self.inside.lock().mail.is_empty()
    }

    /// From now on all mail is refused; what waited is dropped, which answers it.
    pub fn close(&self) {
        let mail = {
            let mut inside = self.inside.lock();
            inside.closed = true;
            std::mem::take(&mut inside.mail)
        };
        drop(mail);
    }
}
