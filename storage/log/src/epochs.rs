//! Which epoch began where: one short list per log, for fencing, for truncation after a change of
//! leader, and as the terms of the replicated log.
use millrace_record::{Epoch, Offset};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct EpochStart {
    pub epoch: Epoch,
    /// Of the epoch's first record; its frames may be internal ones, then it is that of the record to come.
    pub offset: Offset,
    pub index: u64,
}

/// Rising in epoch and index, not falling in offset.
#[derive(Clone, Default, Debug)]
pub(crate) struct Epochs {
    starts: Vec<EpochStart>,
}

impl Epochs {
    pub fn note(&mut self, epoch: Epoch, offset: Offset, index: u64) {
        match self.starts.last() {
            Some(last) if last.epoch >= epoch => {}
            _ => self.starts.push(EpochStart { epoch, offset, index }),
        }
    }

    pub fn latest(&self) -> Option<Epoch> {
        self.starts.last().map(|start| start.epoch)
    }

    pub fn at_index(&self, index: u64) -> Option<Epoch> {
        self.before(|start| start.index <= index)
    }

    pub fn at_offset(&self, offset: Offset) -> Option<Epoch> {
        self.before(|start| start.offset <= offset)
    }

    fn before(&self, holds: impl Fn(&EpochStart) -> bool) -> Option<Epoch> {
        let past = self.starts.partition_point(holds);
        past.checked_sub(1).map(|at| self.starts[at].epoch)
    }

    /// The largest epoch that is not above `asked`, and the offset at which it ended. An epoch below
    /// all that are known ends where the first known one begins. One that is not known yet: `None`.
    pub fn end_of(&self, asked: Epoch, log_end: Offset) -> Option<(Epoch, Offset)> {
        if asked > self.latest()? {
            return None;
        }
        let past = self.starts.partition_point(|start| start.epoch <= asked);
        let epoch = past.checked_sub(1).map_or(asked, |at| self.starts[at].epoch);
        Some((epoch, self.starts.get(past).map_or(log_end, |next| next.offset)))
    }

    /// Forgets what began at `index` or later.
    pub fn truncate_from(&mut self, index: u64) {
        let keep = self.starts.partition_point(|start| start.index < index);
        self.starts.truncate(keep);
    }

    /// Forgets epochs that neither hold an offset from `offset` on nor an entry from `first_index` on.
    pub fn trim_to(&mut self, offset: Offset, first_index: u64) {
        let past = self.starts.partition_point(|start| start.offset <= offset && start.index <= first_index);
        self.starts.drain(..past.saturating_sub(1));
        for start in &mut self.starts {
            start.offset = start.offset.max(offset);
        }
    }

    /// The epochs with frames in `first..=last`.
    pub fn within(&self, first: u64, last: u64) -> Vec<EpochStart> {
        let from = self.starts.partition_point(|start| start.index <= first).saturating_sub(1);
        let to = self.starts.partition_point(|start| start.index <= last);
        self.starts[from.min(to)..to].to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sample() -> Epochs {
        let mut epochs = Epochs::default();
        for (epoch, offset, index) in [(2, 0, 1), (2, 5, 3), (4, 10, 6), (7, 10, 7), (9, 30, 20)] {
            epochs.note(Epoch(epoch), Offset(offset), index);
        }
        epochs
    }

    /// Compat: F7.
    #[test]
    fn ends_as_kafka_answers_them() {
        let epochs = sample();
        let end = |epoch| epochs.end_of(Epoch(epoch), Offset(50)).map(|(epoch, offset)| (epoch.0, offset.0));
        assert_eq!(end(1), Some((1, 0)), "below all: ends where the first begins");
        assert_eq!(end(2), Some((2, 10)));
        assert_eq!(end(3), Some((2, 10)), "a gap: the one before");
        assert_eq!(end(4), Some((4, 10)), "an epoch without records");
        assert_eq!(end(7), Some((7, 30)));
        assert_eq!(end(9), Some((9, 50)), "the current one ends at the log's end");
        assert_eq!(end(10), None, "not known yet");
        assert_eq!(Epochs::default().end_of(Epoch(0), Offset(0)), None);
    }

    #[test]
    fn finds_by_index_and_offset_and_forgets_on_both_sides() {
        let mut epochs = sample();
        assert_eq!(epochs.at_index(0), None);
        assert_eq!(epochs.at_index(5), Some(Epoch(2)));
        assert_eq!(epochs.at_index(6), Some(Epoch(4)));
        assert_eq!(epochs.at_offset(Offset(29)), Some(Epoch(7)));
        assert_eq!(epochs.within(7, 19).len(), 1);
        assert_eq!(epochs.within(3, 20).len(), 4);
        epochs.truncate_from(20);
        assert_eq!(epochs.latest(), Some(Epoch(7)));
        epochs.trim_to(Offset(12), 6);
        assert_eq!(epochs.at_index(6), Some(Epoch(4)), "entry 6 is still there");
        epochs.trim_to(Offset(12), 7);
        assert_eq!(epochs.at_index(6), None);
        assert_eq!(epochs.end_of(Epoch(4), Offset(15)), Some((Epoch(4), Offset(12))));
        assert_eq!(epochs.at_offset(Offset(12)), Some(Epoch(7)));
    }
}
