//! SQL text, and expressions over rows of every type.
use millrace_sql::catalog::{Catalog, Effect, NoSchemas, Session, Settings, Topics, decide};
use millrace_sql::expr::{EvalContext, Expr};
use millrace_sql::functions::Registry;
use millrace_sql::parser::{Limits, Variables, parse, parse_expression};
use millrace_sql::schema::{Column, Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::dice::Dice;
use crate::{Target, damage};

struct FourPartitionsEach;

impl Topics for FourPartitionsEach {
    fn partitions(&self, _: &str) -> Option<i32> {
        Some(4)
    }
}

const SOURCES: &str = "
CREATE STREAM S (K STRING KEY, A INT, B BIGINT, C DOUBLE, D STRING, E ARRAY<INT>, F MAP<STRING, INT>, G STRUCT<X INT, Y STRING>, H DECIMAL(10, 2), TS TIMESTAMP)
  WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON');
CREATE STREAM R (K STRING KEY, A INT, D STRING) WITH (KAFKA_TOPIC='r', VALUE_FORMAT='DELIMITED');
CREATE TABLE T (K STRING PRIMARY KEY, A INT, D STRING) WITH (KAFKA_TOPIC='t', VALUE_FORMAT='JSON');
CREATE TYPE ADDRESS AS STRUCT<STREET STRING, CITY STRING>;";

const QUERIES: &[&str] = &[
    "CREATE STREAM O AS SELECT K, A + B AS N, UCASE(D), E[1], F['k'], G->X, CAST(A AS STRING) FROM S WHERE A BETWEEN 1 AND 5 AND D LIKE '%x_' EMIT CHANGES;",
    "CREATE TABLE O AS SELECT D, COUNT(*), SUM(B), COLLECT_LIST(A), LATEST_BY_OFFSET(C) FROM S WINDOW TUMBLING (SIZE 1 HOUR, GRACE PERIOD 1 DAY) GROUP BY D HAVING COUNT(*) > 3 EMIT FINAL;",
    "CREATE STREAM O AS SELECT * FROM S LEFT JOIN R WITHIN 1 HOUR GRACE PERIOD 5 MINUTES ON S.K = R.K JOIN T ON S.K = T.K PARTITION BY S.D;",
    "SELECT K, REDUCE(E, 0, (s, x) => s + x), TRANSFORM(F, (k, v) => k, (k, v) => v * 2) FROM S EMIT CHANGES LIMIT 5;",
    "INSERT INTO S (K, A, E, G) VALUES ('k', -1, ARRAY[1, 2], STRUCT(X := 1, Y := 'y'));",
    "INSERT INTO R SELECT K, A, D FROM S;",
    "CREATE OR REPLACE STREAM S2 (A STRUCT<B ARRAY<MAP<STRING, DECIMAL(38, 10)>>>, AD ADDRESS) WITH (KAFKA_TOPIC='x', KEY_FORMAT='KAFKA', VALUE_FORMAT='PROTOBUF_NOSR', PARTITIONS=3, TIMESTAMP='A', TIMESTAMP_FORMAT='yyyy-MM-dd''T''HH:mm:ss');",
    "DEFINE v = 'S'; SELECT CASE WHEN A IS NULL THEN 'n' WHEN A IN (1, 2, 3) THEN '${v}' ELSE 'o' END FROM ${v} EMIT CHANGES; UNDEFINE v;",
    "EXPLAIN SELECT K, EXPLODE(E) FROM S EMIT CHANGES; DESCRIBE S EXTENDED; SET 'auto.offset.reset'='earliest'; DROP STREAM IF EXISTS S DELETE TOPIC; ASSERT STREAM S (A INT) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON'); -- a comment\n/* one\nmore */",
];

/// Text: any number of statements.
pub struct Sql {
    catalog: Catalog,
}

impl Sql {
    pub fn new() -> Sql {
        let mut catalog = Catalog::default();
        run(SOURCES, &mut catalog);
        assert_eq!(catalog.sources().count(), 3, "the sources of the target are good");
        Sql { catalog }
    }
}

fn run(text: &str, catalog: &mut Catalog) -> Vec<String> {
    let (limits, mut variables) = (Limits::STANDARD, Variables::default());
    let mut settings = Settings::default();
    let mut broken = Vec::new();
    let Ok(statements) = parse(text, &mut variables, &limits) else { return broken };
    for located in statements {
        let written = located.statement.to_string();
        match parse(&format!("{written};"), &mut Variables::default(), &limits) {
            // Its layout may be longer or deeper than what was allowed.
            Err(error) if error.to_string().contains("views.sql") => {}
            Err(error) => broken.push(format!("{written}\ndoes not read back: {error}")),
            Ok(again) if again.len() == 1 && again[0].statement == located.statement => {}
            Ok(again) => broken.push(format!("{written}\nreads back as {again:?}")),
        }
        let session = Session { catalog, topics: &FourPartitionsEach, schemas: &NoSchemas, settings: &settings, functions: Registry::builtin() };
        let Ok(decision) = decide(&session, &located) else { continue };
        if let Effect::SetProperty { name, value } = &decision.effect {
            settings.set(name, value);
        }
        catalog.apply(&decision.effect);
    }
    broken
}

impl Target for Sql {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let every = include_str!("../../../../views/sql/src/format/every_statement.sql");
        let mut seeds: Vec<Vec<u8>> = every.split_inclusive(";\n").chain(QUERIES.iter().copied()).map(|text| text.as_bytes().to_vec()).collect();
        for (open, close) in [("(", ")"), ("ARRAY[", "]"), ("CASE WHEN A = 1 THEN ", " END"), ("-", ""), ("NOT ", ""), ("ABS(", ")"), ("CAST(", " AS INT)"), ("STRUCT(A := ", ")")] {
            seeds.push(format!("SELECT {}A{} FROM S EMIT CHANGES;", open.repeat(5_000), close.repeat(5_000)).into_bytes());
        }
        seeds.push(format!("SELECT A{} FROM S EMIT CHANGES;", " + A".repeat(20_000)).into_bytes());
        seeds.push(format!("SELECT * FROM S WHERE A IN ({}) EMIT CHANGES;", "1,".repeat(30_000)).into_bytes());
        seeds.push(format!("CREATE STREAM X (A {}INT{}) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON');", "ARRAY<".repeat(10_000), ">".repeat(10_000)).into_bytes());
        seeds.push(format!("CREATE STREAM X ({} Z INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON');", (0..5_000).map(|n| format!("C{n} INT,")).collect::<String>()).into_bytes());
        seeds.push((0..28).map(|n| format!("CREATE TYPE T{} AS STRUCT<A T{n}, B T{n}>;", n + 1)).fold("CREATE TYPE T0 AS INT;".to_owned(), |all, one| all + &one).into_bytes());
        seeds
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let broken = run(&String::from_utf8_lossy(input), &mut self.catalog.clone());
        if broken.is_empty() { Ok(()) } else { Err(broken.join("\n")) }
    }

    fn draw(&self, dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = dice.pick(seeds).clone();
        // Whole words of one statement in another reach further than broken bytes.
        for _ in 0..dice.roll(4) {
            let other = dice.pick(seeds);
            let (from, at) = (boundary(other, dice), boundary(&input, dice));
            let len = dice.roll(40);
            let words = other[from..(from + len).min(other.len())].to_vec();
            let gone = (at + dice.roll(20)).min(input.len());
            input.splice(at..gone, words);
        }
        if dice.roll(3) == 0 {
            damage::damage(&mut input, dice, seeds);
        }
        input.truncate(damage::INPUT_BYTES_MAX);
        input
    }
}

