//! Formats of keys and values with the properties that WITH gives them.

use std::collections::BTreeMap;
use std::fmt;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Format {
    Json,
    JsonSr,
    Avro,
    Protobuf,
    ProtobufNoSr,
    Delimited,
    Kafka,
    None,
}

/// What a format can be told beyond its name; the names are those that error texts use.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FormatProperty {
    /// One character, or SPACE, TAB.
    Delimiter,
    FullSchemaName,
    SchemaId,
    NullableRepresentation,
}

/// How a lone column stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum SerdeFeature {
    /// As the only field of an object.
    WrapSingles,
    /// Bare.
    UnwrapSingles,
}

/// A format as a source uses it.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct FormatInfo {
    pub format: Format,
    pub properties: BTreeMap<FormatProperty, String>,
    /// Only set where there is a choice and a single column: the form chosen explicitly or by the format's own rule for keys.
    pub feature: Option<SerdeFeature>,
}

impl FormatInfo {
    pub fn of(format: Format) -> FormatInfo {
        FormatInfo { format, properties: BTreeMap::new(), feature: None }
    }

    /// The DELIMITED format's separator: a comma unless told otherwise.
    pub fn delimiter(&self) -> char {
        match self.properties.get(&FormatProperty::Delimiter).map(String::as_str) {
            None => ',',
            Some("SPACE") => ' ',
            Some("TAB") => '\t',
            Some(text) => text.chars().next().unwrap_or(','),
        }
    }

    /// Whether a lone column is written inside an object: what was chosen, else what the format does by itself for this side.
    pub fn wraps_single(&self, is_key: bool) -> bool {
        match self.feature {
            Some(SerdeFeature::WrapSingles) => true,
            Some(SerdeFeature::UnwrapSingles) => false,
            None if is_key => !self.format.can_unwrap(),
            None => self.format.can_wrap(),
        }
    }
}

impl Format {
    pub const ALL: [Format; 8] = [
        Format::Json,
        Format::JsonSr,
        Format::Avro,
        Format::Protobuf,
        Format::ProtobufNoSr,
        Format::Delimited,
        Format::Kafka,
        Format::None,
    ];

    pub fn name(self) -> &'static str {
        match self {
            Format::Json => "JSON",
            Format::JsonSr => "JSON_SR",
            Format::Avro => "AVRO",
            Format::Protobuf => "PROTOBUF",
            Format::ProtobufNoSr => "PROTOBUF_NOSR",
            Format::Delimited => "DELIMITED",
            Format::Kafka => "KAFKA",
            Format::None => "NONE",
        }
    }

    /// Finds a format by its name in any case.
    pub fn parse(name: &str) -> Option<Format> {
        Format::ALL.into_iter().find(|format| format.name().eq_ignore_ascii_case(name))
    }

    /// Whether the schema lives in the schema registry, so that columns may be inferred from it.
    pub fn infers_schema(self) -> bool {
        matches!(self, Format::JsonSr | Format::Avro | Format::Protobuf)
    }

    pub fn can_wrap(self) -> bool {
        matches!(self, Format::Json | Format::JsonSr | Format::Avro | Format::Protobuf | Format::ProtobufNoSr)
    }

    pub fn can_unwrap(self) -> bool {
        !matches!(self, Format::Protobuf | Format::None)
    }
}

impl fmt::Display for Format {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str(self.name())
    }
}

impl FormatProperty {
    pub fn name(self) -> &'static str {
        match self {
            FormatProperty::Delimiter => "delimiter",
            FormatProperty::FullSchemaName => "fullSchemaName",
            FormatProperty::SchemaId => "schemaId",
            FormatProperty::NullableRepresentation => "nullableRepresentation",
        }
    }
}
