#!/usr/bin/env bash
# Other people's client suites against a fresh broker, each beside what Apache Kafka makes of it.
#   run.sh [suite ...]             against Millrace, compared with the committed baselines
#   BASELINE=1 run.sh [suite ...]  against Apache Kafka 4.3.1, started with the same settings; rewrites the baselines
# Every suite is fetched from its ordinary package registry, once. A miss is run again alone before it is believed.
# Suites: see the files in suites/. Results, logs and broker logs stay in $COMPAT_CACHE/out.
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

all=(kafka-tools kafkajs kafka-python franz-go rust-rdkafka rskafka librdkafka)
chosen=("$@"); [ ${#chosen[@]} -gt 0 ] || chosen=("${all[@]}")
peer=millrace; [ "${BASELINE:-0}" = 1 ] && peer=apache-kafka
out=$cache/out/$peer; mkdir -p "$out" "$here/baselines"
broker=""
stop() { [ -z "$broker" ] || kill -9 "$broker" 2>/dev/null || true; broker=""; }
trap stop EXIT

for suite in "${chosen[@]}"; do
  [ -f "$here/suites/$suite.sh" ] || die "no suite $suite; there are: ${all[*]}"
  settings=(); rerun=""; port=""
  . "$here/suites/$suite.sh"
  say "$suite: fetching and building"
  fetch
  # Some suites know their broker's port.
  [ -n "$port" ] || port=$(free_port)
  say "$suite: running against $peer on port $port"
  broker=$("$here/$peer.sh" up "$port" "${settings[@]}" | tail -n 1)
  began=$SECONDS
  run "127.0.0.1:$port" "$out/$suite" || true
  say "$suite: $((SECONDS - began)) s"
  if [ "$peer" = millrace ] && [ -n "$rerun" ] && [ -f "$here/baselines/$suite.tsv" ]; then
    missed=$(python3 "$here/report.py" missed "$here/baselines/$suite.tsv" "$out/$suite.tsv" "$here/baselines/$suite.later.tsv")
    if [ -n "$missed" ] && [ "$(wc -l <<< "$missed")" -le 12 ]; then
      say "$suite: running again alone: $(tr '\n' ' ' <<< "$missed")"
      ONLY="$missed" run "127.0.0.1:$port" "$out/$suite-again" || true
      python3 "$here/report.py" merge "$out/$suite.tsv" "$out/$suite-again.tsv"
    fi
  fi
  stop
  [ "$peer" = apache-kafka ] && cp "$out/$suite.tsv" "$here/baselines/$suite.tsv"
done
python3 "$here/report.py" table "$here/baselines" "$out" "${chosen[@]}"
