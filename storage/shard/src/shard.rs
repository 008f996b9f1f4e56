//! The shard as a whole: what it owns, how it starts, runs and stops. One per node.
use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use millrace_journal::{GroupId, GroupReplay, Journal, TurnFrame};
use millrace_world::{Disk, Moment, World};
use tracing::{error, info};

use crate::background::Workers;
use crate::checkpoint::Checkpoints;
use crate::group::Group;
use crate::handle::ShardHandle;
use crate::housekeeping::Rounds;
use crate::mailbox::{Mail, Mailbox};
use crate::room::Room;
use crate::settings::ShardSettings;
use crate::stats::ShardStats;
use crate::ShardError;

pub struct Shard {
    pub(crate) world: Arc<dyn World>,
    pub(crate) disk: Arc<dyn Disk>,
    pub(crate) settings: ShardSettings,
    pub(crate) mailbox: Arc<Mailbox>,
    pub(crate) journal: Journal,
    /// The journal was made at this start: of logs that were there before, nothing is known of what they may have lost.
    pub(crate) journal_is_new: bool,
    /// Groups whose logs were made since.
    pub(crate) made_since: BTreeSet<GroupId>,
    /// What the journal keeps for groups that nobody has opened yet.
    pub(crate) unopened: BTreeMap<GroupId, GroupReplay>,
    pub(crate) slots: Vec<Option<Group>>,
    pub(crate) by_id: BTreeMap<GroupId, usize>,
    /// Counts openings.
    pub(crate) lives: u64,
    pub(crate) workers: Workers,
    pub(crate) checkpoints: Checkpoints,
    pub(crate) rounds: Rounds,
    pub(crate) room: Room,
    /// A write or fsync failed: this volume takes no more of them until the next start.
    pub(crate) failed: bool,
    pub(crate) turn: Turn,
    pub(crate) stats: Arc<ShardStats>,
}

/// What a turn works with; kept between turns for its memory.
#[derive(Default)]
pub(crate) struct Turn {
    pub mail: Vec<Mail>,
    /// Taken out of the mailbox, to be looked at in the next turn.
    pub backlog: VecDeque<Mail>,
    pub touched: Vec<usize>,
    pub bytes: usize,
    /// Written, and to be synced in their segments.
    pub large: Vec<usize>,
    /// How many they are.
    pub appends: u64,
    pub frame: TurnFrame,
    /// Segments that were synced and of which the journal was not told yet.
    pub notes: BTreeMap<GroupId, u64>,
    pub number: u64,
}

impl Shard {
    /// Reads the journal back. Partitions come when they are opened. Jobs wait for `run_job`: this is
    /// the shard that a simulator steps by hand.
    pub fn open(world: Arc<dyn World>, settings: ShardSettings) -> Result<Shard, ShardError> {
        let mailbox = Arc::new(Mailbox::default());
        Self::with_workers(world, settings, mailbox, Workers::ByHand(VecDeque::new()))
    }

    /// Starts the shard's thread and its workers.
    pub fn start(world: Arc<dyn World>, settings: ShardSettings) -> Result<ShardHandle, ShardError> {
        let mailbox = Arc::new(Mailbox::default());
        let trouble = |e: std::io::Error| ShardError::Trouble(format!("starting a thread: {e}"));
        let workers = Workers::threads(&mailbox).map_err(trouble)?;
        let shard = Self::with_workers(world, settings, mailbox, workers)?;
        let handle = shard.handle();
        thread::Builder::new().name("millrace-shard".into()).spawn(move || shard.run()).map_err(trouble)?;
        Ok(handle)
    }

    fn with_workers(world: Arc<dyn World>, settings: ShardSettings, mailbox: Arc<Mailbox>, workers: Workers) -> Result<Shard, ShardError> {
        let disk = world.disk();
        let (journal, replay) = Journal::open(disk.clone(), &settings.journal_dir, settings.ring_bytes, world.random())?;
        if replay.frames > 0 {
            info!(frames = replay.frames, groups = replay.groups.len(), "the last run did not end cleanly; its journal was read back");
        }
        let now = world.now();
        Ok(Shard {
            world,
            disk,
            mailbox,
            journal,
            journal_is_new: replay.is_new,
            made_since: BTreeSet::new(),
            unopened: replay.groups,
            slots: Vec::new(),
            by_id: BTreeMap::new(),
            lives: 0,
            workers,
            checkpoints: Checkpoints::new(now),
            rounds: Rounds::new(now, &settings),
            room: Room::default(),
            failed: false,
            turn: Turn::default(),
            stats: Arc::default(),
            settings,
        })
    }

    pub fn handle(&self) -> ShardHandle {
        ShardHandle { mailbox: self.mailbox.clone(), stats: self.stats.clone() }
    }

    /// Turns until it is told to stop.
    pub fn run(mut self) {
        loop {
            if self.turn.backlog.is_empty() {
                let patience = self.next_due().since(self.world.now());
                if patience > Duration::ZERO {
                    self.mailbox.wait(patience);
                }
            }
            if !self.turn() {
                return;
            }
        }
    }

    /// When there is something to do even if no mail comes. A turn at that time moves it on: a time that
    /// no turn looks after would keep the thread turning for ever.
    pub fn next_due(&self) -> Moment {
        // A failed volume has only its answers left.
        if self.failed {
            return Moment(u64::MAX);
        }
        self.rounds.next_due().min(self.checkpoints.next_due(self.settings.checkpoint_ms))
    }

    /// Runs one job that waits for a hand. `false`: there is none.
    pub fn run_job(&mut self) -> bool {
        match self.workers.run_one() {
            Some(done) => {
                self.finish(done);
                true
            }
            None => false,
        }
    }

    /// A write or an fsync failed. What was acknowledged stays readable; nothing more is taken.
    pub(crate) fn fail_volume(&mut self, why: &dyn std::fmt::Display) {
        if !self.failed {
            error!("writing stops on this node until it is restarted: {why}");
        }
        self.failed = true;
        self.stats.fail();
        self.journal.fail();
        for group in self.slots.iter_mut().flatten() {
            group.fail_parked(&crate::AppendError::DiskFailed, &ShardError::DiskFailed);
        }
    }

    pub fn has_failed(&self) -> bool {
        self.failed
    }
}

impl Drop for Shard {
    fn drop(&mut self) {
        self.mailbox.close();
        for group in self.slots.iter_mut().flatten() {
            group.fail_parked(&crate::AppendError::Closed, &ShardError::Stopped);
            group.shared.retire();
        }
    }
}
