use std::net::SocketAddr;
use std::sync::Arc;

use crate::node::Node;

/// What a handler knows about the one request it answers.
#[derive(Clone)]
pub struct Context {
    pub node: Arc<Node>,
    pub client: Arc<Client>,
}

/// Who is asking. Shared by the requests of a connection for as long as nothing of it changes.
#[derive(Clone, Debug)]
pub struct Client {
    /// As the request's header has it; empty if it was null.
    pub id: String,
    /// `User:ANONYMOUS` on listeners that do not authenticate.
    pub principal: String,
    pub address: SocketAddr,
    /// Name of the listener through which the request came; addresses in answers are those of this listener.
    pub listener: Arc<str>,
}
