//! From a configuration to a serving process, and back down: sockets, node, listeners, HTTP.
//!
//! One of the named exceptions to "only world knows tokio": a process has to begin somewhere.
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use millrace_cluster::Endpoint;
use millrace_serve::Views;
use millrace_shard::ShardError;
use millrace_world::World;
use tokio::net::{TcpListener, TcpSocket};
use tokio::sync::watch;

use crate::config::{Address, NodeConfig};
use crate::net::{self, Door, Limits, Listener, QUEUED_BYTES_MAX, Seats};
use crate::node::{FolderLock, Node, StartError};
use crate::{grpc, http, views};

/// How long connections have to end by themselves before the storage is closed under them.
const DRAIN_MAX: Duration = Duration::from_secs(3);
const BACKLOG: u32 = 1024;

#[derive(Debug, thiserror::Error)]
pub enum LaunchError {
    #[error("{listener} cannot listen on {address}: {source}")]
    Bind { listener: String, address: Address, source: std::io::Error },
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("stopping: {0}")]
    Stop(#[from] ShardError),
}

impl LaunchError {
    /// What the system said, where it was the system that refused.
    pub fn kind(&self) -> std::io::ErrorKind {
        match self {
            LaunchError::Bind { source, .. } => source.kind(),
            LaunchError::Start(_) | LaunchError::Stop(_) => std::io::ErrorKind::Other,
        }
    }
}

/// A node that serves.
pub struct Running {
    pub node: Arc<Node>,
    pub views: Option<Arc<Views>>,
    /// Where Kafka clients connect.
    pub kafka: Vec<SocketAddr>,
    pub http: Option<SocketAddr>,
    pub grpc: Option<SocketAddr>,
    stop: watch::Sender<bool>,
}

/// Brings everything up. Sockets are bound before the node starts, so that what clients are told holds
/// the real ports; they are accepted from only when the node is ready.
///
/// `views_world` is where views run: threads of their own, so that no view holds up the log.
pub async fn launch(world: Arc<dyn World>, views_world: Arc<dyn World>, config: NodeConfig) -> Result<Running, LaunchError> {
    let lock = FolderLock::take(&*world.disk(), &config.data_dir)?;
    let mut sockets = Vec::new();
    let mut endpoints = Vec::new();
    for listener in &config.listeners {
        let (socket, address) = bind(&listener.name, &listener.bind).await?;
        let advertised = listener.advertised.clone().unwrap_or_else(|| reachable(&listener.bind));
        let port = if advertised.port == 0 { address.port() } else { advertised.port };
        endpoints.push(Endpoint { listener: listener.name.to_string(), host: advertised.host, port });
        sockets.push((listener.name.clone(), socket, address));
    }
    let http = bind_optional("http.listener", config.http.as_ref()).await?;
    let grpc = bind_optional("grpc.listener", config.grpc.as_ref()).await?;
    let node = Node::start(world.clone(), config, lock, endpoints).await?;

    let views = match views::start(node.clone(), views_world, http.as_ref().map(|(_, address)| *address)).await {
        Ok(views) => Some(views),
        // The log must not be held up by what is derived from it.
        Err(error) => {
            tracing::error!(%error, "the views did not start; the broker serves without them");
            None
        }
    };

    let (stop, stopping) = watch::channel(false);
    let kafka = sockets.iter().map(|(_, _, address)| *address).collect();
    let door = Arc::new(Door::default());
    for (name, socket, _) in sockets {
        let listener = Listener { name, socket, limits: limits(&node.config), door: door.clone() };
        world.spawn(Box::pin(net::serve(node.clone(), listener, stopping.clone())));
    }
    let (http, http_at) = http.unzip();
    if let Some(socket) = http {
        let seats = Seats::new("http.listener", "http.max.connections", socket, node.clone(), door.clone());
        world.spawn(Box::pin(http::serve(node.clone(), views.clone(), seats, stopping.clone())));
    }
    let (grpc, grpc_at) = grpc.unzip();
    if let Some(socket) = grpc {
        let seats = Seats::new("grpc.listener", "grpc.max.connections", socket, node.clone(), door);
        world.spawn(Box::pin(grpc::serve(views.clone(), seats, stopping)));
    }
    Ok(Running { node, views, kafka, http: http_at, grpc: grpc_at, stop })
}

