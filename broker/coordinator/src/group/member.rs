use bytes::Bytes;

use crate::coordinator::{Now, Token};
use crate::format::MemberValue;

/// A protocol that a member speaks, and what it says under it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Protocol {
    pub name: String,
    pub metadata: Bytes,
}

#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Member {
    pub id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// In the member's order of preference.
    pub protocols: Vec<Protocol>,
    pub assignment: Bytes,
    /// Its parked requests.
    pub awaiting_join: Option<Token>,
    pub awaiting_sync: Option<Token>,
    /// It has joined but never been through a rebalance; it gets a longer first deadline.
    pub is_new: bool,
    /// Monotonic.
    pub deadline: i64,
}

impl Member {
    /// It has shown a sign of life.
    pub fn touch(&mut self, now: Now) {
        self.deadline = now.monotonic_ms.saturating_add(i64::from(self.session_timeout_ms));
    }

    pub fn metadata(&self, protocol: &str) -> Bytes {
        self.protocols.iter().find(|offered| offered.name == protocol).map(|offered| offered.metadata.clone()).unwrap_or_default()
    }

    pub fn speaks(&self, protocol: &str) -> bool {
        self.protocols.iter().any(|offered| offered.name == protocol)
    }

    pub fn value(&self, protocol: Option<&str>) -> MemberValue {
        MemberValue {
            id: self.id.clone(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: protocol.map(|protocol| self.metadata(protocol)).unwrap_or_default(),
            assignment: self.assignment.clone(),
        }
    }
}
