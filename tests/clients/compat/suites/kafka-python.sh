# kafka-python's integration tests, from its source distribution on PyPI.
version=3.0.12
settings=(num.partitions=4 auto.create.topics.enable=true)
rerun=1
folder=$cache/kafka_python-$version
venv=$cache/venv-kafka-python

fetch() {
  need python3 python3-venv
  if [ ! -x "$venv/bin/pytest" ]; then
    python3 -m venv "$venv"
    "$venv/bin/pip" install -q pytest pytest-mock pytest-timeout crc32c lz4 python-snappy xxhash zstandard
  fi
  [ -d "$folder" ] && return
  "$venv/bin/pip" download -q --no-binary :all: --no-deps "kafka-python==$version" -d "$cache"
  tar -xzf "$cache/kafka_python-$version.tar.gz" -C "$cache"
  # The distribution leaves out two files that its own tests import.
  [ -f "$folder/test/__init__.py" ] || : > "$folder/test/__init__.py"
  [ -f "$folder/test/service.py" ] || cat > "$folder/test/service.py" <<'P'
class ExternalService:
    def __init__(self, host, port):
        self.host, self.port = host, port
    def open(self):
        pass
    def close(self):
        pass
    def is_alive(self):
        return True


class SpawnedService:
    def __init__(self, *args, **kwargs):
        raise RuntimeError("these tests run against a broker that is there")
P
}

run() { # run HOST:PORT OUT
  local names=() name
  while read -r name; do
    [ -z "$name" ] || names+=(-k "${name##*::}")
  done <<< "${ONLY:-}"
  # pytest takes one -k: several names are joined.
  if [ ${#names[@]} -gt 0 ]; then
    local joined; joined=$(printf '%s or ' $(grep -o '[^:]*$' <<< "$ONLY" | sed 's/\[.*//' | sort -u)); names=(-k "${joined% or }")
  fi
  mkdir -p "$cache/empty"
  (cd "$folder" && KAFKA_ROOT=$cache/empty KAFKA_VERSION=4.3.0 KAFKA_URI=PLAINTEXT://$1 PYTHONPATH=. "$venv/bin/python" -m pytest \
    -p no:cacheprovider -W ignore --timeout 90 --timeout-method=signal -q --tb=short --junitxml "$2.xml" "${names[@]}" test/integration > "$2.log" 2>&1) || true
  python3 "$here/report.py" junit "$2.xml" "$2.tsv"
}
