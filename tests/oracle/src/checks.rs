//! The checks themselves.
//!
//! A sink's records of one key come in some order that the inputs allow: those of one input partition never change places. A
//! number that no other record has tells which input record an output came of, so each is found to be there once, and in order.
use std::collections::{BTreeMap, VecDeque};

use crate::Event;

/// Records of one key that wait to be found in a sink: by input partition, each in order.
#[derive(Clone, Debug, Default)]
pub struct Waiting(BTreeMap<usize, VecDeque<i64>>);

impl Waiting {
    pub fn add(&mut self, partition: usize, number: i64) {
        self.0.entry(partition).or_default().push_back(number);
    }

    /// One output came of this record.
    fn found(&mut self, number: i64) -> bool {
        self.0.values_mut().any(|queue| queue.front() == Some(&number) && queue.pop_front().is_some())
    }

    fn next(&self) -> Vec<i64> {
        self.0.values().filter_map(|queue| queue.front().copied()).collect()
    }

    fn rest(&self) -> usize {
        self.0.values().map(VecDeque::len).sum()
    }
}

pub type Expected = BTreeMap<String, Waiting>;

/// Groups the numbers of readable records by a key.
pub fn expect(source: &[Event], number: &str, key: impl Fn(&Event) -> Option<String>) -> Expected {
    let mut expected = Expected::new();
    for event in source {
        if let (Some(number), Some(key)) = (event.integer(number), key(event)) {
            expected.entry(key).or_default().add(event.partition, number);
        }
    }
    expected
}

/// Each output is the next record of its key, and with `complete` none is missing.
pub fn check_each_once(outputs: impl Iterator<Item = (String, i64)>, mut expected: Expected, complete: bool) -> Result<(), String> {
    for (key, number) in outputs {
        if !expected.get_mut(&key).is_some_and(|waiting| waiting.found(number)) {
            let next = expected.get(&key).map(Waiting::next);
            return Err(format!("{number} of {key} is repeated, out of order, or comes of nothing; next is one of {next:?}"));
        }
    }
    let missing: usize = expected.values().map(Waiting::rest).sum();
    if complete && missing > 0 { Err(format!("{missing} outputs are missing: {expected:?}")) } else { Ok(()) }
}

/// A changelog of counts and sums: the count grows by one, the sum by the number of one record.
pub fn check_totals_log(sink: &[Event], expected: Expected, complete: bool) -> Result<(), String> {
    let mut last: BTreeMap<String, (i64, i64)> = BTreeMap::new();
    let mut outputs = Vec::new();
    for event in sink {
        let (Some(key), Some(count), Some(sum)) = (event.key_text(), event.integer("C"), event.integer("S")) else {
            return Err(format!("no totals in {event:?}"));
        };
        let before = last.insert(key.clone(), (count, sum)).unwrap_or((0, 0));
        if count != before.0 + 1 {
            return Err(format!("after {before:?} of {key} comes {count}, {sum}"));
        }
        outputs.push((key, sum - before.1));
    }
    check_each_once(outputs.into_iter(), expected, complete)
}

/// Count and sum by key.
pub fn totals<'a>(source: impl Iterator<Item = &'a Event>, number: &str, key: impl Fn(&Event) -> Option<String>) -> BTreeMap<String, Vec<i64>> {
    let mut totals = BTreeMap::new();
    for event in source {
        if let (Some(number), Some(key)) = (event.integer(number), key(event)) {
            let total: &mut Vec<i64> = totals.entry(key).or_insert_with(|| vec![0, 0]);
            total[0] += 1;
            total[1] += number;
        }
    }
    totals
}

/// Sessions by key: start, end, count. Order does not matter while none is too late.
pub fn sessions<'a>(source: impl Iterator<Item = &'a Event>, gap_ms: i64) -> BTreeMap<String, Vec<i64>> {
    let mut times: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in source {
        if let (Some(key), Some(_)) = (event.key_text(), event.integer("N")) {
            times.entry(key).or_default().push(event.timestamp);
        }
    }
    let mut sessions = BTreeMap::new();
    for (key, mut times) in times {
        times.sort_unstable();
        let mut each: Vec<[i64; 3]> = Vec::new();
        for time in times {
            match each.last_mut() {
                Some([_, end, count]) if time - *end <= gap_ms => (*end, *count) = (time, *count + 1),
                _ => each.push([time, time, 1]),
            }
        }
        for [start, end, count] in each {
            sessions.insert(format!("{key} {start} {end}"), vec![count]);
        }
    }
    sessions
}

