use std::collections::VecDeque;

use millrace_sql::ast::JoinKind;
use proptest::prelude::*;

use super::*;
use crate::state::encode_values;

const DAY: i64 = 86_400_000;

fn streams(kind: JoinKind, within_ms: i64, grace_ms: Option<i64>) -> StreamStreamJoin {
    let side = |first| SideTables { by_key: TableId(first), by_time: TableId(first + 1) };
    StreamStreamJoin {
        kind,
        joiner: joiner(),
        before_ms: within_ms,
        after_ms: within_ms,
        grace_ms: grace_ms.unwrap_or(DAY),
        patient: grace_ms.is_some(),
        left: side(1),
        right: side(3),
        unmatched: TableId(5),
        registers: TableId(6),
    }
}

fn rows(out: &[Change]) -> Vec<(Option<i64>, Option<i64>, i64)> {
    let row = |change: &Change| {
        let row = change.new.as_ref().unwrap();
        (row[1].as_i64(), row[2].as_i64(), change.timestamp)
    };
    out.iter().map(row).collect()
}

#[test]
fn an_outer_row_waits_for_its_span_and_the_grace() {
    let join = streams(JoinKind::Left, 10, Some(5));
    let out = run(&join, [
        (Port::Left, event(1, 1, 0)),
        (Port::Left, event(2, 2, 5)),
        (Port::Right, event(2, 20, 15)),
        // Stream time 15 is not yet past 0 + 10 + 5; 16 is.
        (Port::Right, event(3, 30, 16)),
        (Port::Left, event(1, 3, 16)),
    ]);
    assert_eq!(rows(&out), [(Some(2), Some(20), 15), (Some(1), None, 0)]);
}

#[test]
fn without_a_grace_an_outer_row_comes_at_once() {
    let out = run(&streams(JoinKind::Full, 10, None), [(Port::Left, event(1, 1, 0)), (Port::Right, event(1, 10, 5))]);
    assert_eq!(rows(&out), [(Some(1), None, 0), (Some(1), Some(10), 5)]);
}

#[test]
fn a_stream_meets_the_table_as_it_stands() {
    let join = StreamTableJoin { left_outer: true, joiner: joiner(), rows: TableId(1) };
    let deletion = Change { new: None, ..event(1, 0, 3) };
    let out = run(&join, [
        (Port::Left, event(1, 1, 0)),
        (Port::Right, event(1, 10, 1)),
        (Port::Left, event(1, 2, 2)),
        (Port::Right, deletion),
        (Port::Left, event(1, 3, 4)),
    ]);
    assert_eq!(rows(&out), [(Some(1), None, 0), (Some(2), Some(10), 2), (Some(3), None, 4)]);
}

#[test]
fn events_that_nothing_can_meet_are_forgotten() {
    let side = |at: i64| if at % 2 == 0 { Port::Left } else { Port::Right };
    let events = (0..5_000).map(|at| (side(at), event((at % 50) as i32, 1, if at < 2_500 { at } else { at + DAY })));
    let (_, kept) = run_and_keep(&streams(JoinKind::Full, 10, Some(5)), events);
    // A buffer keeps span and grace, each event with its entry by time, and the unmatched among them once more.
    assert!(kept < 3 * (10 + 10 + 5 + 2) + 10, "{kept} rows");
}

/// Which side a change belongs to, and the change.
fn changes() -> impl Strategy<Value = Vec<(bool, i32, Option<i64>)>> {
    prop::collection::vec((any::<bool>(), 0..4i32, prop::option::weighted(0.7, 0..4i64)), 0..40)
}

fn apply(table: &mut BTreeMap<i32, i64>, k: i32, value: Option<i64>) {
    match value {
        Some(value) => table.insert(k, value),
        None => table.remove(&k),
    };
}

fn sides(changes: &[(bool, i32, Option<i64>)]) -> (BTreeMap<i32, i64>, BTreeMap<i32, i64>) {
    let (mut left, mut right) = (BTreeMap::new(), BTreeMap::new());
    for (is_left, k, value) in changes {
        apply(if *is_left { &mut left } else { &mut right }, *k, *value);
    }
    (left, right)
}

fn fed(changes: &[(bool, i32, Option<i64>)]) -> Vec<(Port, Change)> {
    let change = |(at, (is_left, k, value)): (usize, &(bool, i32, Option<i64>))| {
        let new = value.map(|value| row(*k, value));
        let change = Change { key: Some(key(*k)), window: None, new, old: None, timestamp: at as i64 };
        (if *is_left { Port::Left } else { Port::Right }, change)
    };
    changes.iter().enumerate().map(change).collect()
}

fn found(out: &[Change]) -> BTreeMap<i64, (Option<i64>, Option<i64>)> {
    net(out).into_values().map(|row| (row[0].as_i64().unwrap(), (row[1].as_i64(), row[2].as_i64()))).collect()
}

