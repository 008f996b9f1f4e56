//! Configs that a group can carry (config resource type GROUP).
use super::key::Key;

/// The table. Kafka's group configs belong to the newer group protocols; the classic protocol has
/// none, so there is nothing to declare until those protocols are here.
pub const GROUP: &[Key] = &[];
