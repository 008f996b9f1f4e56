use std::collections::BTreeMap;

use super::*;
use crate::functions::Registry;
use crate::parser::{Limits, Variables, parse};

/// The topics that exist.
#[derive(Default)]
struct Known(BTreeMap<String, i32>);

impl Topics for Known {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.get(topic).copied()
    }
}

/// The same, of a decision that was made before.
struct KnownThen<'a>(&'a Known);

impl Topics for KnownThen<'_> {
    fn partitions(&self, topic: &str) -> Option<i32> {
        self.0.partitions(topic)
    }

    fn as_then(&self) -> bool {
        true
    }
}

#[derive(Default)]
struct World {
    catalog: Catalog,
    topics: Known,
    settings: Settings,
}

impl World {
    /// Runs a text; topics are made as the decisions ask.
    fn run(&mut self, text: &str) -> Result<Vec<Effect>> {
        let mut effects = Vec::new();
        for located in parse(text, &mut Variables::default(), &Limits::STANDARD)? {
            let functions = Registry::builtin();
            let (catalog, topics, settings) = (&self.catalog, &self.topics, &self.settings);
            let effect = decide(&Session { catalog, topics, schemas: &NoSchemas, settings, functions }, &located)?.effect;
            if let Effect::CreateSource { topic: Some(topic), .. } | Effect::StartQuery { topic: Some(topic), .. } = &effect {
                self.topics.0.insert(topic.name.clone(), topic.partitions.unwrap_or(1));
            }
            self.catalog.apply(&effect);
            effects.push(effect);
        }
        Ok(effects)
    }

    fn refused(&mut self, text: &str) -> String {
        match self.run(text) {
            Ok(effects) => panic!("{text} was accepted: {effects:?}"),
            Err(error) => error.to_string(),
        }
    }
}

fn world(text: &str) -> World {
    let mut world = World::default();
    world.run(text).unwrap_or_else(|error| panic!("{error}"));
    world
}

const STREAM: &str = "CREATE STREAM a (id INT KEY, v INT) WITH (kafka_topic='a', value_format='JSON', partitions=3);";

#[test]
fn a_topic_is_made_when_partitions_are_given() {
    let mut made = world(STREAM);
    assert_eq!(made.topics.partitions("a"), Some(3));
    let text = "CREATE STREAM b (id INT KEY, v INT) WITH (kafka_topic='nope', value_format='JSON');";
    assert!(made.refused(text).contains("Topic 'nope' does not exist."));
    let text = "CREATE STREAM b (id INT KEY, v INT) WITH (kafka_topic='a', value_format='JSON', partitions=4);";
    assert!(made.refused(text).contains("KSQL expects 4 partitions (topic has 3)"));
}

#[test]
fn a_sink_inherits_and_overrides() {
    let made = world(&format!("{STREAM} CREATE STREAM b AS SELECT * FROM a; CREATE STREAM c WITH (format='DELIMITED', value_delimiter='|') AS SELECT * FROM a;"));
    let source = |name: &str| made.catalog.source(&Name::new(name)).unwrap().clone();
    assert_eq!(made.topics.partitions("B"), Some(3));
    assert_eq!((source("B").key_format.format.name(), source("B").value_format.format.name()), ("KAFKA", "JSON"));
    assert_eq!((source("C").key_format.format.name(), source("C").value_format.delimiter()), ("DELIMITED", '|'));
    assert_eq!(source("B").created_by.as_ref().map(ToString::to_string).as_deref(), Some("CSAS_B_0"));
}

#[test]
fn a_source_in_use_stays_and_its_own_query_goes_with_it() {
    let mut made = world(&format!("{STREAM} CREATE STREAM b AS SELECT * FROM a;"));
    assert!(made.refused("DROP STREAM a;").contains("read from this source: [B]"));
    let effects = made.run("DROP STREAM b DELETE TOPIC; DROP STREAM a; DROP STREAM IF EXISTS a;").unwrap();
    assert!(matches!(&effects[0], Effect::DropSource { delete_topic: Some(topic), terminates, .. } if topic == "B" && terminates.len() == 1));
    assert!(matches!(effects[2], Effect::Nothing { .. }));
    assert_eq!((made.catalog.sources().count(), made.catalog.queries().count()), (0, 0));
}

