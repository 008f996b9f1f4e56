//! What was found, in the order in which it was.
use std::fmt::Display;
use std::path::PathBuf;
use std::pin::Pin;

use millrace_cluster::config::Properties;

/// Tries a start with this configuration without changing anything, and says what was in its way; answers with the data
/// folder, where the configuration got so far as to name one.
pub type Rehearse = for<'a> fn(Properties, &'a mut Findings) -> Pin<Box<dyn Future<Output = Option<PathBuf>> + 'a>>;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Grade {
    Good,
    Odd,
    Bad,
}

/// A list of findings, each with what to do about it.
#[derive(Debug, Default)]
pub struct Findings(Vec<(Grade, String, String)>);

impl Findings {
    pub fn ok(&mut self, seen: impl Display) {
        self.0.push((Grade::Good, seen.to_string(), String::new()));
    }

    pub fn warn(&mut self, seen: impl Display, advice: &str) {
        self.0.push((Grade::Odd, seen.to_string(), advice.to_owned()));
    }

    pub fn bad(&mut self, seen: impl Display, advice: &str) {
        self.0.push((Grade::Bad, seen.to_string(), advice.to_owned()));
    }

    pub fn bad_ones(&self) -> usize {
        self.count(Grade::Bad)
    }

    pub fn odd_ones(&self) -> usize {
        self.count(Grade::Odd)
    }

    fn count(&self, grade: Grade) -> usize {
        self.0.iter().filter(|finding| finding.0 == grade).count()
    }

    pub(super) fn print(&self) {
        for (grade, seen, advice) in &self.0 {
            let word = match grade {
                Grade::Good => "ok   ",
                Grade::Odd => "warn ",
                Grade::Bad => "BAD  ",
            };
            println!("{word} {seen}");
            if !advice.is_empty() {
                println!("      -> {advice}");
            }
        }
        match (self.bad_ones(), self.odd_ones()) {
            (0, 0) => println!("nothing is wrong"),
            (bad, odd) => println!("{bad} bad, {odd} to look at"),
        }
    }
}
