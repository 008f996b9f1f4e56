//! The simulated World, its crashes and its checkers.
