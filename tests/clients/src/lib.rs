//! Foreign Kafka clients against the real binary.
