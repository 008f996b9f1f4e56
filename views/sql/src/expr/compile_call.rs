//! Calls: the overload, its generics, its lambdas, and the conversion of arguments.

use super::compile::Compiler;
use super::eval::{CallArgument, CallNode, Node};
use super::{CompileError, Expr};
use crate::ast::Expression;
use crate::functions::resolve::{Argument, Bindings, apply, bind, parameter_of, resolve};
use crate::functions::signature::{ParamType, Signature};
use crate::functions::{AggregateArgument, FunctionKind, FunctionSettings, Memo, ScalarFunction};
use crate::name::Name;
use crate::types::SqlType;
use crate::value::Value;

/// An argument before the overload is known; a lambda waits for its parameters' types.
enum Given<'a> {
    Value(Expr),
    Unit(&'static str),
    Lambda { parameters: &'a [Name], body: &'a Expression },
}

impl Compiler<'_> {
    pub(super) fn call(&mut self, function: &Name, arguments: &[Expression]) -> Result<Expr, CompileError> {
        let functions = self.functions;
        let name = function.as_str();
        match functions.kind(name) {
            Some(FunctionKind::Scalar) => {
                let scalar = functions.scalar(name).ok_or_else(|| unknown(name))?;
                let (node, returns) = self.bind_call(scalar, arguments)?;
                Ok(Expr::new(Node::Call(node), returns))
            }
            Some(FunctionKind::Table) => {
                let table = functions.table(name).ok_or_else(|| unknown(name))?;
                let (_, returns) = self.bind_call(table, arguments)?;
                let SqlType::Array(element) = returns else { return Err(unknown(name)) };
                Ok(Expr::new(Node::Elsewhere(table.name.clone()), element.as_ref().clone()))
            }
            Some(FunctionKind::Aggregate) => {
                let mut typed = Vec::with_capacity(arguments.len());
                for argument in arguments {
                    let compiled = self.compile(argument)?;
                    typed.push(AggregateArgument {
                        sql_type: compiled.sql_type().cloned(),
                        literal: argument.is_literal().then(|| compiled.constant().cloned()).flatten(),
                        text: super::compile::shown(argument),
                    });
                }
                let bound = functions
                    .bind_aggregate(name, &typed, &FunctionSettings::default())
                    .map_err(CompileError::new)?;
                let returns = bound.aggregator.result_type().clone();
                Ok(Expr::new(Node::Elsewhere(name.to_owned()), returns))
            }
            None => Err(unknown(name)),
        }
    }

    /// The call of a table function; its value is an ARRAY with one element a row.
    pub(super) fn table_call(&mut self, function: &Name, arguments: &[Expression]) -> Result<Expr, CompileError> {
        let table = self.functions.table(function.as_str()).ok_or_else(|| unknown(function.as_str()))?;
        let (node, returns) = self.bind_call(table, arguments)?;
        Ok(Expr::new(Node::Call(node), returns))
    }

    fn bind_call(&mut self, function: &ScalarFunction, arguments: &[Expression]) -> Result<(CallNode, SqlType), CompileError> {
        let mut given = Vec::with_capacity(arguments.len());
        for argument in arguments {
            given.push(match argument {
                Expression::Lambda { parameters, body } => Given::Lambda { parameters, body },
                Expression::Unit(unit) => Given::Unit(unit.name()),
                other => Given::Value(self.compile(other)?),
            });
        }
        let kinds: Vec<Argument> = given.iter().map(kind_of).collect();
        let signatures = function.signatures();
        let (chosen, mut bindings) = resolve(&function.name, &signatures, &kinds, true).map_err(CompileError::new)?;
        let (signature, overload) = (&signatures[chosen], &function.overloads[chosen]);

        let count = given.len();
        let (mut values, mut types) = (Vec::with_capacity(count), Vec::with_capacity(count));
        for (position, argument) in given.into_iter().enumerate() {
            let parameter = parameter_of(signature, position, count).unwrap_or(&ParamType::Any);
            let (value, sql_type) = match argument {
                Given::Value(expr) => (CallArgument::Value(expr.clone()), expr.sql_type().cloned()),
                Given::Unit(unit) => (CallArgument::Value(Expr::new(Node::Literal(Value::string(unit)), SqlType::String)), None),
                Given::Lambda { parameters, body } => {
                    let body = self.lambda(function, parameter, parameters, body, &mut bindings)?;
                    let sql_type = body.sql_type().cloned();
                    (CallArgument::Lambda(body), sql_type)
                }
            };
            values.push(value);
            types.push(sql_type);
        }
        convert_arguments(signature, &bindings, &mut values, &mut types)?;
        let returns = match overload.derive {
            Some(derive) => derive(&types).map_err(CompileError::new)?,
            None => apply(&signature.returns, &bindings).ok_or_else(|| {
                CompileError::new(format!("Could not infer the type of {}({signature}): give a null a type with CAST.", function.name))
            })?,
        };
        let node = CallNode {
            name: function.name.clone(),
            arguments: values,
            types,
            returns: returns.clone(),
            strict: overload.strict,
            tolerant: overload.tolerant,
            body: overload.body.clone(),
            memo: Memo::default(),
        };
        Ok((node, returns))
    }

    fn lambda(
        &mut self,
        function: &ScalarFunction,
        parameter: &ParamType,
        names: &[Name],
        body: &Expression,
        bindings: &mut Bindings,
    ) -> Result<Expr, CompileError> {
        let ParamType::Lambda(inputs, output) = parameter else {
            return Err(CompileError::new(format!("{} takes no lambda there.", function.name)));
        };
        let outer = self.variables.len();
        for (name, input) in names.iter().zip(inputs) {
            let sql_type = apply(input, bindings).ok_or_else(|| {
                CompileError::new(format!("Could not infer the type of {name} in the lambda given to {}.", function.name))
            })?;
            self.variables.push((name.clone(), sql_type));
        }
        let compiled = self.compile(body);
        self.variables.truncate(outer);
        let compiled = compiled?;
        match compiled.sql_type() {
            // A lambda that is always null takes the type that is expected.
            None => match apply(output, bindings) {
                Some(expected) => compiled.cast_to(&expected),
                None => Err(CompileError::new(format!("Could not infer the type of the lambda given to {}.", function.name))),
            },
            Some(own) if bind(own, output, bindings, false) => Ok(compiled),
            Some(own) => Err(CompileError::new(mismatch(parameter, inputs, output, own, bindings))),
        }
    }
}

