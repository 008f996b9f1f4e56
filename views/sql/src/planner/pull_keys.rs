//! Keys and window bounds in a pull query's WHERE clause.
//!
//! The condition is brought into disjunctive form; each disjunct must fix the whole key to become a look-up. What else it asks stays a
//! filter over the rows found. Without table scans ksqlDB lets nothing stand beside the key but comparisons, and says at length what
//! it wants instead.

use crate::ast::{ComparisonOperator, Expression, LogicalOperator};
use crate::error::SqlError;
use crate::format::bare;
use crate::plan::{Access, DataSource, KeyLookup, TimeBound, WindowBounds};
use crate::planner::pull::SEE;
use crate::planner::typing::data_type_of;
use crate::schema::{Column, ROWTIME, WINDOWEND, WINDOWSTART};
use crate::types::SqlType;

/// More disjuncts than this are not worth looking up one by one.
const DISJUNCTS_MAX: usize = 1_000;

/// Why there is no look-up.
pub(crate) enum NoKeys {
    /// A scan answers the question too.
    NeedsScan(SqlError),
    /// The question can have no answer.
    NullKey(SqlError),
}

type Found<T> = Result<T, NoKeys>;

/// What the settings and the source allow beside a look-up of whole keys.
#[derive(Clone, Copy)]
pub(crate) struct Allowed {
    pub scans: bool,
    pub ranges: bool,
}

pub(crate) fn access(filter: &Expression, source: &DataSource, allowed: Allowed) -> Found<Access> {
    let windowed = source.window.is_some();
    found(filter, source, Allowed { ranges: allowed.ranges && !windowed, ..allowed }).map_err(|no_keys| match no_keys {
        NoKeys::NeedsScan(error) => NoKeys::NeedsScan(error.suffixed(&help(windowed))),
        null_key => null_key,
    })
}

fn found(filter: &Expression, source: &DataSource, allowed: Allowed) -> Found<Access> {
    let disjuncts = disjunctive(filter)?;
    let keys: Vec<&Column> = source.schema.keys().collect();
    let mut lookups: Vec<KeyLookup> = Vec::new();
    let mut range = None;
    for disjunct in &disjuncts {
        match constraint(disjunct, &keys, allowed)? {
            Constraint::Lookup(lookup) => {
                if !lookups.contains(&lookup) {
                    lookups.push(lookup);
                }
            }
            Constraint::Range(found) => range = Some(found),
        }
    }
    match (range, lookups.is_empty()) {
        (None, _) => Ok(Access::Keys(lookups)),
        (Some((low, high)), true) if disjuncts.len() == 1 => Ok(Access::KeyRange { low, high }),
        _ => Err(needs_scan(NO_SCANS.into())),
    }
}

const NO_SCANS: &str = "Query requires table scan to be enabled. Table scans can be enabled by setting ksql.query.pull.table.scan.enabled=true";

/// What follows every refusal of a condition.
fn help(windowed: bool) -> String {
    let bounds = if windowed {
        "\n - (optionally) limits the time bounds of the windowed table.\n\t Bounds on [`WINDOWSTART`, `WINDOWEND`] are supported\n\t Supported operators are [EQUAL, GREATER_THAN, GREATER_THAN_OR_EQUAL, LESS_THAN, LESS_THAN_OR_EQUAL]"
    } else {
        ""
    };
    format!(
        ". {SEE}\nPull queries require a WHERE clause that:\n - includes a key equality expression, e.g. `SELECT * FROM X WHERE <key-column> = Y;`.\n - in the case of a multi-column key, is a conjunction of equality expressions that cover all key columns.{bounds}\n\nIf more flexible queries are needed, table scans can be enabled by setting ksql.query.pull.table.scan.enabled=true."
    )
}

enum Constraint {
    Lookup(KeyLookup),
    Range((Option<Expression>, Option<Expression>)),
}

fn needs_scan(message: String) -> NoKeys {
    NoKeys::NeedsScan(SqlError::statement(message))
}

