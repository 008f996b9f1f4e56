//! Starts real brokers for tests and benches, kills them, and watches them.
//!
//! ```text
//! Broker::options().set("num.partitions", "3").start()   -> waits for the `ready` line
//!   .kafka()      host:port for clients
//!   .kill()       SIGKILL, as a power switch for the process
//!   .stop()       SIGTERM, as an operator; says whether it was clean
//!   .restart()    the same directory, the same ports
//! ```
//!
//! Invariants
//! * A broker never outlives its handle, nor its directory the last handle of a test that passed.
//! * Every wait is bounded, and what ends it says what was awaited and shows the end of the broker's log.
//!
//! Absences: speaks no Kafka; that is the tests' part.
mod apache;
mod binary;
mod broker;
pub mod memory;
mod ports;
mod wait;

pub use apache::ApacheKafka;
pub use binary::{binary, scratch, shared};
pub use broker::{Broker, Options, Stopped};
pub use ports::free_port;
pub use wait::wait_for;
