use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000;

fn windows(size_ms: i64, advance_ms: i64, grace_ms: i64, final_only: bool) -> WindowAggregate {
    WindowAggregate {
        folds: folds("K"),
        size_ms,
        advance_ms,
        grace_ms,
        retention: Retention { retention_ms: size_ms + grace_ms, segment_ms: 1 },
        final_only,
        groups: TableId(1),
    }
}

fn sessions(gap_ms: i64, grace_ms: i64, final_only: bool) -> SessionAggregate {
    let (sessions, by_time) = (TableId(1), TableId(2));
    let retention = Retention { retention_ms: gap_ms + grace_ms, segment_ms: 1 };
    SessionAggregate { folds: folds("K"), gap_ms, grace_ms, retention, final_only, sessions, by_time }
}

fn left(changes: impl IntoIterator<Item = Change>) -> impl Iterator<Item = (Port, Change)> {
    changes.into_iter().map(|change| (Port::Left, change))
}

fn counts(out: &[Change]) -> Vec<(i64, i64, i64)> {
    let count = |change: &Change| {
        let window = change.window.unwrap();
        let count = change.new.as_ref().map_or(-1, |row| row[1].as_i64().unwrap());
        (window.start, window.end, count)
    };
    out.iter().map(count).collect()
}

#[test]
fn a_late_row_is_dropped_once_its_window_has_closed() {
    let out = run(&windows(10, 10, 5, false), left([event(1, 1, 3), event(1, 1, 14), event(1, 1, 9), event(1, 1, 15), event(1, 1, 9)]));
    assert_eq!(counts(&out), [(0, 10, 1), (10, 20, 1), (0, 10, 2), (10, 20, 2)]);
}

#[test]
fn a_final_window_is_shown_once_when_it_closes() {
    let out = run(&windows(10, 10, 5, true), left([event(1, 1, 3), event(2, 1, 5), event(1, 1, 14), event(1, 1, 15), event(1, 1, 16)]));
    assert_eq!(counts(&out), [(0, 10, 1), (0, 10, 1)]);
}

#[test]
fn hopping_windows_overlap() {
    let out = run(&windows(10, 5, 0, false), left([event(1, 1, 12)]));
    assert_eq!(counts(&out), [(5, 15, 1), (10, 20, 1)]);
}

#[test]
fn a_row_between_two_sessions_joins_them() {
    let out = run(&sessions(5, DAY, false), left([event(1, 1, 0), event(1, 1, 8), event(1, 1, 4)]));
    assert_eq!(counts(&out), [(0, 0, 1), (8, 8, 1), (0, 0, -1), (8, 8, -1), (0, 8, 3)]);
    assert_eq!(out.last().unwrap().timestamp, 8);
}

#[test]
fn a_final_session_is_shown_once_when_it_closes() {
    let out = run(&sessions(5, 0, true), left([event(1, 1, 0), event(1, 1, 4), event(2, 1, 9), event(2, 1, 10), event(2, 1, 30)]));
    assert_eq!(counts(&out), [(0, 4, 2), (9, 10, 2)]);
}

/// What a result would keep of the changes: by key and window, less what is past the retention; with the most that went at once.
fn kept(operator: &dyn Operator, changes: impl IntoIterator<Item = Change>) -> (BTreeMap<Vec<u8>, Row>, Option<Live>, usize) {
    let store = MemoryStore::new();
    let (mut pending, mut rows, mut live, mut most) = (Pending::default(), BTreeMap::new(), None, 0);
    for change in changes {
        let mut context = Context::new(Unit::resume(&store, pending), EvalContext::new(0, 0));
        let mut out = Vec::new();
        operator.process(Port::Left, change, &mut context, &mut out).unwrap();
        for change in out {
            let key = encode_windowed(change.key.as_ref().unwrap(), change.window);
            match change.new {
                Some(row) => rows.insert(key, row),
                None => rows.remove(&key),
            };
        }
        most = most.max(context.expired.len());
        context.expired.iter().for_each(|key| drop(rows.remove(key)));
        live = context.live.or(live);
        pending = context.unit.into_pending();
    }
    (rows, live, most)
}

#[test]
fn a_result_loses_the_windows_that_are_past_the_retention() {
    // Segments of 10 ms, and windows of as much, kept for 25 ms.
    let mut operator = windows(10, 10, 5, false);
    operator.retention = Retention { retention_ms: 25, segment_ms: 10 };
    let starts = |rows: &BTreeMap<Vec<u8>, Row>| rows.values().map(|row| row[3].as_i64().unwrap()).collect::<Vec<_>>();
    let (rows, live, _) = kept(&operator, (0..100).map(|at| event(1, 1, at)));
    assert_eq!(starts(&rows), [60, 70, 80, 90]);
    assert_eq!(live, Some(Live { from: 60, by_end: false }));
    assert!(!live.unwrap().has(Window { start: 50, end: 60 }) && live.unwrap().has(Window { start: 60, end: 70 }));
    // What is final goes just the same.
    operator.final_only = true;
    let (rows, ..) = kept(&operator, (0..100).map(|at| event(1, 1, at)));
    assert_eq!(starts(&rows), [60, 70, 80]);
    let mut operator = sessions(3, 5, false);
    operator.retention = Retention { retention_ms: 25, segment_ms: 10 };
    let (rows, live, _) = kept(&operator, (0..10).map(|at| event(1, 1, at * 10)));
    assert_eq!(starts(&rows), [60, 70, 80, 90]);
    assert_eq!(live, Some(Live { from: 60, by_end: true }));
}

