"""The REST calls that programs written for ksqlDB make, with nothing but `requests` (or, without it, the standard library).

    python3 rest.py http://127.0.0.1:8088

A pull bot and a push bot over Wi-Fi probes, the way deploy scripts post statements, and what comes back when something is wrong.
Every line of `checks` that fails ends the run with its text; `LATENCY` lines tell what was measured.
"""
import http.client
import json
import sys
import threading
import time
import urllib.parse

try:
    import requests
except ImportError:
    requests = None

BASE = sys.argv[1]
KSQL = "application/vnd.ksql.v1+json"
MAC = "a4:83:e7:4e:39:15"

STATEMENTS = """
-- What the bots ask: one row per device, and the probes as they come.
SET 'auto.offset.reset' = 'earliest';
CREATE STREAM PCAP_RAW (timestamp BIGINT, wlan_fc_type_subtype ARRAY<INT>, wlan_sa ARRAY<VARCHAR>, wlan_ssid ARRAY<VARCHAR>)
  WITH (KAFKA_TOPIC='pcap', VALUE_FORMAT='JSON', TIMESTAMP='timestamp', PARTITIONS=2);
CREATE TABLE DEVICES (MAC VARCHAR PRIMARY KEY, NAME VARCHAR) WITH (KAFKA_TOPIC='devices', VALUE_FORMAT='JSON', PARTITIONS=2);
CREATE STREAM PROBES AS SELECT WLAN_SA[1] AS MAC, WLAN_SSID[1] AS SSID, TIMESTAMPTOSTRING(ROWTIME, 'yyyy-MM-dd HH:mm:ss', 'Europe/London') AS AT
  FROM PCAP_RAW WHERE wlan_fc_type_subtype[1]=4 PARTITION BY WLAN_SA[1];
CREATE TABLE PCAP_STATS AS
  SELECT WLAN_SA[1] AS SOURCE_DEVICE, COUNT(*) AS PROBE_COUNT,
         TIMESTAMPTOSTRING(MIN(ROWTIME), 'yyyy-MM-dd HH:mm:ss', 'Europe/London') AS FIRST_PROBE,
         TIMESTAMPTOSTRING(MAX(ROWTIME), 'yyyy-MM-dd HH:mm:ss', 'Europe/London') AS LAST_PROBE,
         COUNT_DISTINCT(WLAN_SSID[1]) AS UNIQUE_SSIDS_PROBED, COLLECT_SET(WLAN_SSID[1]) AS SSIDS_PROBED
  FROM PCAP_RAW WHERE wlan_fc_type_subtype[1]=4 GROUP BY WLAN_SA[1];
CREATE TABLE STATS_BY_NAME AS
  SELECT D.NAME AS NAME, COUNT(*) AS PROBE_COUNT FROM PROBES P INNER JOIN DEVICES D ON P.MAC = D.MAC GROUP BY D.NAME;
"""


class Answer:
    """As much of a response as the checks look at."""

    def __init__(self, status, kind, lines, text):
        self.status, self.kind, self.lines, self.text = status, kind, lines, text

    def json(self):
        return json.loads(self.text())


def call(method, path, body=None, accept=None, stream=False, raw=None):
    headers = {"Content-Type": KSQL}
    if accept:
        headers["Accept"] = accept
    data = raw if raw is not None else (json.dumps(body) if body is not None else None)
    if requests:
        got = requests.request(method, BASE + path, data=data, headers=headers, stream=stream, timeout=30, allow_redirects=False)
        lines = got.iter_lines(chunk_size=1) if stream else iter(())
        return Answer(got.status_code, got.headers.get("Content-Type"), lines, lambda: got.text)
    at = urllib.parse.urlparse(BASE)
    connection = http.client.HTTPConnection(at.hostname, at.port, timeout=30)
    connection.request(method, path, data, headers)
    got = connection.getresponse()

    def lines():
        while True:
            line = got.readline()
            if not line:
                return
            yield line.rstrip(b"\r\n")

    return Answer(got.status, got.getheader("Content-Type"), lines(), lambda: got.read().decode())


