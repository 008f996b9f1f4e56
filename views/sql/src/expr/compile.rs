//! From the syntax tree to typed nodes.

use super::coerce::{Typed, coerce};
use super::eval::Node;
use super::like::LikePattern;
use super::{Columns, CompileError, Expr, arithmetic, comparison, sql_type_of};
use crate::ast::{ColumnRef, ComparisonOperator, Expression, LogicalOperator, UnaryOperator};
use crate::decimal::Decimal;
use crate::functions::Registry;
use crate::name::Name;
use crate::types::SqlType;
use crate::value::Value;

/// Expressions nested deeper than this are refused, so that neither compiling nor evaluating exhausts the stack.
const DEPTH_MAX: usize = 256;

pub(super) struct Compiler<'a> {
    pub columns: &'a dyn Columns,
    pub functions: &'a Registry,
    /// Parameters of the enclosing lambdas, outermost first.
    pub variables: Vec<(Name, SqlType)>,
    depth: usize,
}

/// The expression as messages show it.
pub(super) fn shown(expression: &Expression) -> String {
    expression.to_string()
}

impl<'a> Compiler<'a> {
    pub fn new(columns: &'a dyn Columns, functions: &'a Registry) -> Self {
        Compiler { columns, functions, variables: Vec::new(), depth: 0 }
    }

    pub fn compile(&mut self, expression: &Expression) -> Result<Expr, CompileError> {
        if self.depth >= DEPTH_MAX {
            return Err(CompileError::new(format!("expressions may be nested at most {DEPTH_MAX} deep")));
        }
        self.depth += 1;
        let compiled = self.compile_node(expression);
        self.depth -= 1;
        compiled
    }

    fn compile_node(&mut self, expression: &Expression) -> Result<Expr, CompileError> {
        let literal = |value: Value, sql_type: SqlType| Ok(Expr::new(Node::Literal(value), sql_type));
        match expression {
            Expression::Null => Ok(Expr::null()),
            Expression::Boolean(flag) => literal(Value::Boolean(*flag), SqlType::Boolean),
            Expression::Integer(n) => literal(Value::Int(*n), SqlType::Integer),
            Expression::Bigint(n) => literal(Value::BigInt(*n), SqlType::BigInt),
            Expression::Double(n) => literal(Value::Double(*n), SqlType::Double),
            Expression::String(text) => literal(Value::string(text.as_str()), SqlType::String),
            Expression::Bytes(bytes) => literal(Value::bytes(bytes.clone()), SqlType::Bytes),
            Expression::Decimal(text) => decimal_literal(text),
            Expression::Unit(unit) => Err(CompileError::new(format!("{} is a unit of time, not a value", unit.name()))),
            Expression::Column(column) => self.column(column),
            Expression::LambdaVariable(name) => {
                self.variable(name).ok_or_else(|| CompileError::new(format!("Unknown lambda variable {name}.")))
            }
            Expression::Dereference { base, field } => self.dereference(base, field),
            Expression::Subscript { base, index } => self.subscript(expression, base, index),
            Expression::Call { function, arguments, .. } => self.call(function, arguments),
            Expression::Lambda { .. } => Err(CompileError::new("A lambda may only be given to a function that takes one.")),
            Expression::Arithmetic { operator, left, right, .. } => {
                let (left, right) = (self.compile(left)?, self.compile(right)?);
                let (node, sql_type) = arithmetic::compile(*operator, left, right, &|| shown(expression))?;
                Ok(Expr::new(Node::Arithmetic(node), sql_type))
            }
            Expression::Unary { operator, operand } => self.unary(*operator, operand),
            Expression::Comparison { operator, left, right, .. } => self.compare(*operator, left, right),
            Expression::Logical { operator, left, right } => {
                let (left, right) = (self.condition(left)?, self.condition(right)?);
                Ok(Expr::boolean(match operator {
                    LogicalOperator::And => Node::And(left, right),
                    LogicalOperator::Or => Node::Or(left, right),
                }))
            }
            Expression::Not(operand) => Ok(Expr::boolean(Node::Not(self.condition(operand)?))),
            Expression::IsNull(value) => Ok(Expr::boolean(Node::IsNull { value: self.compile(value)?, negated: false })),
            Expression::IsNotNull(value) => Ok(Expr::boolean(Node::IsNull { value: self.compile(value)?, negated: true })),
            Expression::Between { value, low, high } => {
                let from = self.compare(ComparisonOperator::GreaterThanOrEqual, value, low)?;
                let to = self.compare(ComparisonOperator::LessThanOrEqual, value, high)?;
                Ok(Expr::boolean(Node::And(from, to)))
            }
            Expression::In { value, list } => self.membership(value, list),
            Expression::Like { value, pattern, escape } => self.like(value, pattern, *escape),
            Expression::SimpleCase { operand, branches, default } => self.simple_case(operand, branches, default.as_deref()),
            Expression::SearchedCase { branches, default } => self.searched_case(branches, default.as_deref()),
            Expression::Cast { value, data_type } => {
                let to = sql_type_of(data_type)?;
                self.compile(value)?.cast_to(&to)
            }
            Expression::Array(items) => self.array(items),
            Expression::Map(entries) => self.map(entries),
            Expression::Struct(fields) => self.structure(fields),
            Expression::AtTimeZone { .. } => Err(CompileError::new("AT TIME ZONE is not supported.")),
        }
    }

