//! Any order of events: nothing panics, every parked request is answered exactly once, what the log
//! says is what a restart finds, and offsets are those that were last committed.
use std::collections::{BTreeMap, BTreeSet};

use bytes::Bytes;
use millrace_coordinator::{
    CommitOffset, CommitOffsets, Coordinator, CoordinatorConfig, JoinGroup, LeaveMember, Now, Presence, Protocol, Record, SyncGroup, Token,
    TopicPartition, Woken,
};
use millrace_fold::Fold;
use proptest::prelude::*;

#[derive(Debug, Clone)]
enum Event {
    Join { who: usize, fresh: bool, fixed: bool, version: u8, protocol: u8 },
    Sync { who: usize, old: bool },
    Beat { who: usize, old: bool },
    Leave { who: usize },
    Commit { who: usize, offset: i64, simple: bool },
    Tick { ms: i64 },
    DeleteOffsets,
    DeleteGroup,
    Restart,
}

fn event() -> impl Strategy<Value = Event> {
    let who = 0..4usize;
    prop_oneof![
        6 => (who.clone(), any::<bool>(), any::<bool>(), 0..3u8, 0..3u8).prop_map(|(who, fresh, fixed, version, protocol)| Event::Join { who, fresh, fixed, version, protocol }),
        6 => (who.clone(), prop::bool::weighted(0.1)).prop_map(|(who, old)| Event::Sync { who, old }),
        2 => (who.clone(), prop::bool::weighted(0.1)).prop_map(|(who, old)| Event::Beat { who, old }),
        2 => who.clone().prop_map(|who| Event::Leave { who }),
        3 => (who, 0..100i64, any::<bool>()).prop_map(|(who, offset, simple)| Event::Commit { who, offset, simple }),
        5 => (0..15_000i64).prop_map(|ms| Event::Tick { ms }),
        1 => Just(Event::DeleteOffsets),
        1 => Just(Event::DeleteGroup),
        1 => Just(Event::Restart),
    ]
}

fn config() -> CoordinatorConfig {
    CoordinatorConfig {
        initial_rebalance_delay_ms: 3000,
        session_timeout_min_ms: 6000,
        session_timeout_max_ms: 60_000,
        group_size_max: 3,
        offset_metadata_bytes_max: 10,
        commit_bytes_max: 1000,
        offsets_retention_ms: 60_000,
        expiry_interval_ms: 20_000,
    }
}

struct World {
    coordinator: Coordinator,
    now: Now,
    log: Vec<Record>,
    waiting: BTreeSet<Token>,
    owner: BTreeMap<Token, usize>,
    ids: [String; 4],
    generation: i32,
    tokens: u64,
}

impl World {
    fn settle(&mut self, records: Vec<Record>, woken: Vec<(Token, Woken)>) {
        self.log.extend(records);
        for (token, answer) in woken {
            assert!(self.waiting.remove(&token), "{token:?} was answered twice, or never asked");
            let who = self.owner[&token];
            match answer {
                Woken::Join(Ok(joined)) => {
                    assert!(joined.generation > 0);
                    assert!(joined.members.is_empty() || joined.members.iter().any(|member| member.id == joined.member));
                    self.generation = joined.generation;
                    self.ids[who] = joined.member;
                }
                Woken::Join(Err(refused)) => self.ids[who] = refused.member,
                Woken::Sync(_) => {}
            }
        }
    }

    fn token(&mut self, who: usize) -> Token {
        self.tokens += 1;
        self.waiting.insert(Token(self.tokens));
        self.owner.insert(Token(self.tokens), who);
        Token(self.tokens)
    }

    fn presence(&self, who: usize, old: bool) -> Presence {
        Presence { group: "g".to_owned(), member: self.ids[who].clone(), instance: None, generation: self.generation - i32::from(old) }
    }

    fn tick(&mut self, ms: i64) {
        let until = self.now.monotonic_ms + ms;
        while self.coordinator.next_deadline() <= until {
            let at = self.coordinator.next_deadline().max(self.now.monotonic_ms);
            self.advance(at);
            let decision = self.coordinator.wake(self.now);
            self.settle(decision.records, decision.woken);
        }
        self.advance(until);
    }

    fn advance(&mut self, to: i64) {
        self.now.wall_ms += to - self.now.monotonic_ms;
        self.now.monotonic_ms = to;
    }

    fn replayed(&self) -> Coordinator {
        let mut copy = Coordinator::new(config(), self.now);
        self.log.iter().cloned().for_each(|record| copy.replay(record));
        copy
    }

