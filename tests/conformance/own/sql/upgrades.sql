--@test: a projection gains a column, which readers of the old one do not see
CREATE STREAM a (id INT KEY, c1 INT, c2 INT) WITH (kafka_topic='a', value_format='JSON');
CREATE STREAM b AS SELECT id, c1 FROM a;
CREATE STREAM d AS SELECT * FROM b;
INSERT INTO a (rowtime, id, c1, c2) VALUES (1, 1, 2, 3);
CREATE OR REPLACE STREAM b AS SELECT id, c1, c2 FROM a;
INSERT INTO a (rowtime, id, c1, c2) VALUES (2, 1, 4, 5);
ASSERT VALUES b (rowtime, id, c1) VALUES (1, 1, 2);
ASSERT VALUES b (rowtime, id, c1, c2) VALUES (2, 1, 4, 5);
ASSERT VALUES d (rowtime, id, c1) VALUES (1, 1, 2);
ASSERT VALUES d (rowtime, id, c1) VALUES (2, 1, 4);
ASSERT STREAM d (id INT KEY, c1 INT) WITH (kafka_topic='D', value_format='JSON');

--@test: a filter comes and goes, and the count goes on
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='a', value_format='JSON');
CREATE TABLE b AS SELECT id, COUNT(c1) AS n FROM a GROUP BY id;
INSERT INTO a (rowtime, id, c1) VALUES (1, 1, 2);
ASSERT VALUES b (rowtime, id, n) VALUES (1, 1, 1);
CREATE OR REPLACE TABLE b AS SELECT id, COUNT(c1) AS n FROM a WHERE c1 > 2 GROUP BY id;
INSERT INTO a (rowtime, id, c1) VALUES (2, 1, 2);
INSERT INTO a (rowtime, id, c1) VALUES (3, 1, 3);
ASSERT VALUES b (rowtime, id, n) VALUES (3, 1, 2);
CREATE OR REPLACE TABLE b AS SELECT id, COUNT(c1) AS n FROM a GROUP BY id;
INSERT INTO a (rowtime, id, c1) VALUES (4, 1, 0);
ASSERT VALUES b (rowtime, id, n) VALUES (4, 1, 3);

--@test: a table's row that leaves the new filter is a tombstone
CREATE TABLE t (id INT PRIMARY KEY, v INT) WITH (kafka_topic='t', value_format='JSON');
CREATE TABLE b AS SELECT id, v FROM t WHERE v > 1;
INSERT INTO t (rowtime, id, v) VALUES (1, 1, 2);
INSERT INTO t (rowtime, id, v) VALUES (2, 1, 1);
ASSERT VALUES b (rowtime, id, v) VALUES (1, 1, 2);
ASSERT NULL VALUES b (id) KEY (1);

--@test: another source
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: StreamSource must have matching topicName. Values differ: a vs. c
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='a', value_format='JSON');
CREATE STREAM c (id INT KEY, c1 INT) WITH (kafka_topic='c', value_format='JSON');
CREATE STREAM b AS SELECT id, c1 FROM a;
CREATE OR REPLACE STREAM b AS SELECT id, c1 FROM c;

--@test: another key format
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: DataSource '`B`' has topic = KsqlTopic{kafkaTopicName='B', keyFormat=KeyFormat{format=FormatInfo{format=KAFKA, properties={}}, features=[], window=Optional.empty}, valueFormat=ValueFormat{format=FormatInfo{format=JSON, properties={}}, features=[]}} which is not upgradeable to KsqlTopic{kafkaTopicName='B', keyFormat=KeyFormat{format=FormatInfo{format=JSON
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='a', value_format='JSON');
CREATE STREAM b AS SELECT id, c1 FROM a;
CREATE OR REPLACE STREAM b WITH (key_format='JSON') AS SELECT id, c1 FROM a;

--@test: a window where none was
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: Cannot upgrade data source
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='a', value_format='JSON');
CREATE TABLE b AS SELECT id, COUNT(*) AS n FROM a GROUP BY id;
CREATE OR REPLACE TABLE b AS SELECT id, COUNT(*) AS n FROM a WINDOW TUMBLING (SIZE 1 SECOND) GROUP BY id;

--@test: a join under another span
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: Upgrades not yet supported for StreamStreamJoin
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='a', value_format='JSON');
CREATE STREAM c (id INT KEY, c1 INT) WITH (kafka_topic='c', value_format='JSON');
CREATE STREAM b AS SELECT a.id, a.c1 FROM a JOIN c WITHIN 1 SECOND ON a.id = c.id;
CREATE OR REPLACE STREAM b AS SELECT a.id, a.c1 FROM a JOIN c WITHIN 2 SECONDS ON a.id = c.id;

--@test: a sink with a second writer
--@expected.error: io.confluent.ksql.util.KsqlException
--@expected.message: there are multiple queries writing into it: [CSAS_B_0, INSERTQUERY_1]
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='a', value_format='JSON');
CREATE STREAM c (id INT KEY, c1 INT) WITH (kafka_topic='c', value_format='JSON');
CREATE STREAM b AS SELECT id, c1 FROM a;
INSERT INTO b SELECT id, c1 FROM c;
CREATE OR REPLACE STREAM b AS SELECT id, c1 FROM a WHERE c1 > 1;

--@test: a record that is not the one asserted
--@expected.error: java.lang.AssertionError
--@expected.message: Expected record does not match actual
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='a', value_format='JSON');
INSERT INTO a (rowtime, id, c1) VALUES (1, 1, 2);
ASSERT VALUES a (id, c1) VALUES (1, 3);

--@test: variables hold until they are undefined
DEFINE topic = 'a';
CREATE STREAM a (id INT KEY, c1 INT) WITH (kafka_topic='${topic}', value_format='JSON');
DEFINE more = '10';
CREATE STREAM b AS SELECT id, c1 + ${more} AS c1 FROM a;
INSERT INTO a (rowtime, id, c1) VALUES (1, 1, ${more});
ASSERT VALUES b (id, c1) VALUES (1, 20);
