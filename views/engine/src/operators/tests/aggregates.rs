use proptest::prelude::*;

use super::*;

const DAY: i64 = 86_400_000;

fn windows(size_ms: i64, advance_ms: i64, grace_ms: i64, final_only: bool) -> WindowAggregate {
    WindowAggregate {
        folds: folds("K"),
        size_ms,
        advance_ms,
        grace_ms,
        retention_ms: size_ms + grace_ms,
        final_only,
        groups: TableId(1),
    }
}

fn sessions(gap_ms: i64, grace_ms: i64, final_only: bool) -> SessionAggregate {
    let (sessions, by_time) = (TableId(1), TableId(2));
    SessionAggregate { folds: folds("K"), gap_ms, grace_ms, final_only, sessions, by_time }
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
