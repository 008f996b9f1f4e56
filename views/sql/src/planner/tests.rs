use proptest::prelude::*;

use crate::ast::Expression;
use crate::catalog::{Catalog, Decision, Effect, NoSchemas, Session, Settings, Topics, decide};
use crate::error::Result;
use crate::expr::EvalContext;
use crate::functions::Registry;
use crate::parser::{Limits, Variables, parse};
use super::{COLUMNS_CONFIG, COLUMNS_MAX, JOINS_CONFIG, JOINS_MAX};
use crate::plan::{Access, JoinColumn, JoinForm, PersistentPlan, PullPlan, SourceColumn, SourceKind, Step};
use crate::value::Value;

struct OnePartition;

impl Topics for OnePartition {
    fn partitions(&self, _: &str) -> Option<i32> {
        Some(1)
    }
}

const SOURCES: &str = "
    CREATE STREAM s (id INT KEY, a INT, b STRING, c STRUCT<x INT, y STRING>, arr ARRAY<INT>) WITH (kafka_topic='s', value_format='JSON');
    CREATE STREAM s2 (id INT KEY, a INT, d DOUBLE) WITH (kafka_topic='s2', value_format='JSON');
    CREATE TABLE t (id INT PRIMARY KEY, name STRING, fk INT) WITH (kafka_topic='t', value_format='JSON');
    CREATE TABLE t2 (tid INT PRIMARY KEY, v STRING) WITH (kafka_topic='t2', value_format='JSON');
    CREATE STREAM w (k STRING KEY, v INT) WITH (kafka_topic='w', value_format='JSON', window_type='tumbling', window_size='1 minute');
    CREATE STREAM timed (id INT KEY, a BIGINT) WITH (kafka_topic='timed', value_format='JSON', timestamp='a');
    CREATE TABLE agg AS SELECT a, COUNT(*) AS n FROM s GROUP BY a;
    CREATE TABLE wagg AS SELECT b, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 MINUTE) GROUP BY b;
";

fn catalog() -> Catalog {
    let mut catalog = Catalog::default();
    for located in parse(SOURCES, &mut Variables::default(), &Limits::STANDARD).unwrap() {
        let decision = decide(&session(&catalog, &Settings::default()), &located).unwrap_or_else(|error| panic!("{error}"));
        catalog.apply(&decision.effect);
    }
    catalog
}

fn session<'a>(catalog: &'a Catalog, settings: &'a Settings) -> Session<'a> {
    Session { catalog, topics: &OnePartition, schemas: &NoSchemas, settings, functions: Registry::builtin() }
}

fn decided(text: &str) -> Result<Decision> {
    decided_with(text, &[])
}

fn decided_with(text: &str, settings: &[(&str, &str)]) -> Result<Decision> {
    let catalog = catalog();
    let settings: Settings = settings.iter().map(|(name, value)| (name.to_string(), value.to_string())).collect();
    let mut found = parse(text, &mut Variables::default(), &Limits::STANDARD)?;
    decide(&session(&catalog, &settings), &found.remove(0))
}

fn started(text: &str) -> PersistentPlan {
    match decided(text).unwrap_or_else(|error| panic!("{text}\n{error}")).effect {
        Effect::StartQuery { plan, .. } => (*plan).clone(),
        other => panic!("{text} gave {other:?}"),
    }
}

fn pulled(text: &str) -> PullPlan {
    match decided(text).unwrap_or_else(|error| panic!("{text}\n{error}")).effect {
        Effect::Pull(plan) => plan,
        other => panic!("{text} gave {other:?}"),
    }
}

/// The steps from the sink down, by name, with the columns that leave each.
fn shape(step: &Step) -> String {
    let names: Vec<&str> = step.schema().columns().iter().map(|column| column.name.as_str()).collect();
    let name = match step {
        Step::Source(_) => "source",
        Step::Filter(_) => "filter",
        Step::Project(_) => "project",
        Step::PartitionBy(_) => "partition",
        Step::FlatMap(_) => "flatmap",
        Step::Aggregate(_) => "aggregate",
        Step::Join(_) => "join",
        Step::Suppress(_) => "suppress",
    };
    let below: Vec<String> = step.inputs().into_iter().map(shape).collect();
    let below = if below.is_empty() { String::new() } else { format!(" <- {}", below.join(" & ")) };
    format!("{name}[{}]{below}", names.join(" "))
}

