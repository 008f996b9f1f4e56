//! Puts the measuring threads first in line.
//!
//! On a machine of their own they would run as soon as an answer came. Here broker and view threads use the same processors, and
//! what a measuring thread waits for its turn would count as if the broker had answered late.

/// Nanoseconds: the shortest turn that the scheduler takes. One of short turns interrupts one of long turns (Linux 6.12 and later).
const SHORT_TURN: u64 = 100_000;
/// So much before the broker, whose niceness is that of this program's start: enough to be first, too little to take the broker's share
/// of the processors from it.
const AHEAD: i32 = 1;

/// `struct sched_attr`, as its first version has it.
#[repr(C)]
#[derive(Default)]
struct Attributes {
    size: u32,
    policy: u32,
    flags: u64,
    nice: i32,
    priority: u32,
    runtime: u64,
    deadline: u64,
    period: u64,
}

/// The calling thread, and whatever it makes from now on; `false` if the system does not allow it.
pub fn first_in_line() -> bool {
    const SIZE: u32 = size_of::<Attributes>() as u32;
    let mut attributes = Attributes::default();
    // SAFETY: the call fills at most `SIZE` bytes of the struct, whose layout is the system's.
    let known = unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attributes, SIZE, 0) } == 0;
    attributes = Attributes { size: SIZE, flags: 0, nice: (attributes.nice - AHEAD).max(-20), runtime: SHORT_TURN, ..attributes };
    // SAFETY: the struct lives through the call and says how long it is.
    known && unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attributes, 0) } == 0
}
