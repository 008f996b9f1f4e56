use proptest::prelude::*;

use super::*;

fn decimal(precision: u32, scale: u32) -> SqlType {
    SqlType::Decimal { precision, scale }
}

fn number(text: &str) -> Value {
    Value::Decimal(text.parse().expect(text))
}

#[test]
fn converts_as_java_does() {
    use SqlType::*;
    let cases = [
        (Value::BigInt(2_147_483_648), BigInt, Integer, Value::Int(-2_147_483_648)),
        (Value::Double(1.9), Double, Integer, Value::Int(1)),
        (Value::Double(1e300), Double, BigInt, Value::BigInt(i64::MAX)),
        (Value::Double(f64::NAN), Double, Integer, Value::Int(0)),
        (Value::Double(0.99), Double, decimal(2, 1), number("1.0")),
        (Value::Int(1), Integer, decimal(2, 1), number("1.0")),
        (number("-1.99"), decimal(3, 2), BigInt, Value::BigInt(-1)),
        (number("1.10"), decimal(3, 2), String, "1.10".into()),
        (Value::Double(5.0), Double, String, "5.0".into()),
        ("0.99".into(), String, decimal(2, 1), number("1.0")),
        (" 12 ".into(), String, Integer, Value::Int(12)),
        ("YES".into(), String, Boolean, Value::Boolean(true)),
        ("maybe".into(), String, Boolean, Value::Boolean(false)),
        ("1e3".into(), String, Double, Value::Double(1000.0)),
        ("IQ==".into(), String, Bytes, Value::bytes(vec![0x21])),
        (Value::Timestamp(-2000), Timestamp, Time, Value::Time(86_398_000)),
        (Value::Timestamp(-1), Timestamp, Date, Value::Date(-1)),
        (Value::Date(1), Date, Timestamp, Value::Timestamp(86_400_000)),
        (Value::Null, Integer, String, Value::Null),
    ];
    for (value, from, to, expected) in cases {
        assert!(check(&from, &to).is_ok(), "{from} to {to}");
        assert_eq!(cast(&value, &from, &to), Ok(expected), "{value:?} to {to}");
    }
}

#[test]
fn what_does_not_fit_is_an_error() {
    use SqlType::*;
    for (value, from, to) in [
        (Value::Int(10), Integer, decimal(2, 1)),
        ("foo".into(), String, Integer),
        ("2147483648".into(), String, Integer),
        ("1_000".into(), String, Double),
        ("inf".into(), String, Double),
        ("1.5d".into(), String, Double),
        ("x".into(), String, Timestamp),
        ("!".into(), String, Bytes),
        (Value::Double(f64::INFINITY), Double, decimal(9, 2)),
        (Value::Timestamp(i64::MAX), Timestamp, Date),
    ] {
        assert!(cast(&value, &from, &to).is_err(), "{value:?} to {to}");
    }
}

#[test]
fn collections_convert_by_element_and_print_as_java() {
    let ints = SqlType::array(SqlType::Integer);
    let list = Value::array([1.into(), Value::Null, 3.into()]);
    assert_eq!(cast(&list, &ints, &SqlType::String), Ok("[1, null, 3]".into()));
    let strings = SqlType::array(SqlType::String);
    assert_eq!(cast(&list, &ints, &strings), Ok(Value::array(["1".into(), Value::Null, "3".into()])));
    let map_type = SqlType::map(SqlType::String, SqlType::Integer);
    assert_eq!(cast(&Value::map([("this".into(), 1.into())]), &map_type, &SqlType::String), Ok("{this=1}".into()));
    let from = SqlType::structure([("F0", SqlType::BigInt), ("F1", SqlType::String)]);
    let to = SqlType::structure([("F0", SqlType::String), ("F3", SqlType::String)]);
    let row = Value::structure([Value::BigInt(1), "3".into()]);
    assert_eq!(cast(&row, &from, &to), Ok(Value::structure(["1".into(), Value::Null])));
    assert_eq!(cast(&row, &from, &SqlType::String), Ok("Struct{F0=1,F1=3}".into()));
}

#[test]
fn casts_that_do_not_exist() {
    let map = SqlType::map(SqlType::String, SqlType::Integer);
    let refused = check(&SqlType::String, &map).expect_err("no such cast");
    assert_eq!(refused.to_string(), "Cast of STRING to MAP<STRING, INTEGER> is not supported");
    assert!(check(&SqlType::Boolean, &SqlType::Integer).is_err());
    assert!(check(&SqlType::array(SqlType::String), &SqlType::array(map)).is_err());
}

proptest! {
    #[test]
    fn base64_round_trips(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
        let text = base64(&bytes);
        prop_assert_eq!(text.len() % 4, 0);
        prop_assert_eq!(from_base64(&text), Some(bytes));
    }

    #[test]
    fn base64_of_anything_never_panics(text in "\\PC{0,20}") {
        let _ = from_base64(&text);
        let _ = parse_timestamp(&text);
        let _ = parse_time(&text);
        let _ = parse_date(&text);
        let _ = parse_double(&text);
    }
}