def ksql(text, **more):
    return call("POST", "/ksql", dict({"ksql": text, "streamsProperties": {}}, **more))


def query(text, **more):
    return call("POST", "/query", dict({"ksql": text, "streamsProperties": {}}, **more))


def check(holds, what):
    if not holds:
        raise SystemExit("FAILED: %s" % (what,))


def eventually(what, ask, seconds=30):
    until = time.time() + seconds
    while True:
        found = ask()
        if found:
            return found
        if time.time() > until:
            raise SystemExit("FAILED: no %s within %s s" % (what, seconds))
        time.sleep(0.05)


def probe(ms, mac, ssid):
    answer = ksql("INSERT INTO PCAP_RAW (timestamp, wlan_fc_type_subtype, wlan_sa, wlan_ssid) VALUES (%d, ARRAY[4], ARRAY['%s'], ARRAY['%s']);" % (ms, mac, ssid))
    check(answer.status == 200 and answer.json() == [], "INSERT VALUES adds no entity: %s" % answer.text())


def server():
    answer = call("GET", "/info")
    info = answer.json()["KsqlServerInfo"]
    check(answer.status == 200 and answer.kind == KSQL, "/info is 200 and of the API's content type")
    check(info["version"] and info["ksqlServiceId"] and info["kafkaClusterId"] and info["serverStatus"] == "RUNNING", info)
    check(call("GET", "/info", accept="application/json").kind == "application/json", "plain JSON for those who ask for it")
    check(call("GET", "/").status == 307, "/ leads to /info")
    health = call("GET", "/healthcheck").json()
    check(health["isHealthy"] and set(health["details"]) == {"metastore", "kafka", "commandRunner"}, health)
    check(call("GET", "/is_valid_property/auto.offset.reset").json() is True, "a property that may be set")
    check(call("GET", "/is_valid_property/ksql.invented").status == 400, "one that may not")


def statements():
    answer = ksql(STATEMENTS)
    check(answer.status == 200, answer.text())
    entities = answer.json()
    check([entity["@type"] for entity in entities] == ["currentStatus"] * 5, "SET adds no entity, each CREATE one")
    for entity in entities:
        status = entity["commandStatus"]
        check(status["status"] == "SUCCESS" and entity["warnings"] == [] and entity["statementText"].startswith("CREATE"), entity)
    numbers = [entity["commandSequenceNumber"] for entity in entities]
    check(numbers == sorted(numbers) and numbers[0] >= 0, "commands are numbered: %s" % numbers)
    check(entities[0]["commandId"] == "stream/`PCAP_RAW`/create", entities[0]["commandId"])
    check(entities[3]["commandStatus"]["queryId"].startswith("CTAS_PCAP_STATS_"), entities[3])
    status = call("GET", "/status/table/%60PCAP_STATS%60/create").json()
    check(status["status"] == "SUCCESS" and status["queryId"].startswith("CTAS_PCAP_STATS_"), status)
    check(call("GET", "/status/table/%60NOPE%60/create").status == 404, "no such command")
    check("stream/`PROBES`/create" in call("GET", "/status").json()["commandStatuses"], "the list of commands")
    ksql("INSERT INTO DEVICES (MAC, NAME) VALUES ('%s', 'sony-vaio');" % MAC, commandSequenceNumber=numbers[-1])
    late = ksql("LIST STREAMS;", commandSequenceNumber=numbers[-1] + 1000)
    check(late.status == 503 and late.json()["error_code"] == 50301, "a command that never comes: %s" % late.text())


def device_is_known():
    return len(query("SELECT NAME FROM STATS_BY_NAME WHERE NAME='sony-vaio';").json()) == 2


