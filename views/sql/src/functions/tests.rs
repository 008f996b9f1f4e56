use proptest::prelude::*;

use super::*;
use crate::expr::tests::support::{check, show};

#[test]
fn strings() {
    check(&[
        ("LCASE('AbÇ')", "STRING abç"),
        ("UCASE('abç')", "STRING ABÇ"),
        ("LEN('a😀')", "INTEGER 3"),
        ("LEN(BIN)", "INTEGER 2"),
        ("TRIM('  a b ')", "STRING a b"),
        ("SUBSTRING('some_string', 6)", "STRING string"),
        ("SUBSTRING('some_string', -6, 3)", "STRING str"),
        ("SUBSTRING('abc', 0)", "STRING abc"),
        ("SUBSTRING('abc', 9)", "STRING "),
        ("SUBSTRING('abc', 2, -1)", "STRING "),
        ("SUBSTRING('abc', NULL)", "STRING NULL"),
        ("CONCAT('a', NULL, 'b')", "STRING ab"),
        ("CONCAT(NS, NS)", "STRING "),
        ("CONCAT_WS('-', 'a', NS, 'b')", "STRING a-b"),
        ("CONCAT_WS(NS, 'a', 'b')", "STRING NULL"),
        ("INITCAP('the   Quick br0wn fOx')", "STRING The   Quick Br0wn Fox"),
        ("INITCAP('  a B')", "STRING A B"),
        ("INSTR('corporate floor', 'or')", "INTEGER 2"),
        ("INITCAP('  a B')", "STRING A B"),
        ("INSTR('corporate floor', 'or', 4, 2)", "INTEGER 14"),
        ("INITCAP('  a B')", "STRING A B"),
        ("INSTR('corporate floor', 'or', -4, 2)", "INTEGER 2"),
        ("INSTR('abc', 'z')", "INTEGER 0"),
        ("INSTR(NS, 'z')", "INTEGER 0"),
        ("REPLACE('anaconda', 'a', 'o')", "STRING onocondo"),
        ("REPLACE('ab', '', '-')", "STRING -a-b-"),
        ("CONCAT_WS('-')", "ERROR"),
        ("CHR(75)", "STRING K"),
        ("CHR('\\u004B')", "STRING K"),
        ("CHR('\\uD83D\\uDE00!')", "STRING 😀!"),
        ("CHR('u004B')", "STRING NULL"),
        ("CHR(-1)", "STRING NULL"),
        ("ELT(2, 'a', 'b')", "STRING b"),
        ("ELT(3, 'a', 'b')", "STRING NULL"),
        ("FIELD('b', 'a', 'b')", "INTEGER 2"),
        ("FIELD(NS, 'a')", "INTEGER 0"),
        ("LPAD('foo', 7, 'Bar')", "STRING BarBfoo"),
        ("RPAD('foo', 2, 'Bar')", "STRING fo"),
        ("LPAD('foo', -1, 'Bar')", "STRING NULL"),
        ("LPAD('foo', 7, '')", "STRING NULL"),
        ("LPAD('foo', 2000000000, 'x')", "ERROR"),
        ("SPLIT('a$$b.c', '$$')", "ARRAY<STRING> [a, b.c]"),
        ("SPLIT('', 'x')", "ARRAY<STRING> []"),
        ("SPLIT_TO_MAP('a=1/b=2/c', '/', '=')", "MAP<STRING, STRING> {a=1, b=2}"),
        ("MASK('aB3-')", "STRING xXn-"),
        ("MASK('aB3-', 'U', NULL, '#', NULL)", "STRING aU#-"),
        ("MASK_LEFT('aB3', 2)", "STRING xX3"),
        ("MASK_KEEP_RIGHT('aB3', 1)", "STRING xX3"),
        ("MASK_RIGHT('aB3', -1)", "ERROR"),
        ("MD5('abc')", "STRING 900150983cd24fb0d6963f7d28e17f72"),
    ]);
}

