//! What belongs to a query beside its rows, by name: folders and internal topics.
//!
//! Invariant: two queries never share a name, and a name is good for a folder and for a topic.
use millrace_sql::plan::{DataSource, QueryId};

const SCHEDULE: &str = "_millrace_schedule_";
/// Kafka's bound is 249 for a topic, a file system's 255; prefixes and numbers need some of it.
const ID_MAX: usize = 150;

/// The query that keeps the rows of a CREATE SOURCE TABLE.
pub fn kept_id(source: &DataSource) -> QueryId {
    QueryId::new(format!("CST_{}", source.name))
}

/// The id itself where it can be; else every other character as its number, and what is too long as a number of its own.
pub fn safe(id: &str) -> String {
    let mut name = String::with_capacity(id.len());
    for c in id.chars() {
        match c {
            'a'..='z' | 'A'..='Z' | '0'..='9' | '_' | '-' => name.push(c),
            other => name.push_str(&format!(".{:x}.", other as u32)),
        }
    }
    if name.len() > ID_MAX {
        let digest = name.bytes().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
        name.truncate(ID_MAX);
        name.push_str(&format!("..{digest:016x}"));
    }
    name
}

pub fn schedule_topic(id: &str, task: usize) -> String {
    format!("{SCHEDULE}{}_{task}", safe(id))
}

/// Whose schedule the topic is, as [`safe`] writes the id.
pub fn scheduled(topic: &str) -> Option<&str> {
    let (id, task) = topic.strip_prefix(SCHEDULE)?.rsplit_once('_')?;
    task.parse::<usize>().ok().map(|_| id)
}

/// Like ksqlDB's, but for the numbers: a ksqlDB that works on this broker must never meet a topic of ours under its own name.
pub fn repartition_topic(service_id: &str, query: &QueryId, crossing: &str, command: usize, at: usize) -> String {
    format!("_confluent-ksql-{}query_{}-{crossing}-{command}-{at}-repartition", safe(service_id), safe(&query.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hostile_id_is_neither_a_path_nor_another_querys_name() {
        assert_eq!(safe("CTAS_ORDERS_3"), "CTAS_ORDERS_3");
        for id in ["../../etc", "a/b", "a b", "ä", ".", ".."] {
            let name = safe(id);
            assert!(name.chars().all(|c| c.is_ascii_alphanumeric() || "._-".contains(c)), "{name}");
            assert!(!name.contains('/') && name != "." && name != "..", "{name}");
        }
        assert_ne!(safe("a b"), safe("a.20.b"));
        let long = |end: &str| safe(&("x".repeat(500) + end));
        assert!(schedule_topic(&long("a"), 999_999).len() < 249);
        assert_ne!(long("a"), long("b"));
    }

    #[test]
    fn a_schedule_tells_whose_it_is() {
        assert_eq!(scheduled(&schedule_topic("CSAS_A_1", 2)), Some("CSAS_A_1"));
        assert_eq!(scheduled(&schedule_topic("CSAS_A_1_2", 0)), Some("CSAS_A_1_2"));
        assert_eq!(scheduled("_millrace_schedule_CSAS_A_1_x"), None);
        assert_eq!(scheduled("orders"), None);
    }
}
