//! The node's ring of recent turns: one frame and one fsync per turn.
