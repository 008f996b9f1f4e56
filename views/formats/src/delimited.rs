//! DELIMITED: one line of separated fields, quoted as Apache commons-csv's default format quotes them.
//!
//! Invariants: the number of fields is the number of columns; an empty field, quoted or not, is null. Only the first line is read.

use bytes::Bytes;
use millrace_sql::cast::double_text;
use millrace_sql::plan::Format;
use millrace_sql::types::SqlType;
use millrace_sql::value::Value;

use crate::codec::{Codec, ColumnSpec};
use crate::{DecodeError, EncodeError, UnsupportedFormat, text};

pub struct Delimited {
    columns: Vec<ColumnSpec>,
    delimiter: char,
}

impl Delimited {
    pub fn new(columns: Vec<ColumnSpec>, delimiter: char) -> Result<Delimited, UnsupportedFormat> {
        for column in &columns {
            if matches!(column.sql_type, SqlType::Array(_) | SqlType::Map(..) | SqlType::Struct(_)) {
                let sql_type = column.sql_type.base().to_string();
                return Err(UnsupportedFormat::Type { format: Format::Delimited, sql_type });
            }
        }
        Ok(Delimited { columns, delimiter })
    }
}

impl Codec for Delimited {
    fn decode(&self, bytes: &[u8]) -> Result<Option<Vec<Value>>, DecodeError> {
        let line = std::str::from_utf8(bytes).map_err(|_| DecodeError::Utf8)?;
        let fields = split(line, self.delimiter)?;
        if fields.is_empty() {
            return Err(DecodeError::NoFields);
        }
        if fields.len() != self.columns.len() {
            return Err(DecodeError::FieldCount { found: fields.len(), wanted: self.columns.len() });
        }
        let mut row = Vec::with_capacity(fields.len());
        for (field, column) in fields.into_iter().zip(&self.columns) {
            if field.is_empty() || !column.wanted {
                row.push(Value::Null);
                continue;
            }
            let value = text::scalar(&field, &column.sql_type).map_err(|why| DecodeError::Text {
                text: field,
                wanted: column.sql_type.to_string(),
                path: column.name.clone(),
                why,
            })?;
            row.push(value);
        }
        Ok(Some(row))
    }

    fn encode(&self, row: &[Value]) -> Result<Option<Bytes>, EncodeError> {
        let mut line = String::new();
        for (at, value) in row.iter().enumerate() {
            if at > 0 {
                line.push(self.delimiter);
            }
            if let Some(field) = field_text(value)? {
                push_field(&mut line, &field, at == 0, self.delimiter);
            }
        }
        Ok(Some(Bytes::from(line)))
    }
}

fn field_text(value: &Value) -> Result<Option<String>, EncodeError> {
    Ok(Some(match value {
        Value::Null => return Ok(None),
        Value::Boolean(flag) => flag.to_string(),
        Value::Int(number) | Value::Time(number) | Value::Date(number) => number.to_string(),
        Value::BigInt(number) | Value::Timestamp(number) => number.to_string(),
        Value::Double(number) => double_text(*number),
        Value::Decimal(number) => number.to_string(),
        Value::String(text) => text.to_string(),
        Value::Bytes(bytes) => text::base64_text(bytes),
        Value::Array(_) | Value::Map(_) | Value::Struct(_) => {
            return Err(EncodeError::Unsupported { format: Format::Delimited, what: "a nested value".to_string() });
        }
    }))
}

/// Quotes only where reading back would differ, as commons-csv judges it: a line may only begin with an ASCII letter or digit,
/// and it is careful about anything up to `#` at the start of a field, and about a space at its end.
fn push_field(line: &mut String, field: &str, first: bool, delimiter: char) {
    let quote = match (field.chars().next(), field.chars().next_back()) {
        (Some(start), Some(end)) => {
            (first && !start.is_ascii_alphanumeric())
                || start <= '#'
                || end <= ' '
                || field.contains(['\n', '\r', '"', delimiter])
        }
        _ => first,
    };
    if !quote {
        line.push_str(field);
        return;
    }
    line.push('"');
    for c in field.chars() {
        if c == '"' {
            line.push('"');
        }
        line.push(c);
    }
    line.push('"');
}