#[test]
fn bytes_and_encodings() {
    check(&[
        ("FROM_BYTES(BIN, 'hex')", "STRING 21FF"),
        ("FROM_BYTES(BIN, 'base64')", "STRING If8="),
        ("FROM_BYTES(BIN, 'ascii')", "STRING !\u{fffd}"),
        ("FROM_BYTES(BIN, 'rot13')", "ERROR"),
        ("ENCODE('0x4578616d706C6521', 'hex', 'ascii')", "STRING Example!"),
        ("ENCODE('X''''', 'hex', 'utf8')", "STRING "),
        ("ENCODE('0x0x', 'hex', 'utf8')", "ERROR"),
        ("ENCODE('0x578', 'hex', 'hex')", "STRING 0578"),
        ("ENCODE('578', 'hex', 'hex')", "ERROR"),
        ("ENCODE('RXhhb XBs*ZSE=', 'base64', 'utf8')", "STRING Example!"),
        ("ENCODE('RXhhbXBsZSE=', 'base64', 'hex')", "STRING 4578616d706c6521"),
        ("BIGINT_FROM_BYTES(TO_BYTES('00000000000000ff', 'hex'))", "BIGINT 255"),
        ("INT_FROM_BYTES(TO_BYTES('01000000', 'hex'), 'LITTLE_ENDIAN')", "INTEGER 1"),
        ("INT_FROM_BYTES(BIN)", "ERROR"),
        ("DOUBLE_FROM_BYTES(TO_BYTES('3ff8000000000000', 'hex'))", "DOUBLE 1.5"),
        ("UUID(TO_BYTES('00112233445566778899aabbccddeeff', 'hex'))", "STRING 00112233-4455-6677-8899-aabbccddeeff"),
    ]);
}

#[test]
fn numbers() {
    check(&[
        ("ROUND(-1.5E0)", "BIGINT -1"),
        ("ROUND(1.5E0)", "BIGINT 2"),
        ("ROUND(0.49999999999999994E0)", "BIGINT 0"),
        ("ROUND(12345.678E0, -2)", "DOUBLE 12300.0"),
        ("ROUND(DEC, 1)", "DECIMAL(4, 2) 12.30"),
        ("ROUND(DEC)", "DECIMAL(2, 0) 12"),
        ("ROUND(-2.5)", "DECIMAL(1, 0) -2"),
        ("TRUNC(-1.7E0)", "BIGINT -1"),
        ("TRUNC(1.29E0, 1)", "DOUBLE 1.2"),
        ("TRUNC(DEC, 1)", "DECIMAL(4, 2) 12.30"),
        ("CEIL(DEC)", "DECIMAL(4, 2) 13.00"),
        ("FLOOR(-1.1)", "DECIMAL(2, 1) -2.0"),
        ("ABS(-2147483647 - 1)", "INTEGER -2147483648"),
        ("SIGN(-0.5E0)", "INTEGER -1"),
        ("LOG(0)", "DOUBLE -Infinity"),
        ("LOG(15, 13)", "DOUBLE 0.9471572411831843"),
        ("LOG(1, 13)", "DOUBLE NaN"),
        ("SQRT(-1)", "DOUBLE NaN"),
        ("POWER(2, 10)", "DOUBLE 1024.0"),
        ("DEGREES(PI())", "DOUBLE 180.0"),
        ("GEO_DISTANCE(37.4439, -122.1663, 51, 0)", "DOUBLE 8682.459061368269"),
        ("GEO_DISTANCE(37.4439, -122.1663, 51.5257, -0.1122, 'MI')", "DOUBLE 5365.659729188264"),
        ("GEO_DISTANCE(91, 0, 0, 0)", "ERROR"),
    ]);
    assert_eq!(show("RANDOM() < 1 AND RANDOM() >= 0"), "BOOLEAN true");
}

