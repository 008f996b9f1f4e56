//! How much may be asked at once, by ksqlDB's names. What is over a limit is refused at once, never queued.
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use millrace_sql::catalog::{Settings, properties};
use millrace_world::Moment;
use parking_lot::Mutex;

use crate::Views;
use crate::rest::error::{RestError, TOO_MANY};

const HOUR: Duration = Duration::from_secs(3600);

pub struct PullLimits {
    per_second: f64,
    concurrent_max: usize,
    hourly_bytes: f64,
    running: AtomicUsize,
    /// Absent until the first query: the buckets begin full.
    buckets: Mutex<Option<Buckets>>,
}

/// Tokens that come back with time.
struct Buckets {
    queries: f64,
    bytes: f64,
    at: Moment,
}

/// A pull query under way.
pub struct Permit {
    limits: Arc<PullLimits>,
}

impl PullLimits {
    pub fn new(settings: &Settings) -> PullLimits {
        let number = |name: &str| properties::number(settings, name).unwrap_or(f64::MAX);
        PullLimits {
            per_second: number("ksql.query.pull.max.qps"),
            concurrent_max: number("ksql.query.pull.max.concurrent.requests") as usize,
            hourly_bytes: number("ksql.query.pull.max.hourly.bandwidth.megabytes") * f64::from(1 << 20),
            running: AtomicUsize::new(0),
            buckets: Mutex::new(None),
        }
    }

    /// Lets a pull query in, or says which limit it has reached. Push queries have a limit of their own.
    pub fn enter(self: &Arc<Self>, views: &Views) -> Result<Permit, RestError> {
        self.take(views.outside().world().now())
    }

    fn take(self: &Arc<Self>, now: Moment) -> Result<Permit, RestError> {
        let refused = |message: String| Err(RestError::generic(TOO_MANY, message));
        {
            let mut buckets = self.buckets.lock();
            let buckets = buckets.get_or_insert(Buckets { queries: self.per_second.max(1.0), bytes: self.hourly_bytes, at: now });
            let passed = (now - buckets.at).as_secs_f64();
            buckets.queries = (buckets.queries + passed * self.per_second).min(self.per_second.max(1.0));
            buckets.bytes = (buckets.bytes + passed * self.hourly_bytes / HOUR.as_secs_f64()).min(self.hourly_bytes);
            buckets.at = now;
            if buckets.bytes <= 0.0 {
                return refused(format!(
                    "Host is at bandwidth rate limit for pull queries. Currently set to {} megabytes an hour (ksql.query.pull.max.hourly.bandwidth.megabytes).",
                    self.hourly_bytes / f64::from(1 << 20)
                ));
            }
            if buckets.queries < 1.0 {
                return refused(format!("Host is at rate limit for pull queries. Currently set to {} qps (ksql.query.pull.max.qps).", self.per_second));
            }
            buckets.queries -= 1.0;
        }
        if self.running.fetch_add(1, Ordering::AcqRel) >= self.concurrent_max {
            self.running.fetch_sub(1, Ordering::AcqRel);
            return refused(format!(
                "Host is at concurrency limit for pull queries. Currently set to {} maximum concurrent requests \
                 (ksql.query.pull.max.concurrent.requests).",
                self.concurrent_max
            ));
        }
        Ok(Permit { limits: self.clone() })
    }
}

impl Permit {
    pub fn answered(&self, bytes: usize) {
        if let Some(buckets) = self.limits.buckets.lock().as_mut() {
            buckets.bytes -= bytes as f64;
        }
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.limits.running.fetch_sub(1, Ordering::AcqRel);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn limits(name: &str, value: &str) -> Arc<PullLimits> {
        let mut settings = Settings::default();
        settings.set(name, value);
        Arc::new(PullLimits::new(&settings))
    }

    fn said(limits: &Arc<PullLimits>, now: Moment) -> String {
        limits.take(now).err().map(|error| error.body()["message"].as_str().unwrap_or_default().to_string()).unwrap_or_default()
    }

    #[test]
    fn queries_come_back_with_time() {
        let limits = limits("ksql.query.pull.max.qps", "2");
        let start = Moment(0);
        assert!(limits.take(start).is_ok() && limits.take(start).is_ok());
        assert!(said(&limits, start).contains("at rate limit for pull queries. Currently set to 2 qps"));
        assert!(limits.take(start + Duration::from_millis(500)).is_ok());
        assert!(limits.take(start + Duration::from_millis(500)).is_err());
    }

    #[test]
    fn a_query_holds_its_place_until_it_is_answered() {
        let limits = limits("ksql.query.pull.max.concurrent.requests", "1");
        let first = limits.take(Moment(0));
        assert!(said(&limits, Moment(0)).contains("concurrency limit"));
        drop(first);
        assert!(limits.take(Moment(0)).is_ok());
    }

    #[test]
    fn bytes_count_by_the_hour() {
        let limits = limits("ksql.query.pull.max.hourly.bandwidth.megabytes", "1");
        if let Ok(permit) = limits.take(Moment(0)) {
            permit.answered(2 << 20);
        }
        assert!(said(&limits, Moment(0)).contains("bandwidth"));
        assert!(limits.take(Moment(0) + HOUR * 2).is_ok());
    }
}
