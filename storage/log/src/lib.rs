//! One segmented log on one disk. Knows no Raft and no Kafka request.