#[test]
fn arrays_and_maps() {
    check(&[
        ("ARRAY_LENGTH(A)", "INTEGER 3"),
        ("ARRAY_CONTAINS(A, CAST(NULL AS INT))", "BOOLEAN true"),
        ("ARRAY_CONTAINS(ARRAY[L], 7)", "REFUSED Function 'array_contains' does not accept parameters (ARRAY<BIGINT>, INTEGER)."),
        ("ARRAY_DISTINCT(ARRAY[1, 2, 1])", "ARRAY<INTEGER> [1, 2]"),
        ("ARRAY_EXCEPT(ARRAY[0, 0, 1, -1], ARRAY[1, -2])", "ARRAY<INTEGER> [0, -1]"),
        ("ARRAY_INTERSECT(ARRAY[0, 0, 1], ARRAY[1, 0])", "ARRAY<INTEGER> [0, 1]"),
        ("ARRAY_UNION(ARRAY[0, 1], ARRAY[1, 2])", "ARRAY<INTEGER> [0, 1, 2]"),
        ("ARRAY_CONCAT(NA, A)", "ARRAY<INTEGER> [3, null, 1]"),
        ("ARRAY_REMOVE(A, 3)", "ARRAY<INTEGER> [null, 1]"),
        ("ARRAY_JOIN(A, '-')", "STRING 3-null-1"),
        ("ARRAY_JOIN(ARRAY[1.5E0])", "STRING 1.5"),
        ("ARRAY_MAX(A)", "INTEGER 3"),
        ("ARRAY_MIN(ARRAY[CAST(NULL AS INT)])", "INTEGER NULL"),
        ("ARRAY_SORT(A)", "ARRAY<INTEGER> [1, 3, null]"),
        ("ARRAY_SORT(A, 'Desc')", "ARRAY<INTEGER> [3, 1, null]"),
        ("ARRAY_SORT(A, 'up')", "ARRAY<INTEGER> NULL"),
        ("SLICE(ARRAY[1, 2, 3, 4], 2, 3)", "ARRAY<INTEGER> [2, 3]"),
        ("SLICE(ARRAY[1], 1, 9)", "ARRAY<INTEGER> NULL"),
        ("SLICE(ARRAY[1], 0, 1)", "ARRAY<INTEGER> NULL"),
        ("SLICE(ARRAY[1, 2], NULL, 1)", "ARRAY<INTEGER> [1]"),
        ("SLICE(ARRAY[1, 2, 3], 3, 1)", "ERROR"),
        ("GENERATE_SERIES(4, 0)", "ARRAY<INTEGER> [4, 3, 2, 1, 0]"),
        ("GENERATE_SERIES(0, 5, 2)", "ARRAY<INTEGER> [0, 2, 4]"),
        ("GENERATE_SERIES(0, 5, 0)", "ERROR"),
        ("GENERATE_SERIES(0, 5, -1)", "ERROR"),
        ("GENERATE_SERIES(-2000000000, 2000000000)", "ERROR"),
        ("MAP_KEYS(M)", "ARRAY<STRING> [x, y]"),
        ("MAP_VALUES(M)", "ARRAY<INTEGER> [1, 2]"),
        ("MAP_UNION(M, MAP('x' := 9))", "MAP<STRING, INTEGER> {x=9, y=2}"),
        ("AS_MAP(ARRAY['a', 'b'], ARRAY[1, 2])", "MAP<STRING, INTEGER> {a=1, b=2}"),
        ("AS_MAP(ARRAY['a', 'b'], ARRAY[1])", "MAP<STRING, INTEGER> {a=1, b=null}"),
        ("ENTRIES(M, true)", "ARRAY<STRUCT<`K` STRING, `V` INTEGER>> [Struct{K=x,V=1}, Struct{K=y,V=2}]"),
    ]);
}