    fn column(&self, column: &ColumnRef) -> Result<Expr, CompileError> {
        if column.source.is_none()
            && let Some(variable) = self.variable(&column.name)
        {
            return Ok(variable);
        }
        match self.columns.resolve(column) {
            Some((position, sql_type)) => Ok(Expr::new(Node::Column(position), sql_type)),
            None => {
                let source = column.source.as_ref().map(|source| format!("{source}.")).unwrap_or_default();
                Err(CompileError::new(format!("Unknown column {source}{}.", column.name)))
            }
        }
    }

    fn variable(&self, name: &Name) -> Option<Expr> {
        let position = self.variables.iter().rposition(|(known, _)| known == name)?;
        Some(Expr::new(Node::Variable(position), self.variables[position].1.clone()))
    }

    fn dereference(&mut self, base: &Expression, field: &Name) -> Result<Expr, CompileError> {
        let compiled = self.compile(base)?;
        let Some(SqlType::Struct(fields)) = compiled.sql_type() else {
            let found = compiled.sql_type().map_or("NULL".to_owned(), ToString::to_string);
            return Err(CompileError::new(format!("Expected STRUCT type, got: {found}")));
        };
        match fields.iter().position(|known| known.name.as_ref() == field.as_str()) {
            Some(position) => {
                let sql_type = fields[position].sql_type.clone();
                Ok(Expr::new(Node::Field { base: compiled, field: position }, sql_type))
            }
            None => Err(CompileError::new(format!("Could not find field '{field}' in '{}'.", shown(base)))),
        }
    }

    fn subscript(&mut self, whole: &Expression, base: &Expression, index: &Expression) -> Result<Expr, CompileError> {
        let compiled = self.compile(base)?;
        let index_expr = self.compile(index)?;
        match compiled.sql_type().cloned() {
            Some(SqlType::Array(element)) => {
                if !matches!(index_expr.sql_type(), None | Some(SqlType::Integer | SqlType::BigInt)) {
                    return Err(CompileError::new(format!("An array is indexed by an integer, not by {}.", shown(index))));
                }
                Ok(Expr::new(Node::Element { base: compiled, index: index_expr }, element.as_ref().clone()))
            }
            Some(SqlType::Map(key, value)) => {
                let key_expr = index_expr.cast_to(&key)?;
                Ok(Expr::new(Node::Entry { base: compiled, key: key_expr }, value.as_ref().clone()))
            }
            other => {
                let hint = match &other {
                    Some(SqlType::Struct(_)) => {
                        format!(" Use the dereference operator for STRUCTS: {}->{}", shown(base), shown(index))
                    }
                    _ => String::new(),
                };
                let found = other.map_or("NULL".to_owned(), |sql_type| sql_type.to_string());
                Err(CompileError::new(format!("Subscript expression ({}) do not apply to {found}.{hint}", shown(whole))))
            }
        }
    }

    fn unary(&mut self, operator: UnaryOperator, operand: &Expression) -> Result<Expr, CompileError> {
        let compiled = self.compile(operand)?;
        let Some(sql_type) = compiled.sql_type().filter(|sql_type| sql_type.is_number()).cloned() else {
            return Err(CompileError::new(format!("Only numbers have a sign: {}", shown(operand))));
        };
        if operator == UnaryOperator::Plus {
            return Ok(compiled);
        }
        Ok(match compiled.constant().map(|value| arithmetic::negate(value.clone())) {
            Some(Ok(negated)) => Expr::new(Node::Literal(negated), sql_type),
            _ => Expr::new(Node::Negate(compiled), sql_type),
        })
    }

    pub fn compare(&mut self, operator: ComparisonOperator, left: &Expression, right: &Expression) -> Result<Expr, CompileError> {
        let (compiled_left, compiled_right) = (self.compile(left)?, self.compile(right)?);
        let texts: (&dyn Fn() -> String, &dyn Fn() -> String) = (&|| shown(left), &|| shown(right));
        Ok(Expr::boolean(Node::Compare(comparison::compile(operator, compiled_left, compiled_right, texts)?)))
    }

    /// A part of a logical expression: a BOOLEAN or a literal null.
    pub fn condition(&mut self, expression: &Expression) -> Result<Expr, CompileError> {
        let compiled = self.compile(expression)?;
        match compiled.sql_type() {
            None | Some(SqlType::Boolean) => Ok(compiled),
            Some(other) => {
                Err(CompileError::new(format!("Expected a BOOLEAN, but {} is {other}.", shown(expression))))
            }
        }
    }

