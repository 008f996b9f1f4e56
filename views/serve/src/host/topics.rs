//! What planning sees of topics: as they are now, and as they were when a command was decided.
//!
//! Invariant: a command decided again from the list sees the same topics as the first time, so it has the same effect,
//! whatever has become of them since: more partitions, or none. What a query then lacks is its own trouble alone.
use std::cell::RefCell;
use std::collections::BTreeMap;

use millrace_sql::catalog::Topics;

use crate::Outside;

/// The answers that a decision was given.
pub type Answers = BTreeMap<String, Option<i32>>;

pub struct BrokerTopics<'a>(pub &'a dyn Outside);

impl Topics for BrokerTopics<'_> {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.partitions(topic).map(|partitions| partitions.len() as i32)
    }
}

/// Keeps every answer.
pub struct Noted<T> {
    topics: T,
    answers: RefCell<Answers>,
}

impl<T: Topics> Noted<T> {
    pub fn new(topics: T) -> Noted<T> {
        Noted { topics, answers: RefCell::default() }
    }

    pub fn into_answers(self) -> Answers {
        self.answers.into_inner()
    }
}

impl<T: Topics> Topics for Noted<T> {
    fn partitions(&self, topic: &str) -> Option<i32> {
        let answer = self.topics.partitions(topic);
        self.answers.borrow_mut().insert(topic.to_owned(), answer);
        answer
    }
}

/// Answers as before, and asks `now` about what was not asked then.
pub struct AsThen<'a, T> {
    pub then: &'a Answers,
    pub now: T,
}

impl<T: Topics> Topics for AsThen<'_, T> {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.then.get(topic).copied().unwrap_or_else(|| self.now.partitions(topic))
    }

    fn as_then(&self) -> bool {
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Fixed(Option<i32>);

    impl Topics for Fixed {
        fn partitions(&self, _topic: &str) -> Option<i32> {
            self.0
        }
    }

    #[test]
    fn a_topic_that_grew_or_went_is_seen_as_it_was() {
        let noted = Noted::new(Fixed(Some(3)));
        assert_eq!(noted.partitions("t"), Some(3));
        let then = noted.into_answers();
        assert_eq!(AsThen { then: &then, now: Fixed(Some(6)) }.partitions("t"), Some(3));
        assert_eq!(AsThen { then: &then, now: Fixed(None) }.partitions("t"), Some(3));
        assert_eq!(AsThen { then: &then, now: Fixed(None) }.partitions("another"), None);
    }

    #[test]
    fn a_topic_that_was_not_there_is_not_there_again() {
        let noted = Noted::new(Fixed(None));
        assert_eq!(noted.partitions("t"), None);
        assert_eq!(AsThen { then: &noted.into_answers(), now: Fixed(Some(3)) }.partitions("t"), None);
    }
}
