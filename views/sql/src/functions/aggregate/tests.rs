use proptest::prelude::*;

use super::*;
use crate::functions::Registry;

fn bind(name: &str, types: &[SqlType], constants: &[Value]) -> Arc<dyn Aggregator> {
    let columns = types.iter().map(|sql_type| (sql_type.clone(), None));
    let constants = constants.iter().map(|constant| {
        let sql_type = if matches!(constant, Value::Boolean(_)) { SqlType::Boolean } else { SqlType::Integer };
        (sql_type, Some(constant.clone()))
    });
    let arguments: Vec<AggregateArgument> = columns
        .chain(constants)
        .map(|(sql_type, literal)| AggregateArgument { sql_type: Some(sql_type), literal, text: "X".to_owned() })
        .collect();
    let bound = Registry::builtin().bind_aggregate(name, &arguments, &FunctionSettings::default());
    bound.unwrap_or_else(|error| panic!("{name}: {error}")).aggregator
}

/// The result after each row.
fn run(aggregator: &dyn Aggregator, rows: &[&[Value]]) -> Vec<Value> {
    let mut state = aggregator.initial();
    rows.iter()
        .enumerate()
        .map(|(sequence, row)| {
            state = aggregator.add(state.clone(), row, sequence as i64).expect("adds");
            aggregator.result(&state).expect("has a result")
        })
        .collect()
}

fn ints(values: &[i32]) -> Value {
    Value::array(values.iter().map(|n| Value::Int(*n)))
}

const NULL: Value = Value::Null;

#[test]
fn counts_and_sums() {
    let rows: [&[Value]; 3] = [&[Value::Int(3)], &[NULL], &[Value::Int(i32::MAX)]];
    assert_eq!(run(&*bind("COUNT", &[], &[]), &[&[], &[]]), [Value::BigInt(1), Value::BigInt(2)]);
    assert_eq!(run(&*bind("COUNT", &[SqlType::Integer], &[]), &rows), [1, 1, 2].map(Value::BigInt));
    assert_eq!(run(&*bind("SUM", &[SqlType::Integer], &[]), &rows), [3, 3, i32::MIN + 2].map(Value::Int));
    assert_eq!(run(&*bind("AVG", &[SqlType::Integer], &[]), &[&[NULL], &[4.into()], &[1.into()]]), [0.0, 4.0, 2.5].map(Value::Double));
    let lists: [&[Value]; 2] = [&[ints(&[1, 2])], &[Value::array([NULL, 4.into()])]];
    assert_eq!(run(&*bind("SUM_LIST", &[SqlType::array(SqlType::Integer)], &[]), &lists), [3, 7].map(Value::Int));
    let decimal = SqlType::Decimal { precision: 3, scale: 1 };
    let sum = bind("SUM", &[decimal], &[]);
    let row = [Value::Decimal("60.5".parse().expect("a decimal"))];
    let state = sum.add(sum.initial(), &row, 0).expect("fits");
    let overflow = sum.add(state, &row, 1).expect_err("121.0 does not fit");
    assert!(overflow.message.starts_with("Numeric field overflow"));
}

#[test]
fn statistics_as_ksqldb_computes_them() {
    let column = |values: &[f64]| values.iter().map(|n| vec![Value::Double(*n)]).collect::<Vec<_>>();
    let rows = column(&[10.0, 12.0, 13.0, 14.0, 16.0]);
    let rows: Vec<&[Value]> = rows.iter().map(Vec::as_slice).collect();
    let expected = [0.0, 2.0, 2.333333333333333, 2.9166666666666665, 5.0];
    assert_eq!(run(&*bind("STDDEV_SAMP", &[SqlType::Double], &[]), &rows), expected.map(Value::Double));
    assert_eq!(run(&*bind("STDDEV_SAMPLE", &[SqlType::Double], &[]), &rows)[4], Value::Double(5f64.sqrt()));
    let points = [(1.5, 8.0), (-1.0, -2.0), (-4.5, -1.0)].map(|(x, y)| [Value::Double(x), Value::Double(y)]);
    let points: Vec<&[Value]> = points.iter().map(<[Value; 2]>::as_slice).collect();
    let correlations = run(&*bind("CORRELATION", &[SqlType::Double, SqlType::Double], &[]), &points);
    assert_eq!(correlations, [f64::NAN, 1.0, 0.7580764521133173].map(Value::Double));
}

