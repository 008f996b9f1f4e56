//! The real world: tokio's clock and tasks, the machine's files and random bits.
mod files;

use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

pub use files::Files;

use crate::{Disk, Moment, Sleep, Task, World};

/// Needs a tokio runtime that outlives it.
pub struct Production {
    began: Instant,
    runtime: tokio::runtime::Handle,
    disk: Arc<Files>,
}

impl Production {
    pub fn new(runtime: tokio::runtime::Handle) -> Production {
        Production { began: Instant::now(), runtime, disk: Arc::new(Files) }
    }
}

impl World for Production {
    fn now(&self) -> Moment {
        Moment(self.began.elapsed().as_nanos() as u64)
    }

    fn wall_ms(&self) -> i64 {
        SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis() as i64)
    }

    fn random(&self) -> u64 {
        let mut bytes = [0u8; 8];
        getrandom::fill(&mut bytes).expect("the operating system gives random bits");
        u64::from_le_bytes(bytes)
    }

    fn sleep_until(&self, deadline: Moment) -> Sleep {
        let at = self.began + Duration::from_nanos(deadline.0);
        let _inside = self.runtime.enter();
        Box::pin(tokio::time::sleep_until(at.into()))
    }

    fn spawn(&self, task: Task) {
        self.runtime.spawn(task);
    }

    fn disk(&self) -> Arc<dyn Disk> {
        self.disk.clone()
    }
}
