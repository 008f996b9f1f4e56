use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use proptest::prelude::*;

use super::*;

fn wrapped(columns: Vec<(&str, SqlType)>) -> Json {
    Json::new(columns.into_iter().map(|(name, sql_type)| ColumnSpec::new(name, sql_type)).collect(), true)
}

fn bare(sql_type: SqlType) -> Json {
    Json::new(vec![ColumnSpec::new("V", sql_type)], false)
}

fn read(sql_type: SqlType, text: &str) -> Result<Value, DecodeError> {
    Ok(bare(sql_type).decode(text.as_bytes())?.map_or(Value::Null, |mut row| row.remove(0)))
}

fn written(json: &Json, row: &[Value]) -> String {
    String::from_utf8(json.encode(row).unwrap().unwrap().to_vec()).unwrap()
}

#[test]
fn names_match_exactly_then_in_upper_case() {
    let json = wrapped(vec![("FOO", SqlType::Integer), ("bar", SqlType::Integer)]);
    let row = |text: &str| json.decode(text.as_bytes()).unwrap().unwrap();
    assert_eq!(row(r#"{"foo": 1, "BAR": 2}"#), [Value::Int(1), Value::Null]);
    assert_eq!(row(r#"{"FOO": 1, "Foo": 2, "bar": 3}"#), [Value::Int(1), Value::Int(3)]);
    assert_eq!(row(r#"{"foo": 1, "FOO": 2}"#), [Value::Int(2), Value::Null]);
    assert_eq!(row(r#"{"foo": 1, "foo": 2, "x": [{"y": []}]}"#), [Value::Int(2), Value::Null]);
}

#[test]
fn accepts_what_ksqldb_accepts() {
    let decimal = SqlType::Decimal { precision: 4, scale: 2 };
    for (sql_type, text, wanted) in [
        (SqlType::Integer, "\"12\"", Value::Int(12)),
        (SqlType::Integer, "4294967297", Value::Int(1)),
        (SqlType::Integer, "1.9", Value::Int(1)),
        (SqlType::BigInt, "1E3", Value::BigInt(1000)),
        (SqlType::Double, "\"1.5\"", Value::Double(1.5)),
        (decimal.clone(), "1.1", Value::Decimal("1.10".parse().unwrap())),
        (decimal.clone(), "\"1.1\"", Value::Decimal("1.10".parse().unwrap())),
        (SqlType::String, "1.10", "1.10".into()),
        (SqlType::String, "{ \"a\" : [1, true] }", "{\"a\":[1,true]}".into()),
        (SqlType::Bytes, "\"AQI=\"", Value::bytes(vec![1, 2])),
        (SqlType::Time, "10", Value::Time(10)),
        (SqlType::Date, "10", Value::Date(10)),
        (SqlType::Timestamp, "10", Value::Timestamp(10)),
        (SqlType::Timestamp, "null", Value::Null),
    ] {
        assert_eq!(read(sql_type, text), Ok(wanted), "{text}");
    }
    for (sql_type, text) in [
        (SqlType::Integer, "true"),
        (SqlType::Integer, "\"1.0\""),
        (SqlType::Boolean, "\"true\""),
        (SqlType::Boolean, "1"),
        (decimal.clone(), "100.1"),
        (decimal, "1.111"),
        (SqlType::Bytes, "1"),
        (SqlType::array(SqlType::Integer), "{}"),
        (SqlType::map(SqlType::String, SqlType::Integer), "[]"),
    ] {
        assert!(read(sql_type.clone(), text).is_err(), "{text} as {sql_type}");
    }
}

#[test]
fn an_error_names_its_path() {
    let json = wrapped(vec![("A", SqlType::array(SqlType::structure([("B", SqlType::Boolean)])))]);
    let error = json.decode(br#"{"A": [{"B": true}, {"B": 1}]}"#).unwrap_err();
    assert_eq!(
        error.to_string(),
        "Can't convert type. sourceType: NumericNode, requiredType: BOOLEAN, path: $.A[1].B"
    );
}

#[test]
fn writes_as_jackson_does() {
    let json = wrapped(vec![
        ("D", SqlType::Double),
        ("N", SqlType::Decimal { precision: 5, scale: 3 }),
        ("S", SqlType::String),
        ("T", SqlType::structure([("X", SqlType::Integer), ("Y", SqlType::Bytes)])),
    ]);
    let row = [
        Value::Double(1e10),
        Value::Decimal("1.100".parse().unwrap()),
        "é\"\n\u{1}".into(),
        Value::structure([Value::Null, Value::bytes(vec![1])]),
    ];
    assert_eq!(written(&json, &row), r#"{"D":1.0E10,"N":1.100,"S":"é\"\n\u0001","T":{"X":null,"Y":"AQ=="}}"#);
    assert_eq!(written(&json, &vec![Value::Null; 4]), r#"{"D":null,"N":null,"S":null,"T":null}"#);
    assert_eq!(bare(SqlType::Integer).encode(&[Value::Null]).unwrap(), None);
}

#[test]
fn a_column_that_is_not_wanted_is_not_read() {
    let mut columns = vec![ColumnSpec::new("A", SqlType::Integer), ColumnSpec::new("B", SqlType::Integer)];
    columns[0].wanted = false;
    let row = Json::new(columns, true).decode(br#"{"A": "not a number", "B": 2}"#).unwrap().unwrap();
    assert_eq!(row, [Value::Null, Value::Int(2)]);
}

fn any_value() -> impl Strategy<Value = (SqlType, Value)> {
    prop_oneof![
        any::<i32>().prop_map(|n| (SqlType::Integer, Value::Int(n))),
        any::<i64>().prop_map(|n| (SqlType::BigInt, Value::BigInt(n))),
        any::<bool>().prop_map(|b| (SqlType::Boolean, Value::Boolean(b))),
        any::<String>().prop_map(|s| (SqlType::String, Value::string(s))),
        any::<f64>().prop_filter("finite", |n| n.is_finite()).prop_map(|n| (SqlType::Double, Value::Double(n))),
        prop::collection::vec(any::<u8>(), 0..20).prop_map(|b| (SqlType::Bytes, Value::bytes(b))),
        prop::collection::vec(any::<Option<i32>>(), 0..5)
            .prop_map(|v| (SqlType::array(SqlType::Integer), Value::array(v.into_iter().map(Value::from)))),
    ]
}

proptest! {
    #[test]
    fn what_is_written_reads_back(columns in prop::collection::vec(any_value(), 2..5)) {
        let specs = columns.iter().enumerate().map(|(at, (sql_type, _))| ColumnSpec::new(format!("C{at}"), sql_type.clone()));
        let json = Json::new(specs.collect(), true);
        let row: Vec<Value> = columns.into_iter().map(|(_, value)| value).collect();
        let bytes = json.encode(&row).unwrap().unwrap();
        prop_assert_eq!(json.decode(&bytes).unwrap().unwrap(), row);
    }

    #[test]
    fn any_bytes_are_a_row_or_an_error(text in r#"[\[\]{}",:0-9a-eE.\\ tfnu-]{0,40}"#) {
        let json = wrapped(vec![("A", SqlType::String), ("B", SqlType::array(SqlType::Integer))]);
        let _ = json.decode(text.as_bytes());
    }
}