def pull_bot():
    for number, ssid in enumerate(["home", "RNM0", "home"]):
        probe(1584802202655 + 1000 * number, MAC, ssid)

    def look(mac):
        answer = query("SELECT PROBE_COUNT, FIRST_PROBE, LAST_PROBE, UNIQUE_SSIDS_PROBED, SSIDS_PROBED FROM PCAP_STATS WHERE SOURCE_DEVICE='%s';" % mac)
        if answer.status != 200:
            return "❌ Query failed (%s %s)\n%s" % (answer.status, "Bad Request", answer.text())
        rows = answer.json()
        if len(rows) != 2:
            return "🛎 No result found for device %s" % mac
        count, first, last, unique, ssids = rows[1]["row"]["columns"]
        text = "📡 Wi-Fi probe stats for %s\n\tEarliest probe : %s\n\tLatest probe   : %s\n\tProbe count    : %d\n\tUnique SSIDs   : %d (%s)"
        return text % (mac, first, last, count, unique, ", ".join(sorted(ssids, key=str.lower)))

    wanted = ("📡 Wi-Fi probe stats for a4:83:e7:4e:39:15\n\tEarliest probe : 2020-03-21 14:50:02\n\tLatest probe   : 2020-03-21 14:50:04\n"
              "\tProbe count    : 3\n\tUnique SSIDs   : 2 (home, RNM0)")
    eventually("three probes", lambda: look(MAC) == wanted)
    check(look("no:such:mac") == "🛎 No result found for device no:such:mac", "a miss is a header alone")
    header = query("SELECT PROBE_COUNT, SSIDS_PROBED FROM PCAP_STATS WHERE SOURCE_DEVICE='x';").json()[0]["header"]
    check(header["queryId"].startswith("query_") and header["schema"] == "`PROBE_COUNT` BIGINT, `SSIDS_PROBED` ARRAY<STRING>", header)
    hostile = look("x' OR SOURCE_DEVICE<>''; DROP TABLE PCAP_STATS; --")
    check(hostile.startswith("❌ Query failed (400"), "SQL in a key is refused: %s" % hostile)
    by_name = eventually("a row by name", lambda: device_is_known() and query("SELECT PROBE_COUNT FROM STATS_BY_NAME WHERE NAME='sony-vaio';").json())
    check(by_name[1]["row"]["columns"][0] >= 1, by_name)


def push_bot():
    # Nothing of before may still be on its way: header, three rows, last message.
    eventually("three probes in the stream", lambda: len(query("SELECT * FROM PROBES;").json()) == 5)
    told, began = [], threading.Event()

    def listen():
        answer = call("POST", "/query", {"ksql": "SELECT AT, MAC, SSID FROM PROBES EMIT CHANGES LIMIT 3;", "streamsProperties": {"ksql.streams.auto.offset.reset": "latest"}}, stream=True)
        for line in answer.lines:
            line = line.decode()
            told.append((time.time(), line))
            began.set()

    bot = threading.Thread(target=listen, daemon=True)
    bot.start()
    check(began.wait(20), "the header comes before any row")
    check(told[0][1].startswith('[{"header":{"queryId":"transient_PROBES_') and told[0][1].endswith("},"), told[0][1])
    for number in range(3):
        count, sent = len(told), time.time()
        probe(1584802210000 + 1000 * number, MAC, "net-%d" % number)
        acknowledged = time.time()
        eventually("row %d of the push query" % number, lambda: len(told) > count, 10)
        print("LATENCY insert to line %.1f ms, of them %.1f ms until the insert was acknowledged" % ((told[count][0] - sent) * 1000, (acknowledged - sent) * 1000))
    bot.join(10)
    check(not bot.is_alive(), "the query ends at its limit")
    rows = [json.loads(line.rstrip(",")) for _, line in told[1:4]]
    said = "📣 At %s MAC address %s probed for SSID `%s`" % tuple(rows[0]["row"]["columns"])
    check(said == "📣 At 2020-03-21 14:50:10 MAC address a4:83:e7:4e:39:15 probed for SSID `net-0`", said)
    check(told[-1][1] == '{"finalMessage":"Limit Reached"}]', told[-1][1])
    json.loads("".join(line for _, line in told))


