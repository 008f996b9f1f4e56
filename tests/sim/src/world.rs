//! The World with everything in the simulator's hand: a clock that stands until it is moved, chance
//! from a seed, a disk that crashes, and tasks that run when told to.
use std::collections::{BTreeMap, VecDeque};
use std::future::Future;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, Ordering};
use std::sync::{Arc, Weak};
use std::task::{Context, Poll, Wake, Waker};
use std::time::Duration;

use millrace_world::{Disk, Moment, Sleep, Task, World};
use parking_lot::Mutex;

use crate::disk::SimDisk;
use crate::rng::Rng;

/// 2026-01-01, in milliseconds since the epoch.
const EPOCH_MS: i64 = 1_767_225_600_000;

pub struct SimWorld {
    now: AtomicU64,
    /// How far the wall clock is off the monotonic one, in milliseconds.
    wall_offset: AtomicI64,
    rng: Mutex<Rng>,
    disk: SimDisk,
    timers: Arc<Mutex<BTreeMap<(Moment, u64), Waker>>>,
    timer_number: AtomicU64,
    runnable: Arc<Mutex<VecDeque<Arc<Running>>>>,
    spawned: Mutex<Vec<Weak<Running>>>,
    me: Weak<SimWorld>,
}

/// One spawned task.
struct Running {
    task: Mutex<Option<Task>>,
    queued: AtomicBool,
    runnable: Arc<Mutex<VecDeque<Arc<Running>>>>,
}

impl Wake for Running {
    fn wake(self: Arc<Self>) {
        if !self.queued.swap(true, Ordering::AcqRel) {
            let runnable = self.runnable.clone();
            runnable.lock().push_back(self);
        }
    }
}

impl SimWorld {
    pub fn new(seed: u64, disk: SimDisk) -> Arc<Self> {
        Arc::new_cyclic(|me| SimWorld {
            now: AtomicU64::new(1),
            wall_offset: AtomicI64::new(0),
            rng: Mutex::new(Rng::new(seed)),
            disk,
            timers: Arc::default(),
            timer_number: AtomicU64::new(0),
            runnable: Arc::default(),
            spawned: Mutex::default(),
            me: me.clone(),
        })
    }

    /// The world after a crash: the same clocks and the same disk, and none of the tasks.
    pub fn reborn(&self) -> Arc<Self> {
        self.kill_tasks();
        let world = SimWorld::new(self.rng.lock().next(), self.disk.clone());
        world.now.store(self.now.load(Ordering::Acquire), Ordering::Release);
        world.wall_offset.store(self.wall_offset.load(Ordering::Acquire), Ordering::Release);
        world
    }

    pub fn sim_disk(&self) -> &SimDisk {
        &self.disk
    }

    /// Moves both clocks on, and wakes who waited for that.
    pub fn advance(&self, by: Duration) {
        let now = self.now.fetch_add(by.as_nanos() as u64, Ordering::AcqRel) + by.as_nanos() as u64;
        loop {
            let due = {
                let mut timers = self.timers.lock();
                match timers.first_key_value() {
                    Some(((deadline, _), _)) if deadline.0 <= now => timers.pop_first(),
                    _ => None,
                }
            };
            match due {
                Some((_, waker)) => waker.wake(),
                None => return,
            }
        }
    }

    /// Somebody sets the wall clock.
    pub fn jump_wall(&self, by_ms: i64) {
        self.wall_offset.fetch_add(by_ms, Ordering::AcqRel);
    }

    /// When the next sleeper wakes.
    pub fn next_timer(&self) -> Option<Moment> {
        self.timers.lock().first_key_value().map(|((deadline, _), _)| *deadline)
    }

    /// Polls tasks until none can go on; `limit` at the most.
    pub fn run_tasks(&self, limit: usize) -> usize {
        for done in 0..limit {
            let Some(running) = self.runnable.lock().pop_front() else { return done };
            running.queued.store(false, Ordering::Release);
            let waker = Waker::from(running.clone());
            let mut slot = running.task.lock();
            if let Some(task) = slot.as_mut()
                && task.as_mut().poll(&mut Context::from_waker(&waker)).is_ready()
            {
                *slot = None;
            }
        }
        limit
    }

