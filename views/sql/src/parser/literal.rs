//! Literals, in expressions and in WITH clauses.

use crate::ast::{DataType, Expression, Position, PropertyValue};
use crate::error::Result;
use crate::lexer::TokenKind;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    /// A literal, if one stands here. A minus directly before a number belongs to it.
    pub(super) fn literal(&mut self) -> Result<Option<Expression>> {
        let token = self.peek();
        let literal = match token.kind {
            TokenKind::String => Expression::String(self.string()?),
            TokenKind::Integer | TokenKind::Decimal | TokenKind::Float => return self.number(false).map(Some),
            TokenKind::Symbol if token.text == "-" => {
                if !matches!(self.peek_at(1).kind, TokenKind::Integer | TokenKind::Decimal | TokenKind::Float) {
                    return Ok(None);
                }
                return self.number(true).map(Some);
            }
            TokenKind::Word if self.take_word("NULL") => Expression::Null,
            TokenKind::Word if self.take_word("TRUE") => Expression::Boolean(true),
            TokenKind::Word if self.take_word("FALSE") => Expression::Boolean(false),
            TokenKind::Word if self.peek_at(1).kind == TokenKind::String => return self.typed_literal(),
            _ => return Ok(None),
        };
        Ok(Some(literal))
    }

    /// `DATE '2020-01-01'` and its like.
    fn typed_literal(&mut self) -> Result<Option<Expression>> {
        let data_type = match self.peek().text.to_uppercase().as_str() {
            "DATE" => DataType::Date,
            "TIME" => DataType::Time,
            "TIMESTAMP" => DataType::Timestamp,
            _ => return Ok(None),
        };
        self.advance();
        let value = Box::new(Expression::String(self.string()?));
        Ok(Some(Expression::Cast { value, data_type }))
    }

    fn number(&mut self, negative: bool) -> Result<Expression> {
        let position = self.position();
        if negative {
            self.advance();
        }
        let token = self.advance();
        let text = if negative { format!("-{}", token.text) } else { token.text.to_string() };
        match token.kind {
            TokenKind::Integer => match (text.parse::<i32>(), text.parse::<i64>()) {
                (Ok(small), _) => Ok(Expression::Integer(small)),
                (_, Ok(large)) => Ok(Expression::Bigint(large)),
                _ => Err(self.bad_number(position, format!("Invalid numeric literal: {text}"))),
            },
            TokenKind::Decimal => Ok(Expression::Decimal(text)),
            _ => match text.parse::<f64>() {
                Ok(number) if number.is_finite() => Ok(Expression::Double(number)),
                _ => Err(self.bad_number(position, format!("Number overflows DOUBLE: {text}"))),
            },
        }
    }

    /// ksqlDB reports these one column further to the right than other errors.
    fn bad_number(&self, position: Position, message: String) -> crate::error::SqlError {
        let mut error = self.syntax(format!("Failed to prepare statement: line {}:{}: {message}", position.line, position.column + 1));
        error.position = Some(position);
        error
    }

    pub(super) fn property_value(&mut self) -> Result<PropertyValue> {
        let start = self.peek().offset;
        let literal = match self.literal()? {
            Some(literal) => literal,
            None => return Err(self.unexpected(None)),
        };
        Ok(match literal {
            Expression::String(text) => PropertyValue::String(text),
            Expression::Boolean(flag) => PropertyValue::Boolean(flag),
            Expression::Null => PropertyValue::Null,
            _ => PropertyValue::Number(self.text_since(start).split_whitespace().collect()),
        })
    }

    /// A whole number, perhaps negative, for counts and lengths.
    pub(super) fn whole_number(&mut self) -> Result<i64> {
        let negative = self.at_symbol("-");
        let token = self.peek_at(usize::from(negative));
        if token.kind != TokenKind::Integer {
            return Err(self.unexpected(Some("INTEGER_VALUE")));
        }
        match self.number(negative)? {
            Expression::Integer(small) => Ok(i64::from(small)),
            Expression::Bigint(large) => Ok(large),
            _ => Err(self.unexpected(Some("INTEGER_VALUE"))),
        }
    }
}
