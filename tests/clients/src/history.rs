//! What producers sent and were told, and what a reader then finds: nothing lost, repeated, reordered or made up.
use std::collections::{BTreeMap, HashMap};

/// One producer's life in one partition. Values are `producer:number`, numbers from 0 without a gap.
#[derive(Debug, Default, Clone)]
pub struct Sent {
    /// How many were handed to the client.
    pub handed: u64,
    /// Numbers that the broker acknowledged, with the offset it named (-1 where it named none).
    pub acknowledged: BTreeMap<u64, i64>,
}

/// Every producer's part, by (partition, producer).
#[derive(Debug, Default, Clone)]
pub struct History {
    pub sent: HashMap<(i32, String), Sent>,
}

/// A record as a reader saw it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    pub partition: i32,
    pub offset: i64,
    pub key: String,
    pub value: String,
}

impl History {
    /// Adds another one.
    pub fn merge(&mut self, other: History) {
        for (key, sent) in other.sent {
            let ours = self.sent.entry(key).or_default();
            ours.handed = ours.handed.max(sent.handed);
            ours.acknowledged.extend(sent.acknowledged);
        }
    }

    /// How many records were acknowledged.
    pub fn acknowledged(&self) -> usize {
        self.sent.values().map(|sent| sent.acknowledged.len()).sum()
    }

    /// Every breach, in words; `whole` when the reader saw the partitions from the beginning to the end.
    pub fn check(&self, seen: &[Seen]) -> Vec<String> {
        let mut breaches = Vec::new();
        let mut places: HashMap<(i32, String), Vec<(u64, i64)>> = HashMap::new();
        let mut last_offset: HashMap<i32, i64> = HashMap::new();
        for record in seen {
            let before = last_offset.insert(record.partition, record.offset);
            if before.is_some_and(|before| before >= record.offset) {
                breaches.push(format!("partition {}: offset {} after {before:?}", record.partition, record.offset));
            }
            let Some((producer, number)) = record.value.rsplit_once(':').and_then(|(name, number)| Some((name, number.parse().ok()?))) else {
                breaches.push(format!("nobody sent {:?} at {}/{}", record.value, record.partition, record.offset));
                continue;
            };
            places.entry((record.partition, producer.to_owned())).or_default().push((number, record.offset));
        }
        for ((partition, producer), found) in &places {
            let name = format!("partition {partition}, producer {producer}");
            let Some(sent) = self.sent.get(&(*partition, producer.clone())) else {
                breaches.push(format!("{name}: no such producer"));
                continue;
            };
            for pair in found.windows(2) {
                match pair[0].0.cmp(&pair[1].0) {
                    std::cmp::Ordering::Less => {}
                    std::cmp::Ordering::Equal => breaches.push(format!("{name}: {} twice, at {} and {}", pair[0].0, pair[0].1, pair[1].1)),
                    std::cmp::Ordering::Greater => breaches.push(format!("{name}: {} at {} after {} at {}", pair[1].0, pair[1].1, pair[0].0, pair[0].1)),
                }
            }
            for (number, offset) in found {
                if *number >= sent.handed {
                    breaches.push(format!("{name}: {number} was never sent"));
                }
                if sent.acknowledged.get(number).is_some_and(|told| *told >= 0 && told != offset) {
                    breaches.push(format!("{name}: {number} is at {offset}, the acknowledgement said {}", sent.acknowledged[number]));
                }
            }
        }
        for ((partition, producer), sent) in &self.sent {
            let found: std::collections::HashSet<u64> =
                places.get(&(*partition, producer.clone())).map(|list| list.iter().map(|(number, _)| *number).collect()).unwrap_or_default();
            let lost: Vec<_> = sent.acknowledged.keys().filter(|number| !found.contains(number)).collect();
            if !lost.is_empty() {
                breaches.push(format!("partition {partition}, producer {producer}: {} acknowledged records are lost, first {}", lost.len(), lost[0]));
            }
        }
        breaches
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn history(numbers: &[(u64, i64)], handed: u64) -> History {
        let sent = Sent { handed, acknowledged: numbers.iter().copied().collect() };
        History { sent: [((0, "p".to_owned()), sent)].into() }
    }

    fn seen(values: &[(i64, &str)]) -> Vec<Seen> {
        values.iter().map(|(offset, value)| Seen { partition: 0, offset: *offset, key: String::new(), value: (*value).to_owned() }).collect()
    }

    #[test]
    fn a_good_history_has_no_breach() {
        let history = history(&[(0, 0), (1, 1)], 3);
        assert!(history.check(&seen(&[(0, "p:0"), (1, "p:1")])).is_empty());
        assert!(history.check(&seen(&[(0, "p:0"), (1, "p:1"), (2, "p:2")])).is_empty(), "sent and not acknowledged may be there");
    }

    #[test]
    fn every_kind_of_breach_is_told() {
        let history = history(&[(0, 0), (1, 1)], 2);
        let breach = |values: &[(i64, &str)]| history.check(&seen(values)).join("; ");
        assert!(breach(&[(0, "p:0")]).contains("lost"));
        assert!(breach(&[(0, "p:0"), (1, "p:1"), (2, "p:1")]).contains("twice"));
        assert!(breach(&[(0, "p:1"), (1, "p:0")]).contains("after"));
        assert!(breach(&[(0, "p:0"), (1, "p:1"), (2, "p:5")]).contains("never sent"));
        assert!(breach(&[(0, "p:0"), (2, "p:1")]).contains("acknowledgement said 1"));
        assert!(breach(&[(0, "p:0"), (1, "p:1"), (2, "q:0")]).contains("no such producer"));
        assert!(breach(&[(0, "p:0"), (0, "p:1")]).contains("offset 0 after"));
        assert!(breach(&[(0, "p:0"), (1, "p:1"), (2, "x")]).contains("nobody sent"));
    }
}
