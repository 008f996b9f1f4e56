//! Types.

use crate::ast::{DataType, StructField};
use crate::error::Result;
use crate::lexer::TokenKind;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    pub(super) fn data_type(&mut self) -> Result<DataType> {
        self.deeper(Self::data_type_here)
    }

    fn data_type_here(&mut self) -> Result<DataType> {
        let position = self.position();
        if self.peek_at(1).is_symbol("<>") && self.at_word("STRUCT") {
            self.advance();
            self.advance();
            return Ok(DataType::Struct(Vec::new()));
        }
        if self.peek_at(1).is_symbol("<") {
            if self.take_word("ARRAY") {
                self.expect_symbol("<")?;
                let element = self.data_type()?;
                self.close_angle()?;
                return Ok(DataType::Array(Box::new(element)));
            }
            if self.take_word("MAP") {
                self.expect_symbol("<")?;
                let key = self.data_type()?;
                self.expect_symbol(",")?;
                let value = self.data_type()?;
                self.close_angle()?;
                return Ok(DataType::Map { key: Box::new(key), value: Box::new(value) });
            }
            if self.take_word("STRUCT") {
                return self.struct_type();
            }
        }
        if self.at_word("DECIMAL") && self.peek_at(1).is_symbol("(") {
            return self.decimal_type();
        }
        let quoted = self.peek().kind == TokenKind::Quoted;
        let name = self.name()?;
        let primitive = if quoted { None } else { primitive(name.as_str()) };
        if self.take_symbol("(") {
            // Lengths, as in VARCHAR(255), are accepted and mean nothing.
            self.list(Self::type_parameter)?;
            self.expect_symbol(")")?;
        }
        Ok(primitive.unwrap_or(DataType::Custom { name, position }))
    }

    fn type_parameter(&mut self) -> Result<()> {
        if self.peek().kind == TokenKind::Integer || self.at_word("STRING") {
            self.advance();
            return Ok(());
        }
        Err(self.unexpected(Some("{'STRING', INTEGER_VALUE}")))
    }

    /// `>`, or one half of a `>=` or `=>` is never needed: the scanner knows no `>>`.
    fn close_angle(&mut self) -> Result<()> {
        self.expect_symbol(">")
    }

    fn struct_type(&mut self) -> Result<DataType> {
        self.expect_symbol("<")?;
        if self.take_symbol(">") {
            return Ok(DataType::Struct(Vec::new()));
        }
        let fields = self.list(|parser| {
            let name = parser.name()?;
            let data_type = parser.data_type()?;
            Ok(StructField { name, data_type })
        })?;
        self.close_angle()?;
        Ok(DataType::Struct(fields))
    }

    fn decimal_type(&mut self) -> Result<DataType> {
        self.advance();
        self.expect_symbol("(")?;
        let precision = self.digits()?;
        self.expect_symbol(",")?;
        let scale = self.digits()?;
        self.expect_symbol(")")?;
        Ok(DataType::Decimal { precision, scale })
    }

    fn digits(&mut self) -> Result<u32> {
        let token = self.peek();
        match (token.kind, token.text.parse()) {
            (TokenKind::Integer, Ok(number)) => {
                self.advance();
                Ok(number)
            }
            _ => Err(self.unexpected(Some("INTEGER_VALUE"))),
        }
    }
}

fn primitive(word: &str) -> Option<DataType> {
    Some(match word {
        "BOOLEAN" => DataType::Boolean,
        "INT" | "INTEGER" => DataType::Integer,
        "BIGINT" => DataType::Bigint,
        "DOUBLE" => DataType::Double,
        "STRING" | "VARCHAR" => DataType::String,
        "BYTES" => DataType::Bytes,
        "DATE" => DataType::Date,
        "TIME" => DataType::Time,
        "TIMESTAMP" => DataType::Timestamp,
        _ => return None,
    })
}

