use proptest::prelude::*;
use support::{check, show};

pub(crate) mod support;

#[test]
fn literals_and_columns() {
    check(&[
        ("1", "INTEGER 1"),
        ("3000000000", "BIGINT 3000000000"),
        ("1.50", "DECIMAL(3, 2) 1.50"),
        ("0.05", "DECIMAL(2, 2) 0.05"),
        ("1.5E0", "DOUBLE 1.5"),
        ("-5", "INTEGER -5"),
        ("'it''s'", "STRING it's"),
        ("NULL", "NULL"),
        ("I", "INTEGER 5"),
        ("st->city", "STRING Ulm"),
        ("ST->NOPE", "REFUSED Could not find field 'NOPE' in 'ST'."),
        ("NOPE", "REFUSED Unknown column NOPE."),
        ("A[1]", "INTEGER 3"),
        ("A[-1]", "INTEGER 1"),
        ("A[0]", "INTEGER NULL"),
        ("A[99]", "INTEGER NULL"),
        ("NA[1]", "INTEGER NULL"),
        ("M['y']", "INTEGER 2"),
        ("M['z']", "INTEGER NULL"),
        ("NOSUCH(1)", "REFUSED Can't find any functions with the name 'NOSUCH'"),
    ]);
}

#[test]
fn arithmetic_follows_java() {
    check(&[
        ("I + 1", "INTEGER 6"),
        ("I + L", "BIGINT 7000000005"),
        ("I / 2", "INTEGER 2"),
        ("-7 / 2", "INTEGER -3"),
        ("-7 % 3", "INTEGER -1"),
        ("2147483647 + 1", "INTEGER -2147483648"),
        ("I / 0", "ERROR"),
        ("D / 0", "DOUBLE Infinity"),
        ("D + I", "DOUBLE 6.5"),
        ("DEC + 1", "DECIMAL(13, 2) 13.34"),
        ("DEC * DEC", "DECIMAL(9, 4) 152.2756"),
        ("DEC / 3", "DECIMAL(15, 13) 4.1133333333333"),
        ("DEC % 5", "DECIMAL(4, 2) 2.34"),
        ("DEC % 0.0", "ERROR"),
        ("DEC + D", "DOUBLE 13.84"),
        ("N + 1", "INTEGER NULL"),
        ("'a' + 'b'", "STRING ab"),
        ("I + S", "REFUSED Error processing expression: (I + S). Unsupported arithmetic types. INTEGER STRING"),
        ("NULL + 1", "REFUSED Error processing expression: (null + 1). Arithmetic on types null and INTEGER are not supported."),
    ]);
}

#[test]
fn comparisons_with_null_are_false() {
    check(&[
        ("I = 5", "BOOLEAN true"),
        ("I = 5.00", "BOOLEAN true"),
        ("D = 1.5", "BOOLEAN true"),
        ("I < L", "BOOLEAN true"),
        ("N = 1", "BOOLEAN false"),
        ("NOT (N = 1)", "BOOLEAN true"),
        ("N <> 1", "BOOLEAN false"),
        ("N IS DISTINCT FROM 1", "BOOLEAN true"),
        ("N IS NOT DISTINCT FROM N", "BOOLEAN true"),
        ("N IS NULL", "BOOLEAN true"),
        ("NULL IS NULL", "BOOLEAN true"),
        ("N = NULL", "REFUSED Comparison with NULL not supported: INTEGER = NULL"),
        ("S < 'hello'", "BOOLEAN true"),
        ("BO = true", "BOOLEAN true"),
        ("BO < true", "REFUSED Cannot compare BO (BOOLEAN) to true (BOOLEAN) with LESS_THAN."),
        ("I = S", "REFUSED Cannot compare I (INTEGER) to S (STRING) with EQUAL."),
        ("A = ARRAY[3, null, 1]", "BOOLEAN true"),
        ("M <> MAP('x' := 1)", "BOOLEAN true"),
        ("M < M", "REFUSED Cannot compare M (MAP<STRING, INTEGER>) to M (MAP<STRING, INTEGER>) with LESS_THAN."),
        ("DT > '2019-04-13'", "BOOLEAN true"),
        ("DT = TS", "BOOLEAN false"),
        ("TS >= '2018-05-11T21:58:33'", "BOOLEAN true"),
        ("TI = '01:00'", "BOOLEAN true"),
        ("DT = 'soon'", "ERROR"),
        ("I BETWEEN 5 AND 6", "BOOLEAN true"),
        ("I NOT BETWEEN 5 AND 6", "BOOLEAN false"),
        ("N BETWEEN 1 AND 2", "BOOLEAN false"),
    ]);
}