#[test]
fn json() {
    check(&[
        ("EXTRACTJSONFIELD('{\"a\": {\"b\": [1, 2.50, \"x\"]}}', '$.a.b[1]')", "STRING 2.5"),
        ("EXTRACTJSONFIELD('{\"a\": {\"b\": [1, 2]}}', '$.a')", "STRING {\"b\":[1,2]}"),
        ("EXTRACTJSONFIELD('{\"@type\": \"VAL\"}}', '$.@type')", "STRING VAL"),
        ("EXTRACTJSONFIELD('{\"a\": null}', '$.a')", "STRING null"),
        ("EXTRACTJSONFIELD('{}', '$.a')", "STRING NULL"),
        ("EXTRACTJSONFIELD('nope', '$.a')", "ERROR"),
        ("IS_JSON_STRING('[1]')", "BOOLEAN true"),
        ("IS_JSON_STRING('')", "BOOLEAN false"),
        ("IS_JSON_STRING(NS)", "BOOLEAN false"),
        ("JSON_ARRAY_CONTAINS('[1, \"a\", null]', 1)", "BOOLEAN true"),
        ("JSON_ARRAY_CONTAINS('[1, \"a\", null]', '1')", "BOOLEAN false"),
        ("JSON_ARRAY_LENGTH('[1, 2]')", "INTEGER 2"),
        ("JSON_ARRAY_LENGTH('{}')", "INTEGER NULL"),
        ("JSON_CONCAT('{\"a\": 1}', '{\"a\": 2, \"b\": 3}')", "STRING {\"a\":2,\"b\":3}"),
        ("JSON_CONCAT('[1, 2]', '{\"a\": 1}', '4')", "STRING [1,2,{\"a\":1},4]"),
        ("JSON_CONCAT('1', '')", "STRING NULL"),
        ("JSON_CONCAT('1')", "STRING 1"),
        ("JSON_ITEMS('[{\"a\": 1}]')", "ARRAY<STRING> [{\"a\":1}]"),
        ("JSON_ITEMS('[{\"a\": 1}, \"x\", 2]')", "ARRAY<STRING> [{\"a\":1}, \"x\", 2]"),
        ("JSON_KEYS('{\"b\": 1, \"a\": 2}')", "ARRAY<STRING> [b, a]"),
        ("JSON_RECORDS('{\"a\": 1, \"b\": \"x\"}')", "MAP<STRING, STRING> {a=1, b=x}"),
        ("TO_JSON_STRING(ST)", "STRING {\"CITY\":\"Ulm\",\"ZIP\":89073}"),
        ("TO_JSON_STRING(N)", "STRING null"),
        ("TO_JSON_STRING(TI)", "STRING \"01:00\""),
        ("TO_JSON_STRING(DEC)", "STRING 12.34"),
    ]);
}

#[test]
fn dates() {
    check(&[
        ("FORMAT_TIMESTAMP(TS, 'yyyy-MM-dd HH:mm:ss')", "STRING 2018-05-11 21:58:33"),
        ("TIMESTAMPTOSTRING(1526075913000, 'HH:mm zzz', 'Europe/London')", "STRING 22:58 BST"),
        ("FORMAT_DATE(DT, 'dd/MM/yyyy')", "STRING 14/04/2019"),
        ("FORMAT_TIME(TI, 'HHmm')", "STRING 0100"),
        ("FORMAT_DATE(DT, 'HH')", "ERROR"),
        ("DATETOSTRING(-1, 'dd-MM-yyyy''Sophia''')", "STRING 31-12-1969Sophia"),
        ("PARSE_DATE('01-JAN-2022', 'dd-MMM-yyyy')", "DATE 2022-01-01"),
        ("PARSE_DATE('2022-01-01 10', 'yyyy-MM-dd HH')", "ERROR"),
        ("PARSE_TIME('2022 10', 'yyyy HH')", "ERROR"),
        ("PARSE_TIME('0001', 'HHmm')", "TIME 00:01"),
        ("PARSE_TIMESTAMP('2018-05-11 14:58', 'yyyy-MM-dd HH:mm', 'America/Los_Angeles')", "TIMESTAMP 2018-05-11T21:58:00.000"),
        ("STRINGTOTIMESTAMP('2018-01-01', 'yyyy-MM-dd')", "BIGINT 1514764800000"),
        ("STRINGTODATE('11/05/2019', 'dd/MM/yyyy')", "INTEGER 18027"),
        ("STRINGTODATE('2019-05-11 10', 'yyyy-MM-dd HH')", "INTEGER 18027"),
        ("STRINGTODATE('x', 'dd/MM/yyyy')", "ERROR"),
        ("FORMAT_DATE(DT, 'bad')", "ERROR"),
        ("FROM_DAYS(18027)", "DATE 2019-05-11"),
        ("FROM_UNIXTIME(0)", "TIMESTAMP 1970-01-01T00:00:00.000"),
        ("UNIX_DATE()", "INTEGER 11574"),
        ("UNIX_DATE(DT)", "INTEGER 18000"),
        ("UNIX_TIMESTAMP()", "BIGINT 1000000000000"),
        ("CONVERT_TZ(TS, 'UTC', 'America/Los_Angeles')", "TIMESTAMP 2018-05-11T14:58:33.000"),
        ("TIMESTAMPADD(DAYS, -1, TS)", "TIMESTAMP 2018-05-10T21:58:33.000"),
        ("TIMESTAMPSUB(SECONDS, 33, TS)", "TIMESTAMP 2018-05-11T21:58:00.000"),
        ("TIMEADD(HOURS, 24, TI)", "TIME 01:00"),
        ("TIMESUB(HOURS, 2, TI)", "TIME 23:00"),
        ("DATEADD(DAYS, 17, DT)", "DATE 2019-05-01"),
        ("DATESUB(HOURS, 23, DT)", "DATE 2019-04-13"),
    ]);
}

