//! CREATE .. AS SELECT: the sink that a query makes.

use std::sync::Arc;

use crate::ast::CreateSourceAs;
use crate::catalog::{self, NewTopic, Settings, Side, With, check_schema, sink_format};
use crate::error::{Result, SqlError};
use crate::plan::{DataSource, Format, FormatInfo, LegacyKey, PersistentPlan, QueryId, QueryKind, Sink, SourceKind};
use crate::planner::{Planned, Planner, Target};
use crate::schema::{Column, Schema};

/// A persistent query and the topic to make for its sink.
#[derive(Clone, Debug)]
pub struct PlannedCreate {
    pub plan: PersistentPlan,
    pub topic: Option<NewTopic>,
}

impl PersistentPlan {
    /// The same query under another name.
    pub(crate) fn renamed(mut self, id: QueryId) -> PersistentPlan {
        let source = DataSource { created_by: Some(id.clone()), ..(*self.sink.source).clone() };
        self.sink.source = Arc::new(source);
        self.id = id;
        self
    }
}

impl Planner<'_> {
    pub fn plan_create_as(&self, create: &CreateSourceAs) -> Result<PlannedCreate> {
        let with = With::create_as(&create.properties)?;
        if create.query.limit.is_some() {
            let word = SourceKind::of(create.table);
            return Err(SqlError::definition(format!("CREATE {word} AS SELECT statements don't support LIMIT clause.")));
        }
        let planned = self.plan_query(&create.query, Target::Sink(&create.name))?;
        let statement = self.shown(create, &planned);
        self.finish(create, &with, planned, &statement).map_err(|error| error.with_statement(|| statement.clone()))
    }

    fn shown(&self, create: &CreateSourceAs, planned: &Planned) -> String {
        let mut query = planned.query.clone();
        query.emit.get_or_insert(crate::ast::Emit::Changes);
        CreateSourceAs { query, ..create.clone() }.to_string()
    }

    fn finish(&self, create: &CreateSourceAs, with: &With<'_>, planned: Planned, statement: &str) -> Result<PlannedCreate> {
        let wanted = SourceKind::of(create.table);
        if planned.kind != wanted {
            let found = planned.kind;
            return Err(SqlError::statement(format!(
                "Invalid result type. Your SELECT query produces a {found}. Please use CREATE {found} AS SELECT statement instead."
            )));
        }
        let key_format = self.sink_key_format(with, &planned)?;
        let value_format = self.sink_value_format(with, &planned)?;
        let keys: Vec<&Column> = planned.schema.keys().collect();
        let values: Vec<&Column> = planned.schema.values().collect();
        catalog::check_states(&planned.states, value_format.format)?;
        check_schema(&key_format, &keys, Side::Key)?;
        check_schema(&value_format, &values, Side::Value)?;
        let timestamp = catalog::timestamp(with, &planned.schema)?;
        let topic = with.topic().unwrap_or_else(|| self.default_topic(create));
        let id = self.catalog.next_query_id(QueryKind::CreateAs, create.table, &create.name);
        let source = DataSource {
            name: create.name.clone(),
            kind: wanted,
            schema: declared(&planned.schema)?,
            topic: topic.clone(),
            key_format,
            value_format,
            window: planned.window,
            timestamp,
            read_only: false,
            created_by: Some(id.clone()),
            statement: statement.to_string(),
            legacy: planned.leftmost.legacy.as_ref().map(|legacy| LegacyKey { same_as: None, ..legacy.clone() }),
        };
        let partitions = with.partitions()?.or_else(|| self.topics.partitions(&planned.leftmost.topic));
        let compact = wanted == SourceKind::Table && planned.window.is_none();
        let cleanup_policy = with.cleanup_policy().or_else(|| compact.then(|| "compact".to_string()));
        let (replicas, retention_ms) = (with.replicas()?, with.retention_ms()?);
        let new_topic = match (self.topics.partitions(&topic), with.partitions()?) {
            (Some(found), Some(wanted)) if found != wanted => {
                return Err(SqlError::definition(format!(
                    "A Kafka topic with the name '{topic}' already exists, with different partition/replica configuration than required. KSQL expects {wanted} partitions (topic has {found})"
                )));
            }
            (Some(_), _) => None,
            (None, _) => Some(NewTopic { name: topic, partitions, replicas, retention_ms, cleanup_policy: cleanup_policy.clone() }),
        };
        let sink = Sink { source: Arc::new(source), partitions, replicas, retention_ms, cleanup_policy };
        let plan =
            PersistentPlan { id, kind: QueryKind::CreateAs, statement: statement.to_string(), root: planned.root, sink };
        Ok(PlannedCreate { plan, topic: new_topic })
    }

    fn default_topic(&self, create: &CreateSourceAs) -> String {
        let prefix = self.settings.get(Settings::TOPIC_PREFIX).unwrap_or_default();
        format!("{prefix}{}", create.name)
    }

    /// As WITH says, else the leftmost source's; NONE cannot hold a key that the query makes.
    fn sink_key_format(&self, with: &With<'_>, planned: &Planned) -> Result<FormatInfo> {
        let keys = planned.schema.keys().count();
        let inherited = &planned.leftmost.key_format;
        let fallback = if inherited.format == Format::None && keys > 0 { Some(self.settings.default_key_format()?) } else { None };
        let info = sink_format(with, Side::Key, inherited, fallback)?;
        Ok(FormatInfo { feature: catalog::key_feature(info.format, keys), ..info })
    }

    fn sink_value_format(&self, with: &With<'_>, planned: &Planned) -> Result<FormatInfo> {
        let info = sink_format(with, Side::Value, &planned.leftmost.value_format, None)?;
        let values = planned.schema.values().count();
        let default = self.settings.flag(Settings::WRAP_SINGLE_VALUES);
        let feature = catalog::value_feature(info.format, values, with.wrap_single_value()?, default)?;
        Ok(FormatInfo { feature, ..info })
    }
}

/// A sink has keys and values only.
fn declared(schema: &Schema) -> Result<Schema> {
    let columns = schema.keys().chain(schema.values()).cloned().collect();
    Schema::new(columns).map_err(|error| SqlError::statement(error.to_string()))
}
