//! Cluster metadata: the image folded from its log, decisions, placement.
