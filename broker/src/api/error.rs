//! The one place where our errors become Kafka's codes. There is no `_` arm: a new kind of error
//! asks here for its code before it compiles.
use std::borrow::Cow;

use millrace_cluster::decide::{Reason, Refusal};
use millrace_coordinator::GroupError;
use millrace_protocol::{ErrorCode, StrBytes};
use millrace_record::Refused;
use millrace_shard::{AppendError, ReadError, ShardError};

use crate::coordinators::CoordinatorError;
use crate::folded::FoldedError;

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

/// An error whose own words are worth saying to the client.
fn said(code: ErrorCode, error: &dyn std::fmt::Display) -> ApiError {
    ApiError::new(code, error.to_string())
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> ApiError {
        let code = match refusal.reason {
            Reason::TopicExists => ErrorCode::TopicAlreadyExists,
            Reason::UnknownTopic => ErrorCode::UnknownTopicOrPartition,
            Reason::UnknownTopicId => ErrorCode::UnknownTopicId,
            Reason::InvalidTopic => ErrorCode::InvalidTopicException,
            Reason::InvalidPartitions => ErrorCode::InvalidPartitions,
            Reason::InvalidReplicationFactor => ErrorCode::InvalidReplicationFactor,
            Reason::InvalidReplicaAssignment => ErrorCode::InvalidReplicaAssignment,
            Reason::InvalidConfig => ErrorCode::InvalidConfig,
            Reason::InvalidRequest => ErrorCode::InvalidRequest,
            Reason::PolicyViolation => ErrorCode::PolicyViolation,
            Reason::TopicDeletionDisabled => ErrorCode::TopicDeletionDisabled,
        };
        ApiError::new(code, refusal.message)
    }
}

impl From<AppendError> for ApiError {
    fn from(error: AppendError) -> ApiError {
        let code = match error {
            AppendError::NotLeader | AppendError::LeadershipLost => ErrorCode::NotLeaderOrFollower,
            AppendError::OutOfOrderSequence { .. } => ErrorCode::OutOfOrderSequenceNumber,
            AppendError::InvalidProducerEpoch { .. } => ErrorCode::InvalidProducerEpoch,
            AppendError::Invalid(_) => ErrorCode::InvalidRecord,
            // Only folds name the end that they expect; a client's batch never meets this.
            AppendError::EndMoved { .. } => ErrorCode::NotLeaderOrFollower,
            AppendError::DiskFull | AppendError::DiskFailed => ErrorCode::KafkaStorageError,
            // Deleted, or the node stops: the client asks for metadata and finds out which.
            AppendError::Closed => ErrorCode::NotLeaderOrFollower,
        };
        said(code, &error)
    }
}

impl From<ReadError> for ApiError {
    fn from(error: ReadError) -> ApiError {
        let code = match error {
            ReadError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ReadError::Corrupt(_) => ErrorCode::CorruptMessage,
            ReadError::Trouble(_) => ErrorCode::KafkaStorageError,
        };
        said(code, &error)
    }
}

impl From<ShardError> for ApiError {
    fn from(error: ShardError) -> ApiError {
        let code = match error {
            ShardError::AlreadyOpen(_) => ErrorCode::UnknownServerError,
            ShardError::NotOpen(_) => ErrorCode::UnknownTopicOrPartition,
            ShardError::NotLeader | ShardError::LeadershipLost => ErrorCode::NotLeaderOrFollower,
            ShardError::OutOfRange { .. } => ErrorCode::OffsetOutOfRange,
            ShardError::Corrupt(_) => ErrorCode::CorruptMessage,
            ShardError::DiskFull | ShardError::DiskFailed | ShardError::Trouble(_) => ErrorCode::KafkaStorageError,
            ShardError::Stopped => ErrorCode::NotLeaderOrFollower,
        };
        said(code, &error)
    }
}

/// For changes of the cluster; a coordinator's log says `NOT_COORDINATOR` instead of `NOT_CONTROLLER`.
impl From<FoldedError> for ApiError {
    fn from(error: FoldedError) -> ApiError {
        match error {
            FoldedError::NotLeader => said(ErrorCode::NotController, &error),
            FoldedError::Append(error) => match error {
                AppendError::DiskFull | AppendError::DiskFailed => said(ErrorCode::KafkaStorageError, &error),
                AppendError::NotLeader
                | AppendError::LeadershipLost
                | AppendError::EndMoved { .. }
                | AppendError::Closed => said(ErrorCode::NotController, &error),
                AppendError::OutOfOrderSequence { .. }
                | AppendError::InvalidProducerEpoch { .. }
                | AppendError::Invalid(_) => said(ErrorCode::UnknownServerError, &error),
            },
            FoldedError::Read(error) => error.into(),
            FoldedError::Trim(_) | FoldedError::Unreadable { .. } => said(ErrorCode::UnknownServerError, &error),
        }
    }
}

/// What a group says no with.
pub fn group_code(error: GroupError) -> ErrorCode {
    match error {
        GroupError::InvalidGroupId => ErrorCode::InvalidGroupId,
        GroupError::InvalidSessionTimeout => ErrorCode::InvalidSessionTimeout,
        GroupError::InconsistentProtocol => ErrorCode::InconsistentGroupProtocol,
        GroupError::UnknownMember => ErrorCode::UnknownMemberId,
        GroupError::MemberIdRequired => ErrorCode::MemberIdRequired,
        GroupError::FencedInstance => ErrorCode::FencedInstanceId,
        GroupError::IllegalGeneration => ErrorCode::IllegalGeneration,
        GroupError::RebalanceInProgress => ErrorCode::RebalanceInProgress,
        GroupError::GroupFull => ErrorCode::GroupMaxSizeReached,
        GroupError::GroupNotFound => ErrorCode::GroupIdNotFound,
        GroupError::NonEmptyGroup => ErrorCode::NonEmptyGroup,
        GroupError::SubscribedToTopic => ErrorCode::GroupSubscribedToTopic,
        GroupError::OffsetMetadataTooLarge => ErrorCode::OffsetMetadataTooLarge,
        GroupError::CommitTooLarge => ErrorCode::InvalidCommitOffsetSize,
    }
}

/// Why a group could not even be asked. All of these make a client look for the coordinator again.
pub fn coordinator_code(error: CoordinatorError) -> ErrorCode {
    match error {
        CoordinatorError::NotAvailable => ErrorCode::CoordinatorNotAvailable,
        CoordinatorError::NotCoordinator => ErrorCode::NotCoordinator,
        CoordinatorError::Loading => ErrorCode::CoordinatorLoadInProgress,
    }
}

impl From<Refused> for ApiError {
    fn from(refused: Refused) -> ApiError {
        let code = match refused {
            Refused::Corrupt(_) => ErrorCode::CorruptMessage,
            Refused::InvalidRecord { .. } => ErrorCode::InvalidRecord,
            Refused::InvalidTimestamp { .. } => ErrorCode::InvalidTimestamp,
            Refused::TooLarge { .. } => ErrorCode::MessageTooLarge,
            Refused::LargerThanSegment { .. } => ErrorCode::RecordListTooLarge,
            Refused::UnsupportedCompression(_) => ErrorCode::UnsupportedCompressionType,
        };
        said(code, &refused)
    }
}
