# rskafka's integration tests: the crate ships them. Without TEST_INTEGRATION every one of them passes without
# having run. Tests that want several brokers or another implementation beside them fail on one node of Kafka too.
version=0.6.0
settings=(num.partitions=1 auto.create.topics.enable=false)
rerun=1
folder=$cache/rskafka-$version
tests=(--features full --test client --test consumer --test producer --test produce_consume)

fetch() {
  need cargo cargo
  if [ ! -d "$folder" ]; then
    mkdir -p "$cache/get-rskafka"
    (cd "$cache/get-rskafka" && printf '[package]\nname = "get"\nversion = "0.0.0"\nedition = "2021"\n[lib]\npath = "lib.rs"\n[dependencies]\nrskafka = "=%s"\n' "$version" > Cargo.toml && : > lib.rs && cargo fetch -q)
    cp -r "${CARGO_HOME:-$HOME/.cargo}"/registry/src/*/rskafka-"$version" "$folder"
    printf '\n[workspace]\n' >> "$folder/Cargo.toml"
    # It names the toolchain of its own builds.
    rm -f "$folder"/rust-toolchain*
  fi
  # Of the locked crates one does not compile with today's Rust.
  (cd "$folder" && cargo update -q -p rsasl && CARGO_TARGET_DIR=$cache/target-rskafka CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 \
    cargo test -q --no-run "${tests[@]}") > "$folder/build.log" 2>&1 ||
    { tail -n 5 "$folder/build.log" >&2; die "rskafka's tests do not build"; }
}

run() {
  local names=()
  [ -z "${ONLY:-}" ] || mapfile -t names < <(sed 's/^[^:]*:://' <<< "$ONLY")
  (cd "$folder" && CARGO_TARGET_DIR=$cache/target-rskafka CARGO_PROFILE_DEV_DEBUG=0 CARGO_PROFILE_TEST_DEBUG=0 \
    TEST_INTEGRATION=1 TEST_BROKER_IMPL=kafka KAFKA_CONNECT=$1 \
    timeout 1200 cargo test --no-fail-fast "${tests[@]}" -- --show-output --test-threads=3 "${names[@]}" > "$2.log" 2>&1) || true
  python3 "$here/report.py" cargo "$2.log" "$2.tsv"
  # These pass without a word where no Java is set up for them.
  local java
  java=$(grep -B 1 'maybe_skip_java_interopt!();' "$folder/tests/produce_consume.rs" | grep -o 'test_[a-z0-9_]*' | paste -sd '|')
  [ -n "${TEST_JAVA_INTEROPT:-}" ] || sed -i -E "/::($java)\t/s/PASSED/SKIPPED/" "$2.tsv"
}