impl Running {
    /// The line that says that everything is up.
    pub fn ready_line(&self, began: Instant) -> String {
        let list = |addresses: &[SocketAddr]| {
            let shown: Vec<String> = addresses.iter().map(SocketAddr::to_string).collect();
            if shown.is_empty() { "off".to_owned() } else { shown.join(",") }
        };
        let one = |address: Option<SocketAddr>| list(address.as_slice());
        let took = began.elapsed().as_millis();
        format!("ready kafka={} http={} grpc={} in {took} ms", list(&self.kafka), one(self.http), one(self.grpc))
    }

    /// Stops accepting, lets requests under way end, then closes the storage.
    pub async fn stop(self) -> Result<(), LaunchError> {
        let _ = self.stop.send(true);
        if let Some(views) = &self.views {
            views.stop().await;
        }
        let world = &self.node.world;
        let deadline = world.now() + DRAIN_MAX;
        while self.node.metrics.connections.open_now() > 0 && world.now() < deadline {
            world.sleep_until(world.now() + Duration::from_millis(5)).await;
        }
        Ok(self.node.stop().await?)
    }
}

fn limits(config: &NodeConfig) -> Limits {
    let settings = config.settings();
    let idle_ms = settings.number("connections.max.idle.ms");
    Limits {
        request_bytes_max: i32::try_from(settings.number("socket.request.max.bytes")).unwrap_or(i32::MAX),
        // Kafka takes a negative time for "never".
        idle_max: u64::try_from(idle_ms).map_or(Duration::from_secs(u32::MAX.into()), Duration::from_millis),
        queued_bytes_max: usize::try_from(settings.number("queued.max.request.bytes")).unwrap_or(QUEUED_BYTES_MAX),
    }
}

async fn bind_optional(listener: &str, address: Option<&Address>) -> Result<Option<(TcpListener, SocketAddr)>, LaunchError> {
    match address {
        Some(address) => bind(listener, address).await.map(Some),
        None => Ok(None),
    }
}

/// The socket of a listener, bound to where it shall be reached.
pub async fn bind(listener: &str, address: &Address) -> Result<(TcpListener, SocketAddr), LaunchError> {
    let refuse = |source| LaunchError::Bind { listener: listener.to_owned(), address: address.clone(), source };
    let open = async {
        let mut found = tokio::net::lookup_host((address.host.as_str(), address.port)).await?;
        let at = found.next().ok_or(std::io::ErrorKind::AddrNotAvailable)?;
        let socket = if at.is_ipv4() { TcpSocket::new_v4()? } else { TcpSocket::new_v6()? };
        // A restart must not wait for the last run's connections to be forgotten.
        socket.set_reuseaddr(true)?;
        socket.bind(at)?;
        let socket = socket.listen(BACKLOG)?;
        let at = socket.local_addr()?;
        Ok::<_, std::io::Error>((socket, at))
    };
    open.await.map_err(refuse)
}

/// What to tell clients when nothing was configured: the bound address, or this machine's name where
/// every interface was bound.
pub fn reachable(bind: &Address) -> Address {
    let everywhere = matches!(bind.host.as_str(), "0.0.0.0" | "::");
    let host = if everywhere { hostname() } else { bind.host.clone() };
    Address { host, port: bind.port }
}

fn hostname() -> String {
    let mut name = [0u8; 256];
    // SAFETY: the buffer is as long as said; the last byte stays 0 whatever is written.
    let failed = unsafe { libc::gethostname(name.as_mut_ptr().cast(), name.len() - 1) } != 0;
    let end = name.iter().position(|byte| *byte == 0).unwrap_or(0);
    match std::str::from_utf8(&name[..end]) {
        Ok(name) if !failed && !name.is_empty() => name.to_owned(),
        _ => "localhost".to_owned(),
    }
}