#[test]
fn extremes_and_tops() {
    let rows: [&[Value]; 4] = [&[NULL], &[5.into()], &[9.into()], &[5.into()]];
    assert_eq!(run(&*bind("MIN", &[SqlType::Integer], &[]), &rows), [NULL, 5.into(), 5.into(), 5.into()]);
    assert_eq!(run(&*bind("MAX", &[SqlType::Integer], &[]), &rows), [NULL, 5.into(), 9.into(), 9.into()]);
    let two = [Value::Int(2)];
    assert_eq!(run(&*bind("TOPK", &[SqlType::Integer], &two), &rows)[3], ints(&[9, 5]));
    assert_eq!(run(&*bind("TOPKDISTINCT", &[SqlType::Integer], &[Value::Int(3)]), &rows)[3], ints(&[9, 5]));
    let with_name = bind("TOPK", &[SqlType::Integer, SqlType::String], &two);
    assert_eq!(with_name.result_type().to_string(), "ARRAY<STRUCT<`sort_col` INTEGER, `col0` STRING>>");
    let rows: [&[Value]; 3] = [&[1.into(), "a".into()], &[7.into(), "b".into()], &[7.into(), NULL]];
    let top = Value::array([Value::structure([7.into(), "b".into()]), Value::structure([7.into(), NULL])]);
    assert_eq!(run(&*with_name, &rows)[2], top);
}

#[test]
fn collections() {
    let rows: [&[Value]; 4] = [&[1.into()], &[NULL], &[1.into()], &[NULL]];
    assert_eq!(run(&*bind("COLLECT_LIST", &[SqlType::Integer], &[]), &rows)[3], Value::array([1.into(), NULL, 1.into(), NULL]));
    assert_eq!(run(&*bind("COLLECT_SET", &[SqlType::Integer], &[]), &rows)[3], Value::array([1.into(), NULL]));
    let attr = bind("ATTR", &[SqlType::Integer], &[]);
    assert_eq!(run(&*attr, &rows), [1.into(), NULL, NULL, NULL]);
    let words: [&[Value]; 3] = [&["foo".into()], &[NULL], &["foo".into()]];
    let counts = run(&*bind("HISTOGRAM", &[SqlType::String], &[]), &words);
    assert_eq!(counts[2], Value::map([("foo".into(), Value::BigInt(2))]));
}

/// Several parts of a list and several places in a bucket; and not the square of the size in work.
#[test]
fn large_collections_keep_order_and_distinct_values() {
    let count = 5_000;
    let twice = || (0..count).chain(0..count).map(|n| Value::Int(n * 7 % count));
    for (name, expected) in [("COLLECT_LIST", twice().collect::<Vec<_>>()), ("COLLECT_SET", twice().take(count as usize).collect())] {
        let collect = bind(name, &[SqlType::Integer], &[]);
        let state = twice().fold(collect.initial(), |state, value| collect.add(state, &[value], 0).expect("adds"));
        assert_eq!(collect.result(&state), Ok(Value::array(expected)), "{name}");
    }
}

#[test]
fn by_offset_keeps_the_order_of_processing() {
    let rows: [&[Value]; 4] = [&[NULL], &[1.into()], &[2.into()], &[3.into()]];
    let (no, two) = (Value::Boolean(false), Value::Int(2));
    let integer = [SqlType::Integer];
    assert_eq!(run(&*bind("EARLIEST_BY_OFFSET", &integer, &[]), &rows)[3], 1.into());
    assert_eq!(run(&*bind("EARLIEST_BY_OFFSET", &integer, std::slice::from_ref(&no)), &rows)[3], NULL);
    assert_eq!(run(&*bind("EARLIEST_BY_OFFSET", &integer, &[two.clone(), no]), &rows)[3], Value::array([NULL, 1.into()]));
    assert_eq!(run(&*bind("LATEST_BY_OFFSET", &integer, &[]), &rows)[3], 3.into());
    let latest = bind("LATEST_BY_OFFSET", &integer, &[two]);
    assert_eq!(run(&*latest, &rows)[3], ints(&[2, 3]));
    // Sessions merge by when their rows came, not by when they began.
    let later = latest.add(latest.initial(), &[7.into()], 9).expect("adds");
    let earlier = latest.add(latest.initial(), &[8.into()], 1).expect("adds");
    let merged = latest.merge(later, earlier).expect("merges");
    assert_eq!(latest.result(&merged), Ok(ints(&[8, 7])));
}

