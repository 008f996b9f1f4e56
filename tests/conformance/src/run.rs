//! Runs one case.

use crate::case::{Case, Kind};
use crate::report::Verdict;

/// Runs the case and says whether everything it demands came true.
pub fn run(case: &Case) -> Verdict {
    match case.kind {
        Kind::Rqtt => Verdict::Fail("no server".to_string()),
        Kind::Qtt | Kind::Sql => Verdict::Fail("no planner".to_string()),
    }
}
