//! A cut: how far each input has been read.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// One partition of one input topic.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InputId {
    pub topic: Arc<str>,
    pub partition: i32,
}

impl InputId {
    pub fn new(topic: impl Into<Arc<str>>, partition: i32) -> InputId {
        InputId { topic: topic.into(), partition }
    }
}

/// Next offset to read, by input. An input that is not named has been read up to its start.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cut(BTreeMap<InputId, i64>);

impl Cut {
    /// The next offset of the input, if any of it has been read.
    pub fn next(&self, input: &InputId) -> Option<i64> {
        self.0.get(input).copied()
    }

    /// Whether the record at this offset is already behind the cut.
    pub fn covers(&self, input: &InputId, offset: i64) -> bool {
        self.next(input).is_some_and(|next| offset < next)
    }

    /// Moves one input on; never back.
    pub fn advance(&mut self, input: &InputId, next: i64) {
        match self.0.get_mut(input) {
            Some(known) => *known = (*known).max(next),
            None => {
                self.0.insert(input.clone(), next);
            }
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (&InputId, i64)> {
        self.0.iter().map(|(input, next)| (input, *next))
    }
}

impl fmt::Display for Cut {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (at, (input, next)) in self.iter().enumerate() {
            let comma = if at > 0 { ", " } else { "" };
            write!(out, "{comma}{}/{} at {next}", input.topic, input.partition)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cut_never_moves_back() {
        let input = InputId::new("t", 0);
        let mut cut = Cut::default();
        assert!(!cut.covers(&input, 0));
        cut.advance(&input, 5);
        cut.advance(&input, 3);
        assert_eq!(cut.next(&input), Some(5));
        assert!(cut.covers(&input, 4));
        assert!(!cut.covers(&input, 5));
    }
}