#[test]
fn names_of_queries_are_never_used_twice() {
    let mut made = world(&format!("{STREAM} CREATE STREAM b AS SELECT * FROM a; DROP STREAM b;"));
    made.run("CREATE STREAM b AS SELECT * FROM a; INSERT INTO b SELECT * FROM a;").unwrap();
    let ids: Vec<String> = made.catalog.queries().map(|query| query.plan.id.to_string()).collect();
    assert_eq!(ids, ["CSAS_B_1", "INSERTQUERY_2"]);
}

#[test]
fn a_replacement_keeps_its_querys_name() {
    let mut made = world(&format!("{STREAM} CREATE STREAM b AS SELECT id, v FROM a;"));
    let effects = made.run("CREATE OR REPLACE STREAM b AS SELECT id, v, v + 1 AS w FROM a WHERE v > 0;").unwrap();
    assert!(matches!(&effects[0], Effect::StartQuery { plan, replaces: Some(old), .. } if plan.id == *old));
    assert_eq!(made.catalog.queries().count(), 1);
    assert!(made.refused("CREATE OR REPLACE STREAM b AS SELECT id, v FROM a;").contains("[`W` INTEGER]"));
    made.settings.set(Settings::OR_REPLACE, "false");
    assert!(made.refused("CREATE OR REPLACE STREAM b AS SELECT id, v FROM a;").contains("already exists"));
}

#[test]
fn types_are_replaced_when_they_are_used() {
    let mut made = world("CREATE TYPE p AS STRUCT<x INT, y INT>; CREATE TYPE q AS ARRAY<p>;");
    made.run("CREATE STREAM s (id INT KEY, path q) WITH (kafka_topic='s', value_format='JSON', partitions=1);").unwrap();
    let schema = made.catalog.source(&Name::new("S")).unwrap().schema.to_string();
    assert_eq!(schema, "`ID` INTEGER KEY, `PATH` ARRAY<STRUCT<`X` INTEGER, `Y` INTEGER>>");
    made.run("DROP TYPE p; CREATE STREAM o AS SELECT id, CAST(NULL AS q) AS n FROM s;").unwrap();
    let text = "CREATE STREAM z (v nope) WITH (kafka_topic='s', value_format='JSON');";
    assert!(made.refused(text).contains("Cannot resolve unknown type: NOPE"));
}

#[test]
fn queries_and_statements_are_explained() {
    let made = world(&format!("{STREAM} CREATE TABLE b AS SELECT v, COUNT(*) AS n FROM a GROUP BY v;"));
    let functions = Registry::builtin();
    let session = Session { catalog: &made.catalog, topics: &made.topics, schemas: &NoSchemas, settings: &made.settings, functions };
    let running = session.explain(Some("ctas_b_0"), None).unwrap();
    assert_eq!((running.repartitions, running.sources.as_slice(), running.sink), (1, [Name::new("A")].as_slice(), Some(Name::new("B"))));
    let located = parse("SELECT * FROM b WHERE v = 1;", &mut Variables::default(), &Limits::STANDARD).unwrap().remove(0);
    let planned = session.explain(None, Some(&located.statement)).unwrap();
    assert!(planned.plan.starts_with("> PROJECT V, N"), "{}", planned.plan);
    assert!(session.explain(Some("nope"), None).unwrap_err().message.contains("does not exist"));
}

