# librdkafka's own regression tests, from the npm package of Confluent's JavaScript client, which ships them: one process
# per number, classic group protocol. A quick "PASSED" in which no sub-test ran is counted as skipped.
version=1.10.1
# Kafka's own rebalance delay: some tests count on members that start together joining together.
settings=(num.partitions=4 auto.create.topics.enable=true group.min.session.timeout.ms=100 group.initial.rebalance.delay.ms=3000)
rerun=1
folder=$cache/librdkafka/package/deps/librdkafka

fetch() {
  need npm npm
  [ -x "$folder/tests/test-runner" ] && return
  local packages=(rapidjson-dev libssl-dev zlib1g-dev libzstd-dev) missing=() sudo=""
  for package in "${packages[@]}"; do dpkg-query -W -f='${Status}' "$package" 2>/dev/null | grep -q 'ok installed' || missing+=("$package"); done
  if [ ${#missing[@]} -gt 0 ]; then
    [ "$(id -u)" -eq 0 ] || sudo=sudo
    DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "${missing[@]}" >/dev/null
  fi
  mkdir -p "$cache/librdkafka"
  (cd "$cache" && npm pack --silent "@confluentinc/kafka-javascript@$version" >/dev/null &&
    tar -xzf "confluentinc-kafka-javascript-$version.tgz" -C librdkafka package/deps/librdkafka)
  (cd "$folder" && chmod +x configure lds-gen.py && ./configure --disable-curl && make -j2 libs && make -C tests -j2 test-runner) > "$cache/librdkafka/build.log" 2>&1 ||
    { tail -n 5 "$cache/librdkafka/build.log" >&2; die "librdkafka's tests do not build"; }
}

number() { # number NUMBER NAME...: prints each name and its result
  # The runner goes by a test's number alone: all that share it run, one after another.
  local log=$LOGS/$1.log status=0
  TESTS=$1 TEST_REPORT=$LOGS/$1.json timeout -k 5 900 ./test-runner -L -E -p1 "$1" > "$log" 2>&1 < /dev/null || status=$?
  python3 - "$LOGS/$1.json" "$log" "$status" "${@:2}" <<'P'
import json, re, sys
report, log, status, *names = sys.argv[1:]
text = re.sub(r"\x1b\[[0-9;]*m", "", open(log, errors="replace").read())
try:
    tests = {test["name"]: test for test in json.load(open(report))["tests"].values()}
except Exception:
    tests = {}
for name in names:
    test = tests.get(name, {"state": "FAILED", "duration": 1})
    state = test["state"]
    ran = re.search(rf"^\[{name} .*: PASS", text, re.M)
    if state == "SKIPPED" and ran:
        state = "PASSED"
    if state == "PASSED" and not ran and float(test["duration"]) < 0.005:
        state = "SKIPPED"
    # The report is written before the runner tears itself down, which on some machines ends in an abort; only a time-out
    # counts against it.
    print(name, "FAILED" if status in ("124", "137") or state not in ("PASSED", "SKIPPED") else state, sep="\t")
P
}

run() {
  export LOGS=$2.logs LD_LIBRARY_PATH=$folder/src:$folder/src-cpp TEST_KAFKA_VERSION=4.2.0 BROKERS=$1
  rm -rf "$LOGS"; mkdir -p "$LOGS/kafka/bin"
  printf 'bootstrap.servers=%s\nbroker.address.family=v4\ntest.timeout.multiplier=1.5\ntest.topic.random=true\n' "$1" > "$LOGS/test.conf"
  export RDKAFKA_TEST_CONF=$LOGS/test.conf KAFKA_PATH=$LOGS/kafka
  # Some tests make topics with Kafka's own tools.
  local tool
  for tool in topics:org.apache.kafka.tools.TopicCommand configs:kafka.admin.ConfigCommand acls:org.apache.kafka.tools.AclCommand; do
    printf '#!/bin/sh\nexec "%s/apache-kafka.sh" tool %s "$@" 2>/dev/null\n' "$here" "${tool#*:}" > "$LOGS/kafka/bin/kafka-${tool%%:*}.sh"
  done
  chmod +x "$LOGS"/kafka/bin/*.sh
  local list=${ONLY:-}
  # Tests whose flags are 0 are those that need a broker and nothing else.
  [ -n "$list" ] || list=$(sed -n 's/^ *_TEST(\([0-9]\{4\}_[a-zA-Z0-9_]*\), *0[,)].*/\1/p' "$folder/tests/test.c" | grep -v '^01[78][0-9]_share' | sort -u)
  export -f number
  # A line a number: the number, then its names.
  list=$(awk '{ number = substr($0, 1, 4); names[number] = names[number] " " $0 } END { for (number in names) print number names[number] }' <<< "$list" | sort)
  (cd "$folder/tests" && xargs -P "${COMPAT_JOBS:-3}" -I{} bash -c 'number {}' <<< "$list") > "$2.tsv.part" || true
  sort "$2.tsv.part" > "$2.tsv"; rm "$2.tsv.part"
}