#[test]
fn logic_is_lazy_and_three_valued() {
    check(&[
        ("BO AND I > 1", "BOOLEAN true"),
        ("false AND I / 0 = 1", "BOOLEAN false"),
        ("true OR I / 0 = 1", "BOOLEAN true"),
        ("CAST(NULL AS BOOLEAN) AND false", "BOOLEAN false"),
        ("CAST(NULL AS BOOLEAN) OR false", "BOOLEAN NULL"),
        ("NOT CAST(NULL AS BOOLEAN)", "BOOLEAN NULL"),
        ("CASE WHEN I > 9 THEN 'big' WHEN I / 0 = 1 THEN 'x' END", "ERROR"),
        ("CASE WHEN I > 1 THEN 'some' WHEN I / 0 = 1 THEN 'x' END", "STRING some"),
        ("CASE WHEN I > 9 THEN 'big' END", "STRING NULL"),
        ("CASE I WHEN 4 THEN 'four' WHEN 5 THEN 'five' ELSE 'other' END", "STRING five"),
        ("CASE WHEN BO THEN NULL ELSE 3 END", "INTEGER NULL"),
        ("CASE WHEN BO THEN NULL END", "REFUSED Invalid Case expression. All case branches have NULL type"),
        ("CASE WHEN BO THEN 1 ELSE 'x' END", "REFUSED Invalid Case expression. Type for the default clause should be the same as for 'THEN' clauses."),
        ("CASE WHEN I THEN 1 END", "REFUSED WHEN operand type should be boolean."),
        ("S LIKE 'H_l%'", "BOOLEAN true"),
        ("S NOT LIKE 'h%'", "BOOLEAN true"),
        ("'50%' LIKE '50!%' ESCAPE '!'", "BOOLEAN true"),
        ("NS LIKE '%'", "BOOLEAN NULL"),
        ("S LIKE 'x!' ESCAPE '!'", "ERROR"),
    ]);
}

#[test]
fn lists_are_brought_to_one_type() {
    check(&[
        ("I IN (1, 5)", "BOOLEAN true"),
        ("I IN (1, '5')", "BOOLEAN true"),
        ("I IN (1, 5.00, D)", "BOOLEAN true"),
        ("I NOT IN (1, 2)", "BOOLEAN true"),
        ("N IN (1, NULL)", "BOOLEAN false"),
        ("I IN (10, S)", "REFUSED Invalid Predicate: operator does not exist: INTEGER = STRING (S)"),
        ("DEC IN (10, true)", "REFUSED Invalid Predicate: operator does not exist: DECIMAL(12, 2) = BOOLEAN (true)"),
        ("DEC IN (10.0, 'ten')", "REFUSED Invalid Predicate: invalid input syntax for type DECIMAL: \"ten\"."),
        ("S IN (true, 10, 'Hello')", "BOOLEAN true"),
        ("DT IN ('2019-04-14')", "BOOLEAN true"),
        ("A IN (ARRAY['3', null, 1])", "BOOLEAN true"),
        ("A IN (ARRAY['x'])", "REFUSED Invalid Predicate: invalid input syntax for type INTEGER: \"x\"."),
        ("A IN (ARRAY[BO])", "REFUSED Invalid Predicate: operator does not exist: ARRAY<INTEGER> = ARRAY<BOOLEAN> (ARRAY[BO])"),
        ("BO IN (' Yes ')", "BOOLEAN true"),
        ("ST IN (STRUCT(CITY := 'Ulm', ZIP := 89073))", "BOOLEAN true"),
        ("ARRAY[1, 2.5, '3']", "ARRAY<DECIMAL(11, 1)> [1.0, 2.5, 3.0]"),
        ("ARRAY[I, L]", "ARRAY<BIGINT> [5, 7000000000]"),
        ("ARRAY[I / 0, 1]", "ARRAY<INTEGER> [null, 1]"),
        ("ARRAY[NULL]", "REFUSED Cannot construct an array with all NULL elements (see https://github.com/confluentinc/ksql/issues/4239). As a workaround, you may cast a NULL value to the desired type."),
        ("MAP('k' := I, 'l' := L)", "MAP<STRING, BIGINT> {l=7000000000, k=5}"),
        ("MAP(NULL := 1)", "REFUSED Cannot construct a map with all NULL keys (see https://github.com/confluentinc/ksql/issues/4239). As a workaround, you may cast a NULL key to the desired type."),
        ("STRUCT(X := I, Y := S)", "STRUCT<`X` INTEGER, `Y` STRING> Struct{X=5,Y=Hello}"),
        ("STRUCT(X := 1, X := 2)", "REFUSED Duplicate field names found in STRUCT: 'X, X'"),
    ]);
}