    fn act(&mut self, event: Event) {
        match event {
            Event::Join { who, fresh, fixed, version, protocol } => {
                let protocols = ["range", "sticky", "other"].into_iter().skip(usize::from(protocol));
                let ask = JoinGroup {
                    group: "g".to_owned(),
                    member: if fresh { String::new() } else { self.ids[who].clone() },
                    instance: fixed.then(|| format!("i{who}")),
                    client_id: format!("c{who}"),
                    client_host: "/h".to_owned(),
                    session_timeout_ms: 10_000,
                    rebalance_timeout_ms: 12_000,
                    protocol_type: "consumer".to_owned(),
                    protocols: protocols.map(|name| Protocol { name: name.to_owned(), metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t") }).collect(),
                    knows_member_id_required: version > 0,
                    knows_skip_assignment: version > 1,
                    unique: self.tokens.to_string(),
                };
                let token = self.token(who);
                let decision = self.coordinator.join(ask, token, self.now);
                self.settle(decision.records, decision.woken);
            }
            Event::Sync { who, old } => {
                let assignments = self.ids.iter().map(|id| (id.clone(), Bytes::from(id.clone()))).collect();
                let ask = SyncGroup { presence: self.presence(who, old), protocol_type: None, protocol: None, assignments };
                let token = self.token(who);
                let decision = self.coordinator.sync(ask, token, self.now);
                self.settle(decision.records, decision.woken);
            }
            Event::Beat { who, old } => {
                let decision = self.coordinator.heartbeat(&self.presence(who, old), self.now);
                self.settle(decision.records, decision.woken);
            }
            Event::Leave { who } => {
                let member = LeaveMember { member: self.ids[who].clone(), instance: None };
                let decision = self.coordinator.leave("g", &[member], self.now);
                self.settle(decision.records, decision.woken);
            }
            Event::Commit { who, offset, simple } => {
                let at = CommitOffset { topic: "t".to_owned(), partition: 0, offset, leader_epoch: -1, metadata: String::new() };
                let presence = self.presence(who, false);
                let ask = CommitOffsets {
                    group: "g".to_owned(),
                    member: if simple { String::new() } else { presence.member },
                    instance: None,
                    generation: if simple { -1 } else { presence.generation },
                    retention_ms: None,
                    offsets: vec![at],
                };
                let decision = self.coordinator.commit(ask, self.now);
                self.settle(decision.records, decision.woken);
                if decision.reply.is_ok() {
                    let at = TopicPartition { topic: "t".to_owned(), partition: 0 };
                    let found = self.coordinator.fetch("g", Some(std::slice::from_ref(&at)));
                    assert_eq!(found[0].1.as_ref().map(|committed| committed.offset), Some(offset));
                }
            }
            Event::Tick { ms } => self.tick(ms),
            Event::DeleteOffsets => {
                let at = TopicPartition { topic: "t".to_owned(), partition: 0 };
                let decision = self.coordinator.delete_offsets("g", &[at], self.now);
                self.settle(decision.records, decision.woken);
            }
            Event::DeleteGroup => {
                let decision = self.coordinator.delete_group("g");
                self.settle(decision.records, decision.woken);
            }
            Event::Restart => {
                self.coordinator = self.replayed();
                self.coordinator.loaded(self.now);
                self.waiting.clear();
            }
        }
        let fetch = |coordinator: &Coordinator| coordinator.fetch("g", None);
        assert_eq!(fetch(&self.replayed()), fetch(&self.coordinator), "a restart finds other offsets");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn any_order_of_events(events in proptest::collection::vec(event(), 1..60)) {
        let now = Now { monotonic_ms: 0, wall_ms: 1_000_000 };
        let coordinator = Coordinator::new(config(), now);
        let mut world = World {
            coordinator, now, log: Vec::new(), waiting: BTreeSet::new(), owner: BTreeMap::new(),
            ids: Default::default(), generation: 0, tokens: 0,
        };
        events.into_iter().for_each(|event| world.act(event));
        // Silence: everybody is answered, everybody is gone, and what is left runs out.
        world.tick(2_000_000);
        prop_assert!(world.waiting.is_empty(), "never answered: {:?}", world.waiting);
        prop_assert!(world.coordinator.list().is_empty());
        prop_assert!(world.replayed().list().is_empty(), "the log still knows {:?}", world.replayed().list());
    }

    /// Compat: G12.
    #[test]
    fn a_rewritten_log_says_the_same(events in proptest::collection::vec(event(), 1..40)) {
        let now = Now { monotonic_ms: 0, wall_ms: 1_000_000 };
        let coordinator = Coordinator::new(config(), now);
        let mut world = World {
            coordinator, now, log: Vec::new(), waiting: BTreeSet::new(), owner: BTreeMap::new(),
            ids: Default::default(), generation: 0, tokens: 0,
        };
        events.into_iter().for_each(|event| world.act(event));
        let settled = world.replayed();
        let mut copy = Coordinator::new(config(), now);
        settled.rewrite().into_iter().for_each(|record| copy.replay(record));
        prop_assert_eq!(copy.rewrite(), settled.rewrite());
        prop_assert_eq!(copy.describe("g"), settled.describe("g"));
    }
}