#[test]
fn plans_have_the_steps_and_columns_that_are_needed() {
    let cases = [
        ("CREATE STREAM o AS SELECT id, a + 1 AS n FROM s WHERE b = 'x';", "project[ID N] <- filter[ID A B] <- source[ID A B]"),
        (
            "CREATE STREAM o AS SELECT * FROM s2 PARTITION BY a;",
            "project[A D ID] <- partition[A ID D] <- source[ID A D]",
        ),
        (
            "CREATE STREAM o AS SELECT id, EXPLODE(arr) AS e FROM s;",
            "project[ID E] <- flatmap[ID ARR KSQL_SYNTH_0] <- source[ID ARR]",
        ),
        (
            "CREATE TABLE o AS SELECT a, COUNT(*) AS n FROM s GROUP BY a HAVING SUM(id) > 3;",
            "project[A N] <- filter[A KSQL_AGG_VARIABLE_0 KSQL_AGG_VARIABLE_1] <- aggregate[A KSQL_AGG_VARIABLE_0 KSQL_AGG_VARIABLE_1] <- source[ID A ROWTIME]",
        ),
        (
            "CREATE TABLE o AS SELECT b, WINDOWSTART AS ws, MAX(a) AS m FROM s WINDOW TUMBLING (SIZE 1 HOUR) GROUP BY b EMIT FINAL;",
            "project[B WS M] <- suppress[B KSQL_AGG_VARIABLE_0 WINDOWSTART WINDOWEND] <- aggregate[B KSQL_AGG_VARIABLE_0 WINDOWSTART WINDOWEND] <- source[ID A B]",
        ),
        (
            "CREATE STREAM o AS SELECT s.id, s.b, t.name FROM s JOIN t ON s.a = t.id;",
            "project[T_ID S_ID B NAME]",
        ),
    ];
    for (text, expected) in cases {
        if expected.starts_with("project[T_ID") {
            // The key T.ID is not selected here: that is refused.
            assert!(decided(text).unwrap_err().message.contains("must include the join expressions S.A or T.ID"));
            continue;
        }
        assert_eq!(shape(&started(text).root), expected, "{text}");
    }
}

#[test]
fn a_joins_sides_meet_on_its_key() {
    let plan = started("CREATE STREAM o AS SELECT s.a, s.b, name FROM s LEFT JOIN t ON s.a = t.id;");
    let Step::Project(project) = &plan.root else { panic!("{:?}", plan.root) };
    let Step::Join(join) = &*project.input else { panic!("{:?}", project.input) };
    assert_eq!(join.form, JoinForm::StreamTable);
    assert_eq!(join.columns[0], JoinColumn::Key(0));
    assert!(matches!(&join.left, Step::PartitionBy(partition) if partition.internal));
    assert!(matches!(&join.right, Step::Source(_)));
    assert_eq!(plan.sink.source.schema.to_string(), "`A` INTEGER KEY, `B` STRING, `NAME` STRING");
}

#[test]
fn a_key_that_is_joined_on_is_not_moved() {
    let plan = started("CREATE STREAM o AS SELECT s.id, s.b, d FROM s JOIN s2 WITHIN 1 HOUR GRACE PERIOD 1 MINUTE ON s.id = s2.id;");
    assert_eq!(shape(&plan.root), "project[S_ID B D] <- join[ROWKEY S_B S2_D] <- source[S_ID S_B] & source[S2_ID S2_D]");
}

#[test]
fn inserted_rows_keep_their_time() {
    let plan = started("INSERT INTO timed SELECT id, CAST(a AS BIGINT) AS a FROM s;");
    assert_eq!(plan.sink.source.timestamp, None);
    assert!(started("CREATE STREAM o WITH (timestamp='a') AS SELECT * FROM timed;").sink.source.timestamp.is_some());
}

#[test]
fn a_foreign_key_join_keeps_the_left_key() {
    let plan = started("CREATE TABLE o AS SELECT id, name, v FROM t LEFT JOIN t2 ON fk = tid;");
    let Step::Project(project) = &plan.root else { panic!("{:?}", plan.root) };
    let Step::Join(join) = &*project.input else { panic!("{:?}", project.input) };
    assert!(matches!(&join.form, JoinForm::ForeignKey { reference } if *reference == Expression::column("T_FK")));
    assert_eq!(plan.root.kind(), SourceKind::Table);
}

