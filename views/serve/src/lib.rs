//! Catalog, pull and push queries, gRPC and ksqlDB's REST.
