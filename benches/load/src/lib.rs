//! A lean load driver, beside Apache Kafka in one run.
