//! A cut: how far each input partition has been applied.
use std::collections::BTreeMap;
use std::fmt;
use std::str::FromStr;

use millrace_proto as proto;

use crate::views::{Result, ViewsError};
use crate::{Delivered, TopicPartition};

/// For each input partition the offset of the next record that is not in the state. Two answers with the same cut are
/// answers from the same state. As text: `topic-0@17#5,topic-1@4#6`, where the last number names the log: once
/// the topic was deleted and made again, the cut is refused. A cut of what was produced names no log: `topic-0@17`.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cut(BTreeMap<TopicPartition, At>);

/// A place in a log; the log's number is 0 where it is not known.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct At {
    next: i64,
    log: u64,
}

impl Cut {
    /// The least cut that holds a produced record: give it as `at_or_after` to read the record's effect.
    pub fn after(written: &Delivered) -> Cut {
        let mut cut = Cut::default();
        cut.include(written);
        cut
    }

    /// The cut that holds this record, too.
    pub fn include(&mut self, written: &Delivered) {
        self.advance(written.at.clone(), written.offset + 1);
    }

    /// Moves one partition on; never back.
    pub fn advance(&mut self, at: TopicPartition, next: i64) {
        self.put(at, At { next, log: 0 });
    }

    fn put(&mut self, at: TopicPartition, to: At) {
        let known = self.0.entry(at).or_insert(to);
        known.next = to.next.max(known.next);
        known.log = if known.log == 0 { to.log } else { known.log };
    }

    /// The least cut that is behind both.
    pub fn merge(&mut self, other: &Cut) {
        other.0.iter().for_each(|(at, to)| self.put(at.clone(), *to));
    }

    /// The next offset of a partition.
    pub fn next(&self, at: &TopicPartition) -> Option<i64> {
        self.0.get(at).map(|at| at.next)
    }

    /// Every partition with its next offset.
    pub fn iter(&self) -> impl Iterator<Item = (&TopicPartition, i64)> {
        self.0.iter().map(|(at, to)| (at, to.next))
    }

    /// No partition at all.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Everything that `other` holds is in this one, too.
    pub fn covers(&self, other: &Cut) -> bool {
        other.iter().all(|(at, next)| self.next(at).is_some_and(|known| known >= next))
    }

    pub(crate) fn of(cut: Option<proto::Cut>) -> Cut {
        let at = |position: proto::Position| {
            (TopicPartition::new(position.topic, position.partition), At { next: position.offset, log: position.log })
        };
        Cut(cut.unwrap_or_default().positions.into_iter().map(at).collect())
    }

    pub(crate) fn on_wire(&self) -> proto::Cut {
        let position = |(at, to): (&TopicPartition, &At)| proto::Position { topic: at.topic.clone(), partition: at.partition, offset: to.next, log: to.log };
        proto::Cut { positions: self.0.iter().map(position).collect() }
    }
}

impl From<&Delivered> for Cut {
    fn from(written: &Delivered) -> Cut {
        Cut::after(written)
    }
}

impl From<&Cut> for Cut {
    fn from(cut: &Cut) -> Cut {
        cut.clone()
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (number, (at, to)) in self.0.iter().enumerate() {
            write!(f, "{}{at}@{}", if number > 0 { "," } else { "" }, to.next)?;
            if to.log != 0 {
                write!(f, "#{}", to.log)?;
            }
        }
        Ok(())
    }
}

impl FromStr for Cut {
    type Err = ViewsError;

    fn from_str(text: &str) -> Result<Cut> {
        let wrong = |part: &str| ViewsError::Misuse(format!("{part:?} is no position of a cut: topic-partition@offset"));
        let mut cut = Cut::default();
        for part in text.split(',').filter(|part| !part.is_empty()) {
            let (at, next) = part.rsplit_once('@').ok_or_else(|| wrong(part))?;
            let (topic, partition) = at.rsplit_once('-').ok_or_else(|| wrong(part))?;
            let (next, log) = next.split_once('#').unwrap_or((next, "0"));
            let to = At { next: next.parse().map_err(|_| wrong(part))?, log: log.parse().map_err(|_| wrong(part))? };
            cut.put(TopicPartition::new(topic, partition.parse().map_err(|_| wrong(part))?), to);
        }
        Ok(cut)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_is_kept_as_text() {
        let text = "a-b-0@17,a-b-1@4#9";
        let cut: Cut = text.parse().unwrap();
        assert_eq!(cut.to_string(), text);
        assert_eq!(cut.next(&TopicPartition::new("a-b", 1)), Some(4));
        for wrong in ["a", "a@1", "a-x@1", "a-1@", "a-1@2#", "a-1@2#-1"] {
            assert!(wrong.parse::<Cut>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_cut_after_a_record_holds_it_and_never_moves_back() {
        let at = TopicPartition::new("t", 3);
        let mut cut = Cut::after(&Delivered { at: at.clone(), offset: 9 });
        assert_eq!(cut.next(&at), Some(10));
        cut.include(&Delivered { at: at.clone(), offset: 2 });
        assert_eq!(cut.next(&at), Some(10));
        let mut both = Cut::default();
        assert!(!both.covers(&cut));
        both.merge(&cut);
        assert!(both.covers(&cut) && cut.covers(&both));
    }
}
