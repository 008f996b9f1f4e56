//! What a run did, as a number to compare and as lines to read.
use std::fmt;

/// A fingerprint of all that was noted, in order; with `print`, the lines themselves too.
pub struct Trace {
    hash: u64,
    lines: u64,
    print: bool,
}

impl Trace {
    pub fn new(print: bool) -> Self {
        Trace { hash: 0xcbf2_9ce4_8422_2325, lines: 0, print }
    }

    pub fn note(&mut self, what: fmt::Arguments<'_>) {
        let line = what.to_string();
        // FNV-1a.
        for byte in line.bytes().chain([b'\n']) {
            self.hash = (self.hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
        self.lines += 1;
        if self.print {
            println!("{:6} {line}", self.lines);
        }
    }

    pub fn fingerprint(&self) -> u64 {
        self.hash
    }
}
