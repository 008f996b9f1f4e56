# franz-go's kgo: the tests that talk to a broker, from the Go module proxy (module archives hold the tests).
# They switch themselves off where ApiVersions lacks what they need, so only the comparison with the baseline counts.
version=v1.22.2
settings=(auto.create.topics.enable=true num.partitions=4 group.min.session.timeout.ms=100)
rerun=1
folder=$cache/franz-go
broker_tests='TestUnknownGroupOffsetFetchPinned|TestPing|TestIssue1034|TestIssue(325|337|434|523|648|810|865|769|831)|TestConsumeTopicRetrieval.*|TestConsumeRegex.*|Test848RegexBrokerResolves|TestDirectPartitionPurge|TestAddRemovePartitions|TestPauseIssue.*|TestIssueFetchLargerThanBrokerMaxReadBytes|TestPooling|TestGroupSimple|TestHookPollStart|TestPollWaitStateNoUnderflow|TestLookbackMilli|TestConsumeMaxDecompressBatchBytes|TestGroupETL|TestClient_Produce.*|TestIssueProduce.*|TestShareGroup.*'
# Alone, because where there are no transactions it ends by its time limit, and with it everything beside it.
transaction_tests='TestTxnEtl'

fetch() {
  need go golang-go
  mkdir -p "$folder"
  [ -x "$folder/kgo.test" ] && return
  (cd "$folder" && { [ -f go.mod ] || printf 'module suite\n\ngo 1.24\n' > go.mod; } &&
    go get -t "github.com/twmb/franz-go/pkg/kgo@$version" && go test -c -o kgo.test github.com/twmb/franz-go/pkg/kgo) > "$folder/build.log" 2>&1 ||
    { tail -n 5 "$folder/build.log" >&2; die "kgo's tests do not build"; }
}

run() {
  local sources
  sources=$(cd "$folder" && go list -m -f '{{.Dir}}' github.com/twmb/franz-go)/pkg/kgo
  : > "$2.log"
  if [ -n "${ONLY:-}" ]; then
    kgo "$1" "$(sed 's|/.*||' <<< "$ONLY" | sort -u | paste -sd '|')" 6m >> "$2.log"
  else
    kgo "$1" "$broker_tests" 6m >> "$2.log"
    kgo "$1" "$transaction_tests" 2m >> "$2.log"
  fi
  python3 "$here/report.py" go "$2.log" "$2.tsv"
}

kgo() { # kgo HOST:PORT TESTS TIMEOUT
  (cd "$sources" && KGO_TEST_RF=1 KGO_TEST_RECORDS=${KGO_RECORDS:-50000} KGO_LOG_LEVEL=none KGO_SEEDS=$1 \
    "$folder/kgo.test" -test.v -test.timeout "$3" -test.run "^($2)\$" 2>&1) || true
}