#[test]
fn regular_expressions() {
    check(&[
        ("REGEXP_EXTRACT('test.', 'some_test_string')", "STRING test_"),
        ("REGEXP_EXTRACT('(.*) (.*)', 'steven zhang', 2)", "STRING zhang"),
        ("REGEXP_EXTRACT('(a)', 'a', 9)", "STRING NULL"),
        ("REGEXP_EXTRACT('(', 'a')", "ERROR"),
        ("REGEXP_EXTRACT('foo(?=bar)', 'foobar')", "STRING foo"),
        ("REGEXP_EXTRACT_ALL('(\\w+) (\\w*)', 'steven zhang andy coates', 2)", "ARRAY<STRING> [zhang, coates]"),
        ("REGEXP_REPLACE('baababaa', '(ab)+', 'cat')", "STRING bacataa"),
        ("REGEXP_REPLACE('john smith', '(\\w+) (\\w+)', '$2 $1')", "STRING smith john"),
        ("REGEXP_REPLACE('a', 'a', '$9')", "ERROR"),
        ("REGEXP_SPLIT_TO_ARRAY('aabcda', '(ab|cd)')", "ARRAY<STRING> [a, , a]"),
        ("REGEXP_SPLIT_TO_ARRAY('a1b2', '[0-9]')", "ARRAY<STRING> [a, b, ]"),
        ("REGEXP_SPLIT_TO_ARRAY('abc', 'x*')", "ARRAY<STRING> [a, b, c]"),
        ("REGEXP_SPLIT_TO_ARRAY('', '')", "ARRAY<STRING> []"),
        ("REGEXP_SPLIT_TO_ARRAY('abc', '')", "ARRAY<STRING> [a, b, c]"),
    ]);
}

#[test]
fn urls() {
    check(&[
        ("URL_ENCODE_PARAM('?foo $bar')", "STRING %3Ffoo+%24bar"),
        ("URL_DECODE_PARAM('%3Ffoo+%24bar')", "STRING ?foo $bar"),
        ("URL_DECODE_PARAM('%zz')", "ERROR"),
        ("URL_EXTRACT_FRAGMENT('http://www.test.com/?query#fragment')", "STRING fragment"),
        ("URL_EXTRACT_HOST('http://test@confluent.io:8080/nested/path')", "STRING confluent.io"),
        ("URL_EXTRACT_PATH('http://confluent.io/a/b?c')", "STRING /a/b"),
        ("URL_EXTRACT_PORT('http://test@confluent.io:8080/nested')", "INTEGER 8080"),
        ("URL_EXTRACT_PORT('http://test@confluent.io')", "INTEGER NULL"),
        ("URL_EXTRACT_PROTOCOL('www.confluent.io')", "STRING NULL"),
        ("URL_EXTRACT_QUERY('http://www.test.com?query#fragment')", "STRING query"),
        ("URL_EXTRACT_PARAMETER('http://www.test.com/?one=a%20b&two=b&three', 'one')", "STRING a b"),
        ("URL_EXTRACT_PARAMETER('http://www.test.com/?one=a', 'four')", "STRING NULL"),
        ("URL_EXTRACT_PARAMETER('http://www.test.com/?a+b=c%20d+e&two', 'a+b')", "STRING c d+e"),
        ("URL_EXTRACT_PARAMETER('http://www.test.com/?one&two=1=2', 'two')", "STRING 1=2"),
        ("URL_EXTRACT_HOST('not a url')", "ERROR"),
    ]);
}

