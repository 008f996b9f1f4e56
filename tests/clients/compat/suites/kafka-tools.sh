# Apache Kafka's own command line tools: every option that the APIs of one node can serve. A check passes when the tool
# succeeds (or, for `refuse`, fails) and its output holds what it should.
settings=(num.partitions=3 auto.create.topics.enable=true)
rerun=""

fetch() { libs=$(jars); }

class() {
  case $1 in
    configs) echo kafka.admin.ConfigCommand ;;
    topics) echo org.apache.kafka.tools.TopicCommand ;;
    produce) echo org.apache.kafka.tools.ConsoleProducer ;;
    consume) echo org.apache.kafka.tools.consumer.ConsoleConsumer ;;
    groups) echo org.apache.kafka.tools.consumer.group.ConsumerGroupCommand ;;
    all-groups) echo org.apache.kafka.tools.GroupsCommand ;;
    offsets) echo org.apache.kafka.tools.GetOffsetShell ;;
    delete-records) echo org.apache.kafka.tools.DeleteRecordsCommand ;;
    produce-perf) echo org.apache.kafka.tools.ProducerPerformance ;;
    consume-perf) echo org.apache.kafka.tools.ConsumerPerformance ;;
    latency) echo org.apache.kafka.tools.EndToEndLatency ;;
    log-dirs) echo org.apache.kafka.tools.LogDirsCommand ;;
    api-versions) echo org.apache.kafka.tools.BrokerApiVersionsCommand ;;
    cluster) echo org.apache.kafka.tools.ClusterTool ;;
    quorum) echo org.apache.kafka.tools.MetadataQuorumCommand ;;
    election) echo org.apache.kafka.tools.LeaderElectionCommand ;;
    reassign) echo org.apache.kafka.tools.reassign.ReassignPartitionsCommand ;;
    features) echo org.apache.kafka.tools.FeatureCommand ;;
    verify-produce) echo org.apache.kafka.tools.VerifiableProducer ;;
    verify-consume) echo org.apache.kafka.tools.VerifiableConsumer ;;
    streams-reset) echo org.apache.kafka.tools.StreamsResetter ;;
    transactions) echo org.apache.kafka.tools.TransactionsCommand ;;
    *) die "no tool $1" ;;
  esac
}

tool() { # tool NAME args...: its output, at most a minute
  local name; name=$(class "$1"); shift
  timeout 60 java -Xmx192M -XX:TieredStopAtLevel=1 -XX:+UseSerialGC -Xshare:auto -cp "$libs/*" "$name" "$@" 2>&1
}

judge() { # judge WANTED-STATUS NAME PATTERN tool args...; input on stdin
  local wanted=$1 name=$2 pattern=$3 said status=0 result=FAILED; shift 3
  said=$(tool "$@") || status=$?
  if { [ "$wanted" = any ] || { [ "$wanted" = ok ] && [ "$status" = 0 ]; } || { [ "$wanted" = no ] && [ "$status" != 0 ]; }; } &&
    grep -Eqz -- "$pattern" <<< "$said"; then result=PASSED; fi
  printf '%s\t%s\n' "$name" "$result" >> "$results"
  printf '== %s: %s (exit %s), wanted /%s/\n$ %s\n%s\n' "$name" "$result" "$status" "$pattern" "$*" "$said" >> "$log"
}
check() { judge ok "$@" < /dev/null; }
refuse() { judge no "$@" < /dev/null; }
feed() { judge ok "$@"; }

