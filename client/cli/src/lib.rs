//! The millrace subcommands: small programs over any Kafka client and the views API.
