//! What can go wrong between a caller and a broker.
//!
//! A refusal carries the broker's code and sentence; everything else is trouble on the way. Nothing is logged here:
//! whoever consumes the error says it once.
use std::fmt;

use kafka_protocol::ResponseError;

/// Short for a result of this crate.
pub type Result<T, E = ClientError> = std::result::Result<T, E>;

/// A Kafka error code as it stands on the wire.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Code(pub i16);

impl Code {
    /// No error.
    pub const NONE: Code = Code(0);
    /// The offset asked for is outside the log.
    pub const OFFSET_OUT_OF_RANGE: Code = Code(1);
    /// The topic or partition does not exist, or not yet.
    pub const UNKNOWN_TOPIC_OR_PARTITION: Code = Code(3);
    /// An election is under way.
    pub const LEADER_NOT_AVAILABLE: Code = Code(5);
    /// The broker asked is not the leader.
    pub const NOT_LEADER_OR_FOLLOWER: Code = Code(6);
    /// The coordinator is still loading its log.
    pub const COORDINATOR_LOAD_IN_PROGRESS: Code = Code(14);
    /// No coordinator can be named now.
    pub const COORDINATOR_NOT_AVAILABLE: Code = Code(15);
    /// The broker asked is not the coordinator.
    pub const NOT_COORDINATOR: Code = Code(16);
    /// The generation is an old one.
    pub const ILLEGAL_GENERATION: Code = Code(22);
    /// The group does not know this member.
    pub const UNKNOWN_MEMBER_ID: Code = Code(25);
    /// The group is joining anew.
    pub const REBALANCE_IN_PROGRESS: Code = Code(27);
    /// The topic exists already.
    pub const TOPIC_ALREADY_EXISTS: Code = Code(36);
    /// The sequence number is not the next one.
    pub const OUT_OF_ORDER_SEQUENCE_NUMBER: Code = Code(45);
    /// The batch was appended before.
    pub const DUPLICATE_SEQUENCE_NUMBER: Code = Code(46);
    /// The broker knows nothing of this producer id.
    pub const UNKNOWN_PRODUCER_ID: Code = Code(59);
    /// Join again with the member id just given.
    pub const MEMBER_ID_REQUIRED: Code = Code(79);

    /// True for no error.
    pub fn is_ok(self) -> bool {
        self.0 == 0
    }

    /// True where Kafka's clients would try again.
    pub fn is_retriable(self) -> bool {
        ResponseError::try_from_code(self.0).is_some_and(|error| error.is_retriable())
    }

    /// True where the metadata in hand is out of date.
    pub fn wants_new_metadata(self) -> bool {
        matches!(self.0, 3 | 5 | 6 | 13 | 41 | 72 | 74 | 75 | 76 | 100)
    }

    /// `Ok` for no error, else the refusal with what it is about.
    pub fn check(self, about: impl FnOnce() -> String, message: Option<&str>) -> Result<()> {
        if self.is_ok() { Ok(()) } else { Err(ClientError::refused(self, about(), message)) }
    }
}

/// Kafka's name of the code: `UNKNOWN_TOPIC_OR_PARTITION`.
impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match ResponseError::try_from_code(self.0) {
            None => f.write_str("NONE"),
            Some(ResponseError::Unknown(code)) => write!(f, "error code {code}"),
            Some(error) => {
                for (at, letter) in format!("{error:?}").chars().enumerate() {
                    if at > 0 && letter.is_ascii_uppercase() {
                        f.write_str("_")?;
                    }
                    write!(f, "{}", letter.to_ascii_uppercase())?;
                }
                Ok(())
            }
        }
    }
}

impl fmt::Debug for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ClientError {
    /// No connection to an address.
    #[error("cannot connect to {address}: {reason}")]
    Connect {
        /// The address that was tried.
        address: String,
        /// The operating system's reason.
        reason: String,
    },
    /// The connection ended with requests on their way.
    #[error("connection to {peer} closed: {reason}")]
    Closed {
        /// The broker's address.
        peer: String,
        /// How it ended.
        reason: String,
    },
    /// No answer in time.
    #[error("no answer from {peer} to {what} within {after_ms} ms")]
    Timeout {
        /// The broker's address, or the cluster's.
        peer: String,
        /// What was asked.
        what: String,
        /// How long was waited.
        after_ms: u64,
    },
    /// The two sides share no version of an API.
    #[error("{peer} does not offer {api} in a version this client speaks")]
    Unsupported {
        /// The broker's address.
        peer: String,
        /// The API's name.
        api: String,
    },
    /// The broker said no.
    #[error("{about}: {code}{}", message.as_deref().map(|text| format!(" ({text})")).unwrap_or_default())]
    Refused {
        /// Kafka's code.
        code: Code,
        /// What was asked for.
        about: String,
        /// The broker's own words.
        message: Option<String>,
    },
    /// Bytes that are not what the protocol says.
    #[error("malformed {what}: {reason}")]
    Malformed {
        /// What was being read.
        what: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The caller asked for something that makes no sense.
    #[error("{0}")]
    Misuse(String),
}

impl ClientError {
    pub(crate) fn refused(code: Code, about: String, message: Option<&str>) -> Self {
        let message = message.filter(|text| !text.is_empty()).map(str::to_owned);
        Self::Refused { code, about, message }
    }

    pub(crate) fn malformed(what: impl Into<String>, reason: impl fmt::Display) -> Self {
        Self::Malformed { what: what.into(), reason: reason.to_string() }
    }

    /// The broker's code, where the broker answered.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// True where the same call may succeed later or elsewhere.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Connect { .. } | Self::Closed { .. } | Self::Timeout { .. } => true,
            Self::Refused { code, .. } => code.is_retriable(),
            Self::Unsupported { .. } | Self::Malformed { .. } | Self::Misuse(_) => false,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_print_as_kafka_names_them() {
        assert_eq!(Code(3).to_string(), "UNKNOWN_TOPIC_OR_PARTITION");
        assert_eq!(Code(6).to_string(), "NOT_LEADER_OR_FOLLOWER");
        assert_eq!(Code(0).to_string(), "NONE");
        assert_eq!(Code(9999).to_string(), "error code 9999");
    }

    #[test]
    fn a_refusal_says_what_why_and_the_brokers_words() {
        let error = ClientError::refused(Code(36), "create topic t".into(), Some("Topic 't' already exists."));
        assert_eq!(error.to_string(), "create topic t: TOPIC_ALREADY_EXISTS (Topic 't' already exists.)");
        assert!(!error.is_retriable());
        assert!(ClientError::refused(Code(6), "x".into(), None).is_retriable());
    }
}
