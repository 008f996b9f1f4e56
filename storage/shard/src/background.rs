//! Work that must not hold up a turn: flushes and checkpoints on one lane, cleaning and removal on
//! another, so that a long cleaning never delays the checkpoint that the ring waits for.
//!
//! A job owns all it needs. Its outcome comes back through the mailbox, and the shard decides then
//! whether it still matters.
use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Sender, channel};
use std::thread;

use millrace_journal::{Checkpoint, JournalError, Mark, TurnFrame};
use millrace_log::{CleanJob, Cleaned, Flush, Flushed, LogError};
use millrace_world::Disk;

use crate::mailbox::{Address, Mail, Mailbox};

pub struct Job(Work);

enum Work {
    Checkpoint { flushes: Vec<(Address, Flush)>, checkpoint: Checkpoint, mark: Mark, groups: TurnFrame },
    Flush { at: Address, flush: Flush },
    Clean { at: Address, job: Box<CleanJob> },
    Remove { disk: Arc<dyn Disk>, dir: PathBuf },
}

/// How a job ended.
pub(crate) enum Done {
    Checkpoint { flushed: Vec<(Address, Result<Flushed, LogError>)>, written: Option<Result<(), JournalError>>, mark: Mark },
    Flush { at: Address, flushed: Result<Flushed, LogError> },
    Clean { at: Address, cleaned: Box<Result<Cleaned, LogError>> },
    Removed { dir: PathBuf, outcome: std::io::Result<()> },
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Lane {
    Flush,
    Clean,
}

impl Job {
    pub(crate) fn checkpoint(flushes: Vec<(Address, Flush)>, checkpoint: Checkpoint, mark: Mark, groups: TurnFrame) -> Self {
        Job(Work::Checkpoint { flushes, checkpoint, mark, groups })
    }
    pub(crate) fn flush(at: Address, flush: Flush) -> Self {
        Job(Work::Flush { at, flush })
    }
    pub(crate) fn clean(at: Address, job: CleanJob) -> Self {
        Job(Work::Clean { at, job: Box::new(job) })
    }
    pub(crate) fn remove(disk: Arc<dyn Disk>, dir: PathBuf) -> Self {
        Job(Work::Remove { disk, dir })
    }

    fn lane(&self) -> Lane {
        match self.0 {
            Work::Checkpoint { .. } | Work::Flush { .. } => Lane::Flush,
            Work::Clean { .. } | Work::Remove { .. } => Lane::Clean,
        }
    }

    fn run(self) -> Done {
        match self.0 {
            Work::Checkpoint { flushes, checkpoint, mark, groups } => {
                let flushed: Vec<_> = flushes.into_iter().map(|(at, flush)| (at, flush.run())).collect();
                // A checkpoint says that the segments are durable: it is not written unless they are.
                let whole = flushed.iter().all(|(_, outcome)| outcome.is_ok());
                let written = whole.then(|| checkpoint.write(mark, &groups));
                Done::Checkpoint { flushed, written, mark }
            }
            Work::Flush { at, flush } => Done::Flush { at, flushed: flush.run() },
            Work::Clean { at, job } => Done::Clean { at, cleaned: Box::new(job.run()) },
            Work::Remove { disk, dir } => {
                let outcome = disk.remove_dir_all(&dir);
                Done::Removed { dir, outcome }
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

    /// How many threads may close logs when the shard stops: one, where everything is done by hand.
    pub fn lanes_at_stop(&self) -> usize {
        match self {
            Workers::Threads { .. } => 16,
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
