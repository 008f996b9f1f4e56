//! What a run is asked, and what it costs.
use crate::workload::{Workload, records};

#[derive(Clone, Debug)]
pub struct Plan {
    pub workload: Workload,
    pub keys: u64,
    /// Read before the clock starts: code and caches get warm.
    pub warm: u64,
    pub records: u64,
    probes: Vec<(f64, String, i64)>,
}

impl Plan {
    pub fn new(workload: Workload, keys: u64, warm: u64, records: u64) -> Plan {
        let mut plan = Plan { workload, keys, warm, records, probes: Vec::new() };
        plan.probes = probes(&plan);
        plan
    }

    pub fn total(&self) -> u64 {
        self.warm + self.records
    }

    pub fn warm_share(&self) -> f64 {
        self.warm as f64 / self.total() as f64
    }

    /// Keys whose rows tell how much has been read: share, key, and the id that it then has at least.
    pub fn probes(&self) -> impl Iterator<Item = (f64, &str, i64)> {
        self.probes.iter().map(|(share, key, id)| (*share, key.as_str(), *id))
    }
}

/// Both partitions must have come so far, so each share has a record of either.
fn probes(plan: &Plan) -> Vec<(f64, String, i64)> {
    let marks = [plan.warm, plan.total()];
    let mut newest: [Option<(String, i64)>; 2] = Default::default();
    let mut probes = Vec::new();
    for (at, (_, input)) in records(plan.total(), plan.keys).enumerate() {
        newest[input.partition as usize] = Some((String::from_utf8_lossy(&input.key).into_owned(), at as i64));
        if marks.contains(&(at as u64 + 1)) {
            let share = (at + 1) as f64 / plan.total() as f64;
            // The share counts when the second of the two has come.
            let both: Vec<(String, i64)> = newest.iter().flatten().cloned().collect();
            let before = probes.last().map_or(0.0, |(share, ..): &(f64, String, i64)| *share);
            probes.extend(both.into_iter().enumerate().map(|(number, (key, id))| (if number == 0 { before } else { share }, key, id)));
        }
    }
    probes
}

#[derive(Clone, Copy, Debug)]
pub struct Cost {
    pub records: f64,
    pub seconds: f64,
    pub engine_cpu: f64,
    pub broker_cpu: f64,
}

impl Cost {
    pub fn per_cpu_second(&self) -> f64 {
        self.records / (self.engine_cpu + self.broker_cpu).max(0.01)
    }

    pub fn per_second(&self) -> f64 {
        self.records / self.seconds.max(0.001)
    }
}

/// User and system time of a process so far.
pub fn cpu_seconds(pid: u32) -> f64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).unwrap_or_default();
    // The name in parentheses may hold spaces; utime and stime are the 12th and 13th field after it.
    let ticks = stat.rsplit_once(')').map(|(_, rest)| rest.split_whitespace().skip(11).take(2).filter_map(|field| field.parse::<f64>().ok()).sum::<f64>());
    ticks.unwrap_or(0.0) / 100.0
}