#[test]
fn a_leap_of_time_over_many_windows_costs_no_record_more_than_another() {
    let many = 10_000;
    let operator = windows(10, 10, 5, false);
    let before = (0..many).map(|k| event(k, 1, 0));
    let (rows, live, most) = kept(&operator, before.clone().chain([event(1, 1, DAY)]));
    assert!(most <= 128 && rows.len() > 9_000, "{most} rows went at once");
    // Readers know at once.
    assert_eq!(live, Some(Live { from: DAY - 15, by_end: false }));
    let (rows, _, most) = kept(&operator, before.chain((0..100).map(|at| event(1, 1, DAY + at % 10))));
    assert!(most <= 128 && rows.len() == 1, "{} rows are left, {most} went at once", rows.len());
}

#[test]
fn segments_are_those_of_kafka_streams() {
    assert_eq!(Retention::of(1_000).live_from(61_500), 60_000, "a minute at least");
    assert_eq!(Retention::of(1_000).live_from(60_500), 0);
    assert_eq!(Retention::of(400_000).live_from(1_000_000), 600_000, "half the retention where that is more");
}

/// Steps of a millisecond, and a leap of a day among them.
fn long_run() -> impl Iterator<Item = Change> {
    (0..5_000).map(|at| event((at % 5) as i32, 1, if at < 2_500 { at } else { at + DAY }))
}

#[test]
fn windows_and_sessions_that_cannot_change_are_forgotten() {
    let (_, kept) = run_and_keep(&windows(10, 5, 5, false), left(long_run()));
    assert!(kept < 5 * 6 + 10, "{kept} rows of windows");
    let (_, kept) = run_and_keep(&sessions(3, 5, true), left(long_run()));
    assert!(kept < 2 * 5 * 6 + 10, "{kept} rows of sessions");
}

fn events() -> impl Strategy<Value = Vec<(i32, i64, i64)>> {
    prop::collection::vec((0..3i32, -5..5i64, 0..200i64), 0..40)
}

proptest! {
    /// With time enough for every row, windows hold what falls into them, in whatever order it came.
    #[test]
    fn windows_count_and_sum(rows in events(), advance in prop::sample::select(vec![5i64, 10])) {
        let out = run(&windows(10, advance, DAY, false), left(rows.iter().map(|(k, v, t)| event(*k, *v, *t))));
        let mut wanted: BTreeMap<_, (i64, i64)> = BTreeMap::new();
        for (k, value, time) in &rows {
            for start in (0..=*time).step_by(advance as usize).filter(|start| *time < start + 10) {
                let window = Window { start, end: start + 10 };
                let group = wanted.entry((encode_windowed(&key(*k), None), Some(window))).or_default();
                *group = (group.0 + 1, group.1 + value);
            }
        }
        let found: BTreeMap<_, _> = net(&out)
            .into_iter()
            .map(|(at, row)| (at, (row[1].as_i64().unwrap(), row[2].as_i64().unwrap())))
            .collect();
        prop_assert_eq!(found, wanted);
    }

    /// With time enough for every row, sessions are the clusters of the sorted times.
    #[test]
    fn sessions_are_clusters(rows in events(), gap in 1..12i64) {
        let out = run(&sessions(gap, DAY, false), left(rows.iter().map(|(k, v, t)| event(*k, *v, *t))));
        let mut sorted = rows.clone();
        sorted.sort_by_key(|(k, _, time)| (*k, *time));
        let mut clusters: Vec<(i32, Window, i64, i64)> = Vec::new();
        for (k, value, time) in sorted {
            match clusters.last_mut() {
                Some((of, window, count, sum)) if *of == k && time - window.end <= gap => {
                    window.end = time;
                    *count += 1;
                    *sum += value;
                }
                _ => clusters.push((k, Window { start: time, end: time }, 1, value)),
            }
        }
        let wanted: BTreeMap<_, _> = clusters
            .into_iter()
            .map(|(k, window, count, sum)| {
                let row = vec![Value::Int(k), count.into(), sum.into(), window.start.into(), window.end.into()];
                ((encode_windowed(&key(k), None), Some(window)), row)
            })
            .collect();
        prop_assert_eq!(net(&out), wanted);
    }

    /// Rows that change and go leave a table's groups as if the last rows alone had come.
    #[test]
    fn a_table_is_regrouped(changes in prop::collection::vec((0..4i32, prop::option::of(0..9i64)), 0..40)) {
        let operator = TableAggregate { folds: folds("V % 3"), groups: TableId(1) };
        let out = run(&operator, left(table(&changes)));
        let last: BTreeMap<i32, i64> = {
            let mut last = BTreeMap::new();
            for (k, value) in &changes {
                match value {
                    Some(value) => last.insert(*k, *value),
                    None => last.remove(k),
                };
            }
            last
        };
        for row in net(&out).into_values() {
            let group = row[0].as_i64().unwrap();
            let members = last.values().filter(|value| **value % 3 == group);
            let wanted = (members.clone().count() as i64, members.sum::<i64>());
            prop_assert_eq!((row[1].as_i64().unwrap(), row[2].as_i64().unwrap()), wanted);
        }
    }
}
