//! Time for one seat: sleeps until its next deadline, and sleeps anew when that changes.
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::{Either, select};
use millrace_shard::Bell;
use millrace_world::{Moment, World};

use super::seat::Seat;

/// Ends when the seat is closed or dropped.
pub(super) async fn keep_time(seat: Weak<Seat>, changed: Bell, world: Arc<dyn World>) {
    loop {
        let deadline = match seat.upgrade() {
            None => return,
            Some(seat) if seat.is_closed() => return,
            Some(seat) => seat.wake(),
        };
        match deadline {
            // Nothing to wait for: not loaded, or not led here.
            None => changed.rung().await,
            Some(deadline_ms) => {
                let at = Moment(0) + Duration::from_millis(u64::try_from(deadline_ms).unwrap_or(0));
                // A moment later rather than a moment early, or it would wake and find nothing due.
                let sleep = world.sleep_until(at + Duration::from_millis(1));
                match select(sleep, std::pin::pin!(changed.rung())).await {
                    Either::Left(_) | Either::Right(_) => {}
                }
            }
        }
    }
}
