# What the compatibility scripts share. Sourced, not run.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../../.." && pwd)
# Fetched suites, jars and logs; a cache, so that a second run fetches nothing.
cache=${COMPAT_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/millrace-compat}
mkdir -p "$cache"

say() { echo "compat: $*" >&2; }
die() { say "$*"; exit 1; }

need() { # need COMMAND PACKAGE: the command, or the Debian package that has it
  command -v "$1" >/dev/null && return
  say "installing $2, which has $1"
  local sudo=""; [ "$(id -u)" -eq 0 ] || sudo=sudo
  $sudo apt-get update -q >/dev/null
  DEBIAN_FRONTEND=noninteractive $sudo apt-get install -y -q --no-install-recommends "$2" >/dev/null
}

jars() { # the folder with Apache Kafka's jars, fetched once
  local folder=${KAFKA_LIBS:-$cache/kafka-libs}
  if [ ! -f "$folder/.whole" ] && ! ls "$folder"/kafka_2.13-*.jar >/dev/null 2>&1; then
    need mvn maven
    need java default-jre-headless
    say "fetching Apache Kafka"
    mvn -q -B -f "$here/kafka-pom.xml" dependency:copy-dependencies -DoutputDirectory="$folder" -DincludeScope=runtime >&2
    touch "$folder/.whole"
  fi
  echo "$folder"
}

await_port() { # await_port PORT PID LOG: until something listens, or the process is gone
  for _ in $(seq 600); do
    (echo > "/dev/tcp/127.0.0.1/$1") 2>/dev/null && return
    kill -0 "$2" 2>/dev/null || { tail -n 20 "$3" >&2; die "the broker on port $1 ended; its log is $3"; }
    sleep 0.1
  done
  die "nothing listens on port $1 after a minute; the broker's log is $3"
}

free_port() { python3 -c 'import socket; s = socket.socket(); s.bind(("127.0.0.1", 0)); print(s.getsockname()[1])'; }