#[test]
fn conditionals() {
    check(&[
        ("COALESCE(NS, S)", "STRING Hello"),
        ("IFNULL(N, 10)", "INTEGER 10"),
        ("NULLIF(I, 5)", "INTEGER NULL"),
        ("NULLIF(I, 6)", "INTEGER 5"),
        ("AS_VALUE(S)", "STRING Hello"),
        ("GREATEST('a', 'b', NS)", "STRING b"),
        ("GREATEST(NS, NS)", "STRING NULL"),
    ]);
}

#[test]
fn every_function_of_the_reference_is_there() {
    let names = "ABS ACOS ARRAY_CONCAT ARRAY_CONTAINS ARRAY_DISTINCT ARRAY_EXCEPT ARRAY_INTERSECT ARRAY_JOIN ARRAY_LENGTH ARRAY_MAX ARRAY_MIN ARRAY_REMOVE ARRAY_SORT ARRAY_UNION ASIN AS_MAP AS_VALUE ATAN ATAN2 ATTR AVG BIGINT_FROM_BYTES CBRT CEIL CHR COALESCE COLLECT_LIST COLLECT_SET CONCAT CONCAT_WS CONVERT_TZ CORRELATION COS COSH COT COUNT COUNT_DISTINCT CUBE_EXPLODE DATEADD DATESUB DATETOSTRING DEGREES DOUBLE_FROM_BYTES EARLIEST_BY_OFFSET ELT ENCODE ENTRIES EXP EXPLODE EXTRACTJSONFIELD FIELD FILTER FLOOR FORMAT_DATE FORMAT_TIME FORMAT_TIMESTAMP FROM_BYTES FROM_DAYS FROM_UNIXTIME GENERATE_SERIES GEO_DISTANCE GREATEST HISTOGRAM IFNULL INITCAP INSTR INT_FROM_BYTES IS_JSON_STRING JSON_ARRAY_CONTAINS JSON_ARRAY_LENGTH JSON_CONCAT JSON_ITEMS JSON_KEYS JSON_RECORDS LATEST_BY_OFFSET LCASE LEAST LEN LN LOG LPAD MAP_KEYS MAP_UNION MAP_VALUES MASK MASK_KEEP_LEFT MASK_KEEP_RIGHT MASK_LEFT MASK_RIGHT MAX MD5 MIN NULLIF PARSE_DATE PARSE_TIME PARSE_TIMESTAMP PI POWER RADIANS RANDOM REDUCE REGEXP_EXTRACT REGEXP_EXTRACT_ALL REGEXP_REPLACE REGEXP_SPLIT_TO_ARRAY REPLACE ROUND RPAD SIGN SIN SINH SLICE SPLIT SPLIT_TO_MAP SQRT STDDEV_SAMP STDDEV_SAMPLE STRINGTODATE STRINGTOTIMESTAMP SUBSTRING SUM SUM_LIST TAN TANH TIMEADD TIMESTAMPADD TIMESTAMPSUB TIMESTAMPTOSTRING TIMESUB TOPK TOPKDISTINCT TO_BYTES TO_JSON_STRING TRANSFORM TRIM TRUNC UCASE UNIX_DATE UNIX_TIMESTAMP URL_DECODE_PARAM URL_ENCODE_PARAM URL_EXTRACT_FRAGMENT URL_EXTRACT_HOST URL_EXTRACT_PARAMETER URL_EXTRACT_PATH URL_EXTRACT_PORT URL_EXTRACT_PROTOCOL URL_EXTRACT_QUERY UUID";
    let listed: Vec<String> = Registry::builtin().list().into_iter().map(|function| function.name).collect();
    assert_eq!(listed, names.split(' ').collect::<Vec<_>>());
    assert!(Registry::builtin().list().iter().all(|function| !function.about.is_empty() && !function.overloads.is_empty()));
}