def query_stream():
    text = "SELECT SOURCE_DEVICE, PROBE_COUNT FROM PCAP_STATS WHERE SOURCE_DEVICE='%s';" % MAC
    lines = call("POST", "/query-stream", {"sql": text, "properties": {}}).text().splitlines()
    head = json.loads(lines[0])
    check(head["columnNames"] == ["SOURCE_DEVICE", "PROBE_COUNT"] and head["columnTypes"] == ["STRING", "BIGINT"] and "queryId" in head, head)
    check(json.loads(lines[1]) == [MAC, 6], lines)
    whole = call("POST", "/query-stream", {"sql": text}, accept="application/json")
    check(whole.kind == "application/json" and whole.json()[1] == [MAC, 6], whole.text())
    proto = call("POST", "/query-stream", {"sql": text}, accept="application/vnd.ksql.v1+protobuf").json()
    check("string SOURCE_DEVICE = 1;" in proto[0]["header"]["protoSchema"] and proto[1]["row"]["protobufBytes"], proto)
    check(call("POST", "/query-stream", {"sql": text}, accept="text/html").status == 406, "a content type that is not offered")
    push = call("POST", "/query-stream", {"sql": "SELECT * FROM PROBES EMIT CHANGES;", "properties": {"auto.offset.reset": "latest"}}, stream=True)
    identity = json.loads(next(push.lines))["queryId"]
    listed = [one for one in ksql("LIST QUERIES;").json()[0]["queries"] if one["id"] == identity]
    check(listed and listed[0]["queryType"] == "PUSH" and listed[0]["queryString"].startswith("SELECT * FROM PROBES"), listed)
    check(call("POST", "/close-query", {"queryId": identity}).status == 200, "a push query is closed by its id")
    check(list(push.lines) == [], "and then ends")
    check(call("POST", "/close-query", {"queryId": identity}).status == 400, "once")
    # As ksqldb-js does.
    push = call("POST", "/query-stream", {"sql": "SELECT * FROM PROBES EMIT CHANGES;"}, stream=True)
    identity = json.loads(next(push.lines))["queryId"]
    ended = ksql("TERMINATE %s;" % identity).json()[0]
    check((ended["@type"], ended["queryId"], ended["wasTerminated"]) == ("terminate_query", identity, True), ended)
    check(list(push.lines) == [], "TERMINATE ends a push query, too")


def prints():
    lines = query("PRINT 'pcap' FROM BEGINNING LIMIT 2;").text().splitlines()
    check(lines[0] == "Key format: ¯\\_(ツ)_/¯ - no data processed" and lines[1] == "Value format: JSON or KAFKA_STRING", lines)
    check(len(lines) == 4 and lines[2].startswith("rowtime: ") and ", key: <null>, value: {" in lines[2] and ", partition: " in lines[2], lines)
    missing = query("PRINT 'PCAP';")
    check(missing.status == 400 and "print `pcap`;" in missing.json()["message"], missing.text())


