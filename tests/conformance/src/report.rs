//! Verdicts as a table for people and as TSV for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::case::{Case, Kind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail(String),
}

/// How the reason begins when a case is refused where it must be, but not with ksqlDB's message.
pub const OTHER_WORDS: &str = "rejected in other words";

impl Verdict {
    pub fn passed(&self) -> bool {
        *self == Verdict::Pass
    }

    /// Whether the case was refused at the right statement, whatever the message.
    fn rejected(&self) -> bool {
        match self {
            Verdict::Pass => true,
            Verdict::Fail(reason) => reason.starts_with(OTHER_WORDS),
        }
    }
}

impl From<Result<(), String>> for Verdict {
    fn from(result: Result<(), String>) -> Verdict {
        result.map_or_else(Verdict::Fail, |()| Verdict::Pass)
    }
}

fn expect(case: &Case) -> &'static str {
    if case.expected.is_some() { "reject" } else { "accept" }
}

#[derive(Clone, Copy, Default)]
struct Tally {
    passed: u32,
    total: u32,
}

impl Tally {
    fn count(&mut self, passed: bool) {
        self.total += 1;
        self.passed += u32::from(passed);
    }

    fn text(self) -> String {
        if self.total == 0 {
            return "-".to_string();
        }
        format!("{}/{} {:.1}%", self.passed, self.total, f64::from(self.passed) * 100.0 / f64::from(self.total))
    }
}

/// Passed and total by kind and rung: cases to accept, cases to reject with ksqlDB's message, and those rejected in any words.
pub fn table(results: &[(Case, Verdict)]) -> String {
    let mut lines: BTreeMap<(Kind, String), [Tally; 3]> = BTreeMap::new();
    for (case, verdict) in results {
        let failing = case.expected.is_some();
        let registry = case.needs.iter().any(|need| need == "schema-registry");
        let mut groups = vec![case.rung.to_string(), "total".to_string()];
        if !registry {
            groups.push("total without registry formats".to_string());
        }
        for group in groups {
            let [accept, reject, any_words] = lines.entry((case.kind, group)).or_default();
            if failing {
                reject.count(verdict.passed());
                any_words.count(verdict.rejected());
            } else {
                accept.count(verdict.passed());
            }
        }
    }
    let titles = ["accept", "reject", "in any words", "both"];
    let mut out = format!("{:5} {:30} {:>17} {:>17} {:>17} {:>17}\n", "kind", "rung", titles[0], titles[1], titles[2], titles[3]);
    for ((kind, rung), [accept, reject, any_words]) in lines {
        let both = Tally { passed: accept.passed + reject.passed, total: accept.total + reject.total };
        let cells = [accept, reject, any_words, both].map(Tally::text);
        let _ = write!(out, "{:5} {rung:30}", kind.name());
        for cell in cells {
            let _ = write!(out, " {cell:>17}");
        }
        out.push('\n');
    }
    out
}

/// `case kind expect needs verdict reason`, one line a case.
pub fn tsv(results: &[(Case, Verdict)]) -> String {
    let mut out = String::from("case\tkind\texpect\tneeds\tverdict\treason\n");
    for (case, verdict) in results {
        let (word, reason) = match verdict {
            Verdict::Pass => ("pass", ""),
            Verdict::Fail(reason) => ("fail", reason.as_str()),
        };
        let needs = case.needs.join(",");
        let fields = [&case.name, case.kind.name(), expect(case), &needs, word, reason].map(flat);
        out.push_str(&fields.join("\t"));
        out.push('\n');
    }
    out
}

/// On one line and in one field.
pub fn flat(text: impl AsRef<str>) -> String {
    text.as_ref().replace(['\t', '\n', '\r'], " ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::script;

    #[test]
    fn a_line_a_case_whatever_the_reason_holds() {
        let case = script::cases("f", "--@test: one\nX;\n").remove(0);
        let text = tsv(&[(case, Verdict::Fail("a\tb\nc".to_string()))]);
        assert_eq!(text, "case\tkind\texpect\tneeds\tverdict\treason\nf - one\tsql\taccept\t\tfail\ta b c\n");
    }
}
