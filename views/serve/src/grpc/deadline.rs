//! How long a call may take: what the caller says in `grpc-timeout`, within this server's own bound.
use std::future::Future;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{Either, select};
use futures_util::stream::{self, Stream, StreamExt};
use millrace_world::{Moment, World};
use tonic::metadata::MetadataMap;
use tonic::{Code, Status};

use crate::grpc::error::refuse;

/// For calls that answer once: also of a caller that sets no deadline.
const ANSWER_WITHIN: Duration = Duration::from_secs(60);

/// So much earlier than the transport's own timer, which would only say that the call was cancelled; and on the caller's side it is
/// the same one, which would not even wait for that.
const AHEAD: Duration = Duration::from_millis(50);

/// The caller's own deadline.
pub fn given(metadata: &MetadataMap, world: &dyn World) -> Option<Moment> {
    let text = metadata.get("grpc-timeout")?.to_str().ok()?;
    let timeout = parsed(text)?;
    Some(world.now() + timeout.saturating_sub(AHEAD.min(timeout / 4)))
}

/// At most eight digits and a unit.
fn parsed(text: &str) -> Option<Duration> {
    let (digits, unit) = text.split_at_checked(text.len().checked_sub(1)?)?;
    if digits.is_empty() || digits.len() > 8 || !digits.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let count: u64 = digits.parse().ok()?;
    match unit {
        "H" => Some(Duration::from_secs(count * 3600)),
        "M" => Some(Duration::from_secs(count * 60)),
        "S" => Some(Duration::from_secs(count)),
        "m" => Some(Duration::from_millis(count)),
        "u" => Some(Duration::from_micros(count)),
        "n" => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

fn exceeded(late: &str) -> Status {
    refuse(Code::DeadlineExceeded, "DEADLINE_EXCEEDED", late)
}

/// When nothing more is known.
pub fn late() -> String {
    "the answer was not there in time; nothing else is known to be wrong".into()
}

/// The answer, or DEADLINE_EXCEEDED with what `late` knows of it. Dropping the call ends the work in either case.
pub async fn within<T>(
    world: &dyn World,
    given: Option<Moment>,
    late: impl FnOnce() -> String,
    work: impl Future<Output = Result<T, Status>>,
) -> Result<T, Status> {
    let latest = world.now() + ANSWER_WITHIN;
    let mut work = pin!(work);
    // Most answers are there at once: no timer for them.
    if let std::task::Poll::Ready(done) = futures_util::poll!(work.as_mut()) {
        return done;
    }
    match select(work, world.sleep_until(given.map_or(latest, |given| given.min(latest)))).await {
        Either::Left((done, _)) => done,
        Either::Right(_) => Err(exceeded(&late())),
    }
}

/// A stream that ends with DEADLINE_EXCEEDED at the caller's deadline.
pub fn until<T: Send + 'static>(
    world: &dyn World,
    given: Option<Moment>,
    answers: impl Stream<Item = Result<T, Status>> + Send + 'static,
) -> std::pin::Pin<Box<dyn Stream<Item = Result<T, Status>> + Send>> {
    let Some(deadline) = given else { return Box::pin(answers) };
    let state = Some((Box::pin(answers), world.sleep_until(deadline)));
    Box::pin(stream::unfold(state, |state| async {
        let (mut answers, deadline) = state?;
        match select(answers.next(), deadline).await {
            Either::Left((answer, deadline)) => answer.map(|answer| (answer, Some((answers, deadline)))),
            Either::Right(_) => Some((Err(exceeded(&late())), None)),
        }
    }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read_as_the_protocol_writes_them() {
        assert_eq!(parsed("100m"), Some(Duration::from_millis(100)));
        assert_eq!(parsed("99999999H"), Some(Duration::from_secs(99_999_999 * 3600)));
        for wrong in ["", "m", "1", "1x", "123456789S", "-1S", "1é"] {
            assert_eq!(parsed(wrong), None, "{wrong:?}");
        }
    }
}