#[test]
fn types_that_build_on_each_other_stay_bounded() {
    let mut made = world("CREATE TYPE t0 AS STRUCT<a INT, b INT>;");
    let doubled = (1..40).map(|n| format!("CREATE TYPE t{n} AS STRUCT<a t{}, b t{}>;", n - 1, n - 1)).collect::<String>();
    assert!(made.refused(&doubled).contains("views.sql.type.parts.max"));
    let mut made = world("CREATE TYPE t0 AS ARRAY<INT>;");
    let nested = (1..100).map(|n| format!("CREATE TYPE t{n} AS ARRAY<t{}>;", n - 1)).collect::<String>();
    assert!(made.refused(&nested).contains("views.sql.type.depth.max"));
}

#[test]
fn pausing_and_ending_queries() {
    let mut made = world(&format!("{STREAM} CREATE STREAM b AS SELECT * FROM a;"));
    made.run("PAUSE csas_b_0;").unwrap();
    assert!(made.catalog.queries().all(|query| query.paused));
    made.run("RESUME ALL; TERMINATE CSAS_B_0;").unwrap();
    assert_eq!(made.catalog.queries().count(), 0);
    assert!(made.catalog.source(&Name::new("B")).is_some());
}

#[test]
fn the_old_dialect_where_it_is_clear() {
    let mut made = world("CREATE TABLE t (ROWKEY BIGINT KEY, v INT) WITH (kafka_topic='t', value_format='JSON', partitions=1);");
    made.run("CREATE TABLE u AS SELECT * FROM t;").unwrap();
    made.run("CREATE STREAM s (id INT, v INT) WITH (kafka_topic='s', value_format='JSON', partitions=1, key='id');").unwrap();
    made.run("CREATE STREAM o AS SELECT * FROM s; CREATE TABLE n AS SELECT COUNT(*) AS n FROM s GROUP BY id;").unwrap();
    let schema = |name: &str| made.catalog.source(&Name::new(name)).unwrap().schema.to_string();
    assert_eq!(schema("O"), "`ROWKEY` STRING KEY, `ID` INTEGER, `V` INTEGER");
    assert_eq!(schema("N"), "`ID` INTEGER KEY, `N` BIGINT");
    let text = "CREATE TABLE x (id BIGINT KEY, v INT) WITH (kafka_topic='t', value_format='JSON');";
    assert!(made.refused(text).contains("please use 'PRIMARY KEY' for tables"));
}

#[test]
fn one_text_key_for_several_expressions_when_asked_for() {
    let mut made = world(STREAM);
    let text = "CREATE TABLE b AS SELECT id, v, COUNT(*) AS n FROM a GROUP BY id, v HAVING id > 1;";
    assert!(made.refused(text).contains("The 'KAFKA' format only supports a single field."));
    made.settings.set(Settings::LEGACY_GROUP_KEY, "true");
    made.run(text).unwrap();
    let schema = made.catalog.source(&Name::new("B")).unwrap().schema.to_string();
    assert_eq!(schema, "`ROWKEY` STRING KEY, `ID` INTEGER, `V` INTEGER, `N` BIGINT");
}

#[test]
fn with_clauses_are_checked() {
    let create = |with: &str| format!("CREATE STREAM s (id INT KEY, v INT) WITH ({with});");
    let cases = [
        ("value_format='JSON', partitions=1", "Missing required property \"KAFKA_TOPIC\""),
        ("kafka_topic='s', partitions=1", "Statement is missing the 'VALUE_FORMAT' property from the WITH clause."),
        ("kafka_topic='s', format='JSON', key_format='KAFKA'", "Cannot supply both 'KEY_FORMAT' and 'FORMAT' properties"),
        ("kafka_topic='s', format='JSON', nonsense=1", "Invalid config variable(s) in the WITH clause: NONSENSE"),
        ("kafka_topic='s', format='FOO'", "Unknown format: FOO"),
        ("kafka_topic='s', format='JSON', partitions=0", "Value must be at least 1"),
        ("kafka_topic='s', format='JSON', window_type='TUMBLING'", "TUMBLING windows require 'WINDOW_SIZE'"),
        ("kafka_topic='s', format='DELIMITED', value_delimiter='ab'", "Delimiter must be a single character or TAB,SPACE"),
        ("kafka_topic='s', format='JSON', partitions=1, timestamp='nope'", "does not exist in the schema: 'NOPE'"),
        ("kafka_topic='s', format='JSON', partitions=1, wrap_single_value='maybe'", "Expected value to be either true or false"),
        ("kafka_topic='s', format='KAFKA', partitions=1, wrap_single_value=true", "Format 'KAFKA' does not support 'WRAP_SINGLE_VALUE' set to 'true'."),
    ];
    for (with, expected) in cases {
        let error = World::default().refused(&create(with));
        assert!(error.contains(expected), "{with}\n{error}");
    }
}

