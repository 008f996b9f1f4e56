//! Every error code that this broker answers with, and what it means to whoever gets it: the source of the reference page. A test
//! compares it with the codes that the sources name.
use millrace_protocol::ErrorCode;

pub struct ErrorRow {
    pub code: ErrorCode,
    /// When it is answered, and what helps.
    pub when: &'static str,
}

const fn row(code: ErrorCode, when: &'static str) -> ErrorRow {
    ErrorRow { code, when }
}

/// Sorted by number.
pub const ERRORS: &[ErrorRow] = &[
    row(ErrorCode::UnknownServerError, "A fault of the broker's own; its log says more."),
    row(ErrorCode::OffsetOutOfRange, "The offset lies before the log's start or behind its end. `auto.offset.reset` decides what a consumer does."),
    row(ErrorCode::CorruptMessage, "The batch's checksum or layout is wrong, or what lies on the disk is damaged. A producer may send again; for a reader the log and `millrace doctor DATA` name the file."),
    row(ErrorCode::UnknownTopicOrPartition, "There is no such topic or partition (yet)."),
    row(ErrorCode::LeaderNotAvailable, "The topic has just been made, or its partition did not open: ask again; if it lasts, see the log."),
    row(ErrorCode::NotLeaderOrFollower, "This node does not lead the partition: refresh the metadata."),
    row(ErrorCode::RequestTimedOut, "The change was not carried out within the request's `timeout_ms`; it may still be."),
    row(ErrorCode::MessageTooLarge, "The batch is larger than `max.message.bytes`."),
    row(ErrorCode::OffsetMetadataTooLarge, "The note with a committed offset is longer than `offset.metadata.max.bytes`."),
    row(ErrorCode::CoordinatorLoadInProgress, "The group's offsets are being read: ask again."),
    row(ErrorCode::CoordinatorNotAvailable, "`__consumer_offsets` is not there yet, or cannot be read: ask again."),
    row(ErrorCode::NotCoordinator, "Another node coordinates the group: look it up again."),
    row(ErrorCode::InvalidTopicException, "The topic's name is not allowed, collides with another one, or is the broker's own."),
    row(ErrorCode::RecordListTooLarge, "The batch is larger than a segment (`segment.bytes`)."),
    row(ErrorCode::NotEnoughReplicas, "Fewer replicas than `min.insync.replicas`."),
    row(ErrorCode::InvalidRequiredAcks, "acks is none of -1, 0, 1."),
    row(ErrorCode::IllegalGeneration, "The member speaks of a generation that is over: it must join again."),
    row(ErrorCode::InconsistentGroupProtocol, "The member's protocols or protocol type do not fit the group's."),
    row(ErrorCode::InvalidGroupId, "The group's id is empty."),
    row(ErrorCode::UnknownMemberId, "The group does not know the member, or does not know it any more: it must join again."),
    row(ErrorCode::InvalidSessionTimeout, "Outside `group.min.session.timeout.ms` .. `group.max.session.timeout.ms`."),
    row(ErrorCode::RebalanceInProgress, "The group rebalances: the member must join again."),
    row(ErrorCode::InvalidCommitOffsetSize, "One commit is larger than a batch may be."),
    row(ErrorCode::InvalidTimestamp, "A record's time lies outside `message.timestamp.before.max.ms` and `message.timestamp.after.max.ms`."),
    row(ErrorCode::UnsupportedVersion, "The API does not exist here in this version, or asks for what is not here yet."),
    row(ErrorCode::TopicAlreadyExists, "A topic of this name exists."),
    row(ErrorCode::InvalidPartitions, "The number of partitions is not possible, or not more than there are."),
    row(ErrorCode::InvalidReplicationFactor, "There are not so many nodes."),
    row(ErrorCode::InvalidReplicaAssignment, "The assignment names unknown nodes, or does not fit the partitions."),
    row(ErrorCode::InvalidConfig, "A config's name or value is wrong; the message says which."),
    row(ErrorCode::NotController, "This node does not lead the metadata log: ask the controller."),
    row(ErrorCode::InvalidRequest, "The request contradicts itself; the message says how."),
    row(ErrorCode::PolicyViolation, "The broker's own rules forbid it; the message says which."),
    row(ErrorCode::OutOfOrderSequenceNumber, "An idempotent producer left out a batch, or its history is gone."),
    row(ErrorCode::InvalidProducerEpoch, "A newer producer has the same id: this one is fenced."),
    row(ErrorCode::InvalidTxnState, "Transactions are not here yet, so there is none that this could be part of."),
    row(ErrorCode::TransactionalIdAuthorizationFailed, "Transactions are not here yet: a transactional id is refused for good, so that no client waits."),
    row(ErrorCode::SecurityDisabled, "There is no authorizer, and so there are no ACLs."),
    row(ErrorCode::KafkaStorageError, "The disk is full or failed. Full: writing goes on by itself once there is room. Failed: nothing more is written until a restart; reads go on."),
    row(ErrorCode::LogDirNotFound, "There is no such log directory."),
    row(ErrorCode::NonEmptyGroup, "The group has members: stop them first."),
    row(ErrorCode::GroupIdNotFound, "There is no such group."),
    row(ErrorCode::FetchSessionIdNotFound, "The incremental session is gone: the client begins a new one."),
    row(ErrorCode::InvalidFetchSessionEpoch, "The incremental session is out of step: the client begins a new one."),
    row(ErrorCode::TopicDeletionDisabled, "`delete.topic.enable` is false."),
    row(ErrorCode::FencedLeaderEpoch, "The client's metadata is older than the partition's leader: refresh it."),
    row(ErrorCode::UnknownLeaderEpoch, "The client's metadata is newer than this node's: ask again."),
    row(ErrorCode::UnsupportedCompressionType, "The codec is unknown, or zstd came with a Produce request before version 7."),
    row(ErrorCode::MemberIdRequired, "A new member is given its id, and joins again with it."),
    row(ErrorCode::GroupMaxSizeReached, "The group has `group.max.size` members."),
    row(ErrorCode::FencedInstanceId, "Another member has the same `group.instance.id`."),
    row(ErrorCode::EligibleLeadersNotAvailable, "No replica can lead the partition."),
    row(ErrorCode::ElectionNotNeeded, "The partition's leader is the preferred one."),
    row(ErrorCode::NoReassignmentInProgress, "There is no reassignment to cancel."),
    row(ErrorCode::GroupSubscribedToTopic, "The group reads the topic: its offsets cannot be deleted."),
    row(ErrorCode::InvalidRecord, "A record was refused; the message says which and why (a compacted topic wants keys)."),
    row(ErrorCode::UnknownTopicId, "No topic has this id: it was deleted, or made again."),
    row(ErrorCode::TransactionalIdNotFound, "There is no such transactional id."),
    row(ErrorCode::FetchSessionTopicIdError, "The incremental session mixed topic names and ids: the client begins a new one."),
    row(ErrorCode::MismatchedEndpointType, "Controllers were asked for at a broker's listener."),
    row(ErrorCode::UnsupportedEndpointType, "The kind of endpoint is unknown."),
];

/// Kafka's name of a code: `OFFSET_OUT_OF_RANGE`.
pub fn kafka_name(code: ErrorCode) -> String {
    let mut name = String::new();
    for letter in format!("{code:?}").chars() {
        if letter.is_ascii_uppercase() && !name.is_empty() {
            name.push('_');
        }
        name.push(letter.to_ascii_uppercase());
    }
    name
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_are_sorted_and_named_as_kafka_names_them() {
        assert!(ERRORS.is_sorted_by(|a, b| a.code.code() < b.code.code()));
        assert_eq!(kafka_name(ErrorCode::OffsetOutOfRange), "OFFSET_OUT_OF_RANGE");
        assert_eq!(kafka_name(ErrorCode::InvalidTopicException), "INVALID_TOPIC_EXCEPTION");
    }
}
