use millrace_coordinator::GroupError;

/// Why a group request has no answer of the group's own.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoordinatorError {
    #[error("the group coordinator is not available")]
    NotAvailable,
    #[error("this broker does not coordinate the group")]
    NotCoordinator,
    #[error("the group coordinator is still reading its log")]
    Loading,
    #[error(transparent)]
    Group(#[from] GroupError),
}
