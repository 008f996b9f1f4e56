//! What can go wrong between a program and the views.
use tonic::{Code, Status};
use tonic_types::StatusExt;

/// Short for a result of this module.
pub type Result<T, E = ViewsError> = std::result::Result<T, E>;

/// Why a call failed.
#[derive(Debug, Clone, thiserror::Error)]
pub enum ViewsError {
    /// Not an address.
    #[error("{address} is no host:port: {reason}")]
    Address {
        /// What was given.
        address: String,
        /// What is wrong with it.
        reason: String,
    },
    /// The node said no, or could not be asked.
    #[error("{message}")]
    Refused {
        /// The status code.
        code: Code,
        /// The reason that programs match on, as `views.proto` lists them; empty where nobody but the transport spoke.
        reason: String,
        /// For people.
        message: String,
        /// The statement at fault, where there were several.
        statement: Option<String>,
    },
    /// The node sent what its own description of the API does not allow.
    #[error("the node's answer is malformed: {0}")]
    Malformed(&'static str),
    /// A value is not what the caller wants it as.
    #[error("{column} is {found}, not {wanted}")]
    Type {
        /// The column.
        column: String,
        /// What it holds.
        found: String,
        /// What was asked for.
        wanted: &'static str,
    },
    /// No such column in the answer.
    #[error("the answer has no column {0}")]
    NoColumn(String),
    /// The caller asked for something that makes no sense.
    #[error("{0}")]
    Misuse(String),
}

impl ViewsError {
    /// The status code, where the node answered or could not be reached.
    pub fn code(&self) -> Option<Code> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            _ => None,
        }
    }

    /// The reason that programs match on: `NOT_FOUND`, `CUT_NOT_KEPT`, ...
    pub fn reason(&self) -> &str {
        match self {
            Self::Refused { reason, .. } => reason,
            _ => "",
        }
    }

    /// True where the same call may succeed later: the node is away or busy.
    pub fn is_retriable(&self) -> bool {
        match self {
            Self::Refused { code: Code::Unavailable | Code::Aborted, .. } => true,
            Self::Refused { code: Code::ResourceExhausted, reason, .. } => reason == "SLOW_SUBSCRIBER" || reason == "LIMIT_REACHED",
            // The transport's own words when a connection breaks under a call.
            Self::Refused { code: Code::Unknown | Code::Internal | Code::Cancelled, reason, .. } => reason.is_empty(),
            _ => false,
        }
    }
}

impl From<Status> for ViewsError {
    fn from(status: Status) -> ViewsError {
        // What the transport calls its own timer, on either side.
        let timer = || std::error::Error::source(&status).is_some_and(|cause| cause.is::<tonic::TimeoutExpired>()) || status.message() == "Timeout expired";
        if status.code() == Code::Cancelled && timer() {
            let (reason, message) = ("DEADLINE_EXCEEDED".to_owned(), "no answer within the timeout".to_owned());
            return ViewsError::Refused { code: Code::DeadlineExceeded, reason, message, statement: None };
        }
        let info = status.get_details_error_info();
        let statement = info.as_ref().and_then(|info| info.metadata.get("statement").cloned());
        let mut message = status.message().to_owned();
        if message.is_empty() || message == "transport error" || info.is_none() {
            // The cause says more than the name of its layer.
            let mut cause = std::error::Error::source(&status);
            while let Some(error) = cause {
                let text = error.to_string();
                if !message.contains(&text) {
                    message = if message.is_empty() { text } else { format!("{message}: {text}") };
                }
                cause = error.source();
            }
        }
        ViewsError::Refused { code: status.code(), reason: info.map(|info| info.reason).unwrap_or_default(), message, statement }
    }
}
