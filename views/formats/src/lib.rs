//! Bytes to rows and back: JSON, DELIMITED, KAFKA, NONE.
