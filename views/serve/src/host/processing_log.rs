//! The processing log: what happened to single records, as records of a topic of their own.
//!
//! Invariants: a query never waits for its log; when more comes than can be written, what is left out is counted and said. The log
//! is told at least once: what a query repeats after a crash, it logs again. A record's content is in it only where
//! `ksql.logging.processing.rows.include` says so.
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use bytes::Bytes;
use millrace_engine::{LogEvent, LogKind};
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level};
use millrace_shard::AppendOptions;
use millrace_sql::catalog::{NewTopic, Settings};
use millrace_sql::name::Name;
use millrace_world::World;
use parking_lot::Mutex;
use serde_json::json;

use crate::host::Views;
use crate::run::Signal;

/// Entries that wait to be written.
const WAITING_MAX: usize = 10_000;
const BATCH_BYTES: usize = 512 << 10;

/// What a server's properties say of it, by ksqlDB's names.
#[derive(Clone, Debug)]
pub struct LogSettings {
    topic: String,
    topic_auto_create: bool,
    partitions: i32,
    replicas: Option<i16>,
    stream: String,
    stream_auto_create: bool,
    rows_included: bool,
}

impl LogSettings {
    pub fn of(server: &Settings) -> LogSettings {
        let get = |name: &str| server.get(&format!("ksql.logging.processing.{name}"));
        let is = |name: &str| get(name).is_some_and(|value| value.eq_ignore_ascii_case("true"));
        let service = server.get("ksql.service.id").unwrap_or("default_");
        LogSettings {
            topic: get("topic.name").map_or_else(|| format!("{service}ksql_processing_log"), str::to_string),
            topic_auto_create: is("topic.auto.create"),
            partitions: get("topic.partitions").and_then(|value| value.parse().ok()).unwrap_or(1),
            replicas: get("topic.replication.factor").and_then(|value| value.parse().ok()),
            stream: get("stream.name").unwrap_or("KSQL_PROCESSING_LOG").to_string(),
            stream_auto_create: is("stream.auto.create"),
            rows_included: is("rows.include"),
        }
    }
}

pub struct ProcessingLog {
    settings: LogSettings,
    world: Arc<dyn World>,
    /// There is a topic to write.
    open: AtomicBool,
    waiting: Mutex<Waiting>,
    more: Signal,
}

#[derive(Default)]
struct Waiting {
    entries: Vec<(i64, Bytes)>,
    left_out: u64,
}

impl ProcessingLog {
    pub fn new(settings: LogSettings, world: Arc<dyn World>) -> ProcessingLog {
        ProcessingLog { settings, world, open: AtomicBool::new(false), waiting: Mutex::default(), more: Signal::default() }
    }

    /// A record that could not be read or computed: to the node's own log, and to the topic if there is one.
    pub fn note(&self, query: &str, event: &LogEvent) {
        match &event.what {
            LogKind::Deserialization { target, topic, message, .. } => {
                tracing::warn!(query, step = &*event.step, topic = &**topic, target, message, "a record could not be read");
            }
            LogKind::Processing { message } => tracing::warn!(query, step = &*event.step, message, "a record could not be computed"),
        }
        if !self.open.load(Ordering::Acquire) {
            return;
        }
        let now_ms = self.world.wall_ms();
        let mut waiting = self.waiting.lock();
        if waiting.entries.len() >= WAITING_MAX {
            waiting.left_out += 1;
            return;
        }
        waiting.entries.push((now_ms, entry(query, event, now_ms, self.settings.rows_included)));
        drop(waiting);
        self.more.notify();
    }

    async fn next(&self) -> Waiting {
        let take = || {
            let mut waiting = self.waiting.lock();
            (!waiting.entries.is_empty()).then(|| std::mem::take(&mut *waiting))
        };
        self.more.until(take).await
    }
}

/// In ksqlDB's words, so that what reads its log reads ours.
fn entry(query: &str, event: &LogEvent, now_ms: i64, rows_included: bool) -> Bytes {
    let mut message = json!({
        "type": 0, "deserializationError": null, "recordProcessingError": null, "productionError": null,
        "serializationError": null, "kafkaStreamsThreadError": null,
    });
    let (logger, level) = match &event.what {
        LogKind::Deserialization { target, topic, record, message: error } => {
            let record = rows_included.then(|| millrace_sql::cast::base64(record));
            message["deserializationError"] =
                json!({ "target": target, "errorMessage": error, "recordB64": record, "cause": [], "topic": &**topic });
            (format!("processing.{query}.KsqlTopic.{}.deserializer", event.step), "ERROR")
        }
        LogKind::Processing { message: error } => {
            message["type"] = json!(1);
            message["recordProcessingError"] = json!({ "errorMessage": error, "record": null, "cause": [] });
            (format!("processing.{query}.{}", event.step), "ERROR")
        }
    };
    Bytes::from(json!({ "level": level, "logger": logger, "time": now_ms, "message": message }).to_string())
}

