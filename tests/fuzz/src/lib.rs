//! Hostile bytes for every decoder: what comes off a socket, and what lies on a disk.
//!
//! ```text
//!  main.rs   one process a target, under an address space of 2 GiB: draws inputs, writes each down, runs it
//!  targets/  what an input is fed to, and what must hold
//!  corpus/   inputs that once broke something: `tests/corpus.rs` replays them
//! ```
//! What every target must hold, whatever the bytes: no panic, no abort, no input that takes longer than
//! [`INPUT_SECONDS_MAX`], and no more memory at a time than the target's row in [`targets::TARGETS`] allows.
//! Targets with a state of their own add to that (the broker still serves; a record is what was written).
//!
//! Absences: no coverage feedback. Inputs are good ones, damaged where it hurts: lengths, counts, signs, nesting.
pub mod damage;
pub mod dice;
pub mod judge;
pub mod targets;

/// An input that runs longer hangs.
pub const INPUT_SECONDS_MAX: u64 = 20;

/// One thing that reads foreign bytes.
pub trait Target {
    /// Good inputs, of which hostile ones are made.
    fn seeds(&self) -> Vec<Vec<u8>>;

    /// Runs one input. An error is a broken promise, in words.
    fn run(&mut self, input: &[u8]) -> Result<(), String>;

    /// What has to be done between two inputs and is not on their clock.
    fn rest(&mut self) {}

    /// The next hostile input.
    fn draw(&self, dice: &mut dice::Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = dice.pick(seeds).clone();
        damage::damage(&mut input, dice, seeds);
        input
    }
}