    fn membership(&mut self, value: &Expression, list: &[Expression]) -> Result<Expr, CompileError> {
        let sources = std::iter::once(value).chain(list);
        let items: Result<Vec<Typed<'_>>, CompileError> =
            sources.map(|source| Ok(Typed { source, expr: self.compile(source)? })).collect();
        let (_, mut list) =
            coerce(items?).map_err(|error| CompileError::new(format!("Invalid Predicate: {}", error.message)))?;
        let value = list.remove(0);
        Ok(Expr::boolean(Node::In { value, list }))
    }

    fn like(&mut self, value: &Expression, pattern: &Expression, escape: Option<char>) -> Result<Expr, CompileError> {
        let (compiled, pattern_expr) = (self.compile(value)?, self.compile(pattern)?);
        for (expr, source) in [(&compiled, value), (&pattern_expr, pattern)] {
            if !matches!(expr.sql_type(), None | Some(SqlType::String)) {
                return Err(CompileError::new(format!("LIKE compares STRINGs, but {} is not one.", shown(source))));
            }
        }
        let prepared = match pattern_expr.constant() {
            // A bad pattern is an error of every row, as one that is computed.
            Some(Value::String(text)) => LikePattern::new(text, escape).ok(),
            _ => None,
        };
        Ok(Expr::boolean(Node::Like { value: compiled, pattern: pattern_expr, escape, prepared }))
    }

    fn coerced(&mut self, sources: &[&Expression]) -> Result<(Option<SqlType>, Vec<Expr>), CompileError> {
        let items: Result<Vec<Typed<'_>>, CompileError> =
            sources.iter().map(|source| Ok(Typed { source, expr: self.compile(source)? })).collect();
        coerce(items?)
    }

    fn array(&mut self, items: &[Expression]) -> Result<Expr, CompileError> {
        if items.is_empty() {
            return Err(CompileError::new(
                "Array constructor cannot be empty. Please supply at least one element (see https://github.com/confluentinc/ksql/issues/4239).",
            ));
        }
        let (common, items) = self.coerced(&items.iter().collect::<Vec<_>>())?;
        let Some(element) = common else {
            return Err(CompileError::new(
                "Cannot construct an array with all NULL elements (see https://github.com/confluentinc/ksql/issues/4239). As a workaround, you may cast a NULL value to the desired type.",
            ));
        };
        Ok(Expr::new(Node::Array(items), SqlType::array(element)))
    }

    fn map(&mut self, entries: &[(Expression, Expression)]) -> Result<Expr, CompileError> {
        if entries.is_empty() {
            return Err(CompileError::new(
                "Map constructor cannot be empty. Please supply at least one key value pair (see https://github.com/confluentinc/ksql/issues/4239).",
            ));
        }
        let all_null = |what: &str| {
            CompileError::new(format!(
                "Cannot construct a map with all NULL {what}s (see https://github.com/confluentinc/ksql/issues/4239). As a workaround, you may cast a NULL {what} to the desired type."
            ))
        };
        let (key_type, keys) = self.coerced(&entries.iter().map(|(key, _)| key).collect::<Vec<_>>())?;
        let key_type = key_type.ok_or_else(|| all_null("key"))?;
        let (value_type, values) = self.coerced(&entries.iter().map(|(_, value)| value).collect::<Vec<_>>())?;
        let value_type = value_type.ok_or_else(|| all_null("value"))?;
        Ok(Expr::new(Node::Map(keys.into_iter().zip(values).collect()), SqlType::map(key_type, value_type)))
    }

    fn structure(&mut self, fields: &[(Name, Expression)]) -> Result<Expr, CompileError> {
        let (mut types, mut values) = (Vec::new(), Vec::new());
        for (position, (name, value)) in fields.iter().enumerate() {
            if fields[..position].iter().any(|(earlier, _)| earlier == name) {
                let shown: Vec<String> = fields.iter().map(|(name, _)| name.to_string()).collect();
                return Err(CompileError::new(format!("Duplicate field names found in STRUCT: '{}'", shown.join(", "))));
            }
            let compiled = self.compile(value)?;
            let sql_type = compiled.sql_type().cloned().ok_or_else(|| {
                CompileError::new(format!("Can't infer a type of null for field {name}. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR)."))
            })?;
            types.push((name.as_str(), sql_type));
            values.push(compiled);
        }
        Ok(Expr::new(Node::Struct(values), SqlType::structure(types)))
    }
}

/// `1.50` is DECIMAL(3, 2): precision and scale are those of the digits as written.
fn decimal_literal(text: &str) -> Result<Expr, CompileError> {
    let invalid = |reason: String| CompileError::new(format!("Invalid numeric literal: {text}. {reason}"));
    let number: Decimal = text.parse().map_err(|error| invalid(format!("{error}")))?;
    let scale = number.scale().max(0) as u32;
    let number = number.rescale_exact(scale as i32).ok_or_else(|| invalid(String::new()))?;
    let sql_type =
        SqlType::decimal(number.precision().max(scale).max(1), scale).map_err(|error| invalid(error.to_string()))?;
    Ok(Expr::new(Node::Literal(Value::Decimal(number)), sql_type))
}