#[test]
fn constants_must_be_constant() {
    let argument = |literal| AggregateArgument { sql_type: Some(SqlType::Integer), literal, text: "F0".to_owned() };
    let refused = Registry::builtin().bind_aggregate("EARLIEST_BY_OFFSET", &[argument(None), argument(None)], &FunctionSettings::default());
    assert_eq!(
        refused.expect_err("not a constant"),
        "Parameter 2 passed to function EARLIEST_BY_OFFSET must be a literal constant, but was expression: 'F0'"
    );
}

#[test]
fn limits_come_from_properties() {
    let settings = FunctionSettings::from_properties([("ksql.functions.collect_list.limit", "2"), ("ksql.functions.collect_set.limit", "-1")]);
    assert_eq!(settings.collect_list_limit, 2);
    assert_eq!(settings.collect_set_limit, FunctionSettings::default().collect_set_limit);
    let settings = FunctionSettings::from_properties([("views.function.result.elements.max", "3")]);
    for name in ["COLLECT_LIST", "COLLECT_SET"] {
        let argument = AggregateArgument { sql_type: Some(SqlType::Integer), literal: None, text: "X".to_owned() };
        let collect = Registry::builtin().bind_aggregate(name, &[argument], &settings).expect(name).aggregator;
        let full = (0..3).fold(collect.initial(), |state, n| collect.add(state, &[n.into()], 0).expect("fits"));
        let refused = collect.add(full, &[4.into()], 0).expect_err("a fourth does not fit");
        assert!(refused.message.contains("'views.function.result.elements.max'"), "{name}: {refused}");
    }
}

#[test]
fn distinct_counts_stay_close_beyond_the_exact() {
    let aggregator = bind("COUNT_DISTINCT", &[SqlType::BigInt], &[]);
    let count_of = |range: std::ops::Range<i64>| {
        range.fold(aggregator.initial(), |state, n| aggregator.add(state, &[Value::BigInt(n)], 0).expect("adds"))
    };
    assert_eq!(aggregator.result(&count_of(0..1000)), Ok(Value::BigInt(1000)));
    let merged = aggregator.merge(count_of(0..6000), count_of(4000..9000)).expect("merges");
    let Ok(Value::BigInt(estimate)) = aggregator.result(&merged) else { panic!("a count") };
    assert!((8800..9200).contains(&estimate), "{estimate}");
}

proptest! {
    /// Adding a row and taking it back leaves the result of the other rows; merging two halves is adding all.
    #[test]
    fn undo_and_merge_agree_with_add(values in proptest::collection::vec(proptest::option::of(-50i32..50), 1..20), split in any::<prop::sample::Index>()) {
        let rows: Vec<[Value; 1]> = values.iter().map(|value| [Value::from(*value)]).collect();
        let split = split.index(rows.len());
        for name in ["COUNT", "SUM", "AVG", "MIN", "MAX", "COLLECT_LIST", "COLLECT_SET", "COUNT_DISTINCT", "ATTR", "EARLIEST_BY_OFFSET", "LATEST_BY_OFFSET"] {
            let aggregator = bind(name, &[SqlType::Integer], &[]);
            let fold = |state: Value, rows: &[[Value; 1]], from: usize| {
                rows.iter().enumerate().fold(state, |state, (n, row)| aggregator.add(state, row, (from + n) as i64).expect("adds"))
            };
            let whole = fold(aggregator.initial(), &rows, 0);
            let halves = aggregator.merge(fold(aggregator.initial(), &rows[..split], 0), fold(aggregator.initial(), &rows[split..], split)).expect("merges");
            prop_assert_eq!(aggregator.result(&halves), aggregator.result(&whole), "{} merged", name);
            if aggregator.can_undo() {
                let (last, others) = rows.split_last().expect("at least one");
                let undone = aggregator.undo(whole, last).expect("takes back");
                prop_assert_eq!(aggregator.result(&undone), aggregator.result(&fold(aggregator.initial(), others, 0)), "{} undone", name);
            }
        }
    }
}
