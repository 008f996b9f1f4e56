//! A Kafka broker with materialised views built in.