    /// The process is gone, and all its tasks with it.
    pub fn kill_tasks(&self) {
        for running in self.spawned.lock().drain(..).filter_map(|running| running.upgrade()) {
            let task = running.task.lock().take();
            drop(task);
        }
        self.runnable.lock().clear();
        self.timers.lock().clear();
    }

    /// Polls tasks and moves the clock from timer to timer until `future` is ready. `None` when
    /// nothing can go on any more.
    pub fn block_on<T>(&self, future: impl Future<Output = T>, mut step: impl FnMut()) -> Option<T> {
        let mut future = std::pin::pin!(future);
        let waker = Waker::noop();
        for _ in 0..100_000 {
            if let Poll::Ready(value) = future.as_mut().poll(&mut Context::from_waker(waker)) {
                return Some(value);
            }
            step();
            if self.run_tasks(1_000) == 0
                && let Some(next) = self.next_timer()
            {
                self.advance(next.since(self.now()));
            }
        }
        None
    }
}

impl World for SimWorld {
    fn now(&self) -> Moment {
        Moment(self.now.fetch_add(self.disk.take_delay(), Ordering::AcqRel))
    }

    fn wall_ms(&self) -> i64 {
        EPOCH_MS + self.wall_offset.load(Ordering::Acquire) + (self.now().0 / 1_000_000) as i64
    }

    fn random(&self) -> u64 {
        self.rng.lock().next()
    }

    fn sleep_until(&self, deadline: Moment) -> Sleep {
        let number = self.timer_number.fetch_add(1, Ordering::Relaxed);
        Box::pin(Sleeping { deadline, number, world: self.me.clone() })
    }

    fn spawn(&self, task: Task) {
        let running = Arc::new(Running { task: Mutex::new(Some(task)), queued: AtomicBool::new(false), runnable: self.runnable.clone() });
        let mut spawned = self.spawned.lock();
        spawned.retain(|running| running.strong_count() > 0);
        spawned.push(Arc::downgrade(&running));
        drop(spawned);
        running.wake();
    }

    fn disk(&self) -> Arc<dyn Disk> {
        Arc::new(self.disk.clone())
    }
}

struct Sleeping {
    deadline: Moment,
    number: u64,
    world: Weak<SimWorld>,
}

impl Future for Sleeping {
    type Output = ();
    fn poll(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<()> {
        let Some(world) = self.world.upgrade() else { return Poll::Pending };
        let key = (self.deadline, self.number);
        if world.now() >= self.deadline {
            world.timers.lock().remove(&key);
            return Poll::Ready(());
        }
        world.timers.lock().insert(key, context.waker().clone());
        Poll::Pending
    }
}

impl Drop for Sleeping {
    fn drop(&mut self) {
        if let Some(world) = self.world.upgrade() {
            world.timers.lock().remove(&(self.deadline, self.number));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tasks_sleep_and_wake_in_the_order_of_their_deadlines() {
        let world = SimWorld::new(1, SimDisk::new(1));
        let order = Arc::new(Mutex::new(Vec::new()));
        for (name, after) in [("late", 20), ("early", 10)] {
            let (sleep, order) = (world.sleep_until(world.now() + Duration::from_millis(after)), order.clone());
            world.spawn(Box::pin(async move {
                sleep.await;
                order.lock().push(name);
            }));
        }
        world.run_tasks(10);
        assert!(order.lock().is_empty());
        world.advance(Duration::from_millis(30));
        world.run_tasks(10);
        assert_eq!(*order.lock(), ["early", "late"]);
    }

    #[test]
    fn block_on_moves_the_clock() {
        let world = SimWorld::new(1, SimDisk::new(1));
        let deadline = world.now() + Duration::from_secs(3_600);
        assert_eq!(world.block_on(world.sleep_until(deadline), || {}), Some(()));
        assert!(world.now() >= deadline);
    }
}