#[test]
fn casts() {
    check(&[
        ("CAST(D AS STRING)", "STRING 1.5"),
        ("CAST(DEC AS STRING)", "STRING 12.34"),
        ("CAST('12.345' AS DECIMAL(4, 2))", "DECIMAL(4, 2) 12.35"),
        ("CAST('123.4' AS DECIMAL(4, 2))", "ERROR"),
        ("CAST(TS AS DATE)", "DATE 2018-05-11"),
        ("CAST(TS AS STRING)", "STRING 2018-05-11T21:58:33.000"),
        ("CAST(BO AS INT)", "REFUSED Cast of BOOLEAN to INTEGER is not supported"),
        ("CAST(PARSE_DATE(S, 'yyyy') AS STRING)", "STRING NULL"),
        ("IFNULL(CAST(PARSE_DATE(S, 'yyyy') AS STRING), 'never')", "STRING never"),
    ]);
}

#[test]
fn lambdas_see_the_row_and_enclosing_lambdas() {
    check(&[
        ("TRANSFORM(ARRAY[1, 2], x => x + I)", "ARRAY<INTEGER> [6, 7]"),
        ("TRANSFORM(A, x => x + 5)", "ERROR"),
        ("TRANSFORM(ARRAY[ARRAY[1], ARRAY[2]], x => TRANSFORM(x, y => y * ARRAY_LENGTH(x) + I))", "ARRAY<ARRAY<INTEGER>> [[6], [7]]"),
        ("TRANSFORM(M, (k, v) => UCASE(k), (k, v) => v * 2)", "MAP<STRING, INTEGER> {X=2, Y=4}"),
        ("FILTER(A, x => x > 2)", "ARRAY<INTEGER> [3]"),
        ("FILTER(M, (k, v) => k = 'x')", "MAP<STRING, INTEGER> {x=1}"),
        ("REDUCE(ARRAY[3, 6], 2, (s, x) => s + x)", "INTEGER 11"),
        ("REDUCE(NA, 2, (s, x) => s + x)", "INTEGER 2"),
        ("REDUCE(M, 0, (s, k, v) => s + v)", "INTEGER 3"),
    ]);
    assert!(show("TRANSFORM(A, (x, y) => x)").starts_with("REFUSED Function 'transform' does not accept parameters"));
    assert!(show("FILTER(A, x => x + 1)").starts_with("REFUSED"));
}

