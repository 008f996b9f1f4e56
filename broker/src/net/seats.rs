//! Accepting for the listeners of the views: through the door that all listeners share, and within a bound of the listener's own.
use std::future::Future;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::{Either, select};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::door::{Counted, Door};
use crate::node::Node;

/// Out of descriptors, for the most part: others must close before it can go on.
const AGAIN_AFTER: Duration = Duration::from_millis(100);

/// A bound socket and how many may sit at it.
pub struct Seats {
    pub name: &'static str,
    pub socket: TcpListener,
    pub node: Arc<Node>,
    pub door: Arc<Door>,
    free: Arc<Semaphore>,
}

/// Held for as long as the connection lives.
pub struct Seat {
    _counted: Counted,
    _one: OwnedSemaphorePermit,
}

impl Seats {
    /// `config` names the bound.
    pub fn new(name: &'static str, config: &str, socket: TcpListener, node: Arc<Node>, door: Arc<Door>) -> Seats {
        let count = usize::try_from(node.config.settings().number(config)).unwrap_or(0);
        Seats { name, socket, node, door, free: Arc::new(Semaphore::new(count.min(Semaphore::MAX_PERMITS))) }
    }

    /// The next connection that may come in; nothing once `stop` resolves.
    pub async fn next(&self, stop: impl Future<Output = ()>) -> Option<(TcpStream, Seat)> {
        match select(pin!(self.admit()), pin!(stop)).await {
            Either::Left((admitted, _)) => admitted,
            Either::Right(_) => None,
        }
    }

    async fn admit(&self) -> Option<(TcpStream, Seat)> {
        loop {
            // Taken first: who finds no place waits in the system's queue.
            let one = self.free.clone().acquire_owned().await.ok()?;
            let (stream, address) = match self.socket.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(listener = self.name, %error, "a connection could not be accepted");
                    self.node.world.sleep_until(self.node.world.now() + AGAIN_AFTER).await;
                    continue;
                }
            };
            let Some(counted) = self.door.admit(&self.node, address.ip()).await else {
                tracing::debug!(listener = self.name, %address, "turned away: max.connections.per.ip is reached");
                continue;
            };
            // A row is told when it is there, not when more have gathered.
            if let Err(error) = stream.set_nodelay(true) {
                tracing::debug!(%address, %error, "no TCP_NODELAY");
            }
            return Some((stream, Seat { _counted: counted, _one: one }));
        }
    }
}
