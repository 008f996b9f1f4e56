//! Kafka's wire protocol behind our own bounds.
