//! Why bytes are not a row, or a row has no bytes.

use millrace_sql::plan::Format;

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    #[error("Can't convert type. sourceType: {found}, requiredType: {wanted}, path: {path}")]
    Type { found: &'static str, wanted: String, path: String },
    #[error("Can't convert '{text}' to {wanted}, path: {path}: {why}")]
    Text { text: String, wanted: String, path: String, why: String },
    #[error("not JSON at byte {at}: {what}")]
    Json { at: usize, what: &'static str },
    #[error("JSON nested deeper than {0} levels")]
    Depth(usize),
    #[error("not a Protobuf message of these columns: {0}")]
    Protobuf(&'static str),
    #[error("not UTF-8")]
    Utf8,
    #[error("Unexpected field count, csvFields:{found} schemaFields:{wanted}")]
    FieldCount { found: usize, wanted: usize },
    #[error("No fields in record")]
    NoFields,
    #[error("invalid character between a quoted field and the delimiter")]
    AfterQuote,
    #[error("a quoted field does not end")]
    OpenQuote,
    #[error("Size of data received by {reader} is not {wanted}: {found}")]
    Size { reader: &'static str, wanted: usize, found: usize },
    #[error("a windowed key needs {wanted} bytes at its end, and has {found}")]
    WindowedKey { wanted: usize, found: usize },
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    #[error("{format} cannot write {what}")]
    Unsupported { format: Format, what: String },
}

/// The format cannot be used here.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum UnsupportedFormat {
    #[error("The '{0}' format needs a schema registry, which this build does not have")]
    NeedsRegistry(Format),
    #[error("The '{format}' format supports only a single column, got {columns}")]
    SingleColumn { format: Format, columns: usize },
    #[error("The '{format}' format does not support type '{sql_type}'")]
    Type { format: Format, sql_type: String },
    #[error("The '{format}' format can only be used when there are no columns, got {columns}")]
    NoColumns { format: Format, columns: usize },
}
