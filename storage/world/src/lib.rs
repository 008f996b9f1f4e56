//! The only door to the outside: time, chance, threads, disk, network.
//!
//! Everything else in Millrace is a function of what comes through here, so the same code runs in
//! production (`production`, on tokio and files) and under the simulator (`tests/sim`).
//! No other library crate names tokio, `std::fs`, `std::net`, `Instant`, `SystemTime` or a random
//! generator; `tests/tidy` holds that line.
mod disk;
pub mod production;
mod rehearsal;
mod time;
mod world;

pub use disk::{Disk, DiskLock, Entry, File, Map, OpenMode, create_dir_durably, parent_of, sync_names_above};
pub use rehearsal::Rehearsal;
pub use time::Moment;
pub use world::{Sleep, Task, World};