fn constraint(disjunct: &[Expression], keys: &[&Column], allowed: Allowed) -> Found<Constraint> {
    let mut fixed: Vec<Option<Expression>> = vec![None; keys.len()];
    let mut window = WindowBounds::default();
    let (mut low, mut high) = (None, None);
    let mut unequal = None;
    let mut names_key = false;
    for conjunct in disjunct {
        let Some((column, operator, value)) = comparison(conjunct) else {
            // A scan filters by whatever is asked, and so does a look-up where scans may be.
            if allowed.scans {
                continue;
            }
            return Err(unsupported(conjunct, keys));
        };
        if column == WINDOWSTART || column == WINDOWEND {
            let bound = if column == WINDOWSTART { &mut window.start } else { &mut window.end };
            if !is_bound(operator) && !allowed.scans {
                return Err(needs_scan(format!("Unsupported `{column}` bounds: {}", operator.name())));
            }
            narrow(bound, operator, value);
            continue;
        }
        let Some(index) = keys.iter().position(|key| key.name == column) else { continue };
        names_key = true;
        if *value == Expression::Null {
            return Err(NoKeys::NullKey(SqlError::statement(format!("Primary key columns can not be NULL: {}", bare(conjunct)))));
        }
        let value = typed(value, &keys[index].sql_type);
        match operator {
            ComparisonOperator::Equal => {
                if fixed[index].replace(value).is_some() {
                    return Err(needs_scan(
                        "A comparison condition on the key column cannot be combined with other comparisons such as an IN predicate".into(),
                    ));
                }
            }
            ComparisonOperator::GreaterThan | ComparisonOperator::GreaterThanOrEqual => low = Some((index, value)),
            ComparisonOperator::LessThan | ComparisonOperator::LessThanOrEqual => high = Some((index, value)),
            _ => unequal = Some(index),
        }
    }
    if fixed.iter().all(Option::is_some) && !keys.is_empty() {
        return Ok(Constraint::Lookup(KeyLookup { key: fixed.into_iter().flatten().collect(), window }));
    }
    if !names_key {
        let text: Vec<String> = disjunct.iter().map(bare).collect();
        return Err(needs_scan(format!("WHERE clause missing key column for disjunct: {}", text.join(" AND "))));
    }
    if keys.len() > 1 {
        let names: Vec<String> = keys.iter().map(ToString::to_string).collect();
        let given = keys.iter().zip(&fixed).filter(|(_, value)| value.is_some());
        let given: Vec<String> = given.map(|(key, _)| key.to_string()).collect();
        return Err(needs_scan(format!(
            "Multi-column sources must specify every key in the WHERE clause. Specified: [{}] Expected: [{}]",
            given.join(", "),
            names.join(", ")
        )));
    }
    if unequal.is_some() {
        let texts: Vec<String> = keys.iter().map(ToString::to_string).collect();
        return Err(needs_scan(format!("Bound on key columns '[{}]' must currently be '='", texts.join(", "))));
    }
    if allowed.ranges && keys.iter().all(|key| key.sql_type == SqlType::String) {
        return Ok(Constraint::Range((low.map(|(_, value)| value), high.map(|(_, value)| value))));
    }
    Err(needs_scan(NO_SCANS.into()))
}

/// Why a conjunct that is no comparison of a column with a constant is not one.
fn unsupported(conjunct: &Expression, keys: &[&Column]) -> NoKeys {
    let is_key = |side: &Expression| matches!(side, Expression::Column(column) if keys.iter().any(|key| key.name == column.name));
    needs_scan(match conjunct {
        Expression::Comparison { left, right, .. } if is_key(left) || is_key(right) => {
            "A comparison must be between a key column and a resolvable expression".into()
        }
        Expression::Comparison { .. } => "A comparison must directly reference a key column".into(),
        Expression::Like { .. } => "Like condition must be between strings".into(),
        other => format!("Unsupported expression in WHERE clause: {}", bare(other)),
    })
}

/// `column operator constant`, turned round when the constant stands first.
fn comparison(conjunct: &Expression) -> Option<(&str, ComparisonOperator, &Expression)> {
    let Expression::Comparison { operator, left, right, .. } = conjunct else { return None };
    match (&**left, &**right) {
        (Expression::Column(column), value) if is_constant(value) => Some((column.name.as_str(), *operator, value)),
        (value, Expression::Column(column)) if is_constant(value) => Some((column.name.as_str(), flipped(*operator), value)),
        _ => None,
    }
}

fn is_constant(expression: &Expression) -> bool {
    let mut constant = true;
    expression.walk(&mut |part| constant &= !matches!(part, Expression::Column(_) | Expression::LambdaVariable(_)));
    constant
}

fn flipped(operator: ComparisonOperator) -> ComparisonOperator {
    match operator {
        ComparisonOperator::LessThan => ComparisonOperator::GreaterThan,
        ComparisonOperator::LessThanOrEqual => ComparisonOperator::GreaterThanOrEqual,
        ComparisonOperator::GreaterThan => ComparisonOperator::LessThan,
        ComparisonOperator::GreaterThanOrEqual => ComparisonOperator::LessThanOrEqual,
        same => same,
    }
}

