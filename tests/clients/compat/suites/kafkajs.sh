# KafkaJS from npm. Its package ships no tests, so these are ours: what its users do every day.
version=2.2.4
settings=(num.partitions=3 auto.create.topics.enable=true)
rerun=""
folder=$cache/kafkajs

fetch() {
  need npm npm
  [ -d "$folder/node_modules/kafkajs" ] && return
  mkdir -p "$folder"
  (cd "$folder" && npm init -y > /dev/null && npm install --silent --no-audit --no-fund "kafkajs@$version" > /dev/null)
}

run() {
  cp "$here/kafkajs.mjs" "$folder/check.mjs"
  (cd "$folder" && KAFKAJS_NO_PARTITIONER_WARNING=1 timeout 180 node check.mjs "$1" > "$2.tsv" 2> "$2.log") || true
  python3 "$here/report.py" merge "$2.tsv" "$2.tsv"
}
