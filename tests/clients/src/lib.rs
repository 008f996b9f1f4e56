//! Foreign Kafka clients against the real binary: what a Kafka user sees, judged by programs that nobody here wrote.
//!
//! `MILLRACE_PEER=host:port` runs the same tests against another broker, which shows whether a test asks for what Apache
//! Kafka does; those that kill or configure the broker are then left out, and say so.
//!
//! * [`Peer`]: the broker under test. * [`kcat`], [`millrace`]: programs with a time limit. * [`history`]: what was sent,
//!   acknowledged and read, and the checks on it. * [`load`]: producers and committers for the kill tests.
//! * [`rest`]: statements and pull queries. * [`faulty`]: a broker whose disk does what it is told.
pub mod faulty;
pub mod history;
pub mod load;
pub mod peer;
pub mod program;
pub mod rest;

pub use peer::{Peer, fresh};
pub use program::{Output, kcat, millrace};
