//! The engine: plans run as folds over their inputs.
//!
//! Invariants: what an operator emits and keeps depends on its inputs and their order alone (time is an argument, maps are ordered);
//! state and the cut it stands for change together. Absences: no topics, no threads, no files; nothing here knows how records come
//! or where they go.

mod compile;
mod crossing;
mod dataflow;
mod error;
mod log;
mod lookup;
mod operators;
mod record;
mod row;
mod sink;
mod source;
mod stages;
pub mod state;
mod task;

pub use compile::{Moves, Settings};
pub use dataflow::FIRST_LAYOUT;
pub use error::{CompileError, EngineError};
pub use log::{LogEvent, LogKind};
pub use operators::Live;
pub use record::{Header, InputRecord, OutputRecord};
pub use row::{Change, Key, Row, Window};
pub use stages::{Crossing, StageInputs, Way, crossings, inputs_of};
pub use task::{Fed, Query, Task};
