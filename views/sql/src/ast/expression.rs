//! Expressions.

use crate::ast::{DataType, Position, TimeUnit};
use crate::name::Name;

/// `source.column`, or `column` alone. In plans the source is always `None`: names are those of the step's input schema.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct ColumnRef {
    pub source: Option<Name>,
    pub name: Name,
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Expression {
    Null,
    Boolean(bool),
    /// A whole number that fits 32 bits.
    Integer(i32),
    /// A whole number beyond 32 bits.
    Bigint(i64),
    /// Digits with a point, kept as written: the digits give precision and scale.
    Decimal(String),
    Double(f64),
    String(String),
    /// BYTES value: only made by constant folding and tests, SQL has no literal for it.
    Bytes(Vec<u8>),
    /// A unit given as a function's argument, as in `TIMESTAMPADD(DAYS, 1, t)`.
    Unit(TimeUnit),
    Column(ColumnRef),
    /// A name bound by an enclosing lambda.
    LambdaVariable(Name),
    /// `base->field`.
    Dereference { base: Box<Expression>, field: Name },
    /// `base[index]`, on an array (from 1) or a map.
    Subscript { base: Box<Expression>, index: Box<Expression> },
    /// The name is kept as written, in upper case when it was not quoted. `COUNT(*)` has no arguments.
    Call { function: Name, arguments: Vec<Expression>, position: Position },
    Lambda { parameters: Vec<Name>, body: Box<Expression> },
    Arithmetic { operator: ArithmeticOperator, left: Box<Expression>, right: Box<Expression>, position: Position },
    Unary { operator: UnaryOperator, operand: Box<Expression> },
    Comparison { operator: ComparisonOperator, left: Box<Expression>, right: Box<Expression>, position: Position },
    Logical { operator: LogicalOperator, left: Box<Expression>, right: Box<Expression> },
    Not(Box<Expression>),
    IsNull(Box<Expression>),
    IsNotNull(Box<Expression>),
    /// `x NOT BETWEEN ..` is `Not(Between)`.
    Between { value: Box<Expression>, low: Box<Expression>, high: Box<Expression> },
    /// `x NOT IN (..)` is `Not(In)`.
    In { value: Box<Expression>, list: Vec<Expression> },
    /// `x NOT LIKE ..` is `Not(Like)`.
    Like { value: Box<Expression>, pattern: Box<Expression>, escape: Option<char> },
    /// `CASE x WHEN ..`: each branch's `when` is compared with the operand.
    SimpleCase { operand: Box<Expression>, branches: Vec<CaseBranch>, default: Option<Box<Expression>> },
    /// `CASE WHEN ..`.
    SearchedCase { branches: Vec<CaseBranch>, default: Option<Box<Expression>> },
    Cast { value: Box<Expression>, data_type: DataType },
    /// `ARRAY[..]`.
    Array(Vec<Expression>),
    /// `MAP(k := v, ..)`.
    Map(Vec<(Expression, Expression)>),
    /// `STRUCT(f := v, ..)`.
    Struct(Vec<(Name, Expression)>),
    /// Parsed as ksqlDB does; refused by the planner, as there.
    AtTimeZone { value: Box<Expression>, zone: Box<Expression> },
}

#[derive(Clone, Debug, PartialEq)]
pub struct CaseBranch {
    pub when: Expression,
    pub then: Expression,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ArithmeticOperator {
    Add,
    Subtract,
    Multiply,
    Divide,
    Modulus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum UnaryOperator {
    Plus,
    Minus,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ComparisonOperator {
    Equal,
    NotEqual,
    LessThan,
    LessThanOrEqual,
    GreaterThan,
    GreaterThanOrEqual,
    IsDistinctFrom,
    IsNotDistinctFrom,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum LogicalOperator {
    And,
    Or,
}

impl ArithmeticOperator {
    pub fn symbol(self) -> &'static str {
        match self {
            ArithmeticOperator::Add => "+",
            ArithmeticOperator::Subtract => "-",
            ArithmeticOperator::Multiply => "*",
            ArithmeticOperator::Divide => "/",
            ArithmeticOperator::Modulus => "%",
        }
    }

    /// The name used in error texts.
    pub fn name(self) -> &'static str {
        match self {
            ArithmeticOperator::Add => "ADD",
            ArithmeticOperator::Subtract => "SUBTRACT",
            ArithmeticOperator::Multiply => "MULTIPLY",
            ArithmeticOperator::Divide => "DIVIDE",
            ArithmeticOperator::Modulus => "MODULUS",
        }
    }
}

impl ComparisonOperator {
    pub fn symbol(self) -> &'static str {
        match self {
            ComparisonOperator::Equal => "=",
            ComparisonOperator::NotEqual => "<>",
            ComparisonOperator::LessThan => "<",
            ComparisonOperator::LessThanOrEqual => "<=",
            ComparisonOperator::GreaterThan => ">",
            ComparisonOperator::GreaterThanOrEqual => ">=",
            ComparisonOperator::IsDistinctFrom => "IS DISTINCT FROM",
            ComparisonOperator::IsNotDistinctFrom => "IS NOT DISTINCT FROM",
        }
    }

    /// The name used in error texts.
    pub fn name(self) -> &'static str {
        match self {
            ComparisonOperator::Equal => "EQUAL",
            ComparisonOperator::NotEqual => "NOT_EQUAL",
            ComparisonOperator::LessThan => "LESS_THAN",
            ComparisonOperator::LessThanOrEqual => "LESS_THAN_OR_EQUAL",
            ComparisonOperator::GreaterThan => "GREATER_THAN",
            ComparisonOperator::GreaterThanOrEqual => "GREATER_THAN_OR_EQUAL",
            ComparisonOperator::IsDistinctFrom => "IS_DISTINCT_FROM",
            ComparisonOperator::IsNotDistinctFrom => "IS_NOT_DISTINCT_FROM",
        }
    }
}

impl Expression {
    pub fn column(name: impl Into<Name>) -> Expression {
        Expression::Column(ColumnRef { source: None, name: name.into(), position: Position::NOWHERE })
    }

    pub fn call(function: impl Into<Name>, arguments: Vec<Expression>) -> Expression {
        Expression::Call { function: function.into(), arguments, position: Position::NOWHERE }
    }

    /// A literal of SQL: its value needs no row.
    pub fn is_literal(&self) -> bool {
        matches!(
            self,
            Expression::Null
                | Expression::Boolean(_)
                | Expression::Integer(_)
                | Expression::Bigint(_)
                | Expression::Decimal(_)
                | Expression::Double(_)
                | Expression::String(_)
                | Expression::Bytes(_)
        )
    }
}