/// Whether an operator bounds a window's start or end.
fn is_bound(operator: ComparisonOperator) -> bool {
    use ComparisonOperator::{Equal, GreaterThan, GreaterThanOrEqual, LessThan, LessThanOrEqual};
    matches!(operator, Equal | GreaterThan | GreaterThanOrEqual | LessThan | LessThanOrEqual)
}

/// Takes a bound in; one that is no number stays a matter of the filter.
fn narrow(bound: &mut TimeBound, operator: ComparisonOperator, value: &Expression) {
    let time = match value {
        Expression::Integer(number) => i64::from(*number),
        Expression::Bigint(number) => *number,
        _ => return,
    };
    let at_least = |bound: &mut TimeBound, low: i64| bound.low = Some(bound.low.map_or(low, |known| known.max(low)));
    let at_most = |bound: &mut TimeBound, high: i64| bound.high = Some(bound.high.map_or(high, |known| known.min(high)));
    match operator {
        ComparisonOperator::Equal => {
            at_least(bound, time);
            at_most(bound, time);
        }
        ComparisonOperator::GreaterThan => at_least(bound, time.saturating_add(1)),
        ComparisonOperator::GreaterThanOrEqual => at_least(bound, time),
        ComparisonOperator::LessThan => at_most(bound, time.saturating_sub(1)),
        ComparisonOperator::LessThanOrEqual => at_most(bound, time),
        _ => {}
    }
}

/// The constant as the key's type.
fn typed(value: &Expression, sql_type: &SqlType) -> Expression {
    let same = matches!(
        (value, sql_type),
        (Expression::Integer(_), SqlType::Integer)
            | (Expression::Bigint(_), SqlType::BigInt)
            | (Expression::Double(_), SqlType::Double)
            | (Expression::String(_), SqlType::String)
            | (Expression::Boolean(_), SqlType::Boolean)
    );
    if same {
        return value.clone();
    }
    Expression::Cast { value: Box::new(value.clone()), data_type: data_type_of(sql_type) }
}

/// Conjuncts by disjunct. NOT is driven inwards over AND and OR; IN becomes equalities.
fn disjunctive(filter: &Expression) -> Found<Vec<Vec<Expression>>> {
    let expanded = match filter {
        Expression::Logical { operator: LogicalOperator::Or, left, right } => {
            let mut both = disjunctive(left)?;
            both.extend(disjunctive(right)?);
            both
        }
        Expression::Logical { operator: LogicalOperator::And, left, right } => {
            let (left, right) = (disjunctive(left)?, disjunctive(right)?);
            if left.len().saturating_mul(right.len()) > DISJUNCTS_MAX {
                return Err(too_many());
            }
            let cross = left.iter().flat_map(|first| right.iter().map(move |second| [first.as_slice(), second].concat()));
            cross.collect()
        }
        Expression::Not(inner) => match &**inner {
            Expression::Logical { operator, left, right } => {
                let negated = |side: &Expression| Box::new(Expression::Not(Box::new(side.clone())));
                let operator = match operator {
                    LogicalOperator::And => LogicalOperator::Or,
                    LogicalOperator::Or => LogicalOperator::And,
                };
                return disjunctive(&Expression::Logical { operator, left: negated(left), right: negated(right) });
            }
            Expression::Not(twice) => return disjunctive(twice),
            _ => vec![vec![filter.clone()]],
        },
        Expression::In { value, list } => list.iter().map(|item| vec![equal(value, item)]).collect(),
        Expression::Between { value, low, high } if is_key_like(value) => {
            let compare = |operator, bound: &Expression| Expression::Comparison {
                operator,
                left: value.clone(),
                right: Box::new(bound.clone()),
                position: Default::default(),
            };
            vec![vec![compare(ComparisonOperator::GreaterThanOrEqual, low), compare(ComparisonOperator::LessThanOrEqual, high)]]
        }
        other => vec![vec![other.clone()]],
    };
    if expanded.len() > DISJUNCTS_MAX { Err(too_many()) } else { Ok(expanded) }
}

fn is_key_like(value: &Expression) -> bool {
    matches!(value, Expression::Column(column) if column.name != ROWTIME)
}

fn equal(value: &Expression, item: &Expression) -> Expression {
    Expression::Comparison {
        operator: ComparisonOperator::Equal,
        left: Box::new(value.clone()),
        right: Box::new(item.clone()),
        position: Default::default(),
    }
}

fn too_many() -> NoKeys {
    needs_scan(format!("The WHERE clause has more than {DISJUNCTS_MAX} alternatives."))
}
