//! Starts real brokers for tests and benches, kills them, and watches them.
