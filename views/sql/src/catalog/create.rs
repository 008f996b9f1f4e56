//! CREATE STREAM / TABLE with columns.

use crate::ast::{ColumnConstraint, CreateSource, TableElement};
use crate::catalog::decide::{NewTopic, Session};
use crate::catalog::formats::{check_schema, described_format, key_feature, value_feature};
use crate::catalog::inference::{SchemaAsk, infer};
use crate::catalog::{Settings, Side, With};
use crate::error::{ErrorKind, Result, SqlError};
use crate::expr::sql_type_of;
use crate::plan::{DataSource, FormatInfo, LegacyKey, SourceKind, TimestampColumn};
use crate::schema::{Column, RESERVED, Role, Schema};
use crate::types::SqlType;

impl Session<'_> {
    /// The source that a statement declares, and the topic that must be made for it.
    pub(crate) fn declared(&self, create: &CreateSource, text: &str) -> Result<(DataSource, Option<NewTopic>)> {
        crate::planner::check_columns(create.elements.len(), self.settings)?;
        let with = With::create(&create.properties)?;
        let topic = with.topic().ok_or_else(|| {
            SqlError::statement("Failed to prepare statement: Missing required property \"KAFKA_TOPIC\" which has no default value.")
        })?;
        let (key_format, value_format) = self.declared_formats(&with)?;
        check_schema_ids(create, &with, &key_format, &value_format)?;
        let window = with.window()?;
        let legacy = with.has("KEY");
        let schema = self.declared_columns(create, &topic, &key_format, &value_format, legacy)?;
        let keys: Vec<&Column> = schema.keys().collect();
        let values: Vec<&Column> = schema.values().collect();
        if schema.is_empty() {
            return Err(SqlError::definition(NO_COLUMNS));
        }
        if create.table && keys.is_empty() {
            return Err(SqlError::definition(NO_PRIMARY_KEY));
        }
        if window.is_some() && keys.is_empty() {
            return Err(SqlError::statement("Windowed sources require a key column."));
        }
        if let Some(key) = keys.iter().find(|key| key.sql_type.contains_map()) {
            return Err(crate::planner::map_key(&key.name, &key.sql_type));
        }
        let feature = key_feature(key_format.format, keys.len());
        let key_format = FormatInfo { feature, ..key_format };
        let default = self.settings.flag(Settings::WRAP_SINGLE_VALUES);
        let feature = value_feature(value_format.format, values.len(), with.wrap_single_value()?, default)?;
        let value_format = FormatInfo { feature, ..value_format };
        check_schema(&key_format, &keys, Side::Key)?;
        check_schema(&value_format, &values, Side::Value)?;
        let timestamp = timestamp(&with, &schema)?;
        let new_topic = self.topic_for(&topic, &with)?;
        let declares_key = create.elements.iter().any(|element| matches!(element.constraint, ColumnConstraint::Key | ColumnConstraint::PrimaryKey));
        let legacy = (legacy || (create.table && has_rowkey_rule(create)))
            .then(|| LegacyKey { implicit: !declares_key, same_as: with.legacy_key() });
        let source = DataSource {
            name: create.name.clone(),
            kind: SourceKind::of(create.table),
            schema,
            topic,
            key_format,
            value_format,
            window,
            timestamp,
            read_only: create.read_only,
            created_by: None,
            statement: text.to_string(),
            legacy,
        };
        Ok((source, new_topic))
    }

    fn declared_formats(&self, with: &With<'_>) -> Result<(FormatInfo, FormatInfo)> {
        let key = with.format("KEY")?.map_or_else(|| self.settings.default_key_format(), Ok)?;
        let value = match with.format("VALUE")? {
            Some(format) => Some(format),
            None => self.settings.default_value_format()?,
        };
        let value = value.ok_or_else(|| {
            SqlError::statement("Statement is missing the 'VALUE_FORMAT' property from the WITH clause. Either provide one or set a default via the 'ksql.persistence.default.format.value' config.")
        })?;
        Ok((described_format(key, with, Side::Key)?, described_format(value, with, Side::Value)?))
    }

    fn declared_columns(&self, create: &CreateSource, topic: &str, key_format: &FormatInfo, value_format: &FormatInfo, legacy: bool) -> Result<Schema> {
        let mut columns = Vec::with_capacity(create.elements.len());
        for element in &create.elements {
            columns.push(self.declared_column(create, element)?);
        }
        let has = |columns: &[Column], role: Role| columns.iter().any(|column| column.role == role);
        if !has(&columns, Role::Key) {
            if legacy && columns.iter().all(|column| column.name != "ROWKEY") {
                columns.insert(0, Column::new("ROWKEY", SqlType::String, Role::Key));
            } else if create.elements.is_empty() && key_format.format.infers_schema() {
                let inferred = infer(self.schemas, &SchemaAsk { topic, is_key: true, format: key_format });
                // Without a schema a stream simply has no key.
                for (name, sql_type) in inferred.unwrap_or_default() {
                    columns.insert(0, Column::new(name, sql_type, Role::Key));
                }
            }
        }
        if create.table && !has(&columns, Role::Key) && value_format.format.infers_schema() {
            return Err(SqlError::definition(NO_PRIMARY_KEY));
        }
        if !has(&columns, Role::Value) && value_format.format.infers_schema() {
            let inferred = infer(self.schemas, &SchemaAsk { topic, is_key: false, format: value_format })?;
            columns.extend(inferred.into_iter().map(|(name, sql_type)| Column::new(name, sql_type, Role::Value)));
        }
        check_headers(&columns)?;
        Schema::new(columns.clone()).map_err(|_| SqlError::statement(format!("Duplicate column names: {}", repeated(&columns).join(", "))))
    }

    fn declared_column(&self, create: &CreateSource, element: &TableElement) -> Result<Column> {
        let name = &element.name;
        if RESERVED.contains(&name.as_str()) {
            return Err(SqlError::statement(format!("'{name}' is a reserved column name. You cannot use it as a name for a column.")));
        }
        let data_type = self.catalog.resolve_type(&element.data_type, self.settings)?;
        let sql_type = sql_type_of(&data_type).map_err(|error| SqlError::statement(error.to_string()))?;
        let role = match (element.constraint, &element.header_key) {
            (_, Some(key)) => Role::Headers { key: Some(key.clone()) },
            (ColumnConstraint::Headers, None) => Role::Headers { key: None },
            (ColumnConstraint::None, None) => Role::Value,
            (ColumnConstraint::Key, None) if create.table && !has_rowkey_rule(create) => {
                return Err(wrong_constraint(element, format!(
                    "Column {} is a 'KEY' column: please use 'PRIMARY KEY' for tables.\nTables have PRIMARY KEYs, which are unique and NON NULL.\nStreams have KEYs, which have no uniqueness or NON NULL constraints.",
                    name.quoted()
                )));
            }
            (ColumnConstraint::PrimaryKey, None) if !create.table => {
                return Err(wrong_constraint(element, format!(
                    "Column {} is a 'PRIMARY KEY' column: please use 'KEY' for streams.\nTables have PRIMARY KEYs, which are unique and NON NULL.\nStreams have KEYs, which have no uniqueness or NON NULL constraints.",
                    name.quoted()
                )));
            }
            (ColumnConstraint::Key | ColumnConstraint::PrimaryKey, None) => Role::Key,
        };
        check_header_type(&role, &sql_type)?;
        Ok(Column { name: name.clone(), sql_type, role })
    }

    /// A topic that does not exist is made when PARTITIONS is given; one that exists must agree with it.
    pub(crate) fn topic_for(&self, topic: &str, with: &With<'_>) -> Result<Option<NewTopic>> {
        let wanted = with.partitions()?;
        let replicas = with.replicas()?;
        match (self.topics.partitions(topic), wanted) {
            (Some(found), Some(wanted)) if found != wanted => Err(SqlError::definition(format!(
                "A Kafka topic with the name '{topic}' already exists, with different partition/replica configuration than required. KSQL expects {wanted} partitions (topic has {found})"
            ))),
            (Some(_), _) => Ok(None),
            (None, Some(_)) => Ok(Some(NewTopic {
                name: topic.to_string(),
                partitions: wanted,
                replicas,
                retention_ms: with.retention_ms()?,
                cleanup_policy: with.cleanup_policy(),
            })),
            (None, None) => Err(SqlError::statement(format!(
                "Topic '{topic}' does not exist. If you want to create a new topic for the stream/table please re-run the statement providing the required 'PARTITIONS' configuration in the WITH clause (and optionally 'REPLICAS'). For example: CREATE STREAM/TABLE WITH (KAFKA_TOPIC='{topic}', PARTITIONS=1)"
            ))),
        }
    }
}

