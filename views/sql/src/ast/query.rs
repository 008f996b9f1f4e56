//! SELECT and its clauses.

use crate::ast::{Expression, Position};
use crate::name::Name;

#[derive(Clone, Debug, PartialEq)]
pub struct Query {
    pub select: Vec<SelectItem>,
    pub from: Relation,
    pub joins: Vec<Join>,
    pub window: Option<Window>,
    pub filter: Option<Expression>,
    pub group_by: Option<Vec<Expression>>,
    pub partition_by: Option<PartitionBy>,
    pub having: Option<Expression>,
    pub emit: Option<Emit>,
    pub limit: Option<i64>,
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub enum SelectItem {
    /// `*` or `source.*`.
    Star { source: Option<Name>, position: Position },
    /// `struct->*`.
    StructStar { base: Expression, position: Position },
    Expression { expression: Expression, alias: Option<Name>, position: Position },
}

/// A source by name, with its alias.
#[derive(Clone, Debug, PartialEq)]
pub struct Relation {
    pub name: Name,
    pub alias: Option<Name>,
    pub position: Position,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Join {
    pub kind: JoinKind,
    pub right: Relation,
    pub within: Option<Within>,
    pub criteria: JoinCriteria,
}

/// The ON clause.
#[derive(Clone, Debug, PartialEq)]
pub struct JoinCriteria {
    pub on: Expression,
    pub position: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum JoinKind {
    Inner,
    Left,
    Right,
    Full,
}

/// `WITHIN n unit` or `WITHIN (before, after)`, with its optional grace period.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Within {
    pub before: WindowLength,
    pub after: WindowLength,
    /// The text gave one length for both directions.
    pub single: bool,
    pub grace: Option<WindowLength>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct PartitionBy {
    pub expressions: Vec<Expression>,
    pub position: Position,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum TimeUnit {
    Milliseconds,
    Seconds,
    Minutes,
    Hours,
    Days,
}

impl TimeUnit {
    pub fn millis(self) -> i64 {
        match self {
            TimeUnit::Milliseconds => 1,
            TimeUnit::Seconds => 1_000,
            TimeUnit::Minutes => 60_000,
            TimeUnit::Hours => 3_600_000,
            TimeUnit::Days => 86_400_000,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            TimeUnit::Milliseconds => "MILLISECONDS",
            TimeUnit::Seconds => "SECONDS",
            TimeUnit::Minutes => "MINUTES",
            TimeUnit::Hours => "HOURS",
            TimeUnit::Days => "DAYS",
        }
    }

    /// Accepts the singular and the plural, upper case.
    pub fn parse(word: &str) -> Option<TimeUnit> {
        Some(match word {
            "MILLISECOND" | "MILLISECONDS" => TimeUnit::Milliseconds,
            "SECOND" | "SECONDS" => TimeUnit::Seconds,
            "MINUTE" | "MINUTES" => TimeUnit::Minutes,
            "HOUR" | "HOURS" => TimeUnit::Hours,
            "DAY" | "DAYS" => TimeUnit::Days,
            _ => return None,
        })
    }
}

/// A length of time as written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WindowLength {
    pub value: i64,
    pub unit: TimeUnit,
}

impl WindowLength {
    /// In milliseconds; `None` beyond what 64 bits hold.
    pub fn millis(self) -> Option<i64> {
        self.value.checked_mul(self.unit.millis())
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Window {
    pub kind: WindowKind,
    pub retention: Option<WindowLength>,
    pub grace: Option<WindowLength>,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum WindowKind {
    Tumbling { size: WindowLength },
    Hopping { size: WindowLength, advance: WindowLength },
    Session { gap: WindowLength },
}

/// What EMIT asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Emit {
    Changes,
    Final,
}