/// Counts by key and tumbling window, of those windows that a pull query still sees: in each partition those of segments that are not
/// wholly past the retention of its youngest window.
pub fn live_windows<'a>(source: impl Iterator<Item = &'a Event>, size_ms: i64, retention_ms: i64, segment_ms: i64) -> BTreeMap<String, Vec<i64>> {
    let mut partitions: BTreeMap<usize, BTreeMap<(i64, String), i64>> = BTreeMap::new();
    for event in source {
        if let (Some(key), Some(_)) = (event.key_text(), event.integer("N")) {
            let start = event.timestamp / size_ms * size_ms;
            *partitions.entry(event.partition).or_default().entry((start, key)).or_insert(0) += 1;
        }
    }
    let mut live = BTreeMap::new();
    for windows in partitions.into_values() {
        let youngest = windows.keys().next_back().map_or(0, |(start, _)| *start);
        let first = (youngest - retention_ms).div_euclid(segment_ms) * segment_ms;
        let left = windows.into_iter().filter(|((start, _), _)| *start >= first);
        live.extend(left.map(|((start, key), count)| (format!("{key} {start} {}", start + size_ms), vec![count])));
    }
    live
}

/// The changelog of a session count, record for record: what is merged is deleted, then the merged session appears.
pub fn sessions_log(source: &[Event], gap_ms: i64) -> BTreeMap<String, Vec<(i64, i64, Option<i64>)>> {
    let mut open: BTreeMap<String, Vec<(i64, i64, i64)>> = BTreeMap::new();
    let mut log: BTreeMap<String, Vec<(i64, i64, Option<i64>)>> = BTreeMap::new();
    for event in source {
        let (Some(key), Some(_)) = (event.key_text(), event.integer("N")) else { continue };
        let time = event.timestamp;
        let (open, log) = (open.entry(key.clone()).or_default(), log.entry(key).or_default());
        // Sessions do not overlap, so they are in the order of their starts and of their ends, and the newest are at the back.
        let first = open.iter().rposition(|session| session.1 < time - gap_ms).map_or(0, |at| at + 1);
        let behind = open[first..].iter().position(|session| session.0 > time + gap_ms).map_or(open.len(), |at| first + at);
        let touched: Vec<_> = open.drain(first..behind).collect();
        let merged = touched.iter().fold((time, time, 1), |merged, one| (merged.0.min(one.0), merged.1.max(one.1), merged.2 + one.2));
        if (merged.0, merged.1) != (time, time) {
            log.extend(touched.iter().map(|one| (one.0, one.1, None)));
        }
        log.push((merged.0, merged.1, Some(merged.2)));
        open.insert(first, merged);
    }
    log
}

/// A session's key in a topic, as Kafka Streams writes it: the key, then end and start. Here: key, start, end.
fn session_of(event: &Event) -> Result<(String, i64, i64), String> {
    let bytes = event.key.as_deref().unwrap_or_default();
    let time = |part: &[u8]| part.try_into().map(i64::from_be_bytes).map_err(|_| "not a time".to_owned());
    let text = bytes.len().checked_sub(16).ok_or_else(|| format!("no session in {event:?}"))?;
    Ok((String::from_utf8_lossy(&bytes[..text]).into_owned(), time(&bytes[text + 8..])?, time(&bytes[text..text + 8])?))
}

pub fn check_sessions_log(sink: &[Event], source: &[Event], gap_ms: i64, complete: bool) -> Result<(), String> {
    let expected = sessions_log(source, gap_ms);
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for event in sink {
        let (key, start, end) = session_of(event)?;
        let at = seen.entry(key.clone()).or_insert(0);
        let found = (start, end, event.integer("C"));
        let wanted = expected.get(&key).and_then(|log| log.get(*at));
        if wanted != Some(&found) {
            return Err(format!("output {at} of {key} is {found:?}, not {wanted:?}"));
        }
        *at += 1;
    }
    let (made, wanted) = (seen.values().sum::<usize>(), expected.values().map(Vec::len).sum::<usize>());
    if complete && made < wanted { Err(format!("{} outputs are missing", wanted - made)) } else { Ok(()) }
}

/// Versions of each key, in order.
pub fn versions(table: &[Event], number: &str) -> BTreeMap<String, Vec<i64>> {
    let mut versions: BTreeMap<String, Vec<i64>> = BTreeMap::new();
    for event in table {
        if let (Some(key), Some(version)) = (event.key_text(), event.integer(number)) {
            versions.entry(key).or_default().push(version);
        }
    }
    versions
}

