//! Style and dependency rules as tests.
