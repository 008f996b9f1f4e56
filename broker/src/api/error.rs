//! The one place where our errors become Kafka's codes. There is no `_` arm: a new kind of error
//! asks here for its code before it compiles.
use std::borrow::Cow;

use millrace_protocol::{ErrorCode, StrBytes};

/// A Kafka error on its way into a response.
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{code}: {}", message.as_deref().unwrap_or("no further detail"))]
pub struct ApiError {
    pub code: ErrorCode,
    /// Said to the client where the response has a place for it.
    pub message: Option<Cow<'static, str>>,
}

impl ApiError {
    pub fn new(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> ApiError {
        ApiError { code, message: Some(message.into()) }
    }

    /// The number that goes on the wire.
    pub fn wire(&self) -> i16 {
        self.code.code()
    }

    pub fn wire_message(&self) -> Option<StrBytes> {
        self.message.as_ref().map(|message| StrBytes::from_string(message.clone().into_owned()))
    }
}

impl From<ErrorCode> for ApiError {
    fn from(code: ErrorCode) -> ApiError {
        ApiError { code, message: None }
    }
}
