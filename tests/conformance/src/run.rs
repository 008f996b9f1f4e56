//! Runs one case.

use crate::case::{Case, Kind};
use crate::report::Verdict;
use crate::{qtt, rqtt, scenario};

/// Runs the case and says whether everything it demands came true.
pub fn run(case: &Case) -> Verdict {
    if let Some(why) = &case.unreadable {
        return Verdict::Fail(format!("unreadable: {why}"));
    }
    match case.kind {
        Kind::Qtt => qtt::run(case),
        Kind::Sql => scenario::run(case),
        Kind::Rqtt => rqtt::run(case),
    }
}