impl Views {
    /// Makes the log's topic and stream where the properties ask for it, and writes the log from now on.
    pub(super) async fn open_processing_log(self: &Arc<Self>) {
        let settings = self.log.settings.clone();
        if settings.topic_auto_create && self.outside.partitions(&settings.topic).is_none() {
            let topic = NewTopic { name: settings.topic.clone(), partitions: Some(settings.partitions), replicas: settings.replicas, retention_ms: None, cleanup_policy: None };
            if let Err(error) = self.outside.create_topic(topic).await {
                tracing::error!(topic = settings.topic, %error, "the processing log's topic could not be made");
            }
        }
        self.look_for_log_topic();
        if settings.stream_auto_create && self.catalog().source(&Name::new(&*settings.stream)).is_none() {
            if let Err(stopped) = self.execute(&stream_statement(&settings), &Default::default(), &Default::default()).await {
                tracing::error!(stream = settings.stream, error = %stopped.failed, "the processing log's stream could not be made");
            }
        }
        let (views, log) = (Arc::downgrade(self), self.log.clone());
        self.outside.world().spawn(Box::pin(async move {
            let mut number = 0;
            loop {
                let waiting = log.next().await;
                let Some(views) = views.upgrade() else { return };
                if waiting.left_out > 0 {
                    tracing::warn!(entries = waiting.left_out, "the processing log came faster than it could be written; these were left out");
                }
                views.write_log(&waiting.entries, &mut number).await;
            }
        }));
    }

    /// The topic may come and go.
    pub(super) fn look_for_log_topic(&self) {
        self.log.open.store(self.outside.partitions(&self.log.settings.topic).is_some(), Ordering::Release);
    }

    async fn write_log(&self, entries: &[(i64, Bytes)], number: &mut usize) {
        let partitions = self.outside.partitions(&self.log.settings.topic).unwrap_or_default();
        let mut entries = entries.iter().peekable();
        while entries.peek().is_some() {
            let mut batch = BatchBuilder::new(Codec::None, Level::Default);
            while batch.body_len() < BATCH_BYTES
                && let Some((at_ms, entry)) = entries.next()
            {
                batch.push(*at_ms, None, Some(entry), &[]);
            }
            *number += 1;
            let Some(partition) = partitions.get(*number % partitions.len().max(1)) else { return };
            let batch = batch.build();
            let Ok(header) = BatchHeader::parse(&batch) else { return };
            if let Err(error) = partition.append(batch, header, AppendOptions::INTERNAL).await {
                tracing::warn!(topic = self.log.settings.topic, %error, "the processing log could not be written");
            }
        }
    }
}

fn stream_statement(settings: &LogSettings) -> String {
    let failed = "errorMessage VARCHAR";
    format!(
        "CREATE STREAM {} (logger VARCHAR, level VARCHAR, time BIGINT, message STRUCT<type INT, \
         deserializationError STRUCT<target VARCHAR, {failed}, recordB64 VARCHAR, cause ARRAY<VARCHAR>, topic VARCHAR>, \
         recordProcessingError STRUCT<{failed}, record VARCHAR, cause ARRAY<VARCHAR>>, \
         productionError STRUCT<{failed}>, \
         serializationError STRUCT<target VARCHAR, {failed}, record VARCHAR, cause ARRAY<VARCHAR>, topic VARCHAR>, \
         kafkaStreamsThreadError STRUCT<{failed}, threadName VARCHAR, cause ARRAY<VARCHAR>>>) \
         WITH (KAFKA_TOPIC='{}', VALUE_FORMAT='JSON');",
        Name::new(&*settings.stream).quoted(),
        settings.topic.replace('\'', "''"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_has_the_fields_of_ksqldbs_and_no_row_unless_asked() {
        let what = LogKind::Deserialization { target: "value", topic: "t".into(), record: Bytes::from_static(b"{"), message: "no JSON".into() };
        let event = LogEvent { step: "Source".into(), what };
        let read = |rows: bool| -> serde_json::Value { serde_json::from_slice(&entry("CSAS_A_1", &event, 7, rows)).unwrap() };
        let plain = read(false);
        assert_eq!(plain["logger"], "processing.CSAS_A_1.KsqlTopic.Source.deserializer");
        assert_eq!(plain["message"]["type"], 0);
        assert_eq!(plain["message"]["deserializationError"]["recordB64"], serde_json::Value::Null);
        assert_eq!(read(true)["message"]["deserializationError"]["recordB64"], "ew==");
    }

    #[test]
    fn the_stream_of_the_log_is_a_statement() {
        let statement = stream_statement(&LogSettings::of(&Settings::default()));
        let parsed = millrace_sql::parser::parse(&statement, &mut Default::default(), &millrace_sql::parser::Limits::STANDARD);
        assert_eq!(parsed.unwrap().len(), 1);
        assert!(statement.contains("default_ksql_processing_log"), "{statement}");
    }
}