const NO_PRIMARY_KEY: &str = "Tables require a PRIMARY KEY. Please define the PRIMARY KEY.";
const NO_COLUMNS: &str = "The statement does not define any columns.\nNo columns supplied.";

/// Before 0.9 a table's key was written `ROWKEY t KEY`.
pub(crate) fn has_rowkey_rule(create: &CreateSource) -> bool {
    let keys = || create.elements.iter().filter(|element| element.constraint == ColumnConstraint::Key);
    let primary = create.elements.iter().any(|element| element.constraint == ColumnConstraint::PrimaryKey);
    !primary && keys().count() == 1 && keys().all(|element| element.name == "ROWKEY")
}

/// The names that several columns have, each once.
fn repeated(columns: &[Column]) -> Vec<String> {
    let second = |(at, column): &(usize, &Column)| columns[..*at].iter().filter(|earlier| earlier.name == column.name).count() == 1;
    columns.iter().enumerate().filter(second).map(|(_, column)| column.name.quoted()).collect()
}

fn wrong_constraint(element: &TableElement, message: String) -> SqlError {
    SqlError { kind: ErrorKind::Syntax, ..SqlError::statement(message).located(element.position) }
}

fn check_header_type(role: &Role, sql_type: &SqlType) -> Result<()> {
    let (what, expected) = match role {
        Role::Headers { key: None } => {
            let header = SqlType::structure([("KEY", SqlType::String), ("VALUE", SqlType::Bytes)]);
            ("HEADERS".to_string(), SqlType::array(header))
        }
        Role::Headers { key: Some(key) } => (format!("HEADER('{key}')"), SqlType::Bytes),
        _ => return Ok(()),
    };
    if *sql_type == expected {
        return Ok(());
    }
    Err(SqlError::definition(format!("Invalid type for {what} column: expected {expected}, got {sql_type}")))
}

