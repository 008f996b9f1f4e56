//! Keys and values of topics, and messages of gRPC.
use millrace_formats::{Codec, ColumnSpec, Side, codec};
use millrace_proto as proto;
use millrace_sql::plan::{Format, FormatInfo};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;
use prost::Message;

use crate::Target;

/// `codec (1) ++ bytes`.
pub struct Formats {
    codecs: Vec<Box<dyn Codec>>,
    samples: Vec<Vec<u8>>,
}

fn columns() -> Vec<(SqlType, Value)> {
    let decimal = SqlType::Decimal { precision: 10, scale: 2 };
    vec![
        (SqlType::Integer, Value::Int(-5)),
        (SqlType::BigInt, Value::BigInt(i64::MAX)),
        (SqlType::Double, Value::Double(1.5e-7)),
        (SqlType::Boolean, Value::Boolean(true)),
        (SqlType::String, "te\"x\u{e9}\n,t".into()),
        (SqlType::Bytes, Value::bytes(vec![0, 0xff])),
        (decimal, Value::Decimal("12.34".parse().expect("a decimal"))),
        (SqlType::Timestamp, Value::Timestamp(1_700_000_000_000)),
        (SqlType::Date, Value::Date(19_000)),
        (SqlType::Time, Value::Time(1_000)),
    ]
}

fn nested() -> Vec<(SqlType, Value)> {
    let inner = SqlType::structure([("X", SqlType::Integer), ("Y", SqlType::array(SqlType::String))]);
    let inner_value = Value::structure([Value::Int(1), Value::array(["a".into(), Value::Null])]);
    vec![
        (SqlType::array(SqlType::BigInt), Value::array([Value::BigInt(1), Value::Null])),
        (SqlType::map(SqlType::String, inner.clone()), Value::map([("k".into(), inner_value.clone())])),
        (inner, inner_value),
    ]
}

impl Formats {
    pub fn new() -> Formats {
        let mut formats = Formats { codecs: Vec::new(), samples: Vec::new() };
        let all: Vec<_> = columns().into_iter().chain(nested()).collect();
        formats.add(Format::Json, Side::Value, &all);
        formats.add(Format::ProtobufNoSr, Side::Value, &all);
        formats.add(Format::Delimited, Side::Value, &columns());
        for one in all {
            formats.add(Format::Json, Side::Key, std::slice::from_ref(&one));
            formats.add(Format::Kafka, Side::Key, std::slice::from_ref(&one));
            formats.add(Format::Delimited, Side::Key, std::slice::from_ref(&one));
        }
        formats
    }

    fn add(&mut self, format: Format, side: Side, columns: &[(SqlType, Value)]) {
        let specs = columns.iter().enumerate().map(|(at, (sql_type, _))| ColumnSpec::new(format!("C{at}"), sql_type.clone())).collect();
        let Ok(codec) = codec(&FormatInfo::of(format), side, specs) else { return };
        let row: Vec<Value> = columns.iter().map(|(_, value)| value.clone()).collect();
        if let Ok(Some(bytes)) = codec.encode(&row) {
            self.samples.push([&[self.codecs.len() as u8][..], &bytes].concat());
        }
        self.codecs.push(codec);
    }
}

impl Target for Formats {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds = self.samples.clone();
        let deep = |open: &str, close: &str| format!("{{\"C11\":{}1{}}}", open.repeat(50_000), close.repeat(50_000)).into_bytes();
        for text in [deep("[", "]"), deep("{\"a\":", "}"), format!("{{\"C4\":\"{}\"}}", "\\u0041".repeat(20_000)).into_bytes(), format!("{{\"C6\":1e{}}}", "9".repeat(1_000)).into_bytes(), b"{\"C6\":1e999999999,\"C0\":1e-999999999}".to_vec()] {
            seeds.push([vec![0], text].concat());
        }
        // A protobuf message within a message within a message.
        seeds.push([vec![1], [0x6a, 0xff, 0x7f].repeat(20_000)].concat());
        seeds
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let Some((number, bytes)) = input.split_first() else { return Ok(()) };
        let codec = &self.codecs[usize::from(*number) % self.codecs.len()];
        let Ok(Some(row)) = codec.decode(bytes) else { return Ok(()) };
        // What was read can be written, or is refused; what was written can be read.
        // But for DELIMITED's lone null: ksqlDB writes nothing for it, and cannot read that.
        if let Ok(Some(bytes)) = codec.encode(&row)
            && !bytes.is_empty()
        {
            codec.decode(&bytes).map_err(|error| format!("{row:?} is written as {bytes:?}, which cannot be read: {error}"))?;
        }
        Ok(())
    }
}

/// `message (1) ++ bytes`.
pub struct GrpcMessages;

impl Target for GrpcMessages {
    fn seeds(&self) -> Vec<Vec<u8>> {
        grpc_samples().into_iter().map(|(_, _, message)| [vec![0], message].concat()).collect()
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let Some((kind, bytes)) = input.split_first() else { return Ok(()) };
        fn again<M: Message + Default + PartialEq + std::fmt::Debug>(bytes: &[u8]) -> Result<(), String> {
            let Ok(message) = M::decode(bytes) else { return Ok(()) };
            let copy = M::decode(&*message.encode_to_vec()).map_err(|error| error.to_string())?;
            // A NaN differs from itself.
            if copy == message || copy != copy { Ok(()) } else { Err(format!("{message:?} comes back as {copy:?}")) }
        }
        match kind % 6 {
            0 => again::<proto::ExecuteRequest>(bytes),
            1 => again::<proto::GetRequest>(bytes),
            2 => again::<proto::BatchGetRequest>(bytes),
            3 => again::<proto::ScanRequest>(bytes),
            4 => again::<proto::QueryRequest>(bytes),
            _ => again::<proto::SubscribeRequest>(bytes),
        }
    }
}

/// A good request of each call: its method, whether it is answered with a stream, its bytes.
pub fn grpc_samples() -> Vec<(&'static str, bool, Vec<u8>)> {
    let text = |text: &str| proto::Value { kind: Some(proto::value::Kind::String(text.into())) };
    let pull = proto::QueryRequest { sql: "SELECT * FROM LATEST WHERE K = ?;".into(), parameters: vec![text("a")], ..Default::default() };
    let push = proto::SubscribeRequest { what: Some(proto::subscribe_request::What::Sql("SELECT * FROM S EMIT CHANGES LIMIT 1;".into())), ..Default::default() };
    let execute = proto::ExecuteRequest { sql: "LIST STREAMS;".into(), ..Default::default() };
    let deep = (0..200).fold(proto::Value { kind: None }, |inner, _| proto::Value { kind: Some(proto::value::Kind::Array(proto::Array { items: vec![inner] })) });
    let get = |key| proto::GetRequest { view: "LATEST".into(), key: vec![key], ..Default::default() };
    vec![
        ("Execute", false, execute.encode_to_vec()),
        ("Get", false, get(text("a")).encode_to_vec()),
        ("Get", false, get(deep).encode_to_vec()),
        ("BatchGet", false, proto::BatchGetRequest { view: "LATEST".into(), ..Default::default() }.encode_to_vec()),
        ("Scan", true, proto::ScanRequest { view: "LATEST".into(), ..Default::default() }.encode_to_vec()),
        ("Query", true, pull.encode_to_vec()),
        ("Subscribe", true, push.encode_to_vec()),
        ("Describe", false, proto::DescribeRequest { view: "S".into() }.encode_to_vec()),
    ]
}
