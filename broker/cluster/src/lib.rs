//! Cluster metadata: what exists and how it is configured.
//!
//! `config` is the one table of configs.
//! This crate opens no file and no socket, and has no clock and no chance of its own.
pub mod config;
