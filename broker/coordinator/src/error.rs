/// Why a group request is refused. The API layer knows Kafka's number for each.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum GroupError {
    #[error("the group id is empty")]
    InvalidGroupId,
    #[error("the session time-out is out of the broker's range")]
    InvalidSessionTimeout,
    #[error("the member's protocols do not fit the group's")]
    InconsistentProtocol,
    #[error("the group does not know this member")]
    UnknownMember,
    #[error("the member must join again with the id it was given")]
    MemberIdRequired,
    #[error("another member has taken this instance id")]
    FencedInstance,
    #[error("the generation is not the group's")]
    IllegalGeneration,
    #[error("the group is rebalancing")]
    RebalanceInProgress,
    #[error("the group is full")]
    GroupFull,
    #[error("the group does not exist")]
    GroupNotFound,
    #[error("the group has members")]
    NonEmptyGroup,
    #[error("the group is subscribed to the topic")]
    SubscribedToTopic,
    #[error("the note stored with the offset is too long")]
    OffsetMetadataTooLarge,
    #[error("the commit is larger than a batch may be")]
    CommitTooLarge,
}
