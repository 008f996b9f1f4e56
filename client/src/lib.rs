//! Rust client for Millrace: the log and the views.
