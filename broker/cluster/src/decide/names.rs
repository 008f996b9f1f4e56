//! What a topic may be called.
use std::collections::BTreeMap;

use super::{Reason, Refusal, refuse};
use crate::image::Image;

const LENGTH_MAX: usize = 249;

/// Topics that the broker itself writes; clients see them marked so.
pub fn is_internal(name: &str) -> bool {
    matches!(name, "__consumer_offsets" | "__transaction_state" | "__share_group_state")
}

/// Kafka's rules for a name, in Kafka's words.
pub fn validate_name(name: &str) -> Result<(), Refusal> {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'_' | b'-');
    let fault = match name {
        "" => "the empty string is not allowed".to_owned(),
        "." | ".." => format!("'{name}' is not allowed"),
        _ if name.chars().count() > LENGTH_MAX => {
            format!("the length of '{name}' is longer than the max allowed length {LENGTH_MAX}")
        }
        _ if !name.bytes().all(legal) => {
            format!("'{name}' contains one or more characters other than ASCII alphanumerics, '.', '_' and '-'")
        }
        _ => return Ok(()),
    };
    refuse(Reason::InvalidTopic, format!("Topic name is invalid: {fault}"))
}

/// `a.b` and `a_b` make the same metric name, so Kafka lets only one of them exist.
#[derive(Debug)]
pub(super) struct MetricNames(BTreeMap<String, String>);

impl MetricNames {
    pub(super) fn of(image: &Image) -> Self {
        let mut names = Self(BTreeMap::new());
        image.topics().for_each(|topic| names.add(&topic.name));
        names
    }

    pub(super) fn add(&mut self, topic: &str) {
        // Only names with one of the two can meet another's.
        if topic.contains(['.', '_']) {
            self.0.insert(topic.replace('.', "_"), topic.to_owned());
        }
    }

    pub(super) fn check(&self, topic: &str) -> Result<(), Refusal> {
        match self.0.get(&topic.replace('.', "_")) {
            Some(other) if other != topic => refuse(Reason::InvalidTopic, format!("Topic '{topic}' collides with existing topic: {other}")),
            _ => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_by_the_rules() {
        for good in ["a", "A.b_c-9", "...", &"x".repeat(249)] {
            assert_eq!(validate_name(good), Ok(()), "{good}");
        }
        for bad in ["", ".", "..", "a b", "ä", "a/b", &"x".repeat(250)] {
            assert!(validate_name(bad).is_err(), "{bad}");
        }
        assert_eq!(validate_name("..").expect_err("refused").message, "Topic name is invalid: '..' is not allowed");
    }
}
