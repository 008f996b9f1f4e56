//! Who may come in, over all listeners of the node. The limits are Kafka's and may change while it runs:
//! above `max.connections`, and faster than `max.connection.creation.rate`, nobody more is let in until there is room (they wait in
//! the system's queue); one address above `max.connections.per.ip` is turned away at once.
use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use millrace_cluster::config::BrokerSettings;
use millrace_world::Moment;
use parking_lot::Mutex;

use crate::node::Node;

/// How often a door that is shut is tried.
const TRY_EVERY: Duration = Duration::from_millis(10);

#[derive(Default)]
pub struct Door(Mutex<Inside>);

#[derive(Default)]
struct Inside {
    here: HashMap<IpAddr, usize>,
    all: usize,
    /// When the next connection is due, at the allowed rate. A second's worth may come at once.
    due: Moment,
}

struct Quota {
    all: usize,
    one: usize,
    /// Between two connections.
    pause: Duration,
}

impl Quota {
    fn of(settings: &BrokerSettings<'_>, address: IpAddr) -> Quota {
        let count = |name| usize::try_from(settings.number(name)).unwrap_or(0);
        let overrides = settings.text("max.connections.per.ip.overrides").unwrap_or_default();
        let own = overrides.split(',').filter_map(|one| one.rsplit_once(':')).find(|(host, _)| host.trim().parse() == Ok(address));
        let one = own.and_then(|(_, count)| count.trim().parse().ok()).unwrap_or_else(|| count("max.connections.per.ip"));
        let rate = settings.number("max.connection.creation.rate").max(1);
        Quota { all: count("max.connections"), one, pause: Duration::from_nanos(1_000_000_000 / rate as u64) }
    }
}

enum Verdict {
    In,
    Wait,
    Away,
}

impl Inside {
    fn judge(&mut self, address: IpAddr, quota: &Quota, now: Moment) -> Verdict {
        let here = self.here.entry(address).or_insert(0);
        let second = Duration::from_secs(1);
        let verdict = if *here >= quota.one {
            Verdict::Away
        } else if self.all >= quota.all || self.due > now + second {
            Verdict::Wait
        } else {
            *here += 1;
            self.all += 1;
            self.due = self.due.max(now) + quota.pause;
            Verdict::In
        };
        if *here == 0 {
            self.here.remove(&address);
        }
        verdict
    }
}

impl Door {
    /// Counts a connection in when there is room for it; none when its address has too many.
    pub async fn admit(self: &Arc<Self>, node: &Arc<Node>, address: IpAddr) -> Option<Counted> {
        loop {
            let quota = node.cluster.look(|cluster| Quota::of(&cluster.settings(), address));
            let verdict = self.0.lock().judge(address, &quota, node.world.now());
            match verdict {
                Verdict::Away => return None,
                Verdict::Wait => node.world.sleep_until(node.world.now() + TRY_EVERY).await,
                Verdict::In => {
                    node.metrics.connections.opened();
                    return Some(Counted { door: self.clone(), node: node.clone(), address });
                }
            }
        }
    }
}

/// Counts as one connection for as long as it lives.
pub struct Counted {
    door: Arc<Door>,
    node: Arc<Node>,
    address: IpAddr,
}

impl Drop for Counted {
    fn drop(&mut self) {
        let mut inside = self.door.0.lock();
        inside.all -= 1;
        if let Some(count) = inside.here.get_mut(&self.address) {
            *count -= 1;
            if *count == 0 {
                inside.here.remove(&self.address);
            }
        }
        drop(inside);
        self.node.metrics.connections.closed();
    }
}

#[cfg(test)]
mod tests {
    use millrace_cluster::config::{Layers, Map};

    use super::*;

    const ONE: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const OTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::BROADCAST);

    fn quota(pairs: &[(&str, &str)], address: IpAddr) -> Quota {
        let (fixed, empty): (Map, Map) = (pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(), Map::new());
        Quota::of(&BrokerSettings { layers: Layers { fixed: &fixed, default_broker: &empty, broker: &empty } }, address)
    }

    #[test]
    fn the_full_wait_and_the_many_of_one_address_go_away() {
        let set = [("max.connections", "3"), ("max.connections.per.ip", "1"), ("max.connections.per.ip.overrides", "nowhere:9, 127.0.0.1:2")];
        let mut inside = Inside::default();
        let mut judge = |address| inside.judge(address, &quota(&set, address), Moment(0));
        assert!(matches!(judge(ONE), Verdict::In));
        assert!(matches!(judge(ONE), Verdict::In), "its own limit is 2");
        assert!(matches!(judge(ONE), Verdict::Away));
        assert!(matches!(judge(OTHER), Verdict::In));
        assert!(matches!(judge(OTHER), Verdict::Away));
        assert!(matches!(judge(IpAddr::V6(std::net::Ipv6Addr::LOCALHOST)), Verdict::Wait), "three are here");
    }

    #[test]
    fn they_come_in_no_faster_than_the_rate() {
        let quota = quota(&[("max.connection.creation.rate", "10")], ONE);
        let mut inside = Inside::default();
        let mut came = 0;
        for tick in 0..300 {
            let now = Moment(0) + Duration::from_millis(tick * 10);
            while matches!(inside.judge(ONE, &quota, now), Verdict::In) {
                came += 1;
            }
        }
        assert!((38..=42).contains(&came), "{came} in three seconds at 10 a second, with one second's worth at once");
    }
}