/// A place where a word begins.
fn boundary(text: &[u8], dice: &mut Dice) -> usize {
    let from = dice.roll(text.len());
    text[from..].iter().position(|byte| !byte.is_ascii_alphanumeric()).map_or(from, |ahead| from + ahead)
}

/// Text: one expression over the columns of [`columns`].
pub struct Expressions {
    schema: Schema,
    row: Vec<Value>,
    names: Vec<String>,
}

fn columns() -> Vec<(&'static str, SqlType, Value)> {
    let address = SqlType::structure([("CITY", SqlType::String), ("ZIP", SqlType::Integer)]);
    vec![
        ("I", SqlType::Integer, Value::Int(i32::MIN)),
        ("L", SqlType::BigInt, Value::BigInt(i64::MAX)),
        ("D", SqlType::Double, Value::Double(-1.5e300)),
        ("DEC", SqlType::Decimal { precision: 38, scale: 10 }, Value::Decimal("1234567890123456789012345678.0123456789".parse().expect("a decimal"))),
        ("S", SqlType::String, "He\u{301}llo {\"a\": [1, null]} \u{1f600}".into()),
        ("BO", SqlType::Boolean, Value::Boolean(true)),
        ("BIN", SqlType::Bytes, Value::bytes(vec![0x21, 0xff, 0, 0x80])),
        ("DT", SqlType::Date, Value::Date(i32::MAX)),
        ("TI", SqlType::Time, Value::Time(86_399_999)),
        ("TS", SqlType::Timestamp, Value::Timestamp(i64::MIN)),
        ("A", SqlType::array(SqlType::Integer), Value::array([3.into(), Value::Null, i32::MAX.into()])),
        ("AS", SqlType::array(SqlType::String), Value::array(["x".into(), Value::Null, "".into()])),
        ("M", SqlType::map(SqlType::String, SqlType::Integer), Value::map([("x".into(), 1.into()), ("y".into(), Value::Null)])),
        ("ST", address, Value::structure(["Ulm".into(), 89_073.into()])),
        ("N", SqlType::Integer, Value::Null),
    ]
}

