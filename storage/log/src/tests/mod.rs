//! What the log promises, tried on a disk in memory.
mod append_and_read;
mod readers;
mod recovery;
mod shorten;
