//! Why a query stops. What concerns one record only goes to the processing log instead.

use millrace_formats::{EncodeError, UnsupportedFormat};

use crate::state::StoreError;

#[derive(Debug, thiserror::Error)]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    /// ksqlDB stops the query here too: an aggregate that cannot hold its result, a timestamp that must not be wrong.
    #[error("{0}")]
    Stopped(String),
    #[error("cannot write a row: {0}")]
    Encode(#[from] EncodeError),
}

/// The plan cannot run.
#[derive(Debug, thiserror::Error)]
pub enum CompileError {
    #[error(transparent)]
    Format(#[from] UnsupportedFormat),
    #[error("{0}")]
    Expression(String),
    #[error("the plan is not well formed: {0}")]
    Plan(&'static str),
}