run() {
  results=$2.tsv log=$2.log
  : > "$results"; : > "$log"
  local b="--bootstrap-server $1" t=orders

  check topics-create 'Created topic orders' topics $b --create --topic $t --partitions 3 --replication-factor 1 --config retention.ms=900000
  refuse topics-create-again 'already exists' topics $b --create --topic $t
  check topics-create-if-not-exists '' topics $b --create --topic $t --if-not-exists
  refuse topics-create-bad-config 'Unknown topic config|InvalidConfig' topics $b --create --topic bad --config no.such=1
  refuse topics-create-bad-name 'invalid|illegal' topics $b --create --topic 'a b'
  refuse topics-create-too-many-replicas 'replication factor|InvalidReplicationFactor' topics $b --create --topic wide --replication-factor 3
  check topics-create-assignment 'Created topic placed' topics $b --create --topic placed --replica-assignment 0,0
  check topics-list 'orders' topics $b --list
  check topics-describe 'PartitionCount: 3.*ReplicationFactor: 1.*retention.ms=900000.*Partition: 2.*Leader: 0.*Isr: 0' topics $b --describe --topic $t
  check topics-describe-overrides 'orders' topics $b --describe --topics-with-overrides
  check topics-under-replicated '^[[:space:]]*$' topics $b --describe --under-replicated-partitions
  check topics-alter-partitions '' topics $b --alter --topic $t --partitions 4
  refuse topics-shrink 'not be an increase|fewer|INVALID_PARTITIONS' topics $b --alter --topic $t --partitions 2

  feed produce-lines '' produce $b --topic $t --reader-property parse.key=true --reader-property key.separator=: <<< $'k1:v1\nk2:v2\nk1:v3'
  for codec in gzip snappy lz4 zstd; do
    feed "produce-$codec" '' produce $b --topic "codec-$codec" --compression-codec $codec <<< "squeezed by $codec"
    check "consume-$codec" "squeezed by $codec" consume $b --topic "codec-$codec" --from-beginning --max-messages 1 --timeout-ms 20000
  done
  feed produce-acks-0 '' produce $b --topic acks --producer-property acks=0 --producer-property enable.idempotence=false <<< 'zero'
  feed produce-acks-1 '' produce $b --topic acks --producer-property acks=1 --producer-property enable.idempotence=false <<< 'one'
  feed produce-headers '' produce $b --topic headed --reader-property parse.headers=true --reader-property parse.key=true <<< $'h:1\tk\tv'
  check consume-headers 'h:1.k.v' consume $b --topic headed --from-beginning --max-messages 1 --timeout-ms 20000 --formatter-property print.headers=true --formatter-property print.key=true
  check consume-all 'Processed a total of 3 messages' consume $b --topic $t --from-beginning --max-messages 3 --timeout-ms 20000 --formatter-property print.key=true --formatter-property print.offset=true --formatter-property print.partition=true --formatter-property print.timestamp=true
  check topics-create-single '' topics $b --create --topic single --partitions 1
  feed produce-single '' produce $b --topic single <<< $'0\n1\n2'
  check consume-offset '1.2.Processed a total of 2 messages' consume $b --topic single --partition 0 --offset 1 --max-messages 2 --timeout-ms 20000
  check consume-offset-earliest 'Processed a total of 3 messages' consume $b --topic single --partition 0 --offset earliest --max-messages 3 --timeout-ms 20000
  check consume-group 'Processed a total of 3 messages' consume $b --topic $t --group readers --from-beginning --max-messages 3 --timeout-ms 20000
  check consume-committed 'Processed a total of 3 messages' consume $b --topic $t --from-beginning --isolation-level read_committed --max-messages 3 --timeout-ms 20000
  check consume-pattern 'Processed a total of 4 messages' consume $b --include 'codec-.*' --from-beginning --max-messages 4 --timeout-ms 20000

  check groups-list 'readers' groups $b --list
  check groups-list-state 'readers.*Empty' groups $b --list --state
  check groups-describe 'readers +orders +[0-9]+ +[0-9]+ +[0-9]+ +0' groups $b --describe --group readers
  check groups-state 'readers.*Empty' groups $b --describe --group readers --state
  judge any groups-members 'no active members' groups $b --describe --group readers --members < /dev/null
  check groups-reset-dry 'readers +orders' groups $b --reset-offsets --group readers --topic $t --to-earliest --dry-run
  check groups-reset 'readers +orders +0 +0' groups $b --reset-offsets --group readers --topic $t --to-earliest --execute
  check groups-shift 'readers +orders' groups $b --reset-offsets --group readers --topic $t --shift-by 1 --execute
  check groups-to-datetime 'readers +orders' groups $b --reset-offsets --group readers --topic $t --to-datetime 2020-01-01T00:00:00.000 --execute
  check groups-delete-offsets 'Successful|orders' groups $b --delete-offsets --group readers --topic $t
  check groups-delete 'successful' groups $b --delete --group readers
  judge any groups-delete-absent 'GroupIdNotFound' groups $b --delete --group absent < /dev/null
  check all-groups-list '' all-groups $b --list

  check offsets-latest 'orders:[0-3]:[0-9]+' offsets $b --topic $t
  check offsets-earliest 'orders:0:0' offsets $b --topic $t --time earliest
  check offsets-max-timestamp 'orders:' offsets $b --topic $t --time max-timestamp
  check offsets-by-time 'orders:' offsets $b --topic $t --time 1000
  check offsets-all-topics 'codec-gzip' offsets $b
  check offsets-partitions 'placed:1:0' offsets $b --topic-partitions placed:1

  check configs-describe-topic 'retention.ms=900000' configs $b --entity-type topics --entity-name $t --describe
  check configs-alter-topic 'Completed updating' configs $b --entity-type topics --entity-name $t --alter --add-config cleanup.policy=compact,segment.bytes=1048576
  check configs-describe-all 'cleanup.policy=compact.*sensitive=false' configs $b --entity-type topics --entity-name $t --describe --all
  check configs-delete 'Completed updating' configs $b --entity-type topics --entity-name $t --alter --delete-config cleanup.policy
  refuse configs-bad-value 'Invalid value|InvalidConfiguration' configs $b --entity-type topics --entity-name $t --alter --add-config retention.ms=soon
  check configs-describe-broker 'Dynamic configs for broker 0' configs $b --entity-type brokers --entity-name 0 --describe
  check configs-describe-broker-all 'log.retention.hours|log.segment.bytes' configs $b --entity-type brokers --entity-name 0 --describe --all
  check configs-broker-default 'Completed updating' configs $b --entity-type brokers --entity-default --alter --add-config log.cleaner.threads=2
  check configs-broker-default-read 'log.cleaner.threads=2' configs $b --entity-type brokers --entity-default --describe

  local json; json=$(mktemp)
  echo '{"partitions":[{"topic":"placed","partition":0,"offset":0}],"version":1}' > "$json"
  check delete-records 'partition: placed-0.*low_watermark: 0' delete-records $b --offset-json-file "$json"
  echo '{"topics":[{"topic":"placed"}],"version":1}' > "$json"
  check reassign-generate 'Proposed partition reassignment' reassign $b --topics-to-move-json-file "$json" --broker-list 0 --generate
  check reassign-list 'No partition reassignments found' reassign $b --list
  echo '{"version":1,"partitions":[{"topic":"placed","partition":0,"replicas":[0],"log_dirs":["any"]}]}' > "$json"
  check reassign-execute 'Successfully started partition reassignment for placed-0' reassign $b --reassignment-json-file "$json" --execute
  check reassign-throttled 'throttle limit was set.*Successfully started' reassign $b --reassignment-json-file "$json" --execute --throttle 1000000
  check reassign-verify 'placed-0 is completed.*Clearing topic-level throttles' reassign $b --reassignment-json-file "$json" --verify
  check reassign-cancel 'None of the specified partition reassignments are active' reassign $b --reassignment-json-file "$json" --cancel
  echo '{"version":1,"partitions":[{"topic":"placed","partition":0,"replicas":[7],"log_dirs":["any"]}]}' > "$json"
  refuse reassign-nowhere 'Unknown broker|no such broker|InvalidReplicaAssignment' reassign $b --reassignment-json-file "$json" --execute
  echo '{"partitions":[{"topic":"placed","partition":0}]}' > "$json"
  judge any election-preferred 'Valid replica already elected|Successfully' election $b --election-type preferred --path-to-json-file "$json" < /dev/null
  rm "$json"

  check log-dirs '"broker":0.*"placed-0"' log-dirs $b --describe --topic-list placed
  check api-versions 'Produce\(0\): .*Fetch\(1\): .*ApiVersions\(18\)' api-versions $b
  check cluster-id 'Cluster ID: .{22}' cluster cluster-id $b
  check quorum-status 'LeaderId' quorum $b describe --status
  check quorum-replication 'LogEndOffset.*Leader' quorum $b describe --replication
  check features 'metadata.version' features $b describe

  check produce-perf '20000 records sent' produce-perf --topic perf --num-records 20000 --record-size 500 --throughput -1 --producer-props "bootstrap.servers=$1" acks=all
  check produce-perf-idempotent '20000 records sent' produce-perf --topic perf --num-records 20000 --record-size 100 --throughput -1 --producer-props "bootstrap.servers=$1" enable.idempotence=true compression.type=lz4
  check consume-perf '40000' consume-perf $b --topic perf --num-records 40000 --timeout 30000
  check latency 'Percentiles: 50th' latency $b --topic perf --num-records 500 --producer-acks all --record-size 100
  check verify-produce '"acked":1000' verify-produce $b --topic verified --max-messages 1000
  check verify-consume 'shutdown_complete' verify-consume $b --topic verified --group-id verifiers --reset-policy earliest --max-messages 1000
  check groups-describe-all 'verifiers +verified' groups $b --describe --all-groups --verbose
  check streams-reset 'Done' streams-reset $b --application-id verifiers --input-topics verified
  check producers 'ProducerId' transactions $b describe-producers --topic verified --partition 0
  check cluster-endpoints 'unfenced' cluster list-endpoints $b
  check groups-delete-all 'successful' groups $b --delete --all-groups

  check topics-delete '' topics $b --delete --topic $t
  refuse topics-delete-again 'does not exist' topics $b --delete --topic $t
  refuse topics-describe-absent 'does not exist' topics $b --describe --topic $t
  python3 "$here/report.py" merge "$results" "$results"
}