#[test]
fn sources_say_where_their_columns_come_from() {
    let plan = started("CREATE STREAM o AS SELECT k, v, ROWTIME AS t, WINDOWEND AS e FROM w;");
    let sources = plan.root.sources();
    let expected = [SourceColumn::Declared(0), SourceColumn::Declared(1), SourceColumn::RowTime, SourceColumn::WindowEnd];
    assert_eq!(sources[0].columns, expected);
    assert_eq!(plan.sink.source.window, sources[0].source.window);
}

#[test]
fn pull_queries_look_keys_up() {
    let keys = |text: &str| match pulled(text).access {
        Access::Keys(keys) => keys,
        other => panic!("{text}: {other:?}"),
    };
    assert_eq!(keys("SELECT * FROM agg WHERE a = 1;")[0].key, [Expression::Integer(1)]);
    assert_eq!(keys("SELECT * FROM agg WHERE a IN (1, 2, 1);").len(), 2);
    assert_eq!(keys("SELECT * FROM agg WHERE (a = 1 OR a = 2) AND n > 3;").len(), 2);
    let bounded = keys("SELECT * FROM wagg WHERE b = 'x' AND WINDOWSTART >= 10 AND 20 > WINDOWEND;");
    assert_eq!((bounded[0].window.start.low, bounded[0].window.end.high), (Some(10), Some(19)));
    assert_eq!(pulled("SELECT * FROM agg WHERE n = 1;").access, Access::Scan);
    assert_eq!(pulled("SELECT * FROM s WHERE id = 1;").access, Access::Scan);
    assert!(matches!(pulled("SELECT * FROM agg WHERE ROWKEY = 1;").access, Access::Keys(_)));
}

#[test]
fn pull_queries_can_be_switched_off() {
    let cases = [
        (Settings::PULL, "SELECT * FROM agg;", "Pull queries are disabled. See https://cnfl.io/queries"),
        (Settings::PULL_STREAM, "SELECT * FROM s;", "Pull queries on streams are disabled. To create a push query on the stream, add EMIT CHANGES to the end."),
        (Settings::PULL_LIMIT, "SELECT * FROM agg LIMIT 1;", "LIMIT clause in pull queries is currently disabled."),
        (Settings::TABLE_SCAN, "SELECT * FROM agg;", "Query requires table scan to be enabled."),
    ];
    for (setting, text, expected) in cases {
        let message = decided_with(text, &[(setting, "false")]).unwrap_err().message;
        assert!(message.starts_with(expected), "{message}");
        pulled(text);
    }
    decided_with("SELECT * FROM agg;", &[(Settings::PULL_STREAM, "false")]).unwrap();
}

#[test]
fn without_scans_nothing_but_comparisons_stands_beside_the_key() {
    let refused = [
        ("b = 'x' AND WINDOWSTART != 10", "Unsupported `WINDOWSTART` bounds: NOT_EQUAL. See https://cnfl.io/queries"),
        ("WINDOWEND IS DISTINCT FROM 10 AND b = 'x'", "Unsupported `WINDOWEND` bounds: IS_DISTINCT_FROM. "),
        ("b = 'x' AND b LIKE 'x%'", "Like condition must be between strings. "),
        ("b = 'x' AND n IS NOT NULL", "Unsupported expression in WHERE clause: (N IS NOT NULL). "),
        ("b = 'x' AND NOT n = 3", "Unsupported expression in WHERE clause: (NOT (N = 3)). "),
        ("b = 'x' AND n + 1 = 3", "A comparison must directly reference a key column. "),
        ("b = b", "A comparison must be between a key column and a resolvable expression. "),
        ("n = 3", "WHERE clause missing key column for disjunct: (N = 3). "),
    ];
    for (condition, expected) in refused {
        let text = format!("SELECT * FROM wagg WHERE {condition};");
        let message = decided_with(&text, &[(Settings::TABLE_SCAN, "false")]).unwrap_err().message;
        assert!(message.starts_with(expected), "{condition}: {message}");
        assert!(message.contains("\n - (optionally) limits the time bounds of the windowed table."), "{message}");
        // Where scans may be, the same question has an answer.
        pulled(&text);
    }
    for condition in ["b = 'x' AND WINDOWSTART > 10 AND n > 3", "b IN ('x', 'y') AND ROWTIME < 5"] {
        decided_with(&format!("SELECT * FROM wagg WHERE {condition};"), &[(Settings::TABLE_SCAN, "false")]).unwrap();
    }
    // What else is asked of a key's row is a filter, not a reason to read all rows.
    assert!(matches!(pulled("SELECT * FROM wagg WHERE b = 'x' AND NOT n = 3;").access, Access::Keys(_)));
}

