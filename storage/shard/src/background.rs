//! Work that must not hold up a turn: flushes and checkpoints on one lane, cleaning and removal on
//! another, so that a long cleaning never delays the checkpoint that the ring waits for.
//!
//! A job owns all it needs. Its outcome comes back through the mailbox, and the shard decides then
//! whether it still matters.
use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use millrace_journal::{Checkpoint, JournalError, Mark, TurnFrame};
use millrace_log::{CleanJob, Cleaned, Flush, Flushed, LogError};
use millrace_world::Disk;
use parking_lot::Mutex;

use crate::mailbox::{Address, Mail, Mailbox};

/// Threads that wait for the disk at once. They are there only as long as there is something to wait for.
const SYNC_LANES: usize = 16;

pub struct Job(Work);

enum Work {
    Checkpoint { flushes: Vec<(Address, Flush)>, lanes: usize, checkpoint: Checkpoint, mark: Mark, groups: TurnFrame },
    Flush { at: Address, flush: Flush },
    Clean { at: Address, job: Box<CleanJob> },
    Remove { disk: Arc<dyn Disk>, doomed: Vec<Doomed> },
}

/// What waits for its removal. It has left its log, or the node, already.
pub(crate) enum Doomed {
    File(PathBuf),
    Folder(PathBuf),
}

impl Doomed {
    /// What is gone by now (a file with its folder) was to go.
    fn remove(&self, disk: &dyn Disk) -> std::io::Result<()> {
        let removed = match self {
            Doomed::File(path) => disk.remove_file(path),
            Doomed::Folder(path) => disk.remove_dir_all(path),
        };
        removed.or_else(|error| if error.kind() == std::io::ErrorKind::NotFound { Ok(()) } else { Err(error) })
    }

    pub fn path(&self) -> &Path {
        let (Doomed::File(path) | Doomed::Folder(path)) = self;
        path
    }
}

/// How a job ended.
pub(crate) enum Done {
    Checkpoint { flushed: Vec<(Address, Result<Flushed, LogError>)>, written: Option<Result<(), JournalError>>, mark: Mark },
    Flush { at: Address, flushed: Result<Flushed, LogError> },
    Clean { at: Address, cleaned: Box<Result<Cleaned, LogError>> },
    /// What could not be removed.
    Removed { left: Vec<(Doomed, std::io::Error)> },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lane {
    Flush,
    Clean,
}

impl Job {
    pub(crate) fn checkpoint(flushes: Vec<(Address, Flush)>, lanes: usize, checkpoint: Checkpoint, mark: Mark, groups: TurnFrame) -> Self {
        Job(Work::Checkpoint { flushes, lanes, checkpoint, mark, groups })
    }
    pub(crate) fn flush(at: Address, flush: Flush) -> Self {
        Job(Work::Flush { at, flush })
    }
    pub(crate) fn clean(at: Address, job: CleanJob) -> Self {
        Job(Work::Clean { at, job: Box::new(job) })
    }
    pub(crate) fn remove(disk: Arc<dyn Disk>, doomed: Vec<Doomed>) -> Self {
        Job(Work::Remove { disk, doomed })
    }

    fn lane(&self) -> Lane {
        match self.0 {
            Work::Checkpoint { .. } | Work::Flush { .. } => Lane::Flush,
            Work::Clean { .. } | Work::Remove { .. } => Lane::Clean,
        }
    }

    fn run(self) -> Done {
        match self.0 {
            Work::Checkpoint { flushes, lanes, checkpoint, mark, groups } => {
                let flushed = flush_all(flushes, lanes);
                // A checkpoint says that the segments are durable: it is not written unless they are.
                let whole = flushed.iter().all(|(_, outcome)| outcome.is_ok());
                let written = whole.then(|| checkpoint.write(mark, &groups));
                Done::Checkpoint { flushed, written, mark }
            }
            Work::Flush { at, flush } => Done::Flush { at, flushed: flush.run() },
            Work::Clean { at, job } => Done::Clean { at, cleaned: Box::new(job.run()) },
            Work::Remove { disk, doomed } => {
                let remove = |doomed: Doomed| doomed.remove(&*disk).err().map(|error| (doomed, error));
                Done::Removed { left: doomed.into_iter().filter_map(remove).collect() }
            }
        }
    }
}

/// Who runs the jobs: threads in production, the simulator's hand in a simulation.
pub(crate) enum Workers {
    Threads { flush: Sender<Job>, clean: Sender<Job> },
    ByHand(VecDeque<Job>),
}

impl Workers {
    pub fn threads(mailbox: &Arc<Mailbox>) -> std::io::Result<Self> {
        Ok(Workers::Threads { flush: lane("millrace-flush", mailbox)?, clean: lane("millrace-clean", mailbox)? })
    }

    pub fn submit(&mut self, job: Job) {
        match self {
            Workers::Threads { flush, clean } => {
                let lane = if job.lane() == Lane::Flush { flush } else { clean };
                // The worker ends only when this sender is dropped.
                let sent = lane.send(job);
                assert!(sent.is_ok(), "a background worker died");
            }
            Workers::ByHand(jobs) => jobs.push_back(job),
        }
    }

    /// How many threads may wait for fsyncs of different logs: one, where everything is done by hand.
    pub fn sync_lanes(&self) -> usize {
        match self {
            Workers::Threads { .. } => SYNC_LANES,
            Workers::ByHand(_) => 1,
        }
    }

    /// Runs the oldest job that waits for a hand, if there is one.
    pub fn run_one(&mut self) -> Option<Done> {
        match self {
            Workers::Threads { .. } => None,
            Workers::ByHand(jobs) => jobs.pop_front().map(Job::run),
        }
    }
}

/// Runs flushes of different logs. The disk begins with all of them before anybody waits for one.
pub(crate) fn flush_all<At: Send>(flushes: Vec<(At, Flush)>, lanes: usize) -> Vec<(At, Result<Flushed, LogError>)> {
    if flushes.len() > 1 {
        flushes.iter().for_each(|(_, flush)| flush.begin_writing());
    }
    side_by_side(flushes, lanes, |(at, flush)| (at, flush.run()))
}

/// Does the same to every item, on a few threads where there are several: each of them waits for the disk,
/// and a file system makes durable together what many ask for. The outcomes come in no order.
pub(crate) fn side_by_side<T: Send, R: Send>(items: Vec<T>, lanes: usize, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let lanes = lanes.min(items.len());
    if lanes <= 1 {
        return items.into_iter().map(work).collect();
    }
    let (left, done) = (Mutex::new(items.into_iter()), Mutex::new(Vec::new()));
    let one = || {
        loop {
            // The lock is for taking one item, not for working on it.
            let Some(item) = left.lock().next() else { return };
            let outcome = work(item);
            done.lock().push(outcome);
        }
    };
    thread::scope(|scope| {
        // This thread is one of them; where the system gives no more, those that are there do all of it.
        let _ = (1..lanes).try_for_each(|_| thread::Builder::new().spawn_scoped(scope, one).map(drop));
        one();
    });
    done.into_inner()
}

fn lane(name: &str, mailbox: &Arc<Mailbox>) -> std::io::Result<Sender<Job>> {
    let (sender, jobs) = channel::<Job>();
    let mailbox = mailbox.clone();
    thread::Builder::new().name(name.into()).spawn(move || {
        while let Ok(job) = jobs.recv() {
            if mailbox.put(Mail::Done(job.run())).is_err() {
                break;
            }
        }
    })?;
    Ok(sender)
}
