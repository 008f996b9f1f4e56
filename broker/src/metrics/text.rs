//! The Prometheus text format.
use std::fmt::{Display, Write};

use millrace_shard::Sizes;

use super::Histogram;
use super::table::{Metric, MetricKind, named};

/// Collects samples. Samples of one metric must come one after another.
#[derive(Default)]
pub struct Text {
    out: String,
    current: &'static str,
}

impl Text {
    /// One sample, its labels' values in the order of the table.
    pub fn value(&mut self, name: &str, labels: &[&str], value: impl Display) {
        let metric = self.head(name);
        assert_ne!(metric.kind, MetricKind::Histogram, "{name} is a histogram");
        self.sample(metric.name, "", metric, labels, None, value);
    }

    pub fn histogram(&mut self, name: &str, labels: &[&str], histogram: &Histogram) {
        let buckets = histogram.cumulative().map(|(bound, count)| (bound.is_finite().then_some(bound), count));
        self.buckets(name, labels, buckets, histogram.sum_seconds());
    }

    /// A histogram of something else than time.
    pub fn sizes(&mut self, name: &str, labels: &[&str], sizes: &Sizes) {
        self.buckets(name, labels, sizes.cumulative(), sizes.sum());
    }

    /// Upper bound (none: infinite) and how many are at or below it.
    fn buckets<B: Display>(&mut self, name: &str, labels: &[&str], buckets: impl Iterator<Item = (Option<B>, u64)>, sum: impl Display) {
        let metric = self.head(name);
        let mut all = 0;
        for (bound, count) in buckets {
            let bound = bound.map_or("+Inf".to_owned(), |bound| bound.to_string());
            self.sample(metric.name, "_bucket", metric, labels, Some(&bound), count);
            all = count;
        }
        self.sample(metric.name, "_sum", metric, labels, None, sum);
        self.sample(metric.name, "_count", metric, labels, None, all);
    }

    pub fn finish(self) -> String {
        self.out
    }

    fn head(&mut self, name: &str) -> &'static Metric {
        let metric = named(name);
        if self.current != metric.name {
            self.current = metric.name;
            self.line(format_args!("# HELP {} {}", metric.name, metric.help));
            self.line(format_args!("# TYPE {} {}", metric.name, metric.kind.name()));
        }
        metric
    }

    fn line(&mut self, line: std::fmt::Arguments<'_>) {
        self.out.write_fmt(line).expect("a string takes what it is given");
        self.out.push('\n');
    }

    fn sample(&mut self, name: &str, suffix: &str, metric: &Metric, labels: &[&str], bound: Option<&str>, value: impl Display) {
        assert_eq!(labels.len(), metric.labels.len(), "labels of {name}");
        let mut pairs: Vec<String> =
            metric.labels.iter().zip(labels).map(|(label, value)| format!("{label}=\"{}\"", escape(value))).collect();
        pairs.extend(bound.map(|bound| format!("le=\"{bound}\"")));
        let braces = if pairs.is_empty() { String::new() } else { format!("{{{}}}", pairs.join(",")) };
        self.line(format_args!("{name}{suffix}{braces} {value}"));
    }
}

fn escape(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_under_one_head_with_their_labels() {
        let mut text = Text::default();
        text.value("millrace_log_size_bytes", &["a\"b", "0"], 5);
        text.value("millrace_log_size_bytes", &["c", "1"], 6);
        let out = text.finish();
        assert_eq!(out.matches("# TYPE").count(), 1);
        assert!(out.ends_with(
            "millrace_log_size_bytes{topic=\"a\\\"b\",partition=\"0\"} 5\nmillrace_log_size_bytes{topic=\"c\",partition=\"1\"} 6\n"
        ));
    }
}