#[test]
fn refusals_have_ksqldbs_words() {
    let cases = [
        ("SELECT nope FROM s EMIT CHANGES;", "Line: 1, Col: 8: SELECT column 'NOPE' cannot be resolved."),
        ("SELECT x.* FROM s EMIT CHANGES;", "'X' is not a valid stream/table name or alias."),
        ("SELECT * FROM missing EMIT CHANGES;", "MISSING does not exist."),
        ("CREATE STREAM o AS SELECT a FROM s;", "must include the key column ID in its projection (eg, SELECT ID...)."),
        ("CREATE TABLE o AS SELECT id, a FROM s;", "Please use CREATE STREAM AS SELECT statement instead."),
        ("CREATE STREAM o AS SELECT id, COUNT(*) FROM s GROUP BY id;", "Please use CREATE TABLE AS SELECT statement instead."),
        ("CREATE TABLE o AS SELECT a, b, COUNT(*) FROM s GROUP BY a;", "Non-aggregate SELECT expression(s) not part of GROUP BY: B\n"),
        ("CREATE TABLE o AS SELECT a, SUM(COUNT(*)) FROM s GROUP BY a;", "Aggregate functions can not be nested: SUM(COUNT())"),
        ("CREATE TABLE o AS SELECT name, MAX(fk) FROM t GROUP BY name;", "(MAX) cannot be applied to a table source, only to a stream source."),
        ("CREATE STREAM o AS SELECT s.id, a FROM s JOIN s2 ON s.id = s2.id;", "Column 'A' is ambiguous. Could be S.A or S2.A."),
        ("CREATE STREAM o AS SELECT s.id FROM s JOIN s2 ON s.id = s2.id;", "Stream-Stream joins must have a WITHIN clause specified."),
        ("CREATE STREAM o AS SELECT t.id FROM t JOIN s ON s.id = t.id;", "table-stream joins are not supported; only stream-table joins. Got T [INNER] JOIN S."),
        ("CREATE STREAM o AS SELECT s.id FROM s FULL JOIN t ON s.id = t.id;", "full-outer join not supported for stream-table join. Got S [FULL] OUTER JOIN T."),
        ("CREATE STREAM o AS SELECT id, a FROM s WINDOW TUMBLING (SIZE 1 DAY);", "WINDOW clause requires a GROUP BY clause."),
        ("CREATE STREAM o AS SELECT id, ROWTIME FROM s;", "Reserved column name in select: `ROWTIME`. Please remove or alias the column."),
        ("CREATE STREAM o AS SELECT id, a, a FROM s;", "Duplicate value columns found in schema: `A` INTEGER"),
        ("CREATE STREAM o AS SELECT id, a FROM s WHERE EXPLODE(arr) > 1;", "WHERE does not support table functions"),
        ("CREATE STREAM o AS SELECT id, CASE WHEN a = 1 THEN EXPLODE(arr) END FROM s;", "Table functions cannot be used in CASE: EXPLODE"),
        ("SELECT * FROM t;", "The `T` table isn't queryable."),
        ("SELECT * FROM agg WHERE a = NULL;", "Comparison with NULL not supported: INTEGER = NULL"),
        ("INSERT INTO s VALUES (1, 2);", "Expected a value for each column."),
        ("INSERT INTO t (name) VALUES ('x');", "Value for primary key column(s) ID is required for tables"),
        ("INSERT INTO s SELECT * FROM s2;", "Incompatible schema between results and sink."),
        ("DROP STREAM s;", "The following streams and/or tables read from this source: [AGG, WAGG]."),
        ("DROP TABLE s;", "Incompatible data source type is STREAM, but statement was DROP TABLE"),
        ("TERMINATE nope;", "Unknown queryId: nope"),
        ("INSERT INTO w SELECT b AS k, a AS v FROM s PARTITION BY b;", "Result is not windowed\nSink `W` is TUMBLING windowed"),
        ("INSERT INTO s2 (id, a, a) VALUES (1, 2, 3);", "Failed to insert values into 'S2'. Column `A` is given more than once."),
        (
            "CREATE TABLE o AS SELECT * FROM t FULL JOIN t2 ON t.id = t2.tid JOIN agg ON t.id = agg.a;",
            "Cannot repartition a TABLE source. If this is a join, make sure that the criteria uses the TABLE's key column ROWKEY instead of [T_ID]",
        ),
        ("SELECT *, id FROM s EMIT CHANGES;", "Duplicate value columns found in schema: `ID` INTEGER\n"),
        ("SELECT SUM(n) FROM agg;", "Pull queries don't support aggregate functions. See https://cnfl.io/queries"),
        ("SELECT a, a FROM agg;", "Duplicate key columns found in schema: `A` INTEGER KEY\n"),
        ("CREATE TABLE o AS SELECT a, COUNT(*) FROM s GROUP BY a, a;", "Duplicate key columns found in schema: `A` INTEGER KEY"),
        ("CREATE STREAM o AS SELECT a, id FROM s PARTITION BY a, a;", "Duplicate key columns found in schema: `A` INTEGER KEY"),
        ("INSERT INTO s SELECT * FROM t;", "Data sink (S) type is KSTREAM but select query result is KTABLE."),
        ("CREATE STREAM z (a INT);", "Missing required property \"KAFKA_TOPIC\" which has no default value."),
        (
            "CREATE STREAM z (a STRING) WITH (kafka_topic='s', value_format='JSON', timestamp='a', timestamp_format='bogus');",
            "Invalid datetime format for config:TIMESTAMP_FORMAT, reason:Unknown pattern letter: b",
        ),
        (
            "CREATE STREAM z (a INT) WITH (kafka_topic='s', value_format='JSON', retention_ms='x');",
            "Invalid value x for configuration RETENTION_MS: Not a number of type LONG",
        ),
        ("CREATE SOURCE CONNECTOR c WITH ('a'='b');", "CREATE CONNECTOR is not supported by this server."),
    ];
    for (text, expected) in cases {
        match decided(text) {
            Ok(decision) => panic!("{text} was accepted: {decision:?}"),
            Err(error) => assert!(error.to_string().contains(expected), "{text}\n{error}"),
        }
    }
}

