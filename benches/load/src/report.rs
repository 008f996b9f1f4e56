//! The table: one row per scenario, a broker beside the other, and the ratio.
use crate::scenario::Scenario;

/// What one broker did in one scenario.
#[derive(Debug, Clone, Copy, Default)]
pub struct Figures {
    pub records_per_second: f64,
    pub megabytes_per_second: f64,
    /// Broker CPU seconds per 10^9 bytes of values; 0 where the process is not known.
    pub cpu_per_gigabyte: f64,
    pub p50_ms: f64,
    pub p99_ms: f64,
    pub consume_megabytes_per_second: f64,
    pub consume_cpu_per_gigabyte: f64,
    pub resident_mib: f64,
}

impl Figures {
    /// The better run counts: what disturbs a run only ever makes it slower.
    pub fn better(self, other: Figures) -> Figures {
        let mut best = if other.records_per_second > self.records_per_second { other } else { self };
        if self.consume_megabytes_per_second.max(other.consume_megabytes_per_second) > best.consume_megabytes_per_second {
            let source = if self.consume_megabytes_per_second > other.consume_megabytes_per_second { self } else { other };
            best.consume_megabytes_per_second = source.consume_megabytes_per_second;
            best.consume_cpu_per_gigabyte = source.consume_cpu_per_gigabyte;
        }
        best
    }
}

/// Column headings and how each figure is printed.
const COLUMNS: &[(&str, fn(&Figures) -> String)] = &[
    ("records/s", |f| format!("{:.0}", f.records_per_second)),
    ("MB/s", |f| format!("{:.0}", f.megabytes_per_second)),
    ("CPU-s/GB", |f| format!("{:.2}", f.cpu_per_gigabyte)),
    ("p50 ms", |f| format!("{:.2}", f.p50_ms)),
    ("p99 ms", |f| format!("{:.2}", f.p99_ms)),
    ("fetch MB/s", |f| format!("{:.0}", f.consume_megabytes_per_second)),
    ("fetch CPU-s/GB", |f| format!("{:.2}", f.consume_cpu_per_gigabyte)),
    ("RSS MiB", |f| format!("{:.0}", f.resident_mib)),
];

/// Prints a Markdown table. With two brokers each scenario ends in a row of ratios, first over second.
pub fn print(brokers: &[&str], rows: &[(Scenario, Vec<Figures>)]) {
    let names: Vec<&str> = COLUMNS.iter().map(|(name, _)| *name).collect();
    println!("| scenario | broker | {} |", names.join(" | "));
    println!("|---|---|{}", "--:|".repeat(names.len()));
    for (scenario, figures) in rows {
        for (broker, figures) in brokers.iter().zip(figures) {
            let cells: Vec<String> = COLUMNS.iter().map(|(_, cell)| cell(figures)).collect();
            println!("| {} | {broker} | {} |", scenario.name(), cells.join(" | "));
        }
        if let [first, second] = figures[..] {
            let ratio = |a: f64, b: f64| if b > 0.0 { format!("**{:.2}x**", a / b) } else { "-".into() };
            println!(
                "| | ratio | {} | {} | {} | {} | {} | {} | {} | {} |",
                ratio(first.records_per_second, second.records_per_second),
                ratio(first.megabytes_per_second, second.megabytes_per_second),
                ratio(first.cpu_per_gigabyte, second.cpu_per_gigabyte),
                ratio(first.p50_ms, second.p50_ms),
                ratio(first.p99_ms, second.p99_ms),
                ratio(first.consume_megabytes_per_second, second.consume_megabytes_per_second),
                ratio(first.consume_cpu_per_gigabyte, second.consume_cpu_per_gigabyte),
                ratio(first.resident_mib, second.resident_mib),
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_better_run_of_each_kind_counts() {
        let a = Figures { records_per_second: 10.0, consume_megabytes_per_second: 1.0, ..Figures::default() };
        let b = Figures { records_per_second: 5.0, consume_megabytes_per_second: 2.0, ..Figures::default() };
        let best = a.better(b);
        assert_eq!((best.records_per_second, best.consume_megabytes_per_second), (10.0, 2.0));
    }
}