/// Outputs of a stream-table join meet versions of their key that never go back; `None` only before the first.
pub fn check_join_log(sink: &[Event], column: &str, versions: &BTreeMap<String, Vec<i64>>) -> Result<(), String> {
    let mut last: BTreeMap<String, usize> = BTreeMap::new();
    for event in sink {
        let Some(key) = event.key_text() else { continue };
        let before = last.get(&key).copied().unwrap_or(0);
        let now = match event.integer(column) {
            None => 0,
            Some(version) => {
                let place = versions.get(&key).and_then(|versions| versions.iter().position(|known| *known == version));
                place.ok_or_else(|| format!("{key} never had version {version}"))? + 1
            }
        };
        if now < before {
            return Err(format!("{key} met its version {before}, and then {now}"));
        }
        last.insert(key, now);
    }
    Ok(())
}

/// The changelog of an inner join of two tables: each output is one step of one side from the last.
pub fn check_pairs_log(sink: &[Event], left: &BTreeMap<String, Vec<i64>>, right: &BTreeMap<String, Vec<i64>>, complete: bool) -> Result<(), String> {
    let mut last: BTreeMap<String, (usize, usize)> = BTreeMap::new();
    let place = |side: &BTreeMap<String, Vec<i64>>, key: &str, number: Option<i64>| {
        let number = number.ok_or_else(|| format!("a side of {key} is missing"))?;
        side.get(key).and_then(|all| all.iter().position(|known| *known == number)).ok_or_else(|| format!("{key} never had {number}"))
    };
    for event in sink {
        let key = event.key_text().unwrap_or_default();
        let (version, cap) = (event.integer("VERSION"), event.integer("CAP"));
        let now = (place(left, &key, version)?, place(right, &key, cap)?);
        let step = match last.get(&key) {
            None => now.0 == 0 || now.1 == 0,
            Some(before) => now == (before.0 + 1, before.1) || now == (before.0, before.1 + 1),
        };
        if !step {
            return Err(format!("{key} went from {:?} to {now:?}", last.get(&key)));
        }
        last.insert(key, now);
    }
    if !complete {
        return Ok(());
    }
    for (key, versions) in left {
        let Some(caps) = right.get(key) else { continue };
        let end = (versions.len() - 1, caps.len() - 1);
        if last.get(key) != Some(&end) {
            return Err(format!("{key} ended at {:?}, not at {end:?}", last.get(key)));
        }
    }
    Ok(())
}

/// The rows of that join.
pub fn pairs<'a>(left: impl Iterator<Item = &'a Event>, right: impl Iterator<Item = &'a Event>) -> BTreeMap<String, Vec<i64>> {
    let newest = |side: Vec<Event>, number: &str| versions(&side, number).into_iter().filter_map(|(key, all)| Some((key, *all.last()?))).collect::<BTreeMap<_, _>>();
    let (left, right) = (newest(left.cloned().collect(), "VERSION"), newest(right.cloned().collect(), "CAP"));
    left.into_iter().filter_map(|(key, version)| Some((key.clone(), vec![version, *right.get(&key)?]))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(partition: usize, offset: i64, key: &str, value: &str) -> Event {
        Event::new(partition, offset, offset * 10, Some(key.as_bytes()), Some(value.as_bytes()))
    }

    fn by_key(event: &Event) -> Option<String> {
        event.key_text()
    }

    #[test]
    fn repeats_gaps_and_swaps_are_told() {
        let source = [event(0, 0, "a", r#"{"N":1}"#), event(0, 1, "a", r#"{"N":2}"#), event(1, 0, "a", r#"{"N":3}"#)];
        let check = |numbers: &[i64], complete| check_each_once(numbers.iter().map(|number| ("a".to_owned(), *number)), expect(&source, "N", by_key), complete);
        assert!(check(&[1, 3, 2], true).is_ok());
        assert!(check(&[3], false).is_ok());
        assert!(check(&[3], true).is_err());
        assert!(check(&[2, 1, 3], false).is_err());
        assert!(check(&[1, 1], false).is_err());
    }

    #[test]
    fn sessions_merge_whatever_the_order() {
        let at = |offset| event(0, offset, "a", r#"{"N":1}"#);
        let source = [at(0), at(5), at(2), at(50)];
        assert_eq!(sessions(source.iter(), 30), BTreeMap::from([("a 0 50".into(), vec![3]), ("a 500 500".into(), vec![1])]));
        let log = &sessions_log(&source, 30)["a"];
        assert_eq!(log[2..], [(0, 0, None), (50, 50, None), (0, 50, Some(3)), (500, 500, Some(1))]);
    }
}