#[test]
fn inserted_constants_take_their_columns_types() {
    let row = |text: &str| match decided(text).unwrap().effect {
        Effect::InsertValues(insert) => insert.row(Registry::builtin(), &EvalContext::new(0, 0)),
        other => panic!("{other:?}"),
    };
    let found = row("INSERT INTO s2 (d, id, ROWTIME) VALUES (1, 2 + 3, '1970-01-01T00:00:01');").unwrap();
    assert_eq!(found.key, [Value::Int(5)]);
    assert_eq!(found.value, [Value::Null, Value::Double(1.0)]);
    assert_eq!(found.timestamp_ms, Some(1000));
    let error = row("INSERT INTO s2 (id, a) VALUES (1, ARRAY[1]);").unwrap_err();
    assert_eq!(error.message, "Failed to insert values into 'S2'. Expected type INTEGER for field `A` but got ARRAY<INTEGER>(ARRAY[1]).");
}

#[test]
fn plans_explain_themselves() {
    let plan = started("CREATE TABLE o AS SELECT b, COUNT(*) AS n FROM s WINDOW TUMBLING (SIZE 1 MINUTE, GRACE PERIOD 0 SECONDS) WHERE a > 1 GROUP BY b;");
    let expected = "\
> PROJECT B, KSQL_AGG_VARIABLE_0 | `B` STRING KEY, `N` BIGINT
  > AGGREGATE STREAM COUNT(ROWTIME) GROUP BY B WINDOW TUMBLING (SIZE 60000 MILLISECONDS, GRACE PERIOD 0 MILLISECONDS) (repartitioned) | `B` STRING KEY, `KSQL_AGG_VARIABLE_0` BIGINT, `WINDOWSTART` BIGINT, `WINDOWEND` BIGINT
    > FILTER (A > 1) | `ID` INTEGER KEY, `A` INTEGER, `B` STRING, `ROWTIME` BIGINT
      > SOURCE STREAM S ON TOPIC s | `ID` INTEGER KEY, `A` INTEGER, `B` STRING, `ROWTIME` BIGINT
";
    assert_eq!(plan.root.to_string(), expected);
    assert_eq!(plan.root.repartitions(), 1);
}

