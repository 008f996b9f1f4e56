use std::io;
use std::path::PathBuf;

use thiserror::Error;

#[derive(Debug, Error)]
pub enum JournalError {
    #[error("{path}: {source}", path = path.display())]
    Io { path: PathBuf, source: io::Error },
    /// Something that was acknowledged cannot be read back. Never repaired by guessing.
    #[error("the journal {path} is damaged: {what}", path = path.display())]
    Corrupt { path: PathBuf, what: String },
    /// An earlier write or fsync failed; what the disk holds is unknown until the next start.
    #[error("the journal failed earlier and takes no more writes")]
    Failed,
    #[error("the ring is full until a checkpoint ends")]
    Full,
    #[error("{bytes} bytes are too many for one frame")]
    TooBig { bytes: usize },
}

impl JournalError {
    pub(crate) fn io(path: impl Into<PathBuf>, source: io::Error) -> Self {
        JournalError::Io { path: path.into(), source }
    }
    pub(crate) fn corrupt(path: impl Into<PathBuf>, what: impl Into<String>) -> Self {
        JournalError::Corrupt { path: path.into(), what: what.into() }
    }
}