proptest! {
    /// With time enough, the pairs within the span are all there are, whatever their order.
    #[test]
    fn streams_join_every_pair_within(events in prop::collection::vec((any::<bool>(), 0..3i32, 0..60i64), 0..40)) {
        let numbered: Vec<_> = events.iter().enumerate().map(|(at, (side, k, time))| (*side, *k, at as i64, *time)).collect();
        let port = |is_left: bool| if is_left { Port::Left } else { Port::Right };
        let out = run(&streams(JoinKind::Inner, 7, None), numbered.iter().map(|(side, k, v, t)| (port(*side), event(*k, *v, *t))));
        let mut wanted = Vec::new();
        for (_, k, left, at) in numbered.iter().filter(|(is_left, ..)| *is_left) {
            for (_, _, right, to) in numbered.iter().filter(|(is_left, other, ..)| !*is_left && other == k) {
                if (at - to).abs() <= 7 {
                    wanted.push((Some(*left), Some(*right), *at.max(to)));
                }
            }
        }
        let mut pairs = rows(&out);
        pairs.sort();
        wanted.sort();
        prop_assert_eq!(pairs, wanted);
    }

    #[test]
    fn tables_join_as_their_last_rows(changes in changes(), kind in prop::sample::select(vec![JoinKind::Inner, JoinKind::Left, JoinKind::Right, JoinKind::Full])) {
        let join = TableTableJoin { kind, joiner: joiner(), left: TableId(1), right: TableId(2) };
        let out = run(&join, fed(&changes));
        let (left, right) = sides(&changes);
        let keys = left.keys().chain(right.keys());
        let wanted: BTreeMap<_, _> = keys
            .map(|k| (i64::from(*k), (left.get(k).copied(), right.get(k).copied())))
            .filter(|(_, (left, right))| match kind {
                JoinKind::Inner => left.is_some() && right.is_some(),
                JoinKind::Left => left.is_some(),
                JoinKind::Right => right.is_some(),
                JoinKind::Full => true,
            })
            .collect();
        prop_assert_eq!(found(&out), wanted);
    }

    /// The left value names the right key. What the operators send each other is on its way for as long as it likes: only what comes
    /// from one right key keeps its order, for rows of different keys lie in different partitions.
    #[test]
    fn foreign_keys_join_as_the_last_rows(
        changes in prop::collection::vec((prop::bool::weighted(0.75), 0..4i32, prop::option::weighted(0.6, 0..4i64)), 0..60),
        left_outer: bool,
        old_wanted: bool,
        mut chance: u64,
    ) {
        let reference = scalar("NULLIF(CAST(V AS INT), 3)");
        let subscribe = Subscribe { left_outer, reference, names: TableId(1), registers: TableId(2) };
        let answer = Answer { left_outer, joiner: joiner(), left_keys: 1, right: TableId(3), subscriptions: TableId(4) };
        let resolve = Resolve { rows: TableId(5), old_wanted };
        let store = MemoryStore::new();
        let mut pending = Pending::default();
        let mut process = |operator: &dyn Operator, port: Port, change: Change| {
            let mut context = Context::new(Unit::resume(&store, std::mem::take(&mut pending)), EvalContext::new(0, 0));
            let mut out = Vec::new();
            operator.process(port, change, &mut context, &mut out).unwrap();
            pending = context.unit.into_pending();
            out
        };
        // By right key: what waits there, and what waits of what came from there.
        let place = |change: &Change| change.key.as_ref().map(|key| key.to_vec()).filter(|key| *key != [Value::Null]).map(|key| key[0].as_i64().unwrap());
        let mut asked: BTreeMap<Option<i64>, VecDeque<(Port, Change)>> = BTreeMap::new();
        let mut told: BTreeMap<Option<i64>, VecDeque<Change>> = BTreeMap::new();
        let mut out = Vec::new();
        let mut left_to_feed: VecDeque<_> = fed(&changes).into();
        loop {
            // Any of what is on its way may be the next, or the next input.
            let ways = asked.len() + told.len() + usize::from(!left_to_feed.is_empty());
            if ways == 0 {
                break;
            }
            chance = chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1);
            let way = (chance >> 33) as usize % ways;
            if way < asked.len() {
                let (name, waiting) = asked.iter_mut().nth(way).unwrap();
                let (name, (port, change)) = (*name, waiting.pop_front().unwrap());
                asked.retain(|_, waiting| !waiting.is_empty());
                let answers = process(&answer, port, change);
                if !answers.is_empty() {
                    told.entry(name).or_default().extend(answers);
                }
            } else if way < asked.len() + told.len() {
                let waiting = told.values_mut().nth(way - asked.len()).unwrap();
                out.extend(process(&resolve, Port::Left, waiting.pop_front().unwrap()));
                told.retain(|_, waiting| !waiting.is_empty());
            } else if let Some((port, change)) = left_to_feed.pop_front() {
                match port {
                    Port::Right => asked.entry(place(&change)).or_default().push_back((port, change)),
                    Port::Left => for change in process(&subscribe, Port::Left, change) {
                        asked.entry(place(&change)).or_default().push_back((Port::Left, change));
                    }
                }
            }
        }
        let (left, right) = sides(&changes);
        let named = |name: &i64| (*name != 3).then(|| right.get(&(*name as i32)).copied()).flatten();
        let wanted: BTreeMap<_, _> = left
            .iter()
            .map(|(k, name)| (i64::from(*k), (Some(*name), named(name))))
            .filter(|(_, (_, right))| left_outer || right.is_some())
            .collect();
        prop_assert_eq!(found(&out), wanted.clone());
        // Each change says what it takes back.
        let mut rows = BTreeMap::new();
        for change in out.iter().filter(|_| old_wanted) {
            let key = encode_values(change.key.as_ref().unwrap());
            prop_assert_eq!(&change.old, &rows.get(&key).cloned().flatten());
            rows.insert(key, change.new.clone());
        }
        // Of left keys that joined nothing in the end, nothing is remembered.
        let mut kept = |table: u32| pending.rows().iter().filter(|(id, _)| *id == TableId(table)).flat_map(|(_, rows)| rows.iter()).filter(|(_, row)| row.is_some()).count();
        let named_left = left.values().filter(|name| left_outer || **name != 3).count();
        prop_assert_eq!(kept(1), named_left);
        prop_assert_eq!(kept(4), named_left);
        let results = kept(5);
        prop_assert!((wanted.len()..=named_left).contains(&results), "{results} rows for {} of the result and {named_left} subscribers", wanted.len());
    }
}