#[test]
fn overloads_are_chosen_as_ksqldb_does() {
    check(&[
        ("ABS(DEC)", "DECIMAL(4, 2) 12.34"),
        ("GEO_DISTANCE(37.4439, D, L, 0)", "ERROR"),
        ("LEAST(I, 6, null)", "INTEGER 5"),
        ("GREATEST(DEC, 1.234567)", "DECIMAL(8, 6) 12.34"),
        ("LEAST(DT, '2018-01-01')", "DATE 2018-01-01"),
        ("LEAST(I, L)", "REFUSED Function 'least' cannot be resolved due to ambiguous method parameters (INTEGER, BIGINT)."),
        ("LEAST(S, I)", "REFUSED Function 'least' does not accept parameters (STRING, INTEGER)."),
        ("GREATEST()", "REFUSED Function 'greatest' does not accept parameters ()."),
        ("TIMESTAMPADD(TS, 5, TS)", "REFUSED Function 'timestampadd' does not accept parameters (TIMESTAMP, INTEGER, TIMESTAMP)."),
        ("SUM(I)", "ERROR"),
        ("COALESCE(N, I)", "INTEGER 5"),
        ("COALESCE(N, NULL)", "INTEGER NULL"),
        ("COALESCE(N, L)", "REFUSED Function 'coalesce' does not accept parameters (INTEGER, BIGINT)."),
        ("REDUCE(ARRAY[1], 0, (s, x) => s + L)", "REFUSED Found invalid instance of generic schema when mapping LAMBDA (S, T) => S to LAMBDA (INTEGER, INTEGER) => BIGINT. Cannot map S to both INTEGER and BIGINT"),
        ("FILTER(ARRAY[1], x => x + 1)", "REFUSED Cannot infer generics for LAMBDA (T) => BOOLEAN from LAMBDA (INTEGER) => INTEGER because they do not have the same schema structure."),
    ]);
}

#[test]
fn deep_expressions_are_refused_not_run() {
    let deep = format!("{}1{}", "ABS(".repeat(400), ")".repeat(400));
    assert!(show(&deep).starts_with("REFUSED"));
}

/// SQL texts of all shapes over the columns of the test row, extremes included, well typed or not.
fn any_expression() -> impl Strategy<Value = String> {
    let leaf = proptest::sample::select(vec![
        "I", "L", "D", "DEC", "S", "BO", "BIN", "DT", "TI", "TS", "A", "M", "ST", "N", "NS", "NA", "NULL", "0", "-1", "2147483647",
        "-9223372036854775807", "1.5", "99999999999999999999.99", "1E308", "'x'", "''", "'2020-01-01'", "'$.a'", "true", "ARRAY[1]",
        "MAP('k' := 1)", "STRUCT(F := 1)",
    ]);
    leaf.prop_map(str::to_owned).prop_recursive(4, 24, 3, |inner| {
        let binary = proptest::sample::select(vec![
            "+", "-", "*", "/", "%", "=", "<>", "<", ">=", "AND", "OR", "LIKE", "IS DISTINCT FROM", "||",
        ]);
        let unary = proptest::sample::select(vec![
            "-({})", "NOT ({})", "({}) IS NULL", "CAST({} AS STRING)", "CAST({} AS INT)", "CAST({} AS DECIMAL(9, 2))", "CAST({} AS DOUBLE)",
            "CAST({} AS TIMESTAMP)", "ABS({})", "ROUND({}, -3)", "LEN({})", "TO_JSON_STRING({})", "({})[1]", "ARRAY_SORT({})",
            "TRANSFORM({}, x => x)", "CASE WHEN {} THEN 1 END", "LPAD({}, 5, 'ab')", "FORMAT_TIMESTAMP({}, 'yyyy')", "SUM({})",
        ]);
        prop_oneof![
            (inner.clone(), binary, inner.clone()).prop_map(|(left, operator, right)| format!("({left}) {operator} ({right})")),
            (unary, inner.clone()).prop_map(|(shape, operand)| shape.replace("{}", &operand)),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) BETWEEN ({b}) AND ({c})")),
            (inner.clone(), inner.clone(), inner.clone()).prop_map(|(a, b, c)| format!("({a}) IN ({b}, {c})")),
            (inner.clone(), inner.clone()).prop_map(|(a, b)| format!("COALESCE({a}, {b})")),
            (inner.clone(), inner).prop_map(|(a, b)| format!("ARRAY[{a}, {b}]")),
        ]
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(3000))]
    #[test]
    fn no_expression_panics_and_values_are_of_their_type(sql in any_expression()) {
        let shown = show(&sql);
        // A value that is not of its type would be shown as Rust's debug text.
        prop_assert!(!shown.contains("BigInt(") && !shown.contains("Decimal("), "{} gave {}", sql, shown);
    }
}
