//! Kafka record batches as values: view, stamp, walk, build, compress. No I/O.