/// All headers once, or single headers each once; not both.
fn check_headers(columns: &[Column]) -> Result<()> {
    let mut seen: Vec<&Option<String>> = Vec::new();
    for column in columns {
        if let Role::Headers { key } = &column.role {
            if seen.contains(&&None) || (key.is_none() && !seen.is_empty()) {
                return Err(SqlError::definition("Schema already contains a HEADERS column."));
            }
            if let Some(key) = key.as_ref().filter(|_| seen.contains(&key)) {
                return Err(SqlError::definition(format!("Schema already contains a HEADER('{key}') column.")));
            }
            seen.push(key);
        }
    }
    Ok(())
}

fn check_schema_ids(create: &CreateSource, with: &With<'_>, key: &FormatInfo, value: &FormatInfo) -> Result<()> {
    let is_key = |element: &&TableElement| matches!(element.constraint, ColumnConstraint::Key | ColumnConstraint::PrimaryKey);
    let sides = [
        ("KEY", key, create.elements.iter().any(|element| is_key(&element))),
        ("VALUE", value, create.elements.iter().any(|element| element.constraint == ColumnConstraint::None)),
    ];
    for (side, info, has_columns) in sides {
        if with.schema_id(side)?.is_none() {
            continue;
        }
        if !info.format.infers_schema() {
            return Err(SqlError::definition(format!(
                "{side}_FORMAT should support schema inference when {side}_SCHEMA_ID is provided. Current format is {}.",
                info.format
            )));
        }
        if has_columns {
            return Err(SqlError::definition(format!("Table elements and {side}_SCHEMA_ID cannot both exist for create statement.")));
        }
    }
    Ok(())
}

/// The column that WITH(TIMESTAMP=..) names: a number, a time, or text with its pattern.
pub(crate) fn timestamp(with: &With<'_>, schema: &Schema) -> Result<Option<TimestampColumn>> {
    let Some(column) = with.timestamp_column() else {
        return match with.timestamp_format() {
            Some(_) => Err(SqlError::statement("'TIMESTAMP_FORMAT' property can only be set when 'TIMESTAMP' is set.")),
            None => Ok(None),
        };
    };
    let format = with.timestamp_format();
    if column == "ROWTIME" && schema.find("ROWTIME").is_none() {
        return Ok(None);
    }
    let Some(found) = schema.find(column.as_str()) else {
        return Err(SqlError::definition(format!("The TIMESTAMP column set in the WITH clause does not exist in the schema: '{column}'")));
    };
    match (&found.sql_type, &format) {
        (SqlType::String, Some(_)) | (SqlType::BigInt | SqlType::Timestamp, None) => Ok(Some(TimestampColumn { column, format })),
        (_, Some(_)) if found.sql_type != SqlType::String => {
            Err(SqlError::definition(format!("'TIMESTAMP_FORMAT' set but the timestamp column {} is not a STRING", column.quoted())))
        }
        _ => Err(SqlError::definition(format!(
            "Timestamp column, {}, should be LONG(INT64), TIMESTAMP, or a String with a timestamp_format specified",
            column.quoted()
        ))),
    }
}

