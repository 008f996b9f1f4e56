//! Expressions and types as text. Every operator stands in brackets, so nothing depends on precedence.

use crate::ast::{CaseBranch, ColumnRef, DataType, Expression, LogicalOperator, UnaryOperator};
use crate::format::{Quotes, quoted_string};
use crate::name::Name;

pub(super) fn text(expression: &Expression, quotes: Quotes) -> String {
    let mut out = String::new();
    Writer { out: &mut out, quotes }.expression(expression);
    out
}

pub(super) fn type_text(data_type: &DataType, quotes: Quotes) -> String {
    let nested = |inner: &DataType| type_text(inner, quotes);
    match data_type {
        DataType::Boolean => "BOOLEAN".into(),
        DataType::Integer => "INTEGER".into(),
        DataType::Bigint => "BIGINT".into(),
        DataType::Double => "DOUBLE".into(),
        DataType::String => "STRING".into(),
        DataType::Bytes => "BYTES".into(),
        DataType::Date => "DATE".into(),
        DataType::Time => "TIME".into(),
        DataType::Timestamp => "TIMESTAMP".into(),
        DataType::Decimal { precision, scale } => format!("DECIMAL({precision}, {scale})"),
        DataType::Array(element) => format!("ARRAY<{}>", nested(element)),
        DataType::Map { key, value } => format!("MAP<{}, {}>", nested(key), nested(value)),
        DataType::Struct(fields) if fields.is_empty() => "STRUCT< >".into(),
        DataType::Struct(fields) => {
            let fields: Vec<String> =
                fields.iter().map(|field| format!("{} {}", quotes.name(&field.name), nested(&field.data_type))).collect();
            format!("STRUCT<{}>", fields.join(", "))
        }
        DataType::Custom { name, .. } => quotes.name(name),
    }
}

struct Writer<'a> {
    out: &'a mut String,
    quotes: Quotes,
}

