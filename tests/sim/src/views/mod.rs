//! Views on one node that loses power, fills its disk and is killed: the same code that runs queries in a broker, over a simulated
//! clock, disk, task queue and database, held against an oracle that reads nothing but the topics.
//!
//! After every crash, and in between: each table's rows are those of its inputs' records before its cut; each sink holds every output
//! once and in order; no state counts an output, an input record or a schedule entry that the logs do not have. In the end everything
//! heals, and then every view must be complete.
mod database;
mod log;
mod outside;
mod scenario;
mod states;

pub use database::Tear;
pub use scenario::{Options, Outcome, run};
