//! Runs ksqlDB conformance corpora given by path.
