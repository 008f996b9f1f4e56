//! From text to a checked value, with the words that Kafka's clients know from its exceptions.
use super::key::{Key, Kind, Valid};

/// A config value of its type.
#[derive(Debug, Clone, PartialEq)]
pub enum Value {
    Boolean(bool),
    Number(i64),
    Double(f64),
    Text(String),
    List(Vec<String>),
}

/// A value that its key does not take.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("Invalid value {value} for configuration {name}: {reason}")]
pub struct ValueError {
    pub name: String,
    pub value: String,
    pub reason: String,
}

impl Key {
    /// Parses and checks `text`.
    pub fn parse(&self, text: &str) -> Result<Value, ValueError> {
        let text = text.trim();
        let refuse = |reason: String| ValueError { name: self.name.to_owned(), value: text.to_owned(), reason };
        let value = parse_kind(self.kind, text).map_err(refuse)?;
        let refuse = |reason: String| ValueError { name: self.name.to_owned(), value: text.to_owned(), reason };
        check_valid(self, &value).map_err(refuse)?;
        Ok(value)
    }
}

/// Whether `text` is a value that `key` takes.
pub fn check(key: &Key, text: &str) -> Result<(), ValueError> {
    key.parse(text).map(|_| ())
}

fn parse_kind(kind: Kind, text: &str) -> Result<Value, String> {
    let not_a_number = || format!("Not a number of type {}", kind.name());
    let bounded = |min: i64, max: i64| {
        let number: i64 = text.parse().map_err(|_| not_a_number())?;
        if number < min || number > max { Err(not_a_number()) } else { Ok(Value::Number(number)) }
    };
    match kind {
        Kind::Boolean if text.eq_ignore_ascii_case("true") => Ok(Value::Boolean(true)),
        Kind::Boolean if text.eq_ignore_ascii_case("false") => Ok(Value::Boolean(false)),
        Kind::Boolean => Err("Expected value to be either true or false".to_owned()),
        Kind::Short => bounded(i64::from(i16::MIN), i64::from(i16::MAX)),
        Kind::Int => bounded(i64::from(i32::MIN), i64::from(i32::MAX)),
        Kind::Long => bounded(i64::MIN, i64::MAX),
        Kind::Double => text.parse().map(Value::Double).map_err(|_| not_a_number()),
        Kind::String | Kind::Class | Kind::Password => Ok(Value::Text(text.to_owned())),
        Kind::List if text.is_empty() => Ok(Value::List(Vec::new())),
        Kind::List => Ok(Value::List(text.split(',').map(|item| item.trim().to_owned()).collect())),
    }
}

fn check_valid(key: &Key, value: &Value) -> Result<(), String> {
    match (key.valid, value) {
        (Valid::AtLeast(min), Value::Number(number)) if *number < min => Err(format!("Value must be at least {min}")),
        (Valid::Between(min, _), Value::Number(number)) if *number < min => Err(format!("Value must be at least {min}")),
        (Valid::Between(_, max), Value::Number(number)) if *number > max => Err(format!("Value must be no more than {max}")),
        (Valid::BetweenDouble(min, _), Value::Double(number)) if number.is_nan() || *number < min => {
            Err(format!("Value must be at least {min}"))
        }
        (Valid::BetweenDouble(_, max), Value::Double(number)) if *number > max => Err(format!("Value must be no more than {max}")),
        (Valid::GzipLevel, Value::Number(number)) if *number != -1 && !(1..=9).contains(number) => {
            Err("Value must be between 1 and 9 or equal to -1".to_owned())
        }
        (Valid::OneOf(choices), Value::Text(text)) => one_of(choices, text),
        (Valid::ListOf(choices), Value::List(items)) => {
            distinct(key, items)?;
            items.iter().try_for_each(|item| one_of(choices, item))
        }
        (Valid::NonEmptyList, Value::List(items)) if items.is_empty() => {
            Err(format!("Configuration '{}' must not be empty. Valid values include: any non-empty value", key.name))
        }
        (Valid::NonEmptyList, Value::List(items)) => distinct(key, items),
        (Valid::ThrottledReplicas, Value::List(items)) => throttled_replicas(key, items),
        _ => Ok(()),
    }
}

fn one_of(choices: &[&str], text: &str) -> Result<(), String> {
    if choices.contains(&text) { Ok(()) } else { Err(format!("String must be one of: {}", choices.join(", "))) }
}

fn distinct(key: &Key, items: &[String]) -> Result<(), String> {
    if items.iter().any(String::is_empty) {
        return Err(format!("Configuration '{}' values must not be empty.", key.name));
    }
    let repeated = items.iter().enumerate().any(|(at, item)| items[..at].contains(item));
    if repeated { Err(format!("Configuration '{}' values must not be duplicated.", key.name)) } else { Ok(()) }
}

fn throttled_replicas(key: &Key, items: &[String]) -> Result<(), String> {
    let pair = |item: &String| {
        item.split_once(':').is_some_and(|(partition, broker)| partition.parse::<u32>().is_ok() && broker.parse::<u32>().is_ok())
    };
    if items.iter().all(pair) || items == ["*"] {
        return Ok(());
    }
    Err(format!(
        "{} must be the literal '*' or a list of replicas in the following format: [partitionId]:[brokerId],[partitionId]:[brokerId],...",
        key.name
    ))
}

#[cfg(test)]
mod tests {
    use crate::config::{broker_key, check, topic_key};

    #[test]
    fn refusals_read_as_kafkas() {
        let table = [
            ("segment.bytes", "17", "Invalid value 17 for configuration segment.bytes: Value must be at least 1048576"),
            ("segment.bytes", "12a", "Invalid value 12a for configuration segment.bytes: Not a number of type INT"),
            ("segment.bytes", "3000000000", "Invalid value 3000000000 for configuration segment.bytes: Not a number of type INT"),
            ("retention.ms", "-2", "Invalid value -2 for configuration retention.ms: Value must be at least -1"),
            ("cleanup.policy", "purge", "Invalid value purge for configuration cleanup.policy: String must be one of: compact, delete"),
            ("preallocate", "yes", "Invalid value yes for configuration preallocate: Expected value to be either true or false"),
            ("min.cleanable.dirty.ratio", "1.5", "Invalid value 1.5 for configuration min.cleanable.dirty.ratio: Value must be no more than 1"),
            ("compression.gzip.level", "0", "Invalid value 0 for configuration compression.gzip.level: Value must be between 1 and 9 or equal to -1"),
        ];
        for (name, text, expected) in table {
            let key = topic_key(name).expect("a topic key");
            assert_eq!(check(key, text).expect_err(text).to_string(), expected);
        }
    }

    #[test]
    fn odd_but_legal_values_pass() {
        let table = [("cleanup.policy", ""), ("cleanup.policy", "delete, compact"), ("preallocate", "TRUE"), ("retention.ms", "-1"),
            ("leader.replication.throttled.replicas", "*"), ("leader.replication.throttled.replicas", "0:1,1:2"), ("retention.ms", " 5 ")];
        for (name, text) in table {
            assert_eq!(check(topic_key(name).expect("a topic key"), text), Ok(()), "{name}={text}");
        }
        let listeners = broker_key("listeners").expect("listeners");
        assert!(check(listeners, "").is_err());
        assert!(check(topic_key("cleanup.policy").expect("key"), "delete,delete").is_err());
    }
}
