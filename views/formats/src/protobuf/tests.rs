use millrace_sql::plan::Format;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use proptest::prelude::*;

use super::*;

fn protobuf(types: &[SqlType], nullable: Nullable) -> Protobuf {
    let columns = types.iter().map(|sql_type| ColumnSpec::new("C", sql_type.clone())).collect();
    Protobuf { nullable, ..Protobuf::new(columns, &FormatInfo::of(Format::ProtobufNoSr)) }
}

#[test]
fn the_bytes_are_protobufs() {
    let codec = protobuf(&[SqlType::Integer, SqlType::String, SqlType::array(SqlType::BigInt)], Nullable::No);
    let row = [Value::Int(150), "hi".into(), Value::array([Value::BigInt(1), Value::BigInt(300)])];
    let bytes = codec.encode(&row).unwrap().unwrap();
    assert_eq!(&bytes[..], [0x08, 0x96, 0x01, 0x12, 2, b'h', b'i', 0x1a, 3, 1, 0xac, 0x02]);
    assert_eq!(codec.decode(&bytes).unwrap().unwrap(), row);
}

#[test]
fn null_is_the_default_unless_told_otherwise() {
    let types = [SqlType::Integer, SqlType::String, SqlType::Boolean, SqlType::Double, SqlType::array(SqlType::String)];
    let row = [Value::Null, Value::Null, Value::Boolean(false), Value::Double(0.0), Value::array([])];
    let read = |nullable| {
        let codec = protobuf(&types, nullable);
        codec.decode(&codec.encode(&row).unwrap().unwrap()).unwrap().unwrap()
    };
    let defaults = [Value::Int(0), "".into(), Value::Boolean(false), Value::Double(0.0), Value::array([])];
    assert_eq!(read(Nullable::No), defaults);
    assert_eq!(read(Nullable::Optional), row);
    assert_eq!(read(Nullable::Wrapper), row);
}

#[test]
fn messages_hold_what_scalars_cannot() {
    let types = [
        SqlType::Decimal { precision: 6, scale: 4 },
        SqlType::Date,
        SqlType::Time,
        SqlType::Timestamp,
        SqlType::structure([("A", SqlType::Integer), ("B", SqlType::array(SqlType::array(SqlType::Date)))]),
        SqlType::map(SqlType::String, SqlType::Timestamp),
    ];
    let nested = Value::array([Value::array([Value::Date(-10), Value::Date(10)]), Value::array([])]);
    let row = [
        Value::Decimal("-1.0000".parse().unwrap()),
        Value::Date(-10),
        Value::Time(86_399_999),
        Value::Timestamp(-1),
        Value::structure([Value::Int(-1), nested]),
        Value::map([("k".into(), Value::Timestamp(1_234))]),
    ];
    let codec = protobuf(&types, Nullable::No);
    assert_eq!(codec.decode(&codec.encode(&row).unwrap().unwrap()).unwrap().unwrap(), row);
    assert_eq!(codec.decode(&[]).unwrap().unwrap()[..5], vec![Value::Null; 5]);
}

proptest! {
    #[test]
    fn any_bytes_are_a_row_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
        let types = [
            SqlType::Integer, SqlType::String, SqlType::array(SqlType::Double), SqlType::Date, SqlType::Time,
            SqlType::map(SqlType::String, SqlType::Decimal { precision: 4, scale: 2 }), SqlType::Timestamp,
        ];
        let _ = protobuf(&types, Nullable::Wrapper).decode(&bytes);
    }

    #[test]
    fn what_is_written_reads_back(a in any::<Option<i32>>(), b in any::<Option<String>>(), c in any::<Option<i64>>()) {
        let codec = protobuf(&[SqlType::Integer, SqlType::String, SqlType::BigInt], Nullable::Optional);
        let row = [Value::from(a), Value::from(b), Value::from(c)];
        prop_assert_eq!(codec.decode(&codec.encode(&row).unwrap().unwrap()).unwrap().unwrap(), row);
    }
}
