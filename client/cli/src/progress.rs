//! How far a transfer has come, once a second on stderr, when stdout is a pipe or a file and stderr a person's screen.
use std::io::IsTerminal;
use std::time::{Duration, Instant};

pub(crate) struct Progress {
    what: &'static str,
    shown: bool,
    began: Instant,
    last: Instant,
    records: u64,
    bytes: u64,
    wrote: bool,
}

impl Progress {
    /// `piped`: the data goes past the person's eyes.
    pub(crate) fn new(what: &'static str, piped: bool) -> Self {
        let now = Instant::now();
        Self { what, shown: piped && std::io::stderr().is_terminal(), began: now, last: now, records: 0, bytes: 0, wrote: false }
    }

    pub(crate) fn add(&mut self, records: u64, bytes: u64) {
        self.records += records;
        self.bytes += bytes;
        if self.shown && self.last.elapsed() >= Duration::from_secs(1) {
            self.last = Instant::now();
            self.wrote = true;
            eprint!("\r{}", self.line());
        }
    }

    pub(crate) fn records(&self) -> u64 {
        self.records
    }

    /// The last word, where anything was shown before.
    pub(crate) fn end(&self) {
        if self.wrote {
            eprintln!("\r{}", self.line());
        }
    }

    fn line(&self) -> String {
        let seconds = self.began.elapsed().as_secs_f64().max(0.001);
        let megabytes = self.bytes as f64 / 1e6;
        format!("{} {} records, {megabytes:.1} MB, {:.0} records/s, {:.1} MB/s  ", self.what, self.records, self.records as f64 / seconds, megabytes / seconds)
    }
}
