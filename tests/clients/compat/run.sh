#!/usr/bin/env bash
# Other people's client suites against a fresh broker, each beside what Apache Kafka makes of it.
#   run.sh [suite ...]             against Millrace, compared with the committed baselines
#   BASELINE=1 run.sh [suite ...]  against Apache Kafka 4.3.1, started with the same settings; rewrites the baselines
#   RUNS=3 run.sh [suite ...]      so many times: what does not pass every time has not passed
# Every suite is fetched from its ordinary package registry, once. A miss is run again alone before it is believed.
# Suites: see the files in suites/. Results, logs and broker logs stay in $COMPAT_CACHE/out.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

all=(kafka-tools kafka-connect java-clients kafkajs python-clients kafka-python go-clients franz-go rust-rdkafka rskafka librdkafka)
chosen=("$@"); [ ${#chosen[@]} -gt 0 ] || chosen=("${all[@]}")
peer=millrace; [ "${BASELINE:-0}" = 1 ] && peer=apache-kafka
out=$cache/out/$peer; mkdir -p "$out" "$here/baselines"
broker=""
stop() { [ -z "$broker" ] || kill -9 "$broker" 2>/dev/null || true; broker=""; }
trap stop EXIT

once() { # once OUT: the suite against a fresh broker
  local result=$1 began=$SECONDS missed
  # Some suites know their broker's port.
  local at=${port:-$(free_port)}
  say "$suite: running against $peer on port $at"
  broker=$("$here/$peer.sh" up "$at" "${settings[@]}" | tail -n 1)
  run "127.0.0.1:$at" "$result" || true
  say "$suite: $((SECONDS - began)) s"
  if [ "$peer" = millrace ] && [ -n "$rerun" ] && [ -f "$here/baselines/$suite.tsv" ]; then
    missed=$(python3 "$here/report.py" missed "$here/baselines/$suite.tsv" "$result.tsv" "$here/baselines/$suite.later.tsv")
    if [ -n "$missed" ] && [ "$(wc -l <<< "$missed")" -le 12 ]; then
      say "$suite: running again alone: $(tr '\n' ' ' <<< "$missed")"
      ONLY="$missed" run "127.0.0.1:$at" "$result-again" || true
      python3 "$here/report.py" merge "$result.tsv" "$result-again.tsv"
    fi
  fi
  stop
}

for suite in "${chosen[@]}"; do
  [ -f "$here/suites/$suite.sh" ] || die "no suite $suite; there are: ${all[*]}"
  settings=(); rerun=""; port=""
  . "$here/suites/$suite.sh"
  say "$suite: fetching and building"
  fetch
  rm -f "$out/$suite"*.tsv
  each=()
  for number in $(seq "${RUNS:-1}"); do
    once "$out/$suite.$number"
    each+=("$out/$suite.$number.tsv")
  done
  python3 "$here/report.py" together "$out/$suite.tsv" "${each[@]}"
  [ "$peer" = apache-kafka ] && cp "$out/$suite.tsv" "$here/baselines/$suite.tsv"
done
python3 "$here/report.py" table "$here/baselines" "$out" "${chosen[@]}"