#[test]
fn sizes_are_bounded_by_named_settings() {
    let wide = format!("SELECT {} FROM s EMIT CHANGES;", vec!["a"; COLUMNS_MAX + 1].join(", "));
    assert!(decided(&wide).unwrap_err().message.contains(COLUMNS_CONFIG));
    let long = format!("SELECT * FROM s {} EMIT CHANGES;", "JOIN t ON s.id = t.id ".repeat(JOINS_MAX + 1));
    assert!(decided(&long).unwrap_err().message.contains(JOINS_CONFIG));
    let columns: Vec<String> = (0..=COLUMNS_MAX).map(|number| format!("c{number} INT")).collect();
    let create = format!("CREATE STREAM z ({}) WITH (kafka_topic='z', value_format='JSON');", columns.join(", "));
    assert!(decided(&create).unwrap_err().message.contains(COLUMNS_CONFIG));
}

/// The deepest trees that the parser lets through must not exhaust the stack of whoever plans them.
#[test]
fn what_the_parser_allows_can_be_planned() {
    let chain = format!("SELECT {} AS x FROM s EMIT CHANGES;", vec!["a"; 155].join(" + "));
    let nested = format!("SELECT {}a{} AS x FROM s EMIT CHANGES;", "ABS(".repeat(50), ")".repeat(50));
    let cases = format!("SELECT {}a{} AS x FROM s EMIT CHANGES;", "CASE WHEN a = 1 THEN ".repeat(50), " END".repeat(50));
    let arrays = format!("SELECT {}a{} AS x FROM s EMIT CHANGES;", "ARRAY[".repeat(50), "]".repeat(50));
    for text in [chain, nested, cases, arrays] {
        decided(&text).unwrap_or_else(|error| panic!("{}: {error}", &text[..40]));
    }
    let long = format!("SELECT * FROM s WHERE a IN ({}) EMIT CHANGES;", (0..5_000).map(|n| n.to_string()).collect::<Vec<_>>().join(", "));
    decided(&long).unwrap();
}

#[test]
fn planning_is_a_function_of_its_inputs() {
    let text = "CREATE TABLE o AS SELECT a, TOPK(b, 3), COUNT(*) FROM s GROUP BY a HAVING COUNT(*) > 1;";
    assert_eq!(started(text), started(text));
}

/// Pieces that make statements over the sources above, sensible ones among them.
fn piece() -> impl Strategy<Value = &'static str> {
    prop::sample::select(vec![
        "SELECT", "*", "id", "a", "b", "s.id", "s2.a", "t.name", "COUNT(*)", "SUM(a)", "EXPLODE(arr)", "c->x", "ROWTIME", "WINDOWSTART", "1", "'x'", "NULL",
        ",", "FROM s", "FROM t", "FROM w", "FROM agg", "JOIN t ON s.id = t.id", "JOIN s2 WITHIN 1 HOUR ON s.id = s2.id", "LEFT JOIN t2 ON t.fk = t2.tid",
        "WHERE a > 1", "WHERE", "a = 1", "AND", "OR", "NOT", "GROUP BY a", "GROUP BY", "PARTITION BY a", "PARTITION BY NULL", "HAVING COUNT(*) > 1",
        "WINDOW TUMBLING (SIZE 1 HOUR)", "EMIT CHANGES", "EMIT FINAL", "LIMIT 3", "CREATE STREAM o AS", "CREATE TABLE o AS", "INSERT INTO s", "AS n",
        "TRANSFORM(arr, x => x + a)", "CASE WHEN a = 1 THEN b END", "CAST(a AS STRING)", "arr[1]", "c->*",
    ])
}

proptest! {
    #[test]
    fn no_statement_panics(pieces in prop::collection::vec(piece(), 1..14)) {
        let text = pieces.join(" ") + ";";
        let _ = decided(&text);
    }

    #[test]
    fn whole_queries_do_not_panic(
        head in prop::sample::select(vec!["CREATE STREAM o AS SELECT", "CREATE TABLE o AS SELECT", "SELECT", "INSERT INTO s SELECT"]),
        items in prop::collection::vec(piece(), 1..4),
        from in prop::sample::select(vec!["FROM s", "FROM t", "FROM w", "FROM s JOIN t ON s.id = t.id", "FROM t JOIN t2 ON fk = tid"]),
        tail in prop::collection::vec(piece(), 0..4),
    ) {
        let text = format!("{head} {} {from} {};", items.join(", "), tail.join(" "));
        if let Ok(Decision { effect: Effect::StartQuery { plan, .. }, .. }) = decided(&text) {
            // What is planned type-checks at its root: the sink has the root's columns.
            let names = |schema: &crate::schema::Schema| schema.columns().iter().map(|column| column.name.clone()).collect::<Vec<_>>();
            prop_assert_eq!(names(plan.root.schema()), names(&plan.sink.source.schema));
        }
    }
}
