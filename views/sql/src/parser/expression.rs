//! Expressions. Two families, as in ksqlDB's grammar: conditions (OR, AND, NOT, one predicate) over values (arithmetic and what is below).

use crate::ast::{ArithmeticOperator, CaseBranch, ColumnRef, ComparisonOperator, Expression, LogicalOperator, UnaryOperator};
use crate::error::Result;
use crate::lexer::TokenKind;
use crate::name::Name;
use crate::parser::cursor::Parser;

impl Parser<'_> {
    pub(super) fn expression(&mut self) -> Result<Expression> {
        self.deeper(|parser| parser.logical(LogicalOperator::Or, "OR"))
    }

    fn logical(&mut self, operator: LogicalOperator, word: &str) -> Result<Expression> {
        let mut left = self.logical_part(operator)?;
        while self.take_word(word) {
            self.link()?;
            let right = self.logical_part(operator)?;
            left = Expression::Logical { operator, left: Box::new(left), right: Box::new(right) };
        }
        Ok(left)
    }

    fn logical_part(&mut self, of: LogicalOperator) -> Result<Expression> {
        match of {
            LogicalOperator::Or => self.logical(LogicalOperator::And, "AND"),
            LogicalOperator::And => self.negation(),
        }
    }

    fn negation(&mut self) -> Result<Expression> {
        if self.take_word("NOT") {
            return self.deeper(|parser| Ok(Expression::Not(Box::new(parser.negation()?))));
        }
        self.predicate()
    }

    /// A value, or a value with one predicate behind it.
    fn predicate(&mut self) -> Result<Expression> {
        let value = self.operators(0)?;
        let position = self.position();
        if let Some(operator) = self.comparison_operator() {
            let right = self.value()?;
            return Ok(Expression::Comparison { operator, left: Box::new(value), right: Box::new(right), position });
        }
        if self.take_word("IS") {
            let negated = self.take_word("NOT");
            if self.take_word("NULL") {
                let value = Box::new(value);
                return Ok(if negated { Expression::IsNotNull(value) } else { Expression::IsNull(value) });
            }
            self.expect_words(&["DISTINCT", "FROM"])?;
            let operator = if negated { ComparisonOperator::IsNotDistinctFrom } else { ComparisonOperator::IsDistinctFrom };
            let right = self.value()?;
            return Ok(Expression::Comparison { operator, left: Box::new(value), right: Box::new(right), position });
        }
        let negated = self.at_word("NOT") && ["BETWEEN", "IN", "LIKE"].iter().any(|word| self.peek_at(1).is_word(word));
        if negated {
            self.advance();
        }
        let value = Box::new(value);
        let found = if self.take_word("BETWEEN") {
            let low = Box::new(self.value()?);
            self.expect_word("AND")?;
            Expression::Between { value, low, high: Box::new(self.value()?) }
        } else if self.take_word("IN") {
            self.expect_symbol("(")?;
            let list = self.list(Self::expression)?;
            self.expect_symbol(")")?;
            Expression::In { value, list }
        } else if self.take_word("LIKE") {
            let pattern = Box::new(self.value()?);
            let escape = if self.take_word("ESCAPE") { Some(self.escape_character()?) } else { None };
            Expression::Like { value, pattern, escape }
        } else {
            return Ok(*value);
        };
        Ok(if negated { Expression::Not(Box::new(found)) } else { found })
    }

    fn escape_character(&mut self) -> Result<char> {
        let position = self.position();
        let text = self.string()?;
        let mut letters = text.chars();
        match (letters.next(), letters.next()) {
            (Some(only), None) => Ok(only),
            _ => Err(self.syntax(format!(
                "line {}:{}: Expected exactly one character in the escape clause, but got '{text}'",
                position.line, position.column
            ))),
        }
    }

    fn comparison_operator(&mut self) -> Option<ComparisonOperator> {
        let token = self.peek();
        if token.kind != TokenKind::Symbol {
            return None;
        }
        let operator = match token.text {
            "=" => ComparisonOperator::Equal,
            "<>" | "!=" => ComparisonOperator::NotEqual,
            "<" => ComparisonOperator::LessThan,
            "<=" => ComparisonOperator::LessThanOrEqual,
            ">" => ComparisonOperator::GreaterThan,
            ">=" => ComparisonOperator::GreaterThanOrEqual,
            _ => return None,
        };
        self.advance();
        Some(operator)
    }

    /// A value expression: what GROUP BY, PARTITION BY and the sides of a comparison take.
    pub(super) fn value(&mut self) -> Result<Expression> {
        self.deeper(|parser| parser.operators(0))
    }

    /// Operators by strength: `||` 1, `+ -` 2, `* / %` 3.
    fn operators(&mut self, weakest: u8) -> Result<Expression> {
        let mut left = self.signed()?;
        loop {
            let token = self.peek();
            let Some((strength, operator)) = (token.kind == TokenKind::Symbol).then(|| binary_operator(token.text)).flatten() else {
                return Ok(left);
            };
            if strength <= weakest {
                return Ok(left);
            }
            self.link()?;
            self.advance();
            let right = self.operators(strength)?;
            left = match operator {
                Some(operator) => {
                    Expression::Arithmetic { operator, left: Box::new(left), right: Box::new(right), position: token.position }
                }
                None => Expression::Call { function: Name::new("CONCAT"), arguments: vec![left, right], position: token.position },
            };
        }
    }

    fn signed(&mut self) -> Result<Expression> {
        let next_is_number = matches!(self.peek_at(1).kind, TokenKind::Integer | TokenKind::Decimal | TokenKind::Float);
        if self.at_symbol("-") && !next_is_number {
            self.advance();
            return self.deeper(|parser| {
                Ok(Expression::Unary { operator: UnaryOperator::Minus, operand: Box::new(parser.signed()?) })
            });
        }
        if self.take_symbol("+") {
            return self.deeper(|parser| {
                Ok(Expression::Unary { operator: UnaryOperator::Plus, operand: Box::new(parser.signed()?) })
            });
        }
        let value = self.postfix()?;
        if self.at_words(&["AT", "TIME", "ZONE"]) {
            self.expect_words(&["AT", "TIME", "ZONE"])?;
            let zone = Box::new(Expression::String(self.string()?));
            return Ok(Expression::AtTimeZone { value: Box::new(value), zone });
        }
        Ok(value)
    }

    /// `[index]` and `->field`, any number of times.
    fn postfix(&mut self) -> Result<Expression> {
        let mut base = self.primary()?;
        loop {
            if self.take_symbol("[") {
                let index = Box::new(self.value()?);
                self.expect_symbol("]")?;
                base = Expression::Subscript { base: Box::new(base), index };
            } else if self.at_symbol("->") && !self.peek_at(1).is_symbol("*") {
                self.advance();
                base = Expression::Dereference { base: Box::new(base), field: self.name()? };
            } else {
                return Ok(base);
            }
            self.link()?;
        }
    }

    fn primary(&mut self) -> Result<Expression> {
        let token = self.peek();
        if token.is_symbol("(") {
            self.advance();
            let inner = self.expression()?;
            self.expect_symbol(")")?;
            return Ok(inner);
        }
        if let Some(literal) = self.literal()? {
            return Ok(literal);
        }
        if token.kind == TokenKind::Word {
            if self.take_word("CASE") {
                return self.case();
            }
            if self.take_word("CAST") {
                return self.cast();
            }
            let bracket = self.peek_at(1);
            if bracket.is_symbol("[") && self.take_word("ARRAY") {
                return self.array();
            }
            if bracket.is_symbol("(") && self.take_word("MAP") {
                return self.map();
            }
            if bracket.is_symbol("(") && self.take_word("STRUCT") {
                return self.structure();
            }
        }
        self.column_or_call()
    }

    fn case(&mut self) -> Result<Expression> {
        let operand = if self.at_word("WHEN") { None } else { Some(Box::new(self.value()?)) };
        let mut branches = Vec::new();
        while self.take_word("WHEN") {
            let when = self.expression()?;
            self.expect_word("THEN")?;
            branches.push(CaseBranch { when, then: self.expression()? });
        }
        if branches.is_empty() {
            return Err(self.unexpected(Some("'WHEN'")));
        }
        let default = if self.take_word("ELSE") { Some(Box::new(self.expression()?)) } else { None };
        self.expect_word("END")?;
        Ok(match operand {
            Some(operand) => Expression::SimpleCase { operand, branches, default },
            None => Expression::SearchedCase { branches, default },
        })
    }

    fn cast(&mut self) -> Result<Expression> {
        self.expect_symbol("(")?;
        let value = Box::new(self.expression()?);
        self.expect_word("AS")?;
        let data_type = self.data_type()?;
        self.expect_symbol(")")?;
        Ok(Expression::Cast { value, data_type })
    }

    fn array(&mut self) -> Result<Expression> {
        self.expect_symbol("[")?;
        if self.take_symbol("]") {
            return Ok(Expression::Array(Vec::new()));
        }
        let items = self.list(Self::expression)?;
        self.expect_symbol("]")?;
        Ok(Expression::Array(items))
    }

    fn map(&mut self) -> Result<Expression> {
        let entries = self.bracketed(|parser| {
            let key = parser.expression()?;
            parser.expect_symbol(":=")?;
            Ok((key, parser.expression()?))
        })?;
        Ok(Expression::Map(entries))
    }

    fn structure(&mut self) -> Result<Expression> {
        let fields = self.bracketed(|parser| {
            let name = parser.name()?;
            parser.expect_symbol(":=")?;
            Ok((name, parser.expression()?))
        })?;
        Ok(Expression::Struct(fields))
    }

    /// `name`, `source.name`, `function(..)`, or a lambda's variable.
    fn column_or_call(&mut self) -> Result<Expression> {
        let position = self.position();
        let name = self.name()?;
        if self.at_symbol("(") {
            return self.call(name, position);
        }
        if self.at_symbol(".") && !self.peek_at(1).is_symbol("*") {
            self.advance();
            let column = self.name()?;
            return Ok(Expression::Column(ColumnRef { source: Some(name), name: column, position }));
        }
        if self.lambda_names.contains(&name) {
            return Ok(Expression::LambdaVariable(name));
        }
        Ok(Expression::Column(ColumnRef { source: None, name, position }))
    }
}

/// How strongly it binds, and what it is (`None`: concatenation).
fn binary_operator(symbol: &str) -> Option<(u8, Option<ArithmeticOperator>)> {
    Some(match symbol {
        "||" => (1, None),
        "+" => (2, Some(ArithmeticOperator::Add)),
        "-" => (2, Some(ArithmeticOperator::Subtract)),
        "*" => (3, Some(ArithmeticOperator::Multiply)),
        "/" => (3, Some(ArithmeticOperator::Divide)),
        "%" => (3, Some(ArithmeticOperator::Modulus)),
        _ => return None,
    })
}
