# Two commands do everything on a bare Debian machine with Rust: `make run` and `make test`.
export CARGO_TARGET_DIR ?= $(HOME)/.cache/millrace-target
SHELL := /bin/bash
BIN := $(CARGO_TARGET_DIR)/release/millrace
# The compile cache, where it is installed; shared by the dev and release profiles.
SCCACHE := $(shell command -v sccache 2>/dev/null)
ifneq ($(SCCACHE),)
export RUSTC_WRAPPER := $(SCCACHE)
export SCCACHE_DIR ?= $(HOME)/.cache/sccache
export SCCACHE_CACHE_SIZE ?= 20G
endif

.PHONY: sim sim-views fuzz run build test setup help conformance kill kill-views kill-subscribers compat bench bench-first bench-views bench-serve
help: ## this list
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/^([a-z-]+):[^#]*## /\1\t/' | expand -t 16

setup: ## install the system packages that are missing
	@deploy/setup.sh

build: setup ## the release binary
	cargo build --release --bin millrace

run: build ## one broker with views on loopback, data in ./millrace-data
	$(BIN) start

test: setup ## the fast layers: unit, property, simulation, real clients
	cargo build --bin millrace
	@set -o pipefail; MILLRACE_BIN=$(CARGO_TARGET_DIR)/debug/millrace cargo test --workspace | awk '$(TALLY)'

# Every crate's tests close with a line of their own; this adds them up into one last line.
TALLY = { print; fflush() } /^test result:/ { passed += $$4; failed += $$6 } END { printf "%d passed, %d failed\n", passed, failed }

kill: build ## kill -9 under load, ROUNDS times (default 200) [VIEWS=1: with views beside]
	MILLRACE_BIN=$(BIN) KILL_ROUNDS=$(or $(ROUNDS),200) KILL_VIEWS=$(or $(VIEWS),0) cargo test -p millrace-clients-tests --test kill -- --nocapture

kill-views: build ## kill -9 under views that count, sum, join, repartition, chain and keep sessions, ROUNDS times (default 100)
	MILLRACE_BIN=$(BIN) VIEW_ROUNDS=$(or $(ROUNDS),100) cargo test -p millrace-clients-tests --test views -- --nocapture

kill-subscribers: build ## kill -9 under subscribers that resume by cut, ROUNDS times (default 200)
	MILLRACE_BIN=$(BIN) SUBSCRIBER_ROUNDS=$(or $(ROUNDS),200) cargo test -p millrace-views-tests --test kill -- --nocapture

bench-serve: build ## look-ups, freshness and subscribers of one broker's views while they ingest: [SECONDS=10] [RATE=10000] [SUBSCRIBERS=1000]
	MILLRACE_BIN=$(BIN) cargo run --release -q -p millrace-serve-bench -- $(if $(SECONDS),--seconds $(SECONDS)) $(if $(RATE),--rate $(RATE)) $(if $(SUBSCRIBERS),--subscribers $(SUBSCRIBERS))

compat: build ## other people's client suites beside Apache Kafka: [SUITES="franz-go ..."] [RUNS=3] [BASELINE=1 re-makes Kafka's side]
	MILLRACE_BIN=$(BIN) BASELINE=$(or $(BASELINE),0) RUNS=$(or $(RUNS),1) tests/clients/compat/run.sh $(SUITES)

bench: build ## throughput, latency and CPU of one broker: [ONLY=TEXT] [SECONDS=5]
	MILLRACE_BIN=$(BIN) cargo run --release -q -p millrace-load -- compare --alone $(LOAD_OPTIONS)

bench-first: build ## the same beside Apache Kafka 4.3.1, fetched and started here, in turn: [ONLY=TEXT] [SECONDS=5]
	MILLRACE_BIN=$(BIN) cargo run --release -q -p millrace-load -- compare $(LOAD_OPTIONS)

bench-views: build ## views beside Kafka Streams 4.3.1, both fetched and started here, in turn: [ONLY=W2] [KEYS=1000,1000000] [RECORDS=n] [ROUNDS=n] [ALONE=1]
	cd benches/streams && mvn -q -DskipTests package
	MILLRACE_BIN=$(BIN) cargo run --release -q -p millrace-views-bench -- $(if $(ONLY),--only '$(ONLY)') $(if $(KEYS),--keys $(KEYS)) $(if $(RECORDS),--records $(RECORDS)) $(if $(ROUNDS),--rounds $(ROUNDS)) $(if $(ALONE),--alone)

LOAD_OPTIONS = $(if $(ONLY),--only '$(ONLY)') $(if $(SECONDS),--seconds $(SECONDS)) $(if $(ROUNDS),--rounds $(ROUNDS))

conformance: setup ## run a ksqlDB corpus: CORPUS=DIR [OUT=FILE] [GREP=TEXT]
	cargo run --release -q -p millrace-conformance -- $(CORPUS) $(if $(OUT),--out $(OUT)) $(if $(GREP),--grep '$(GREP)' --failures)

sim: setup ## simulated crashes: SEEDS=n [HOURS=24: a whole broker for that long] [FIRST=s] [TRACE=1] [PLANT=ack-before-persist]
	SEEDS=$(SEEDS) FIRST=$(FIRST) TRACE=$(TRACE) PLANT=$(PLANT) HOURS=$(HOURS) cargo run --release --quiet -p millrace-sim

sim-views: ## the same with views over it: SEEDS=n [FIRST=s] [TRACE=1] [PLANT=cut-before-output|torn-write|ack-before-persist]
	VIEWS=1 SEEDS=$(SEEDS) FIRST=$(FIRST) TRACE=$(TRACE) PLANT=$(PLANT) cargo run --release --quiet -p millrace-sim

fuzz: build ## hostile bytes for everything that reads any: MINUTES=60 [ONLY=target] [SEED=n]
	MILLRACE_BIN=$(BIN) MINUTES=$(MINUTES) ONLY=$(ONLY) SEED=$(SEED) cargo run --release --quiet -p millrace-fuzz