/// Any value of the types that functions take, extremes included.
fn any_value() -> impl Strategy<Value = (crate::value::Value, Option<crate::types::SqlType>)> {
    use crate::types::SqlType as T;
    use crate::value::Value as V;
    let text = prop_oneof!["\\PC{0,8}", Just("$.a[0]".to_owned()), Just("UTC".to_owned()), Just("yyyy-MM-dd".to_owned())];
    prop_oneof![
        Just((V::Null, None)),
        prop_oneof![any::<i32>(), -3..4i32, Just(i32::MIN), Just(i32::MAX)].prop_map(|n| (V::Int(n), Some(T::Integer))),
        prop_oneof![any::<i64>(), Just(i64::MIN), Just(i64::MAX)].prop_map(|n| (V::BigInt(n), Some(T::BigInt))),
        any::<f64>().prop_map(|n| (V::Double(n), Some(T::Double))),
        any::<bool>().prop_map(|flag| (V::Boolean(flag), Some(T::Boolean))),
        text.prop_map(|text| (V::string(text), Some(T::String))),
        proptest::collection::vec(any::<u8>(), 0..9).prop_map(|bytes| (V::bytes(bytes), Some(T::Bytes))),
        any::<i32>().prop_map(|n| (V::Date(n), Some(T::Date))),
        any::<i32>().prop_map(|n| (V::Time(n), Some(T::Time))),
        any::<i64>().prop_map(|n| (V::Timestamp(n), Some(T::Timestamp))),
        (any::<i128>(), 0..5i32).prop_map(|(n, scale)| {
            let sql_type = T::Decimal { precision: 40, scale: scale as u32 };
            (V::Decimal(crate::decimal::Decimal::new(n, scale)), Some(sql_type))
        }),
        proptest::collection::vec(proptest::option::of(any::<i32>()), 0..5)
            .prop_map(|ints| (V::array(ints.into_iter().map(V::from)), Some(T::array(T::Integer)))),
        proptest::collection::vec(("[a-c]", any::<i32>()), 0..4).prop_map(|entries| {
            let entries = entries.into_iter().map(|(key, value)| (V::from(key), V::from(value)));
            (V::map(entries), Some(T::map(T::String, T::Integer)))
        }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(4000))]
    #[test]
    fn no_function_panics(pick in any::<prop::sample::Index>(), given in proptest::collection::vec(any_value(), 0..5)) {
        use resolve::{Argument, apply, resolve};
        let functions: Vec<FunctionInfo> =
            Registry::builtin().list().into_iter().filter(|f| f.kind != FunctionKind::Aggregate).collect();
        let name = &functions[pick.index(functions.len())].name;
        let function = Registry::builtin().scalar(name).or_else(|| Registry::builtin().table(name)).expect("listed");
        let (arguments, types): (Vec<_>, Vec<_>) = given.into_iter().unzip();
        let kinds: Vec<Argument> = types.iter().map(|t| t.clone().map_or(Argument::Null, Argument::Typed)).collect();
        if let Ok((chosen, bindings)) = resolve(&function.name, &function.signatures(), &kinds, false) {
            let overload = &function.overloads[chosen];
            let returns = match overload.derive {
                Some(derive) => derive(&types).ok(),
                None => apply(&overload.signature.returns, &bindings),
            };
            let context = crate::expr::EvalContext::new(i64::MAX, 1);
            let call = Call {
                arguments: &arguments,
                types: &types,
                returns: &returns.unwrap_or(crate::types::SqlType::String),
                context: &context,
                lambdas: &|_, parameters| Ok(parameters.first().cloned().unwrap_or_default()),
                memo: &Memo::default(),
            };
            let _ = (overload.body)(&call);
        }
    }
}
