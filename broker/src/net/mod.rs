//! Connections: bytes to requests, outcomes to bytes, in order. The one part of the broker that
//! names tokio's sockets; time comes through the world.
//!
//! ```text
//!              one task per connection
//!  socket -> inbox -> [ handler ] -> outcomes, in order of the requests -> outbox -> socket
//!            frames    one at a time   some still wait for a commit        vectored
//! ```
//! * A request starts when the one before it has an outcome: what must happen in order (a batch into
//!   the shard's mailbox) has happened by then, what may overlap (its fsync) does.
//! * Nothing grows without bound: a client that does not read stops being read from.
//! * A broken frame, an unknown API or version, a handler's fault: the connection closes, as Kafka's does.
mod connection;
mod door;
pub mod h2c;
mod inbox;
mod limits;
mod listener;
mod outbox;
mod seats;

pub use door::Door;
pub use limits::{Limits, QUEUED_BYTES_MAX};
pub use listener::{Listener, serve};
pub use seats::{Seat, Seats};
