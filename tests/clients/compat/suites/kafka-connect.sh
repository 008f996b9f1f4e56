# Apache Kafka's Connect (a distributed worker with its file connectors) and MirrorMaker 2, which mirrors the broker into itself. The
# checks are ours: what the worker keeps in its topics must bring it back after a kill -9.
settings=(num.partitions=1 auto.create.topics.enable=true)
rerun=""

fetch() { libs=$(jars); need curl curl; need java default-jre-headless; }

check() { # check NAME command...: passes when the command succeeds within a minute
  local name=$1 result=FAILED; shift
  for _ in $(seq 120); do
    if "$@" >> "$log" 2>&1; then result=PASSED; break; fi
    sleep 0.5
  done
  printf '%s\t%s\n' "$name" "$result" >> "$results"
}

rest() { # rest METHOD PATH [BODY]: fails where Connect refuses
  curl -sS -f -X "$1" -H 'Content-Type: application/json' ${3:+-d "$3"} "http://127.0.0.1:$rest/$2"
}

java_main() { # java_main CLASS FILE: in the background; $! is its process
  nohup java -Xmx384M -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -cp "$libs/*" "$1" "$2" >> "$log" 2>&1 < /dev/null &
}

connector() { # connector NAME CLASS FILE KEY
  rest POST connectors "{\"name\":\"$1\",\"config\":{\"connector.class\":\"$2\",\"tasks.max\":\"1\",\"file\":\"$folder/$3\",\"$4\":\"lines\"}}"
}

is_in_state() { rest GET "connectors/$1/status" | grep -q "\"connector\":{\"state\":\"$2\""; }
has_lines() { [ "$(sort -u "$folder/out" 2>/dev/null)" = "$(sort -u "$folder/in")" ]; }
topic_has() { # topic_has TOPIC COUNT: at least so many records
  local end
  end=$("$here/apache-kafka.sh" tool org.apache.kafka.tools.GetOffsetShell --bootstrap-server "$bootstrap" --topic-partitions "$1:0" | cut -d: -f3)
  [ "${end:-0}" -ge "$2" ]
}

run() {
  bootstrap=$1 results=$2.tsv log=$2.log folder=$2.files rest=$(free_port)
  rm -rf "$folder"; mkdir -p "$folder"; : > "$results"; : > "$log"
  local shared="key.converter=org.apache.kafka.connect.json.JsonConverter
value.converter=org.apache.kafka.connect.json.JsonConverter
plugin.discovery=service_load" topic worker mirror
  {
    printf '%s\n' "bootstrap.servers=$1" group.id=connect "$shared" offset.flush.interval.ms=500 "listeners=http://127.0.0.1:$rest"
    for topic in offset config status; do printf '%s\n' "$topic.storage.topic=connect-$topic" "$topic.storage.replication.factor=1"; done
  } > "$folder/connect.properties"
  {
    printf '%s\n' clusters=a,b "a.bootstrap.servers=$1" "b.bootstrap.servers=$1" 'a->b.enabled=true' 'a->b.topics=lines' "$shared" \
      replication.factor=1 emit.checkpoints.interval.seconds=1 refresh.groups.interval.seconds=1 sync.topic.acls.enabled=false
    for topic in checkpoints.topic heartbeats.topic offset-syncs.topic offset.storage status.storage config.storage; do echo "$topic.replication.factor=1"; done
  } > "$folder/mirror.properties"

  seq 1 1000 | sed 's/^/line /' > "$folder/in"
  java_main org.apache.kafka.connect.cli.ConnectDistributed "$folder/connect.properties"; worker=$!
  check connect-starts rest GET connectors
  check connect-source connector source FileStreamSource in topic
  check connect-sink connector sink FileStreamSink out topics
  check connect-running is_in_state sink RUNNING
  check connect-delivers has_lines
  check connect-pause rest PUT connectors/sink/pause
  check connect-paused is_in_state sink PAUSED
  kill -9 "$worker"
  seq 1001 2000 | sed 's/^/line /' >> "$folder/in"
  java_main org.apache.kafka.connect.cli.ConnectDistributed "$folder/connect.properties"; worker=$!
  check connect-comes-back is_in_state sink PAUSED
  check connect-resume rest PUT connectors/sink/resume
  check connect-goes-on has_lines
  check connect-stop rest PUT connectors/sink/stop
  check connect-stopped is_in_state sink STOPPED
  rm "$folder/out"
  check connect-forgets rest DELETE connectors/sink/offsets
  check connect-begins-again rest PUT connectors/sink/resume
  check connect-delivers-again has_lines
  check connect-delete rest DELETE connectors/source

  java_main org.apache.kafka.connect.mirror.MirrorMaker "$folder/mirror.properties"; mirror=$!
  check mirror-topic topic_has a.lines 2000
  check mirror-heartbeats topic_has heartbeats 1
  check mirror-offset-syncs topic_has mm2-offset-syncs.b.internal 1
  kill -9 "$worker" "$mirror" || true
}
