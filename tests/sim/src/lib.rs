//! The simulated World, its crashes and its checkers.
//!
//! [`SimWorld`] is a whole outside made of memory and a seed: a clock that stands until somebody moves
//! it, a disk that loses what was not synced, tasks that run when told to. Whatever runs on a `World`
//! runs here, any number of times faster than life, and the same seed gives the same run to the last
//! bit. [`scenario`] drives one node of the storage with it and checks what must never happen; [`day`] does so with a whole
//! broker for hours, and holds disk and memory against their bounds.
//!
//! No real clock, no real disk, no threads.
pub mod day;
pub mod disk;
pub mod fixture;
mod model;
mod producer;
mod rng;
pub mod scenario;
mod trace;
pub mod views;
mod world;

pub use disk::{Faults, Loss, SimDisk};
pub use model::{Model, Value};
pub use rng::Rng;
pub use trace::Trace;
pub use world::SimWorld;
