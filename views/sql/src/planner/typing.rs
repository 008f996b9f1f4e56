//! Types of expressions over the rows of a step.

use crate::ast::{DataType, Expression, StructField};
use crate::error::{Result, SqlError};
use crate::expr::{Expr, compile_table_call};
use crate::format::bare;
use crate::functions::{AggregateArgument, FunctionKind, FunctionSettings};
use crate::name::Name;
use crate::planner::Planner;
use crate::planner::scope::Clause;
use crate::schema::Schema;
use crate::types::SqlType;

impl Planner<'_> {
    /// The type of an expression over a schema's rows; nothing for a literal NULL.
    pub(crate) fn type_of(&self, expression: &Expression, schema: &Schema) -> Result<Option<SqlType>> {
        match Expr::compile(expression, schema, self.functions) {
            Ok(compiled) => Ok(compiled.sql_type().cloned()),
            Err(error) => Err(SqlError::statement(error.to_string())),
        }
    }

    /// The type of a column of the result.
    pub(crate) fn column_type(&self, expression: &Expression, schema: &Schema) -> Result<SqlType> {
        let found = self.type_of(expression, schema)?;
        found.ok_or_else(|| {
            SqlError::statement("Can't infer a type of null. Please explicitly cast it to a required type, e.g. CAST(null AS VARCHAR).")
        })
    }

    /// Refuses a condition that is not a BOOLEAN. `shown` is the condition as messages print it.
    pub(crate) fn check_condition(&self, condition: &Expression, schema: &Schema, clause: Clause, shown: &Expression) -> Result<()> {
        let words = clause.words();
        let found = self
            .type_of(condition, schema)
            .map_err(|error| error.prefixed(&format!("Error in {words} expression: ")).with_statement(|| bare(shown)))?;
        match found {
            Some(SqlType::Boolean) => Ok(()),
            other => {
                let found = other.map_or("NULL".to_string(), |sql_type| sql_type.to_string());
                let shown = bare(shown);
                Err(SqlError::statement(format!(
                    "Type error in {words} expression: Should evaluate to boolean but is {shown} ({found}) instead."
                ))
                .with_statement(|| shown))
            }
        }
    }

    pub(crate) fn function_kind(&self, name: &Name) -> Option<FunctionKind> {
        self.functions.kind(name.as_str())
    }

    /// The first aggregate called in an expression.
    pub(crate) fn aggregate_in<'e>(&self, expression: &'e Expression) -> Option<&'e Name> {
        self.called(expression, FunctionKind::Aggregate)
    }

    pub(crate) fn table_function_in<'e>(&self, expression: &'e Expression) -> Option<&'e Name> {
        self.called(expression, FunctionKind::Table)
    }

    fn called<'e>(&self, expression: &'e Expression, kind: FunctionKind) -> Option<&'e Name> {
        let mut found = None;
        expression.walk(&mut |part| {
            if let Expression::Call { function, .. } = part
                && found.is_none()
                && self.function_kind(function) == Some(kind)
            {
                found = Some(function);
            }
        });
        found
    }

    /// Refuses names that no function has, wherever they stand.
    pub(crate) fn check_functions(&self, expression: &Expression) -> Result<()> {
        let mut unknown = None;
        expression.walk(&mut |part| {
            if let Expression::Call { function, .. } = part
                && self.function_kind(function).is_none()
            {
                unknown.get_or_insert(function);
            }
        });
        match unknown {
            Some(name) => Err(SqlError::statement(format!("Can't find any functions with the name '{name}'"))),
            None => Ok(()),
        }
    }
}

impl Planner<'_> {
    /// What an aggregate call gives, and what each of its arguments is.
    pub(crate) fn aggregate_result(&self, function: &Name, arguments: &[Expression], input: &Schema) -> Result<BoundCall> {
        let mut given = Vec::with_capacity(arguments.len());
        for argument in arguments {
            let compiled = Expr::compile(argument, input, self.functions).map_err(|error| SqlError::statement(error.to_string()))?;
            given.push(AggregateArgument {
                sql_type: compiled.sql_type().cloned(),
                literal: argument.is_literal().then(|| compiled.constant().cloned()).flatten(),
                text: bare(argument),
            });
        }
        let settings = FunctionSettings::from_properties(self.settings.iter());
        let bound = self.functions.bind_aggregate(function.as_str(), &given, &settings).map_err(SqlError::statement)?;
        Ok(BoundCall {
            result: bound.aggregator.result_type().clone(),
            state: bound.aggregator.intermediate_type(),
            can_undo: bound.aggregator.can_undo(),
            argument_types: given.into_iter().map(|argument| argument.sql_type).collect(),
        })
    }

    /// The type of the rows that a table function makes.
    pub(crate) fn table_result(&self, function: &Name, arguments: &[Expression], input: &Schema) -> Result<SqlType> {
        let compiled =
            compile_table_call(function, arguments, input, self.functions).map_err(|error| SqlError::statement(error.to_string()))?;
        match compiled.sql_type() {
            Some(SqlType::Array(element)) => Ok((**element).clone()),
            other => Err(SqlError::statement(format!("{function} makes no rows but {other:?}"))),
        }
    }
}

/// What binding an aggregate call told.
pub(crate) struct BoundCall {
    pub result: SqlType,
    /// What ksqlDB keeps for it; the value's format must be able to hold it.
    pub state: SqlType,
    pub can_undo: bool,
    pub argument_types: Vec<Option<SqlType>>,
}

/// The written form of a type.
pub(crate) fn data_type_of(sql_type: &SqlType) -> DataType {
    match sql_type {
        SqlType::Boolean => DataType::Boolean,
        SqlType::Integer => DataType::Integer,
        SqlType::BigInt => DataType::Bigint,
        SqlType::Double => DataType::Double,
        SqlType::String => DataType::String,
        SqlType::Bytes => DataType::Bytes,
        SqlType::Time => DataType::Time,
        SqlType::Date => DataType::Date,
        SqlType::Timestamp => DataType::Timestamp,
        SqlType::Decimal { precision, scale } => DataType::Decimal { precision: *precision, scale: *scale },
        SqlType::Array(element) => DataType::Array(Box::new(data_type_of(element))),
        SqlType::Map(key, value) => DataType::Map { key: Box::new(data_type_of(key)), value: Box::new(data_type_of(value)) },
        SqlType::Struct(fields) => DataType::Struct(
            fields.iter().map(|field| StructField { name: Name::new(&field.name), data_type: data_type_of(&field.sql_type) }).collect(),
        ),
    }
}
