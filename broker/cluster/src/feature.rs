//! The features whose levels a cluster agrees on, as Kafka names them. What is not listed is not there:
//! a client may use a feature only at the level that is finalized.

/// A feature, and the levels at which this broker can run it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Feature {
    pub name: &'static str,
    pub min: i16,
    pub max: i16,
}

/// Kafka's level for what its release 4.3 can do (4.3-IV0). Records of our metadata log are our own, so
/// nothing here can run at an older level.
pub const METADATA_VERSION: Feature = Feature { name: "metadata.version", min: 30, max: 30 };

pub static FEATURES: &[Feature] = &[METADATA_VERSION];