/// Literals at the edges.
const EDGES: &[&str] = &[
    "0", "1", "-1", "2147483647", "-2147483648", "9223372036854775807", "1e308", "-0.0", "1e-400", "0.0000000000000000000000000001", "NULL", "''", "'a'", "'%'", "'\\'",
    "'yyyy-MM-dd HH:mm:ss.SSS'", "'GGGGG'", "'9999-12-31T23:59:59'", "'+05:30'", "'UTC'", "'$.a[0]'", "'(a+)+$'", "'http://a.b:99999/c?d=e#f%zz'", "'hex'", "'base64'", "TRUE", "ARRAY[]",
    "ARRAY[1, 2]", "ARRAY['a', 'b']", "MAP('a' := 1)", "STRUCT(a := 1)", "1000000000", "'99999999999999999999999999999999999999'", "x => x + 1", "(a, b) => a", "'[1,2,{\"a\":null}]'",
];

impl Expressions {
    pub fn new() -> Expressions {
        let schema = Schema::new(columns().into_iter().map(|(name, sql_type, _)| Column::new(name, sql_type, Role::Value)).collect()).expect("names differ");
        let names = Registry::builtin().list().into_iter().map(|function| function.name).collect();
        Expressions { schema, row: columns().into_iter().map(|(_, _, value)| value).collect(), names }
    }

    /// A tree of calls and operators.
    fn grow(&self, dice: &mut Dice, depth: usize) -> String {
        match dice.roll(if depth == 0 { 2 } else { 9 }) {
            0 => (*dice.pick(&columns())).0.to_owned(),
            1 => (*dice.pick(EDGES)).to_owned(),
            2..=5 => {
                let name = dice.pick(&self.names).clone();
                let arguments: Vec<String> = (0..dice.roll(5)).map(|_| self.grow(dice, depth - 1)).collect();
                format!("{name}({})", arguments.join(", "))
            }
            6 => {
                let operator = *dice.pick(&["+", "-", "*", "/", "%", "=", "<>", "<", ">=", "AND", "OR", "LIKE", "IS DISTINCT FROM"]);
                format!("({} {operator} {})", self.grow(dice, depth - 1), self.grow(dice, depth - 1))
            }
            7 => {
                let to = *dice.pick(&["INT", "BIGINT", "DOUBLE", "STRING", "DECIMAL(5, 2)", "DECIMAL(38, 38)", "BOOLEAN", "TIMESTAMP", "DATE", "TIME", "BYTES", "ARRAY<STRING>", "MAP<STRING, DOUBLE>"]);
                format!("CAST({} AS {to})", self.grow(dice, depth - 1))
            }
            _ => match dice.roll(3) {
                0 => format!("{}[{}]", self.grow(dice, depth - 1), self.grow(dice, depth - 1)),
                1 => format!("CASE WHEN {} THEN {} ELSE {} END", self.grow(dice, depth - 1), self.grow(dice, depth - 1), self.grow(dice, depth - 1)),
                _ => format!("ST->{}", if dice.roll(2) == 0 { "CITY" } else { "ZIP" }),
            },
        }
    }
}

impl Target for Expressions {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds: Vec<Vec<u8>> = self.names.iter().flat_map(|name| [format!("{name}(S)"), format!("{name}(I, L)"), format!("{name}(A, 1)")]).map(String::into_bytes).collect();
        for text in ["LPAD(S, 2147483647, 'x')", "RPAD(S, 100000000, S)", "GENERATE_SERIES(0, 2147483647)", "REPEAT(S, 1000000)", "REGEXP_REPLACE(S, '(a*)*b', S)", "FORMAT_TIMESTAMP(TS, 'yyyy')", "POWER(D, 400)", "ROUND(DEC, 1000000)", "SUBSTRING(S, -2147483648, 2147483647)"] {
            seeds.push(text.as_bytes().to_vec());
        }
        seeds
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let Ok(expression) = parse_expression(&String::from_utf8_lossy(input), &Limits::STANDARD) else { return Ok(()) };
        let Ok(compiled) = Expr::compile(&expression, &self.schema, Registry::builtin()) else { return Ok(()) };
        let value = |seed| compiled.eval(&self.row, &EvalContext::new(1_700_000_000_000, seed));
        let first = value(1);
        if first != value(1) {
            return Err(format!("evaluated twice it gives {first:?} and something else"));
        }
        Ok(())
    }

    fn draw(&self, dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        if dice.roll(5) > 0 {
            let depth = 1 + dice.roll(4);
            return self.grow(dice, depth).into_bytes();
        }
        let mut input = dice.pick(seeds).clone();
        damage::damage(&mut input, dice, seeds);
        input
    }
}
