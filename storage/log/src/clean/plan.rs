//! Whether a log is due for compaction, and how much of it. Choosing only.
use millrace_record::Offset;

use crate::LogConfig;
use crate::segment::Segment;

/// What compaction looks at in a segment before it reads it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct SegmentFacts {
    pub base_offset: Offset,
    pub end_offset: Offset,
    pub bytes: u64,
    /// Its greatest timestamp, or when it was last written if its records carry none.
    pub newest_ms: i64,
    /// Its first batch's timestamp, or when it was last written.
    pub oldest_ms: i64,
}

impl SegmentFacts {
    pub fn of(segment: &Segment) -> SegmentFacts {
        let live = segment.live();
        let or_written = |timestamp: i64| if timestamp >= 0 { timestamp } else { live.last_append_ms };
        SegmentFacts {
            base_offset: segment.base_offset(),
            end_offset: live.end_offset,
            bytes: live.end,
            newest_ms: or_written(live.max_timestamp),
            oldest_ms: or_written(live.first_timestamp),
        }
    }
}

/// Clean what lies below `end`; what lies below `first_dirty` was cleaned before.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) struct Plan {
    pub first_dirty: Offset,
    pub end: Offset,
}

/// `segments` ends with the active one, which is never cleaned. `upto`: stable and committed.
pub(super) fn plan(segments: &[SegmentFacts], config: &LogConfig, first_dirty: Offset, upto: Offset, now_ms: i64) -> Option<Plan> {
    if !config.cleanup.compact {
        return None;
    }
    let sealed = &segments[..segments.len().saturating_sub(1)];
    // Whole segments only: a cleaned one no longer tells the replicated log's indexes.
    let cleanable = |segment: &&SegmentFacts| {
        let too_young = config.min_compaction_lag_ms > 0
            && segment.end_offset > first_dirty
            && segment.newest_ms > now_ms.saturating_sub(config.min_compaction_lag_ms);
        segment.end_offset <= upto && !too_young
    };
    let range: Vec<&SegmentFacts> = sealed.iter().take_while(cleanable).collect();
    let end = range.last()?.end_offset;
    if end <= first_dirty {
        return None;
    }
    let dirty = || range.iter().filter(|segment| segment.end_offset > first_dirty);
    let total_bytes: u64 = range.iter().map(|segment| segment.bytes).sum();
    let dirty_bytes: u64 = dirty().map(|segment| segment.bytes).sum();
    let ratio = dirty_bytes as f64 / total_bytes.max(1) as f64;
    let overdue = dirty().any(|segment| now_ms.saturating_sub(segment.oldest_ms) > config.max_compaction_lag_ms);
    (overdue || ratio > config.min_cleanable_dirty_ratio).then_some(Plan { first_dirty, end })
}

/// Which segments are rewritten into one: neighbours, as long as together they are no larger than a
/// segment may be. `facts` are those of the segments to rewrite; the answer partitions them.
pub(super) fn groups(facts: &[SegmentFacts], config: &LogConfig) -> Vec<std::ops::Range<usize>> {
    let mut groups: Vec<std::ops::Range<usize>> = Vec::new();
    let mut bytes = 0;
    for (at, segment) in facts.iter().enumerate() {
        let joins = groups.last().is_some_and(|group| {
            let span = segment.end_offset - facts[group.start].base_offset;
            bytes + segment.bytes <= config.segment_bytes && span <= i32::MAX as i64
        });
        match groups.last_mut().filter(|_| joins) {
            Some(group) => {
                group.end = at + 1;
                bytes += segment.bytes;
            }
            None => {
                groups.push(at..at + 1);
                bytes = segment.bytes;
            }
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Cleanup;
    use crate::testing::config;

    fn compact() -> LogConfig {
        LogConfig { cleanup: Cleanup::COMPACT, segment_bytes: 250, ..config() }
    }

    /// Segments of 10 offsets and 100 bytes, written at 0, 100, 200, ...
    fn segments(count: i64) -> Vec<SegmentFacts> {
        let segment = |at: i64| SegmentFacts {
            base_offset: Offset(at * 10),
            end_offset: Offset(at * 10 + 10),
            bytes: 100,
            newest_ms: at * 100 + 99,
            oldest_ms: at * 100,
        };
        (0..count).map(segment).collect()
    }

    fn end(config: &LogConfig, first_dirty: i64, upto: i64, now_ms: i64) -> Option<i64> {
        plan(&segments(5), config, Offset(first_dirty), Offset(upto), now_ms).map(|plan| plan.end.0)
    }

    #[test]
    fn up_to_the_active_segment_the_stable_offset_and_the_minimum_lag() {
        assert_eq!(end(&compact(), 0, 100, 1000), Some(40), "not the active one");
        assert_eq!(end(&compact(), 0, 39, 1000), Some(30), "whole segments below the stable offset");
        assert_eq!(end(&compact(), 0, 5, 1000), None);
        let lag = LogConfig { min_compaction_lag_ms: 300, ..compact() };
        assert_eq!(end(&lag, 0, 100, 500), Some(20), "199 is 301 old, 299 is not");
        assert_eq!(end(&lag, 0, 100, 200), None);
        assert_eq!(end(&LogConfig { cleanup: Cleanup::DELETE, ..compact() }, 0, 100, 1000), None);
    }

    #[test]
    fn when_more_than_the_ratio_is_dirty_or_something_waited_too_long() {
        assert_eq!(end(&compact(), 10, 100, 1000), Some(40), "three quarters are dirty");
        assert_eq!(end(&compact(), 20, 100, 1000), None, "one half is not more than one half");
        assert_eq!(end(&compact(), 40, 100, 1000), None, "nothing is dirty");
        let overdue = LogConfig { max_compaction_lag_ms: 699, ..compact() };
        assert_eq!(end(&overdue, 30, 100, 1000), Some(40), "300 is 700 old");
        assert_eq!(end(&overdue, 30, 100, 999), None);
    }

    #[test]
    fn neighbours_share_a_segment_while_they_fit() {
        assert_eq!(groups(&segments(5), &compact()), [0..2, 2..4, 4..5]);
        let mut far = segments(2);
        far[1].end_offset = Offset(1 << 32);
        assert_eq!(groups(&far, &compact()), [0..1, 1..2]);
        assert!(groups(&[], &compact()).is_empty());
    }
}
