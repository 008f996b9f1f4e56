//! Running queries: tasks that follow their inputs, and what they leave for readers.
mod cell;
mod input;
mod order;
mod output;
mod result;
mod runner;
mod schedule;
mod signal;

pub use cell::{Cell, Progress, SharedStore, ViewStore};
pub use input::{INPUTS, Input, LAYOUT, input_key, note_input};
pub use output::{Output, PROGRESS, progress_key};
pub use result::{LIVE, Looked, RESULT, ViewRow, live_of, stored_change, stored_live, view_row};
pub use runner::{Deliver, Runner, Stop};
pub use schedule::Schedule;
pub use signal::Signal;

use std::path::PathBuf;
use std::sync::Arc;

use millrace_engine::EngineError;
use millrace_engine::state::StoreError;
use millrace_record::Offset;

/// Bugs to order, so that the simulator can prove that it would find them.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Plant {
    #[default]
    Nothing,
    /// The state is written back before the outputs and schedule entries that it counts are durable.
    CutBeforeOutput,
}

/// Why a task stopped. The next attempt begins from its state's last cut.
#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("an input cannot be read: {0}")]
    Read(#[from] millrace_shard::ReadError),
    #[error("an input holds a batch that cannot be read: {0}")]
    Batch(millrace_record::BatchError),
    #[error("{topic}-{partition} ends before {upto:?}, which the query has read or is about to: was the topic deleted and made again?")]
    InputShort { topic: Arc<str>, partition: i32, upto: Offset },
    #[error("{topic}-{partition} is another topic of the same name than the one that the query has read")]
    InputRemade { topic: Arc<str>, partition: i32 },
    #[error("retention removed {topic}-{partition} up to offset {start} before the subscriber had read it from {next}")]
    Removed { topic: Arc<str>, partition: i32, next: i64, start: i64 },
    #[error("the task panicked: {0}")]
    Panicked(String),
    #[error("the sink cannot be written: {0}")]
    Append(#[from] millrace_shard::AppendError),
    #[error(transparent)]
    Engine(#[from] millrace_engine::EngineError),
    #[error(transparent)]
    Store(#[from] millrace_engine::state::StoreError),
    #[error("the state is not what this program writes: {0}")]
    State(&'static str),
    #[error("the schedule is not what this program writes: {0}")]
    Schedule(&'static str),
    #[error(transparent)]
    Shard(#[from] millrace_shard::ShardError),
    #[error("nothing is left in partition {0} of the sink that tells how many outputs it has had")]
    OutputsUnknown(i32),
    #[error("the state in {} is lost ({what}) and cannot be computed again: {why}. Drop the query together with its topic (DROP .. DELETE TOPIC) and create it again: it then begins with what its topics still hold", dir.display())]
    StateLost { dir: PathBuf, what: String, why: String },
}

impl RunError {
    /// What is wrong with the state on disk, if that is what stopped the task.
    pub fn damage(&self) -> Option<&str> {
        match self {
            RunError::Store(StoreError::Damaged(why)) | RunError::Engine(EngineError::Store(StoreError::Damaged(why))) => Some(why),
            _ => None,
        }
    }
}