impl Writer<'_> {
    fn put(&mut self, text: &str) {
        self.out.push_str(text);
    }

    fn name(&mut self, name: &Name) {
        let text = self.quotes.name(name);
        self.put(&text);
    }

    fn list(&mut self, items: &[Expression]) {
        for (index, item) in items.iter().enumerate() {
            if index > 0 {
                self.put(", ");
            }
            self.expression(item);
        }
    }

    /// `(left operator right)`.
    fn infix(&mut self, left: &Expression, operator: &str, right: &Expression) {
        self.put("(");
        self.expression(left);
        self.put(" ");
        self.put(operator);
        self.put(" ");
        self.expression(right);
        self.put(")");
    }

    fn suffixed(&mut self, value: &Expression, suffix: &str) {
        self.put("(");
        self.expression(value);
        self.put(suffix);
        self.put(")");
    }

    fn expression(&mut self, expression: &Expression) {
        match expression {
            Expression::Null => self.put("null"),
            Expression::Boolean(flag) => self.put(if *flag { "true" } else { "false" }),
            Expression::Integer(number) => self.put(&number.to_string()),
            Expression::Bigint(number) => self.put(&number.to_string()),
            Expression::Decimal(digits) => self.put(digits),
            Expression::Double(number) => self.put(&format!("{number:E}")),
            Expression::String(text) => self.put(&quoted_string(text)),
            Expression::Bytes(bytes) => self.bytes(bytes),
            Expression::Unit(unit) => self.put(unit.name()),
            Expression::Column(ColumnRef { source, name, .. }) => {
                if let Some(source) = source {
                    self.name(source);
                    self.put(".");
                }
                self.name(name);
            }
            Expression::LambdaVariable(name) => self.name(name),
            Expression::Dereference { base, field } => {
                self.expression(base);
                self.put("->");
                self.name(field);
            }
            Expression::Subscript { base, index } => {
                self.expression(base);
                self.put("[");
                self.expression(index);
                self.put("]");
            }
            Expression::Call { function, arguments, .. } => self.call(function, arguments),
            Expression::Lambda { parameters, body } => self.lambda(parameters, body),
            Expression::Arithmetic { operator, left, right, .. } => self.infix(left, operator.symbol(), right),
            Expression::Unary { operator, operand } => self.unary(*operator, operand),
            Expression::Comparison { operator, left, right, .. } => self.infix(left, operator.symbol(), right),
            Expression::Logical { operator, left, right } => {
                self.infix(left, if *operator == LogicalOperator::And { "AND" } else { "OR" }, right);
            }
            Expression::Not(inner) => {
                self.put("(NOT ");
                self.expression(inner);
                self.put(")");
            }
            Expression::IsNull(inner) => self.suffixed(inner, " IS NULL"),
            Expression::IsNotNull(inner) => self.suffixed(inner, " IS NOT NULL"),
            Expression::Between { value, low, high } => {
                self.put("(");
                self.expression(value);
                self.put(" BETWEEN ");
                self.expression(low);
                self.put(" AND ");
                self.expression(high);
                self.put(")");
            }
            Expression::In { value, list } => {
                self.put("(");
                self.expression(value);
                self.put(" IN (");
                self.list(list);
                self.put("))");
            }
            Expression::Like { value, pattern, escape } => {
                self.put("(");
                self.expression(value);
                self.put(" LIKE ");
                self.expression(pattern);
                if let Some(escape) = escape {
                    self.put(" ESCAPE ");
                    self.put(&quoted_string(&escape.to_string()));
                }
                self.put(")");
            }
            Expression::SimpleCase { operand, branches, default } => self.case(Some(operand), branches, default.as_deref()),
            Expression::SearchedCase { branches, default } => self.case(None, branches, default.as_deref()),
            Expression::Cast { value, data_type } => {
                self.put("CAST(");
                self.expression(value);
                self.put(" AS ");
                let data_type = type_text(data_type, self.quotes);
                self.put(&data_type);
                self.put(")");
            }
            Expression::Array(items) => {
                self.put("ARRAY[");
                self.list(items);
                self.put("]");
            }
            Expression::Map(entries) => {
                self.put("MAP(");
                for (index, (key, value)) in entries.iter().enumerate() {
                    self.put(if index > 0 { ", " } else { "" });
                    self.expression(key);
                    self.put(":=");
                    self.expression(value);
                }
                self.put(")");
            }
            Expression::Struct(fields) => {
                self.put("STRUCT(");
                for (index, (name, value)) in fields.iter().enumerate() {
                    self.put(if index > 0 { ", " } else { "" });
                    self.name(name);
                    self.put(":=");
                    self.expression(value);
                }
                self.put(")");
            }
            Expression::AtTimeZone { value, zone } => {
                self.expression(value);
                self.put(" AT TIME ZONE ");
                self.expression(zone);
            }
        }
    }

    fn call(&mut self, function: &Name, arguments: &[Expression]) {
        self.name(function);
        self.put("(");
        if arguments.is_empty() && function == "COUNT" {
            self.put("*");
        }
        self.list(arguments);
        self.put(")");
    }

    fn lambda(&mut self, parameters: &[Name], body: &Expression) {
        let bracketed = parameters.len() != 1;
        self.put(if bracketed { "(" } else { "" });
        for (index, parameter) in parameters.iter().enumerate() {
            self.put(if index > 0 { ", " } else { "" });
            self.name(parameter);
        }
        self.put(if bracketed { ") => " } else { " => " });
        self.expression(body);
    }

    /// A minus before what starts with a minus, or before a digit, needs a gap or brackets to read back as it was.
    fn unary(&mut self, operator: UnaryOperator, operand: &Expression) {
        let operand = text(operand, self.quotes);
        let sign = if operator == UnaryOperator::Minus { "-" } else { "+" };
        let first = operand.bytes().next().unwrap_or(b' ');
        self.put(sign);
        if first == b'-' || first.is_ascii_digit() || first == b'.' {
            self.put(&format!("({operand})"));
        } else {
            self.put(&operand);
        }
    }

    fn case(&mut self, operand: Option<&Expression>, branches: &[CaseBranch], default: Option<&Expression>) {
        self.put("(CASE");
        if let Some(operand) = operand {
            self.put(" ");
            self.expression(operand);
        }
        for CaseBranch { when, then } in branches {
            self.put(" WHEN ");
            self.expression(when);
            self.put(" THEN ");
            self.expression(then);
        }
        if let Some(default) = default {
            self.put(" ELSE ");
            self.expression(default);
        }
        self.put(" END)");
    }

    fn bytes(&mut self, bytes: &[u8]) {
        let digits: String = bytes.iter().map(|byte| format!("{byte:02X}")).collect();
        self.put(&format!("TO_BYTES('{digits}', 'hex')"));
    }
}