#[test]
fn a_replacement_that_is_refused_says_what_changed_as_ksqldb_does() {
    let mut made = world(STREAM);
    made.run("CREATE STREAM c (id INT KEY, v INT) WITH (kafka_topic='c', value_format='JSON', partitions=3);").unwrap();
    made.run("CREATE STREAM b AS SELECT id, v FROM a;").unwrap();
    let other_source = made.refused("CREATE OR REPLACE STREAM b AS SELECT id, v FROM c;");
    assert!(
        other_source.contains("Query is not upgradeable. Plan step of type StreamSource must have matching topicName. Values differ: a vs. c"),
        "{other_source}"
    );
    let other_format = made.refused("CREATE OR REPLACE STREAM a (id INT KEY, v INT) WITH (kafka_topic='a', value_format='DELIMITED');");
    assert!(
        other_format.contains(
            "DataSource '`A`' has topic = KsqlTopic{kafkaTopicName='a', keyFormat=KeyFormat{format=FormatInfo{format=KAFKA, \
             properties={}}, features=[], window=Optional.empty}, valueFormat=ValueFormat{format=FormatInfo{format=JSON, \
             properties={}}, features=[]}} which is not upgradeable to KsqlTopic{"
        ),
        "{other_format}"
    );
    made.run("CREATE TABLE d AS SELECT v, COUNT(*) AS n FROM a GROUP BY v;").unwrap();
    let more_calls = made.refused("CREATE OR REPLACE TABLE d AS SELECT v, COUNT(*) AS n, SUM(v) AS s FROM a GROUP BY v;");
    assert!(more_calls.contains("Values differ: [COUNT(ROWTIME)] vs. [COUNT(ROWTIME), SUM(V)]"), "{more_calls}");
}

#[test]
fn what_a_source_was_made_from_stays_after_its_query_has_ended() {
    let mut made = world(&format!("{STREAM} CREATE STREAM b AS SELECT * FROM a; TERMINATE csas_b_0;"));
    let name = Name::new("A");
    assert_eq!(made.catalog.made_of(&name).map(Name::as_str).collect::<Vec<_>>(), ["B"]);
    assert!(made.refused("DROP STREAM a;").contains("read from this source: [B].\nYou need to drop them before dropping A."));
    // A list of commands may hold it from before that was refused.
    let located = parse("DROP STREAM a;", &mut Variables::default(), &Limits::STANDARD).unwrap().remove(0);
    let topics = KnownThen(&made.topics);
    let session =
        Session { catalog: &made.catalog, topics: &topics, schemas: &NoSchemas, settings: &made.settings, functions: Registry::builtin() };
    assert!(decide(&session, &located).is_ok());
    made.run("DROP STREAM b; DROP STREAM a;").unwrap();
    assert_eq!(made.catalog.made_of(&name).count(), 0);
    // INSERT INTO queries are named before the sources that others made.
    made.run(&format!("{STREAM} CREATE STREAM b AS SELECT * FROM a; CREATE STREAM c AS SELECT * FROM a; INSERT INTO c SELECT * FROM a;")).unwrap();
    let said = made.refused("DROP STREAM a;");
    assert!(said.contains("queries read from this source: [INSERTQUERY_3].\nThe following queries write into this source: []."), "{said}");
}
