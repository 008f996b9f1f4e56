# aiokafka and Confluent's client from PyPI. The checks are ours.
settings=(num.partitions=3 auto.create.topics.enable=true)
rerun=""
venv=$cache/venv-python-clients

fetch() {
  need python3 python3-venv
  [ -x "$venv/bin/.whole" ] && return
  python3 -m venv "$venv"
  "$venv/bin/pip" install -q "aiokafka==0.14.0" "cramjam==2.14.0" "confluent-kafka==2.16.1"
  install -m 755 /dev/null "$venv/bin/.whole"
}

run() {
  timeout 900 "$venv/bin/python" "$here/python-clients.py" "$1" 2> "$2.log" | grep -P '^\S+\t(PASSED|FAILED)$' > "$2.tsv" || true
  python3 "$here/report.py" merge "$2.tsv" "$2.tsv"
}