/// The fields of the first line that is not empty.
fn split(text: &str, delimiter: char) -> Result<Vec<String>, DecodeError> {
    let mut fields = Vec::new();
    let mut rest = text.trim_start_matches(['\n', '\r']).chars().peekable();
    if rest.peek().is_none() {
        return Ok(fields);
    }
    loop {
        let mut field = String::new();
        if rest.peek() == Some(&'"') {
            rest.next();
            loop {
                match rest.next() {
                    None => return Err(DecodeError::OpenQuote),
                    Some('"') if rest.peek() == Some(&'"') => {
                        rest.next();
                        field.push('"');
                    }
                    Some('"') => break,
                    Some(c) => field.push(c),
                }
            }
            while rest.peek().is_some_and(|c| c.is_whitespace() && *c != delimiter && !matches!(c, '\n' | '\r')) {
                rest.next();
            }
            match rest.peek() {
                None | Some('\n' | '\r') => {}
                Some(c) if *c == delimiter => {}
                Some(_) => return Err(DecodeError::AfterQuote),
            }
        } else {
            while let Some(c) = rest.next_if(|c| *c != delimiter && !matches!(c, '\n' | '\r')) {
                field.push(c);
            }
        }
        fields.push(field);
        match rest.next() {
            Some(c) if c == delimiter => {}
            _ => return Ok(fields),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn strings(count: usize) -> Delimited {
        let columns = (0..count).map(|at| ColumnSpec::new(format!("C{at}"), SqlType::String)).collect();
        Delimited::new(columns, ',').unwrap()
    }

    fn line(values: &[Value]) -> String {
        let bytes = strings(values.len()).encode(values).unwrap().unwrap();
        String::from_utf8(bytes.to_vec()).unwrap()
    }

    #[test]
    fn quotes_as_commons_csv_does() {
        let cases: [(&[Value], &str); 8] = [
            (&["a".into(), "b".into()], "a,b"),
            (&["a,b".into(), "c\"d".into()], "\"a,b\",\"c\"\"d\""),
            (&["".into(), "".into()], "\"\","),
            (&[Value::Null, Value::Null], ","),
            (&["a ".into(), " b".into()], "\"a \",\" b\""),
            (&["é".into(), "é".into()], "\"é\",é"),
            (&["-1".into(), "-1".into()], "\"-1\",-1"),
            (&[Value::Double(1e10), Value::Double(5.4)], "1.0E10,5.4"),
        ];
        for (values, text) in cases {
            assert_eq!(line(values), text);
        }
    }

    #[test]
    fn reads_quotes_and_nulls() {
        assert_eq!(split("a,\"b\"\"c\" ,,d\nnext", ',').unwrap(), ["a", "b\"c", "", "d"]);
        assert_eq!(split("a,", ',').unwrap(), ["a", ""]);
        assert_eq!(split("", ',').unwrap(), Vec::<String>::new());
        assert_eq!(split("\"a\"x", ','), Err(DecodeError::AfterQuote));
        assert_eq!(split("\"a", ','), Err(DecodeError::OpenQuote));
        assert!(matches!(strings(2).decode(b"a"), Err(DecodeError::FieldCount { found: 1, wanted: 2 })));
        assert_eq!(strings(2).decode(b"a,").unwrap().unwrap(), ["a".into(), Value::Null]);
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back(fields in prop::collection::vec("[a#,\" é\t\r\n]{1,4}", 1..4)) {
            let row: Vec<Value> = fields.iter().map(|field| field.as_str().into()).collect();
            let codec = strings(row.len());
            let bytes = codec.encode(&row).unwrap().unwrap();
            prop_assert_eq!(codec.decode(&bytes).unwrap().unwrap(), row);
        }

        #[test]
        fn any_bytes_are_a_row_or_an_error(bytes in prop::collection::vec(any::<u8>(), 0..64)) {
            let _ = strings(3).decode(&bytes);
        }
    }
}
