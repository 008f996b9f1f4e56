//! Which segments are too old or too many. Choosing only: nothing is removed here.
use millrace_record::Offset;

use crate::LogConfig;
use crate::segment::Segment;

/// What retention looks at in a segment.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) struct SegmentAge {
    pub end_offset: Offset,
    pub bytes: u64,
    /// Its greatest timestamp, or when it was last written if its records carry none.
    pub newest_ms: i64,
    pub has_records: bool,
}

impl SegmentAge {
    pub fn of(segment: &Segment) -> SegmentAge {
        let live = segment.live();
        let newest_ms = if live.max_timestamp >= 0 { live.max_timestamp } else { live.last_append_ms };
        let has_records = live.end_offset > segment.base_offset();
        SegmentAge { end_offset: live.end_offset, bytes: live.end, newest_ms, has_records }
    }
}

/// The offset up to which whole segments can go: the oldest ones whose records are all older than
/// `retention.ms`, and the oldest ones without which the log still has `retention.bytes`. Never beyond
/// the high watermark. The active segment, the last one, goes by age only.
pub(crate) fn target(segments: &[SegmentAge], config: &LogConfig, now_ms: i64, high_watermark: Offset) -> Option<Offset> {
    if !config.cleanup.delete {
        return None;
    }
    let too_old = |segment: &SegmentAge| {
        config.retention_ms.is_some_and(|limit| now_ms.saturating_sub(segment.newest_ms) > limit)
    };
    let mut excess = match config.retention_bytes {
        Some(limit) => segments.iter().map(|segment| segment.bytes).sum::<u64>().saturating_sub(limit),
        None => 0,
    };
    let mut target = None;
    for (at, segment) in segments.iter().enumerate() {
        let is_active = at + 1 == segments.len();
        let too_many = !is_active && excess >= segment.bytes;
        let goes = segment.has_records && (too_old(segment) || too_many) && segment.end_offset <= high_watermark;
        if !goes {
            break;
        }
        excess = excess.saturating_sub(segment.bytes);
        target = Some(segment.end_offset);
    }
    target
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::config;
    use crate::Cleanup;

    /// Segments of 100 bytes and 10 records, a day older each; the last one is active.
    fn segments(ages_ms: &[i64]) -> Vec<SegmentAge> {
        let age = |(at, &newest_ms): (usize, &i64)| SegmentAge {
            end_offset: Offset(10 * (at as i64 + 1)),
            bytes: 100,
            newest_ms,
            has_records: true,
        };
        ages_ms.iter().enumerate().map(age).collect()
    }

    fn wanted(config: &LogConfig, high_watermark: i64) -> Option<i64> {
        target(&segments(&[100, 200, 50, 400]), config, 500, Offset(high_watermark)).map(|offset| offset.0)
    }

    #[test]
    fn by_age_from_the_oldest_on_as_long_as_they_are_old() {
        let with = |retention_ms| LogConfig { retention_ms, ..config() };
        assert_eq!(wanted(&with(Some(400)), 40), None, "100 is 400 old: not more than the limit");
        assert_eq!(wanted(&with(Some(399)), 40), Some(10));
        assert_eq!(wanted(&with(Some(299)), 40), Some(30), "the third is old as well");
        assert_eq!(wanted(&with(Some(299)), 29), Some(20), "not beyond the high watermark");
        assert_eq!(wanted(&with(Some(0)), 40), Some(40), "the active one too");
        assert_eq!(wanted(&with(None), 40), None);
        let compacted = LogConfig { cleanup: Cleanup::COMPACT, ..with(Some(0)) };
        assert_eq!(wanted(&compacted, 40), None);
        let both = LogConfig { cleanup: Cleanup::BOTH, ..with(Some(0)) };
        assert_eq!(wanted(&both, 40), Some(40));
    }

    #[test]
    fn by_size_but_never_below_it_and_never_the_active_one() {
        let with = |bytes| LogConfig { retention_ms: None, retention_bytes: Some(bytes), ..config() };
        assert_eq!(wanted(&with(400), 40), None);
        assert_eq!(wanted(&with(301), 40), None, "99 bytes too many are not a segment");
        assert_eq!(wanted(&with(300), 40), Some(10));
        assert_eq!(wanted(&with(150), 40), Some(20));
        assert_eq!(wanted(&with(0), 40), Some(30));
    }

    #[test]
    fn timestamps_at_the_edges_do_not_wrap() {
        let config = LogConfig { retention_ms: Some(i64::MAX), ..config() };
        assert_eq!(target(&segments(&[i64::MIN, 0]), &config, i64::MAX, Offset(99)), None);
        let config = LogConfig { retention_ms: Some(10), ..config };
        assert_eq!(target(&segments(&[i64::MAX, 0]), &config, 0, Offset(99)), None, "the future is not old");
    }
}
