# rust-rdkafka's integration tests: the crate ships them, and its sys crate brings librdkafka.
version=0.39.0
# A test compares the port that Metadata tells with Kafka's own.
port=9092
settings=(num.partitions=3 auto.create.topics.enable=true)
rerun=1
folder=$cache/rdkafka-$version

fetch() {
  need cargo cargo
  if [ ! -d "$folder" ]; then
    mkdir -p "$cache/get-rdkafka"
    (cd "$cache/get-rdkafka" && printf '[package]\nname = "get"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\nrdkafka = "=%s"\n' "$version" > Cargo.toml && : > lib.rs && cargo fetch -q)
    cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/rdkafka-"$version" "$folder"
    printf '\n[workspace]\n' >> "$folder/Cargo.toml"
  fi
  (cd "$folder" && CARGO_TARGET_DIR=$cache/target-rdkafka CARGO_PROFILE_DEV_DEBUG=0 cargo test -q --no-run --test '*' > "$folder/build.log" 2>&1) ||
    { tail -n 5 "$folder/build.log" >&2; die "rust-rdkafka's tests do not build"; }
}

run() {
  local names=()
  [ -z "${ONLY:-}" ] || mapfile -t names < <(sed 's/^[^:]*:://' <<< "$ONLY")
  (cd "$folder" && CARGO_TARGET_DIR=$cache/target-rdkafka CARGO_PROFILE_DEV_DEBUG=0 KAFKA_HOST=$1 KAFKA_VERSION=4.2.0 \
    cargo test --no-fail-fast --test '*' -- --test-threads=3 "${names[@]}" > "$2.log" 2>&1) || true
  python3 "$here/report.py" cargo "$2.log" "$2.tsv"
}
