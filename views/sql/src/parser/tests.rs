use proptest::prelude::*;

use super::*;
use crate::error::ErrorKind;

fn refused(text: &str) -> String {
    match parse(text, &mut Variables::default(), &Limits::STANDARD) {
        Ok(found) => panic!("{text} was taken as {found:?}"),
        Err(error) => error.to_string(),
    }
}

fn written(text: &str) -> String {
    parse_expression(text, &Limits::STANDARD).unwrap_or_else(|error| panic!("{text}: {error}")).to_string()
}

#[test]
fn errors_have_the_words_that_tools_match() {
    let cases = [
        ("SELECT * FROM S1 ORDER BY MYKEY DESC;", "line 1:24: Syntax Error\n\nStatement: SELECT * FROM S1 ORDER BY MYKEY DESC;"),
        (
            "CREATE STREAM INPUT (K INT (KEY)) WITH (kafka_topic='input',value_format='JSON');",
            "line 1:29: Syntax Error\nExpecting {'STRING', INTEGER_VALUE}\nStatement: CREATE STREAM INPUT (K INT (KEY))",
        ),
        ("\nCREATE STREAM OUTPUT AS SELECT ID, cast(f0 as NULL) FROM TEST;", "Syntax error at or near 'NULL' at line 2:47"),
        ("CREATE STREAM INPUT (ID INT KEY, COL0 ARRAY<NULL>);", "Syntax Error"),
        ("CREATE TABLE O AS SELECT COUNT(*) FROM T GROUP BY A AND B;", "Syntax Error"),
        ("\nselect K, id, 9223372036854775808 FROM I;", "Failed to prepare statement: line 2:16: Invalid numeric literal: 9223372036854775808"),
        ("select -1.7976931348623160E308 FROM I;", "Number overflows DOUBLE: -1.7976931348623160E308"),
        ("FOO;", "line 1:1: Syntax Error"),
        ("SELECT a = b = c FROM s;", "line 1:14: Syntax Error"),
        ("SELECT 'open FROM s;", "Syntax Error"),
        ("SELECT * FROM select;", "'select' is a reserved keyword"),
    ];
    for (text, expected) in cases {
        let error = refused(text);
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn operators_bind_as_in_the_grammar() {
    let cases = [
        ("a + b * c - d", "((A + (B * C)) - D)"),
        ("a OR b AND NOT c = 1", "(A OR (B AND (NOT (C = 1))))"),
        ("a || b + c", "CONCAT(A, (B + C))"),
        ("-a[1]->f", "-A[1]->F"),
        ("a - -1", "(A - -1)"),
        ("a -1", "(A - 1)"),
        ("a->b->c[1]", "A->B->C[1]"),
        ("NOT a IS NULL", "(NOT (A IS NULL))"),
        ("a BETWEEN 1 AND 2 AND b", "((A BETWEEN 1 AND 2) AND B)"),
        ("f(x => x + y)", "F(X => (X + Y))"),
        ("f((a), (a, b) => a)", "F(A, (A, B) => A)"),
        ("count(*)", "COUNT(*)"),
        ("1.50", "1.50"),
        ("case when a then 1 end", "(CASE WHEN A THEN 1 END)"),
    ];
    for (text, expected) in cases {
        assert_eq!(written(text), expected, "{text}");
    }
}

#[test]
fn lambda_variables_are_told_from_columns() {
    let Expression::Call { arguments, .. } = parse_expression("f(x => x + y)", &Limits::STANDARD).unwrap() else { panic!() };
    let names: Vec<String> = arguments[0].columns().into_iter().map(|column| column.name.to_string()).collect();
    assert_eq!(names, ["Y"]);
}

#[test]
fn variables_apply_from_their_definition_on() {
    let text = "DEFINE t = 'orders'; SELECT '${T}' FROM ${t}; UNDEFINE t; SELECT '${t}' FROM s;";
    let found = parse(text, &mut Variables::default(), &Limits::STANDARD).unwrap();
    assert_eq!(found[1].statement.to_string(), "SELECT 'orders'\nFROM ORDERS");
    assert_eq!(found[3].statement.to_string(), "SELECT '${t}'\nFROM S");
}

#[test]
fn nesting_and_chains_are_bounded() {
    let deep = [
        format!("{}1{}", "(".repeat(100_000), ")".repeat(100_000)),
        "NOT ".repeat(100_000) + "a",
        "- ".repeat(100_000) + "a",
        "a + ".repeat(100_000) + "a",
        "a OR ".repeat(100_000) + "a",
        "a".to_string() + &"[1]".repeat(100_000),
        "a".to_string() + &"->b".repeat(100_000),
        "f(".repeat(100_000),
        "CASE ".repeat(100_000),
    ];
    for text in deep {
        let error = parse_expression(&text, &Limits::STANDARD).unwrap_err();
        assert_eq!(error.kind, ErrorKind::Limit, "{}", &text[..20]);
        assert!(error.message.contains(Limits::DEPTH_CONFIG) || error.message.contains(Limits::HEIGHT_CONFIG));
    }
    let nested_type = "ARRAY<".repeat(100_000);
    assert_eq!(parse_type(&nested_type, &Limits::STANDARD).unwrap_err().kind, ErrorKind::Limit);
}

/// Pieces of statements, so that random texts reach deep into the grammar.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "SELECT", "*", "FROM", "s", "CREATE", "STREAM", "TABLE", "AS", "(", ")", ",", ";", "WHERE", "a", "=", "1", "-", "+", "'x'", "GROUP", "BY",
        "PARTITION", "WINDOW", "TUMBLING", "SIZE", "DAYS", "JOIN", "ON", "WITHIN", "LEFT", "INSERT", "INTO", "VALUES", "CASE", "WHEN", "THEN",
        "END", "CAST", "ARRAY", "[", "]", "MAP", ":=", "=>", "->", ".", "STRUCT", "<", ">", "INT", "KEY", "PRIMARY", "WITH", "EMIT", "CHANGES",
        "FINAL", "LIMIT", "NOT", "IN", "LIKE", "BETWEEN", "AND", "IS", "NULL", "ASSERT", "DROP", "ALTER", "ADD", "COLUMN", "EXPLAIN", "PRINT",
        "1.5", "1E3", "`q`", "${v}", "HEADERS", "HEADER", "DECIMAL", "SHOW", "TOPICS", "DESCRIBE", "EXTENDED", "TERMINATE", "SET", "DEFINE",
    ])
}

proptest! {
    #[test]
    fn no_text_panics(text in "\\PC{0,120}") {
        let _ = parse(&text, &mut Variables::default(), &Limits::STANDARD);
    }

    #[test]
    fn no_row_of_words_panics_and_what_parses_reads_back(pieces in prop::collection::vec(piece(), 0..40)) {
        let text = pieces.join(" ");
        if let Ok(found) = parse(&text, &mut Variables::default(), &Limits::STANDARD) {
            for located in found {
                let again = parse(&format!("{};", located.statement), &mut Variables::default(), &Limits::STANDARD);
                prop_assert_eq!(again.map(|found| found.into_iter().map(|one| one.statement).collect::<Vec<_>>()), Ok(vec![located.statement]));
            }
        }
    }

    #[test]
    fn expressions_of_random_pieces_read_back(pieces in prop::collection::vec(piece(), 1..20)) {
        if let Ok(found) = parse_expression(&pieces.join(" "), &Limits::STANDARD) {
            prop_assert_eq!(parse_expression(&found.to_string(), &Limits::STANDARD), Ok(found));
        }
    }
}
