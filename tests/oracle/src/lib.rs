//! What views must be, computed from the records of their inputs alone, without a line of the engine.
//!
//! [`VIEWS`] are statements with the checks that go with them: of a table's rows at a cut, and of a sink's records. The simulator and
//! the tests that kill real brokers hold their views against the same ones.
//!
//! Absences: no clock, no network, nothing of Millrace.
mod checks;
mod event;
mod orders;
mod views;

pub use event::Event;
pub use views::{Cut, EXPIRING, LEDGER, Logs, Rows, SOURCES, VIEWS, View};
