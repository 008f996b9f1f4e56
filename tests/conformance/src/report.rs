//! Verdicts as a table for people and as TSV for programs.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use crate::case::{Case, Kind};

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Verdict {
    Pass,
    Fail(String),
}

impl Verdict {
    pub fn passed(&self) -> bool {
        *self == Verdict::Pass
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
    fn count(&mut self, verdict: &Verdict) {
        self.total += 1;
        self.passed += u32::from(verdict.passed());
    }

    fn text(self) -> String {
        if self.total == 0 {
            return "-".to_string();
        }
        format!("{}/{} {:.1}%", self.passed, self.total, f64::from(self.passed) * 100.0 / f64::from(self.total))
    }
}

/// Passed and total by kind and rung, accepted and rejected apart.
pub fn table(results: &[(Case, Verdict)]) -> String {
    let mut lines: BTreeMap<(Kind, String), [Tally; 2]> = BTreeMap::new();
    for (case, verdict) in results {
        let column = usize::from(case.expected.is_some());
        let registry = case.needs.iter().any(|need| need == "schema-registry");
        let mut groups = vec![case.rung.to_string(), "total".to_string()];
        if !registry {
            groups.push("total without registry formats".to_string());
        }
        for group in groups {
            lines.entry((case.kind, group)).or_default()[column].count(verdict);
        }
    }
    let mut out = format!("{:5} {:32} {:>18} {:>18} {:>18}\n", "kind", "rung", "accept", "reject", "both");
    for ((kind, rung), [accept, reject]) in lines {
        let both = Tally { passed: accept.passed + reject.passed, total: accept.total + reject.total };
        let _ = writeln!(out, "{:5} {rung:32} {:>18} {:>18} {:>18}", kind.name(), accept.text(), reject.text(), both.text());
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
