//! Statuses with details: `google.rpc.ErrorInfo` always, `BadRequest` where a field of the request is at fault.
//!
//! What a status says is bounded: it travels in headers.
use millrace_proto::ERROR_DOMAIN;
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt};

use crate::host::Stopped;
use crate::{Ended, Failed};

const MESSAGE_CHARS_MAX: usize = 2000;
/// No metadata beside the reason.
const PLAIN: [(String, String); 0] = [];

fn bounded(text: &str) -> String {
    match text.char_indices().nth(MESSAGE_CHARS_MAX) {
        Some((end, _)) => format!("{}..", &text[..end]),
        None => text.to_owned(),
    }
}

/// A status with the reason that programs match on.
pub fn refuse(code: Code, reason: &str, message: &str) -> Status {
    let details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, PLAIN);
    Status::with_error_details(code, bounded(message), details)
}

/// A field of the request is at fault.
pub fn invalid(field: &str, message: impl AsRef<str>) -> Status {
    let message = bounded(message.as_ref());
    let mut details = ErrorDetails::with_bad_request_violation(field, message.clone());
    details.set_error_info("INVALID_ARGUMENT", ERROR_DOMAIN, PLAIN);
    Status::with_error_details(Code::InvalidArgument, message, details)
}

/// Code and reason of a failure.
fn coded(failed: &Failed) -> (Code, &'static str) {
    match failed {
        Failed::Statement(_) => (Code::InvalidArgument, "STATEMENT_INVALID"),
        Failed::NotFound(_) => (Code::NotFound, "NOT_FOUND"),
        Failed::Assertion(_) => (Code::FailedPrecondition, "ASSERTION_FAILED"),
        Failed::Busy(_) => (Code::ResourceExhausted, "LIMIT_REACHED"),
        Failed::Gone(_) => (Code::OutOfRange, "CUT_NOT_KEPT"),
        Failed::NotAnInput(_) => (Code::InvalidArgument, "NOT_AN_INPUT"),
        Failed::Trouble(_) => (Code::Unavailable, "UNAVAILABLE"),
    }
}

pub fn status(failed: Failed) -> Status {
    let (code, reason) = coded(&failed);
    refuse(code, reason, &failed.to_string())
}

/// A text of statements that stopped: which one, and how many before it were carried out.
pub fn stopped(stopped: &Stopped) -> Status {
    let (code, reason) = coded(&stopped.failed);
    let metadata = [("done".to_owned(), stopped.done.len().to_string()), ("statement".to_owned(), bounded(&stopped.statement))];
    let mut details = ErrorDetails::with_error_info(reason, ERROR_DOMAIN, metadata);
    if matches!(stopped.failed, Failed::Statement(_)) {
        details.add_bad_request_violation("sql", bounded(&stopped.failed.to_string()));
    }
    Status::with_error_details(code, bounded(&stopped.failed.to_string()), details)
}

pub fn ended(why: &Ended) -> Status {
    let (code, reason) = match why {
        Ended::Stopped => (Code::Unavailable, "STOPPED"),
        Ended::Stalled(_) => (Code::ResourceExhausted, "SLOW_SUBSCRIBER"),
        Ended::Gone(_) => (Code::OutOfRange, "CUT_NOT_KEPT"),
        Ended::Trouble(_) => (Code::Unavailable, "UNAVAILABLE"),
    };
    refuse(code, reason, &why.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_status_says_is_bounded_and_has_a_reason() {
        let status = status(Failed::statement("ä".repeat(1 << 20)));
        assert!(status.message().chars().count() <= MESSAGE_CHARS_MAX + 2);
        assert_eq!(status.get_error_details().error_info().map(|info| info.reason.as_str()), Some("STATEMENT_INVALID"));
        let status = invalid("key", "no");
        assert_eq!(status.get_error_details().bad_request().map(|request| request.field_violations[0].field.as_str()), Some("key"));
    }
}
