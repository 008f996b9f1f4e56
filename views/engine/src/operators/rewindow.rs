//! Windowed keys of another window size.
//!
//! On the wire a time window is its start alone, so in a join windows meet by their starts whatever their sizes are, and the result
//! has the left side's. The right side's bounds are made those before anything compares them.

use crate::error::EngineError;
use crate::operators::{Context, Operator, Port};
use crate::row::{Change, Window};

pub struct Rewindow {
    pub size_ms: i64,
}

impl Operator for Rewindow {
    fn process(&self, _: Port, change: Change, _: &mut Context<'_>, out: &mut Vec<Change>) -> Result<(), EngineError> {
        let window = change.window.map(|window| Window { end: window.start.saturating_add(self.size_ms), ..window });
        out.push(Change { window, ..change });
        Ok(())
    }
}
