//! INSERT INTO .. VALUES: a row as a record of the source's topic.
use bytes::Bytes;
use millrace_formats::{ColumnSpec, Side, codec};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, partition_of_key};
use millrace_shard::{AppendOptions, AppendReply, Appended, Partition};
use millrace_sql::ast::Expression;
use millrace_sql::expr::{EvalContext, Expr, coerce_literal};
use millrace_sql::functions::Registry;
use millrace_sql::plan::{DataSource, InsertValues};
use millrace_sql::schema::{Role, Schema};
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::{Failed, Views};

/// A record before it has a place.
pub struct NewRecord {
    pub key: Option<Bytes>,
    pub value: Option<Bytes>,
    pub timestamp: i64,
}

/// The context's time stands for what the statement does not say.
pub fn record_of(insert: &InsertValues, functions: &Registry, context: &EvalContext) -> Result<NewRecord, Failed> {
    let row = insert.row(functions, context)?;
    Ok(NewRecord {
        key: encode(&insert.target, Side::Key, &row.key)?,
        value: encode(&insert.target, Side::Value, &row.value)?,
        timestamp: row.timestamp_ms.unwrap_or_else(|| context.now_ms()),
    })
}

/// One side of a record of the source.
pub fn encode(source: &DataSource, side: Side, row: &[Value]) -> Result<Option<Bytes>, Failed> {
    let (format, role) = match side {
        Side::Key => (&source.key_format, Role::Key),
        Side::Value => (&source.value_format, Role::Value),
    };
    let columns = source.schema.columns().iter().filter(|column| column.role == role);
    let specs: Vec<ColumnSpec> = columns.map(|column| ColumnSpec::new(column.name.as_str(), column.sql_type.clone())).collect();
    // A stream without a key column has records without a key; a lone null key is one too.
    if side == Side::Key && (specs.is_empty() || row.iter().all(|value| matches!(value, Value::Null)) && row.len() == 1) {
        return Ok(None);
    }
    let codec = codec(format, side, specs).map_err(|error| Failed::statement(error.to_string()))?;
    codec.encode(row).map_err(|error| Failed::statement(error.to_string()))
}

/// The value of an expression without columns, as a value of the type.
pub fn constant(expression: &Expression, sql_type: &SqlType, functions: &Registry, context: &EvalContext) -> Result<Value, Failed> {
    let failed = |error: &dyn std::fmt::Display| Failed::statement(error.to_string());
    let expr = Expr::compile(expression, &Schema::empty(), functions).map_err(|error| failed(&error))?;
    let value = expr.eval(&[], context).map_err(|error| failed(&error))?;
    match expr.sql_type() {
        None => Ok(Value::Null),
        Some(from) => coerce_literal(&value, from, sql_type)
            .ok_or_else(|| Failed::statement(format!("Expected type {sql_type} for field but got {from}"))),
    }
}

impl Views {
    /// A row of typed values as a record of the source's topic. It has its place when this returns, and the reply comes when it
    /// is committed.
    pub fn insert_row(&self, source: &DataSource, key: &[Value], value: &[Value]) -> Result<AppendReply, Failed> {
        let record = NewRecord {
            key: encode(source, Side::Key, key)?,
            value: encode(source, Side::Value, value)?,
            timestamp: self.outside().world().wall_ms(),
        };
        begin(&self.topic(&source.topic)?, &record, self.next_number()).map(|(_, reply)| reply)
    }
}

/// Appends the record where its key belongs; answers its partition and place.
pub async fn append(partitions: &[Partition], record: &NewRecord, keyless: u64) -> Result<(i32, Appended), Failed> {
    let (number, reply) = begin(partitions, record, keyless)?;
    let appended = reply.await;
    appended.map(|appended| (number, appended)).map_err(|error| Failed::trouble(format!("Failed to insert values: {error}")))
}

/// Gives the record its place in the log where its key belongs; the reply comes when it is committed.
pub fn begin(partitions: &[Partition], record: &NewRecord, keyless: u64) -> Result<(i32, AppendReply), Failed> {
    let count = partitions.len() as i32;
    let number = match &record.key {
        Some(key) => partition_of_key(key, count),
        None => (keyless % count.max(1).unsigned_abs() as u64) as i32,
    };
    let mut batch = BatchBuilder::new(Codec::None, Level::Default);
    batch.push(record.timestamp, record.key.as_deref(), record.value.as_deref(), &[]);
    let batch = batch.build();
    let header = BatchHeader::parse(&batch).map_err(|error| Failed::trouble(error.to_string()))?;
    let partition = partitions.get(number as usize).ok_or_else(|| Failed::trouble("the topic has no partition"))?;
    Ok((number, partition.append(batch, header, AppendOptions::INTERNAL)))
}