def entities():
    of = lambda text, **more: ksql(text, **more).json()[0]
    check({one["name"] for one in of("LIST STREAMS;")["streams"]} == {"PCAP_RAW", "PROBES"}, "streams")
    described = of("DESCRIBE PCAP_STATS EXTENDED;")["sourceDescription"]
    check(described["type"] == "TABLE" and described["fields"][0]["type"] == "KEY" and described["writeQueries"][0]["state"] == "RUNNING:1", described)
    check(described["partitions"] == 2 and described["queryOffsetSummaries"][0]["topicSummaries"][0]["kafkaTopic"] == "pcap", described)
    explained = of("EXPLAIN %s;" % described["writeQueries"][0]["id"])["queryDescription"]
    check(explained["state"] == "RUNNING" and list(explained["ksqlHostQueryStatus"].values()) == ["RUNNING"], explained)
    planned = of("EXPLAIN SELECT * FROM PROBES EMIT CHANGES;")["queryDescription"]
    check(planned["state"] is None and planned["queryType"] == "PUSH", planned)
    check({one["name"] for one in of("LIST TOPICS;")["topics"]} >= {"pcap", "PROBES", "PCAP_STATS"}, "topics")
    check("consumerGroupCount" in of("LIST TOPICS EXTENDED;")["topics"][0], "who reads them")
    check(of("LIST VARIABLES;", sessionVariables={"v": "x"})["variables"] == [{"name": "V", "value": "x"}], "session variables")
    check(of("LIST CONNECTORS;") == {"@type": "connector_list", "connectors": [], "statementText": "LIST CONNECTORS;", "warnings": []}, "no connectors")
    named = {one["name"]: one for one in of("LIST PROPERTIES;", streamsProperties={"auto.offset.reset": "earliest"})["properties"]}
    check(named["auto.offset.reset"]["value"] == "earliest" and named["ksql.max.push.queries"]["editable"] is False, "properties")
    check(of("DESCRIBE FUNCTION LCASE;")["functions"][0]["returnType"] == "VARCHAR", "a function")
    check(of("CREATE STREAM IF NOT EXISTS PROBES (A INT) WITH (KAFKA_TOPIC='x', VALUE_FORMAT='JSON', PARTITIONS=1);")["@type"] == "warning_entity", "it exists")
    check(of("ASSERT TOPIC pcap WITH (PARTITIONS=2);") == {"@type": "assert_topic", "topicName": "pcap", "exists": True, "statementText": "ASSERT TOPIC pcap WITH (PARTITIONS=2);", "warnings": []}, "a topic that is as said")
    substituted = ksql("DEFINE s='PROBES'; DESCRIBE ${s};").json()
    check(len(substituted) == 1 and substituted[0]["sourceDescription"]["name"] == "PROBES", substituted)
    status = call("GET", "/clusterStatus").json()["clusterStatus"]
    host, = status.values()
    check(list(status) == [BASE.split("//")[1]] and host["hostAlive"], status)
    lags = {name.split("#")[0]: lag for name, lag in host["hostStoreLags"]["stateStoreLags"].items()}
    stats, = [lag for name, lag in lags.items() if name.startswith("CTAS_PCAP_STATS_")]
    # Six records, once as its stage reads them and once as its own tasks do: what a stage has not read yet is behind, too.
    check(sum(one["endOffsetPosition"] for one in stats["lagByPartition"].values()) == 12, stats)


def errors():
    def refused(answer, status, kind, code, words):
        body = answer.json()
        check(answer.status == status and body["@type"] == kind and body["error_code"] == code and words in body["message"], "%s: %s" % (answer.status, body))
        return body

    refused(ksql("CREATE STRAM x;"), 400, "statement_error", 40001, "")
    body = refused(ksql("DESCRIBE NOPE;"), 400, "statement_error", 40001, "Could not find STREAM/TABLE 'NOPE' in the Metastore")
    check(body["statementText"] == "DESCRIBE NOPE;" and body["entities"] == [], body)
    refused(ksql("CREATE STREAM FRESH (A INT) WITH (KAFKA_TOPIC='fresh', VALUE_FORMAT='JSON', PARTITIONS=1); DESCRIBE NOPE;"), 400, "statement_error", 40001, "NOPE")
    refused(ksql("DESCRIBE FRESH;"), 400, "statement_error", 40001, "FRESH")
    refused(ksql("SELECT * FROM PROBES EMIT CHANGES;"), 400, "statement_error", 40002, "The following statement types should be issued to the websocket endpoint '/query'")
    refused(query("LIST STREAMS;"), 400, "statement_error", 40001, "")
    refused(ksql("SET 'ksql.invented'='x';"), 400, "statement_error", 40001, "ksql.invented")
    refused(ksql("ASSERT TOPIC nope TIMEOUT 50 MILLISECONDS;"), 417, "statement_error", 41700, "Topic nope does not exist")
    refused(call("POST", "/ksql", raw="{"), 400, "generic_error", 40000, "Malformed JSON")
    refused(call("POST", "/ksql", {}), 400, "generic_error", 40000, "ksql")
    refused(call("GET", "/nowhere"), 404, "generic_error", 40400, "")
    refused(call("GET", "/ksql"), 405, "generic_error", 40500, "")
    refused(call("POST", "/inserts-stream", raw='{"target":"PROBES"}\n'), 400, "generic_error", 40004, "HTTP2")


for checks in [server, statements, pull_bot, push_bot, query_stream, prints, entities, errors]:
    checks()
print("OK with %s" % ("requests" if requests else "http.client"))
