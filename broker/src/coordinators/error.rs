/// Why a group could not be asked.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum CoordinatorError {
    #[error("the group coordinator is not available")]
    NotAvailable,
    #[error("this broker does not coordinate the group")]
    NotCoordinator,
    #[error("the group coordinator is still reading its log")]
    Loading,
}
