//! Function calls, their lambdas, and the calls of older releases that are written otherwise today.

use crate::ast::{ColumnRef, Expression, Position, TimeUnit};
use crate::error::Result;
use crate::lexer::TokenKind;
use crate::name::Name;
use crate::parser::cursor::{Parser, name_of};

/// The functions whose first argument is a unit of time.
const UNIT_FIRST: [&str; 6] = ["TIMESTAMPADD", "TIMESTAMPSUB", "DATEADD", "DATESUB", "TIMEADD", "TIMESUB"];

impl Parser<'_> {
    pub(super) fn call(&mut self, function: Name, position: Position) -> Result<Expression> {
        self.expect_symbol("(")?;
        if self.at_symbol("*") {
            self.advance();
            self.expect_symbol(")")?;
            return Ok(Expression::Call { function, arguments: Vec::new(), position });
        }
        let mut arguments = Vec::new();
        if !self.at_symbol(")") {
            if let Some(unit) = self.leading_unit(&function) {
                arguments.push(unit);
                if self.take_symbol(",") {
                    arguments.extend(self.list(Self::argument)?);
                }
            } else {
                arguments = self.list(Self::argument)?;
            }
        }
        self.expect_symbol(")")?;
        Ok(modern(function, arguments, position))
    }

    fn leading_unit(&mut self, function: &Name) -> Option<Expression> {
        let token = self.peek();
        let after = self.peek_at(1);
        if token.kind != TokenKind::Word || !UNIT_FIRST.contains(&function.as_str()) || !(after.is_symbol(",") || after.is_symbol(")")) {
            return None;
        }
        let unit = TimeUnit::parse(&token.text.to_uppercase())?;
        self.advance();
        Some(Expression::Unit(unit))
    }

    fn argument(&mut self) -> Result<Expression> {
        let parameters = self.lambda_parameters();
        if parameters == 0 {
            return self.expression();
        }
        self.lambda(parameters)
    }

    /// How many names stand before a `=>` here, as `x =>` or `(x, y) =>`; 0 when this is no lambda.
    fn lambda_parameters(&self) -> usize {
        let is_name = |ahead: usize| matches!(self.peek_at(ahead).kind, TokenKind::Word | TokenKind::Quoted | TokenKind::DigitWord);
        if is_name(0) && self.peek_at(1).is_symbol("=>") {
            return 1;
        }
        if !self.at_symbol("(") {
            return 0;
        }
        let mut ahead = 1;
        let mut count = 0;
        while is_name(ahead) {
            count += 1;
            if self.peek_at(ahead + 1).is_symbol(")") {
                return if self.peek_at(ahead + 2).is_symbol("=>") { count } else { 0 };
            }
            if !self.peek_at(ahead + 1).is_symbol(",") {
                return 0;
            }
            ahead += 2;
        }
        0
    }

    fn lambda(&mut self, count: usize) -> Result<Expression> {
        let bracketed = self.take_symbol("(");
        let mut parameters = Vec::with_capacity(count.min(8));
        for index in 0..count {
            if index > 0 {
                self.expect_symbol(",")?;
            }
            parameters.push(name_of(self.advance()));
        }
        if bracketed {
            self.expect_symbol(")")?;
        }
        self.expect_symbol("=>")?;
        let outer = self.lambda_names.len();
        self.lambda_names.extend(parameters.iter().cloned());
        let body = self.expression();
        self.lambda_names.truncate(outer);
        Ok(Expression::Lambda { parameters, body: Box::new(body?) })
    }
}

/// Calls that older releases had and that have one meaning today. A lambda stands nowhere but in a call.
fn modern(function: Name, mut arguments: Vec<Expression>, position: Position) -> Expression {
    if arguments.iter().any(|argument| matches!(argument, Expression::Lambda { .. })) {
        return Expression::Call { function, arguments, position };
    }
    match (function.as_str(), arguments.as_slice()) {
        ("WINDOWSTART" | "WINDOWEND", []) => Expression::Column(ColumnRef { source: None, name: function, position }),
        ("AS_ARRAY", [_, ..]) => Expression::Array(arguments),
        ("FETCH_FIELD_FROM_STRUCT", [_, Expression::String(field)]) => {
            let field = Name::new(field);
            let base = Box::new(arguments.swap_remove(0));
            Expression::Dereference { base, field }
        }
        _ => Expression::Call { function, arguments, position },
    }
}
