//! One answer for one asker: the whole of what a caller waits with. One allocation per question,
//! no runtime behind it. The asker may drop its half at any time (acks=0, a closed connection); the
//! answering half always answers, by hand or by being dropped.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use parking_lot::Mutex;

enum Slot<T> {
    Waiting(Option<Waker>),
    Answered(T),
    /// The answering half went away, or the answer was taken.
    Gone,
}

/// The half that answers.
pub(crate) struct Answer<T>(Option<Arc<Mutex<Slot<T>>>>);

/// The half that waits. Resolves to `None` when nobody is left to answer.
#[must_use = "a reply does nothing unless it is awaited"]
pub struct Reply<T>(Arc<Mutex<Slot<T>>>);

pub(crate) fn pair<T>() -> (Answer<T>, Reply<T>) {
    let slot = Arc::new(Mutex::new(Slot::Waiting(None)));
    (Answer(Some(slot.clone())), Reply(slot))
}

impl<T> Answer<T> {
    /// Nobody waits: whatever is answered is dropped.
    pub fn nobody() -> Self {
        Answer(None)
    }

    pub fn send(mut self, value: T) {
        if let Some(slot) = self.0.take() {
            put(&slot, Slot::Answered(value));
        }
    }
}

impl<T> Drop for Answer<T> {
    fn drop(&mut self) {
        if let Some(slot) = self.0.take() {
            put(&slot, Slot::Gone);
        }
    }
}

fn put<T>(slot: &Mutex<Slot<T>>, state: Slot<T>) {
    let before = std::mem::replace(&mut *slot.lock(), state);
    // Woken outside the lock: the waker may run the task at once.
    if let Slot::Waiting(Some(waker)) = before {
        waker.wake();
    }
}

impl<T> Future for Reply<T> {
    type Output = Option<T>;

    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<T>> {
        let mut slot = self.0.lock();
        match std::mem::replace(&mut *slot, Slot::Gone) {
            Slot::Answered(value) => Poll::Ready(Some(value)),
            Slot::Gone => Poll::Ready(None),
            Slot::Waiting(before) => {
                let waker = match before {
                    Some(waker) if waker.will_wake(context.waker()) => waker,
                    _ => context.waker().clone(),
                };
                *slot = Slot::Waiting(Some(waker));
                Poll::Pending
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt;

    use super::*;

    #[test]
    fn an_answer_arrives_once() {
        let (answer, mut reply) = pair();
        assert!((&mut reply).now_or_never().is_none());
        answer.send(7);
        assert_eq!((&mut reply).now_or_never(), Some(Some(7)));
    }

    #[test]
    fn a_dropped_answerer_is_noticed() {
        let (answer, reply) = pair::<u8>();
        drop(answer);
        assert_eq!(reply.now_or_never(), Some(None));
    }

    #[test]
    fn nobody_need_listen() {
        let (answer, reply) = pair();
        drop(reply);
        answer.send(1);
        Answer::nobody().send(2);
    }
}
