//! The engine: plans run as folds over their inputs.
//!
//! Invariants: what an operator emits and keeps depends on its inputs and their order alone (time is an argument, maps are ordered);
//! state and the cut it stands for change together. Absences: no topics, no threads, no files; nothing here knows how records come
//! or where they go.

pub mod row;
pub mod state;
