//! An open load: requests at their times, each timed from when it was due.
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use millrace_harness::Broker;
use tokio::sync::Semaphore;

use crate::Failure;
use crate::tick::Ticks;

/// Requests that may be on their way: beyond it the load is told to be too much.
const ON_THE_WAY_MAX: u64 = 50_000;
/// Those among them that have been sent. The rest wait here, timed all the same: connections with thousands of open requests would
/// keep the driver busier than the broker, on the cores that they share.
const SENT_MAX: usize = 512;

/// Latencies in microseconds.
#[derive(Clone, Default)]
pub struct Times(Arc<Mutex<Vec<u32>>>);

impl Times {
    pub fn add(&self, took: Duration) {
        let micros = u32::try_from(took.as_micros()).unwrap_or(u32::MAX);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).push(micros);
    }

    pub fn count(&self) -> usize {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).len()
    }

    fn sorted(&self) -> Vec<u32> {
        let mut all = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        all.sort_unstable();
        all
    }

    /// A row of the table.
    pub fn print(&self, what: &str, asked: f64, took: Duration, cpu: f64, beside: &str) {
        let all = self.sorted();
        let at = |share: f64| all.get(((all.len() as f64 * share) as usize).min(all.len().saturating_sub(1))).map_or(0.0, |micros| f64::from(*micros) / 1e3);
        println!(
            "| {what} | {asked:.0} | {:.0} | {:.2} | {:.2} | {:.2} | {:.1} | {cpu:.2} | {beside} |",
            all.len() as f64 / took.as_secs_f64(),
            at(0.5),
            at(0.99),
            at(0.999),
            at(1.0)
        );
    }
}

/// The broker's CPU, in cores, over a while.
pub struct Cpu<'a>(&'a Broker, f64, Instant);

impl<'a> Cpu<'a> {
    pub fn begin(broker: &'a Broker) -> Cpu<'a> {
        Cpu(broker, broker.cpu_seconds(), Instant::now())
    }

    pub fn cores(&self) -> f64 {
        (self.0.cpu_seconds() - self.1) / self.2.elapsed().as_secs_f64()
    }
}

/// Makes `rate` requests a second for a while and waits for all answers.
pub async fn open<F, R>(rate: u64, time: Duration, request: F) -> Result<(Times, Duration), Failure>
where
    F: Fn(u64) -> R,
    R: Future<Output = Result<(), Failure>> + Send + 'static,
{
    let began = Instant::now();
    let count = (rate as f64 * time.as_secs_f64()) as u64;
    let ticks = Ticks::every(Duration::from_secs_f64(1.0 / rate as f64))?;
    let times = Times::default();
    let places = Arc::new(Semaphore::new(SENT_MAX));
    let failed: Arc<Mutex<Option<Failure>>> = Arc::default();
    let (mut started, mut due) = (0, 0);
    while started < count {
        if due == 0 {
            due = ticks.next().await?;
            continue;
        }
        let number = started;
        let at = began + Duration::from_secs_f64((number + 1) as f64 / rate as f64);
        (started, due) = (started + 1, due - 1);
        if started - times.count() as u64 > ON_THE_WAY_MAX {
            return Err(format!("more than {ON_THE_WAY_MAX} requests wait for their answers: {rate} a second are too many").into());
        }
        let (asked, times, failing, places) = (request(number), times.clone(), failed.clone(), places.clone());
        tokio::spawn(async move {
            let _place = places.acquire().await;
            match asked.await {
                Ok(()) => times.add(at.elapsed()),
                Err(error) => drop(failing.lock().unwrap_or_else(PoisonError::into_inner).get_or_insert(error)),
            }
        });
        if number % 256 == 0
            && let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take()
        {
            return Err(error);
        }
    }
    let until = Instant::now() + Duration::from_secs(30);
    while (times.count() as u64) < started {
        if let Some(error) = failed.lock().unwrap_or_else(PoisonError::into_inner).take() {
            return Err(error);
        }
        if Instant::now() > until {
            return Err("answers were missing after 30 s".into());
        }
        tokio::time::sleep(Duration::from_millis(1)).await;
    }
    Ok((times, began.elapsed()))
}
