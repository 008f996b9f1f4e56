#!/usr/bin/env bash
# Our own broker, started as apache-kafka.sh starts the other one.
#   millrace.sh up PORT [key=value ...]   starts a fresh node in the background, prints its process id
# Environment: MILLRACE_BIN (default: the release binary in the target folder), MILLRACE_DATA (scratch folder).
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

up() {
  local port=$1; shift
  local binary=${MILLRACE_BIN:-${CARGO_TARGET_DIR:-$HOME/.cache/millrace-target}/release/millrace}
  [ -x "$binary" ] || die "$binary is not there: make build"
  local folder=${MILLRACE_DATA:-$cache}/millrace-$port
  rm -rf "$folder"; mkdir -p "$folder"
  local words=()
  for setting in "node.id=0" "listeners=PLAINTEXT://127.0.0.1:$port" "advertised.listeners=PLAINTEXT://127.0.0.1:$port" \
    "http.listener=127.0.0.1:$(free_port)" "grpc.listener=127.0.0.1:$(free_port)" "log.dirs=$folder/data" \
    offsets.topic.num.partitions=5 group.initial.rebalance.delay.ms=0 "$@"; do
    words+=(--override "$setting")
  done
  (cd "$folder" && exec nohup setsid "$binary" start "${words[@]}" > "$folder/server.log" 2>&1 < /dev/null) &
  local pid=$!
  await_port "$port" "$pid" "$folder/server.log"
  echo "$pid"
}

case "${1:-}" in
  up) "$@" ;;
  *) sed -n '2,4p' "${BASH_SOURCE[0]}"; exit 2 ;;
esac
