//! The broker under test.
use std::sync::atomic::{AtomicU32, Ordering};

use millrace_harness::{Broker, Options};

/// A broker of ours, or one that `MILLRACE_PEER` names.
pub struct Peer {
    ours: Option<Broker>,
    address: String,
}

impl Peer {
    /// A fresh broker with an empty directory, or the named peer as it is.
    #[track_caller]
    pub fn start() -> Peer {
        Self::with(Broker::options().set("num.partitions", 3))
    }

    /// [`Peer::start`] with options, which a named peer does not get.
    #[track_caller]
    pub fn with(options: Options) -> Peer {
        match std::env::var("MILLRACE_PEER") {
            Ok(address) => Peer { ours: None, address },
            Err(_) => {
                let broker = options.start();
                Peer { address: broker.kafka(), ours: Some(broker) }
            }
        }
    }

    /// A broker that the test may kill; none, with a word, when another peer is named.
    #[track_caller]
    pub fn ours(options: Options) -> Option<Broker> {
        if std::env::var_os("MILLRACE_PEER").is_some() {
            eprintln!("skipped: this test kills or inspects the broker, and MILLRACE_PEER is not ours");
            return None;
        }
        Some(options.start())
    }

    /// Where clients connect.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The broker's process, where it is ours.
    pub fn broker(&mut self) -> Option<&mut Broker> {
        self.ours.as_mut()
    }
}

/// A name that no other test of this run or of an earlier one uses.
pub fn fresh(what: &str) -> String {
    static COUNT: AtomicU32 = AtomicU32::new(0);
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).map_or(0, |elapsed| elapsed.as_millis());
    format!("{what}-{now:x}-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed))
}
