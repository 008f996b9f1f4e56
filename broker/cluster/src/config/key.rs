//! One row of the config table, and what a row may say.

/// Kafka's config types, in the words of its protocol.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Boolean,
    String,
    Int,
    Short,
    Long,
    Double,
    List,
    Class,
    Password,
}

impl Kind {
    /// The name as Kafka prints it in its messages and documents.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Boolean => "BOOLEAN",
            Self::String => "STRING",
            Self::Int => "INT",
            Self::Short => "SHORT",
            Self::Long => "LONG",
            Self::Double => "DOUBLE",
            Self::List => "LIST",
            Self::Class => "CLASS",
            Self::Password => "PASSWORD",
        }
    }
}

/// Which values of its type a key takes.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Valid {
    Any,
    AtLeast(i64),
    Between(i64, i64),
    BetweenDouble(f64, f64),
    OneOf(&'static [&'static str]),
    /// A list without repeats, every item one of these; it may be empty.
    ListOf(&'static [&'static str]),
    /// A list without repeats and with at least one item.
    NonEmptyList,
    /// `partition:broker` pairs or `*`.
    ThrottledReplicas,
    /// -1 (the library's own default) or a level.
    GzipLevel,
}

/// When a change of a broker key takes effect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Update {
    /// Read once at start.
    ReadOnly,
    /// May be altered while running, for one broker or for all.
    PerBroker,
    /// May be altered while running; Kafka recommends the cluster-wide default.
    ClusterWide,
}

/// What setting the key does here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// It does what Kafka's documentation says.
    Works,
    /// The name is known and the value is checked and shown; nothing in this broker needs it.
    Accepted,
    /// Ignoring it would be unsafe, so a broker that finds it set refuses to start.
    Refused,
}

/// The unit in which a broker key states a topic key's value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Unit {
    Same,
    Minutes,
    Hours,
}

/// A broker key that stands behind another key when that one is not set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Synonym {
    pub name: &'static str,
    pub unit: Unit,
}

impl Synonym {
    pub const fn same(name: &'static str) -> Self {
        Self { name, unit: Unit::Same }
    }
    pub const fn minutes(name: &'static str) -> Self {
        Self { name, unit: Unit::Minutes }
    }
    pub const fn hours(name: &'static str) -> Self {
        Self { name, unit: Unit::Hours }
    }
}

/// One config: everything that the broker, its protocol and its documentation say about it.
#[derive(Debug, Clone, Copy)]
pub struct Key {
    pub name: &'static str,
    pub kind: Kind,
    /// The value when nobody sets one. A topic key with synonyms has none of its own: its default
    /// is that of the broker keys behind it, so the two cannot disagree.
    pub default: Option<&'static str>,
    pub valid: Valid,
    /// In order of priority.
    pub synonyms: &'static [Synonym],
    pub update: Update,
    pub effect: Effect,
    pub doc: &'static str,
}

impl Key {
    const fn new(name: &'static str, kind: Kind, default: Option<&'static str>) -> Self {
        Self { name, kind, default, valid: Valid::Any, synonyms: &[], update: Update::ReadOnly, effect: Effect::Works, doc: "" }
    }
    /// A key with a default of its own.
    pub(super) const fn with(name: &'static str, kind: Kind, default: &'static str) -> Self {
        Self::new(name, kind, Some(default))
    }
    /// A key that has no value until somebody sets one.
    pub(super) const fn unset(name: &'static str, kind: Kind) -> Self {
        Self::new(name, kind, None)
    }
    /// A topic or group key whose value comes from these broker keys when it is not set.
    pub(super) const fn behind(name: &'static str, kind: Kind, synonyms: &'static [Synonym]) -> Self {
        let mut key = Self::new(name, kind, None);
        key.synonyms = synonyms;
        key
    }
    pub(super) const fn valid(mut self, valid: Valid) -> Self {
        self.valid = valid;
        self
    }
    /// Broker keys that are read when this broker key is not set.
    pub(super) const fn or(mut self, synonyms: &'static [Synonym]) -> Self {
        self.synonyms = synonyms;
        self
    }
    pub(super) const fn per_broker(mut self) -> Self {
        self.update = Update::PerBroker;
        self
    }
    pub(super) const fn live(mut self) -> Self {
        self.update = Update::ClusterWide;
        self
    }
    pub(super) const fn accepted(mut self) -> Self {
        self.effect = Effect::Accepted;
        self
    }
    pub(super) const fn refused(mut self) -> Self {
        self.effect = Effect::Refused;
        self
    }
    pub(super) const fn doc(mut self, doc: &'static str) -> Self {
        self.doc = doc;
        self
    }
    /// Values of sensitive keys are never shown.
    pub fn is_sensitive(&self) -> bool {
        self.kind == Kind::Password
    }
    /// Kafka's `internal.` keys: settable, never listed.
    pub fn is_internal(&self) -> bool {
        self.name.starts_with("internal.")
    }
    pub fn is_read_only(&self) -> bool {
        self.update == Update::ReadOnly
    }
}
