#!/usr/bin/env bash
# Apache Kafka: the peer that everything is measured against.
#   apache-kafka.sh up PORT [key=value ...]   starts a fresh single node in the background, prints its process id
#   apache-kafka.sh tool CLASS [args ...]     runs one of its tools
# Environment: KAFKA_DATA (scratch folder), KAFKA_HEAP (-Xmx512M), KAFKA_LIBS (jars fetched before).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up() {
  local port=$1; shift
  local libs controller folder
  libs=$(jars)
  controller=$(free_port)
  folder=${KAFKA_DATA:-$cache}/kafka-$port
  rm -rf "$folder"; mkdir -p "$folder"
  cat > "$folder/server.properties" <<P
process.roles=broker,controller
node.id=0
listeners=PLAINTEXT://127.0.0.1:$port,CONTROLLER://127.0.0.1:$controller
advertised.listeners=PLAINTEXT://127.0.0.1:$port
controller.listener.names=CONTROLLER
listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT
controller.quorum.bootstrap.servers=127.0.0.1:$controller
log.dirs=$folder/data
offsets.topic.replication.factor=1
offsets.topic.num.partitions=5
transaction.state.log.replication.factor=1
transaction.state.log.min.isr=1
share.coordinator.state.topic.replication.factor=1
share.coordinator.state.topic.min.isr=1
group.initial.rebalance.delay.ms=0
P
  # A later line wins.
  printf '%s\n' "$@" >> "$folder/server.properties"
  # Its logging says why it does not start; warnings are enough.
  cat > "$folder/log4j2.yaml" <<P
Configuration:
  Appenders: {Console: {name: out, PatternLayout: {pattern: "%d %p %c %m%n"}}}
  Loggers: {Root: {level: warn, AppenderRef: {ref: out}}}
P
  local run=(java ${KAFKA_HEAP:--Xmx512M} -XX:+UseG1GC -Djava.awt.headless=true "-Dlog4j2.configurationFile=$folder/log4j2.yaml" -cp "$libs/*")
  "${run[@]}" kafka.tools.StorageTool format --standalone --cluster-id="$(head -c16 /dev/urandom | base64 | tr '+/' '-_' | tr -d =)" \
    -c "$folder/server.properties" > "$folder/format.log" 2>&1 || { cat "$folder/format.log" >&2; die "the data folder cannot be formatted"; }
  nohup setsid "${run[@]}" kafka.Kafka "$folder/server.properties" > "$folder/server.log" 2>&1 < /dev/null &
  local pid=$!
  await_port "$port" "$pid" "$folder/server.log"
  # It listens a moment before it serves.
  sleep 2
  echo "$pid"
}

tool() {
  exec java -Xmx256M -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$(jars)/*" "$@"
}

case "${1:-}" in
  up|tool) "$@" ;;
  *) sed -n '2,5p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
