# Sarama and segmentio's kafka-go, from the Go module proxy. The checks are ours.
sarama=v1.46.3
kafka_go=v0.4.49
settings=(num.partitions=3 auto.create.topics.enable=true)
rerun=""
folder=$cache/go-clients

fetch() {
  need go golang-go
  mkdir -p "$folder"
  cp "$here/go-clients.go" "$folder/main.go"
  (cd "$folder" && { [ -f go.mod ] || printf 'module clients\n\ngo 1.24\n' > go.mod; } &&
    go get "github.com/IBM/sarama@$sarama" "github.com/segmentio/kafka-go@$kafka_go" && go build -o clients .) > "$folder/build.log" 2>&1 ||
    { tail -n 5 "$folder/build.log" >&2; die "the Go clients do not build"; }
}

run() {
  timeout 900 "$folder/clients" "$1" 2> "$2.log" | grep -P '^\S+\t(PASSED|FAILED)$' > "$2.tsv" || true
  python3 "$here/report.py" merge "$2.tsv" "$2.tsv"
}