/// The lambda's result is not of the type that its signature and the other arguments ask for; the text is ksqlDB's.
fn mismatch(parameter: &ParamType, inputs: &[ParamType], output: &ParamType, own: &SqlType, bindings: &Bindings) -> String {
    let given: Vec<String> = inputs
        .iter()
        .map(|input| apply(input, bindings).map_or_else(|| input.to_string(), |sql_type| sql_type.to_string()))
        .collect();
    let given = format!("LAMBDA ({}) => {own}", given.join(", "));
    match (output, apply(output, bindings)) {
        (ParamType::Generic(letter), Some(bound)) => format!(
            "Found invalid instance of generic schema when mapping {parameter} to {given}. Cannot map {letter} to both {bound} and {own}"
        ),
        _ => format!("Cannot infer generics for {parameter} from {given} because they do not have the same schema structure."),
    }
}

/// A table function's call, compiled against the input's schema: its value is an ARRAY with one element a row.
pub fn compile_table_call(
    function: &Name,
    arguments: &[Expression],
    columns: &dyn super::Columns,
    functions: &crate::functions::Registry,
) -> Result<Expr, CompileError> {
    Compiler::new(columns, functions).table_call(function, arguments)
}

fn kind_of(given: &Given<'_>) -> Argument {
    match given {
        Given::Value(expr) => expr.sql_type().map_or(Argument::Null, |sql_type| Argument::Typed(sql_type.clone())),
        Given::Unit(_) => Argument::IntervalUnit,
        Given::Lambda { parameters, .. } => Argument::Lambda(parameters.len()),
    }
}

fn unknown(name: &str) -> CompileError {
    CompileError::new(format!("Can't find any functions with the name '{name}'"))
}

/// Casts every argument to its parameter's type, where that differs.
fn convert_arguments(
    signature: &Signature,
    bindings: &Bindings,
    values: &mut [CallArgument],
    types: &mut [Option<SqlType>],
) -> Result<(), CompileError> {
    let count = values.len();
    for (position, (value, sql_type)) in values.iter_mut().zip(types).enumerate() {
        let (CallArgument::Value(expr), Some(own)) = (&*value, &*sql_type) else { continue };
        let Some(parameter) = parameter_of(signature, position, count) else { continue };
        let target = match (parameter, own) {
            (ParamType::Decimal, SqlType::Integer) => Some(SqlType::Decimal { precision: 10, scale: 0 }),
            (ParamType::Decimal, SqlType::BigInt) => Some(SqlType::Decimal { precision: 19, scale: 0 }),
            _ => apply(parameter, bindings),
        };
        if let Some(target) = target.filter(|target| target != own) {
            *value = CallArgument::Value(expr.clone().cast_to(&target)?);
            *sql_type = Some(target);
        }
    }
    Ok(())
}
