//! Accepting connections, as far as the door lets them in.
use std::future::poll_fn;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::connection::{Connection, Ended};
use super::door::{Counted, Door};
use super::Limits;
use super::limits::STOPPING_MAX;
use crate::api::{Client, Context};
use crate::node::Node;

/// A bound listener and what its connections share.
pub struct Listener {
    pub name: Arc<str>,
    pub socket: TcpListener,
    pub limits: Limits,
    pub door: Arc<Door>,
}

/// Accepts until `stopping` turns true. Connections end by themselves soon after.
pub async fn serve(node: Arc<Node>, listener: Listener, mut stopping: watch::Receiver<bool>) {
    let Listener { name, socket, limits, door } = listener;
    loop {
        let accepted = tokio::select! {
            accepted = socket.accept() => accepted,
            () = stop(&mut stopping) => return,
        };
        let (stream, address) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of descriptors, most likely: others must close before it can go on.
                tracing::warn!(listener = %name, %error, "a connection could not be accepted");
                node.world.sleep_until(node.world.now() + Duration::from_millis(100)).await;
                continue;
            }
        };
        let admitted = tokio::select! {
            admitted = door.admit(&node, address.ip()) => admitted,
            () = stop(&mut stopping) => return,
        };
        let Some(counted) = admitted else {
            tracing::debug!(listener = %name, %address, "turned away: max.connections.per.ip is reached");
            continue;
        };
        let client = Client {
            id: String::new(),
            principal: "User:ANONYMOUS".to_owned(),
            address,
            listener: name.clone(),
        };
        let ctx = Context { node: node.clone(), client: Arc::new(client) };
        let connection = run(stream, address, ctx, limits.clone(), stopping.clone(), counted);
        node.world.spawn(Box::pin(connection));
    }
}

async fn run(
    stream: TcpStream,
    address: SocketAddr,
    ctx: Context,
    limits: Limits,
    mut stopping: watch::Receiver<bool>,
    _counted: Counted,
) {
    if let Err(error) = stream.set_nodelay(true) {
        tracing::debug!(%address, %error, "no TCP_NODELAY");
    }
    let world = ctx.node.world.clone();
    let mut connection = Connection::new(stream, ctx, &limits);
    let ended = tokio::select! {
        ended = poll_fn(|task| connection.poll(task)) => Some(ended),
        () = stop(&mut stopping) => None,
    };
    let ended = match ended {
        Some(ended) => ended,
        None => {
            connection.stop();
            tokio::select! {
                ended = poll_fn(|task| connection.poll(task)) => ended,
                () = world.sleep_until(world.now() + STOPPING_MAX) => Ended::Stopping,
            }
        }
    };
    match ended {
        Ended::ByClient | Ended::Idle | Ended::Stopping | Ended::Socket(_) => {
            tracing::debug!(%address, reason = %ended, "connection closed");
        }
        Ended::Frame(_) | Ended::UnknownApi(_) | Ended::UnsupportedVersion { .. } | Ended::Fault { .. } => {
            tracing::info!(%address, reason = %ended, "connection closed");
        }
    }
}

/// Resolves when the node stops, or when whoever would say so is gone.
async fn stop(stopping: &mut watch::Receiver<bool>) {
    let _ = stopping.wait_for(|stop| *stop).await;
}
