//! Groups as transcripts: every `tests/transcripts/*.txt` is a list of events, and under each the
//! replies and records that it led to. `BLESS=1` writes the answers anew; read the diff.
//!
//! ```text
//!  join NAME [id=ID] [instance=I] [v=VERSION] [protocols=a,b] [type=T] [session=MS] [topics=t,u]
//!  sync NAME [gen=N] [NAME=BYTES ...]      the pairs are the leader's assignments
//!  beat NAME [gen=N]      leave NAME|instance=I ...      forget NAME      (its member id)
//!  commit NAME|- T/P=OFFSET[:NOTE] ... [gen=N] [retention=MS]      fetch [T/P ...]
//!  tick MS      restart      describe      list      delete      delete-offset T/P      delete-topic T
//! ```
//! A member's id is its name and a number in order of arrival. `restart` replays all records so far.
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use bytes::{BufMut, Bytes, BytesMut};
use millrace_coordinator::{
    CommitOffset, CommitOffsets, Coordinator, CoordinatorConfig, JoinGroup, LeaveMember, Now, Presence, Protocol, Record, SyncGroup, Token,
    TopicPartition, Woken,
};

const GROUP: &str = "g";

/// Compat: G1, G4, G5, G6, G7, G11, G12, G13, G16.
#[test]
fn transcripts() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/transcripts");
    let mut files: Vec<_> = fs::read_dir(&folder).expect("the transcripts").map(|entry| entry.expect("an entry").path()).collect();
    files.sort();
    assert!(!files.is_empty());
    for file in files {
        let text = fs::read_to_string(&file).expect("a transcript");
        let told = tell(&text);
        if std::env::var_os("BLESS").is_some() {
            fs::write(&file, &told).expect("write the transcript");
        } else {
            assert!(told == text, "{} differs; what happened:\n{told}", file.display());
        }
    }
}

/// The transcript with its answers taken from a run.
fn tell(text: &str) -> String {
    let mut scene = Scene::new();
    let mut told = String::new();
    for line in text.lines().filter(|line| !line.starts_with("  ")) {
        let _ = writeln!(told, "{line}");
        if !line.is_empty() && !line.starts_with('#') {
            scene.act(line);
            scene.said.drain(..).for_each(|said| {
                let _ = writeln!(told, "  {said}");
            });
        }
    }
    told
}

struct Scene {
    coordinator: Coordinator,
    now: Now,
    log: Vec<Record>,
    said: Vec<String>,
    /// The member id that each name was last given.
    ids: BTreeMap<String, String>,
    waiting: BTreeMap<Token, String>,
    generation: i32,
    arrivals: u64,
    tokens: u64,
}

/// The words of a line: first the event, then names and `key=value` pairs.
struct Words<'a> {
    names: Vec<&'a str>,
    pairs: Vec<(&'a str, &'a str)>,
}

impl<'a> Words<'a> {
    fn of(line: &'a str) -> (&'a str, Self) {
        let mut words = line.split_whitespace();
        let event = words.next().expect("an event");
        let (mut names, mut pairs) = (Vec::new(), Vec::new());
        for word in words {
            match word.split_once('=') {
                Some(pair) => pairs.push(pair),
                None => names.push(word),
            }
        }
        (event, Self { names, pairs })
    }
    fn get(&self, key: &str) -> Option<&'a str> {
        self.pairs.iter().find(|(name, _)| *name == key).map(|(_, value)| *value)
    }
    fn number<N: std::str::FromStr>(&self, key: &str, default: N) -> N {
        self.get(key).map_or(default, |text| text.parse().unwrap_or_else(|_| panic!("{key} is a number")))
    }
}

fn config() -> CoordinatorConfig {
    CoordinatorConfig {
        initial_rebalance_delay_ms: 3000,
        session_timeout_min_ms: 6000,
        session_timeout_max_ms: 1_800_000,
        group_size_max: 4,
        offset_metadata_bytes_max: 10,
        commit_bytes_max: 1000,
        offsets_retention_ms: 100_000,
        expiry_interval_ms: 50_000,
    }
}

fn partition(text: &str) -> TopicPartition {
    let (topic, partition) = text.split_once('/').expect("topic/partition");
    TopicPartition { topic: topic.to_owned(), partition: partition.parse().expect("a partition") }
}

/// Metadata as the consumer protocol writes it.
fn subscription(topics: &str) -> Bytes {
    let mut out = BytesMut::new();
    out.put_i16(0);
    let names: Vec<_> = topics.split(',').collect();
    out.put_i32(i32::try_from(names.len()).expect("few topics"));
    for name in names {
        out.put_i16(i16::try_from(name.len()).expect("a short name"));
        out.put_slice(name.as_bytes());
    }
    out.put_i32(-1);
    out.freeze()
}

impl Scene {
    fn new() -> Self {
        let now = Now { monotonic_ms: 0, wall_ms: 1_000_000 };
        Self {
            coordinator: Coordinator::new(config(), now),
            now,
            log: Vec::new(),
            said: Vec::new(),
            ids: BTreeMap::new(),
            waiting: BTreeMap::new(),
            generation: 0,
            arrivals: 0,
            tokens: 0,
        }
    }

    fn act(&mut self, line: &str) {
        let (event, words) = Words::of(line);
        match event {
            "join" => self.join(&words),
            "sync" => self.sync(&words),
            "beat" => {
                let presence = self.presence(&words);
                let decision = self.coordinator.heartbeat(&presence, self.now);
                self.settle(decision.records, decision.woken);
                self.say_result(&decision.reply, "alive");
            }
            "leave" => self.leave(&words),
            "forget" => {
                self.ids.remove(words.names[0]);
            }
            "commit" => self.commit(&words),
            "fetch" => {
                let named: Vec<_> = words.names.iter().map(|name| partition(name)).collect();
                let found = self.coordinator.fetch(GROUP, (!named.is_empty()).then_some(&named[..]));
                for (at, committed) in found {
                    let shown = committed.map_or("none".to_owned(), |found| format!("{} epoch={} note={:?}", found.offset, found.leader_epoch, found.metadata));
                    self.said.push(format!("{}/{}: {shown}", at.topic, at.partition));
                }
            }
            "tick" => self.tick(words.names[0].parse().expect("milliseconds")),
            "restart" => {
                // Connections end with the broker.
                self.waiting.clear();
                self.coordinator = Coordinator::new(config(), self.now);
                self.log.iter().cloned().for_each(|record| self.coordinator.replay(record));
                self.coordinator.loaded(self.now);
            }
            "describe" => match self.coordinator.describe(GROUP) {
                None => self.said.push("no such group".to_owned()),
                Some(view) => {
                    self.said.push(format!("{} type={:?} protocol={:?}", view.state.name(), view.protocol_type, view.protocol));
                    for member in view.members {
                        self.said.push(format!("{} instance={:?} assignment={:?}", member.id, member.instance_id, text(&member.assignment)));
                    }
                }
            },
            "list" => {
                for group in self.coordinator.list() {
                    self.said.push(format!("{} {} type={:?}", group.group, group.state.name(), group.protocol_type));
                }
            }
            "delete" => {
                let decision = self.coordinator.delete_group(GROUP);
                self.settle(decision.records, decision.woken);
                self.say_result(&decision.reply, "deleted");
            }
            "delete-offset" => {
                let named: Vec<_> = words.names.iter().map(|name| partition(name)).collect();
                let decision = self.coordinator.delete_offsets(GROUP, &named, self.now);
                self.settle(decision.records, decision.woken);
                self.say_each(decision.reply, "deleted");
            }
            "delete-topic" => {
                let decision = self.coordinator.topic_deleted(words.names[0]);
                self.settle(decision.records, decision.woken);
            }
            other => panic!("no such event: {other}"),
        }
    }

    fn join(&mut self, words: &Words<'_>) {
        let name = words.names[0];
        let version: i16 = words.number("v", 5);
        self.arrivals += 1;
        let metadata = subscription(words.get("topics").unwrap_or("t"));
        let protocols = words.get("protocols").unwrap_or("range").split(',');
        let ask = JoinGroup {
            group: GROUP.to_owned(),
            member: words.get("id").map(str::to_owned).or_else(|| self.ids.get(name).cloned()).unwrap_or_default(),
            instance: words.get("instance").map(str::to_owned),
            client_id: name.to_owned(),
            client_host: "/h".to_owned(),
            session_timeout_ms: words.number("session", 10_000),
            rebalance_timeout_ms: words.number("rebalance", 20_000),
            protocol_type: words.get("type").unwrap_or("consumer").to_owned(),
            protocols: protocols.map(|protocol| Protocol { name: protocol.to_owned(), metadata: metadata.clone() }).collect(),
            knows_member_id_required: version >= 4,
            knows_skip_assignment: version >= 9,
            unique: self.arrivals.to_string(),
        };
        let token = self.token(name);
        let decision = self.coordinator.join(ask, token, self.now);
        self.settle(decision.records, decision.woken);
    }

    fn sync(&mut self, words: &Words<'_>) {
        let assignments = words.pairs.iter().filter_map(|(name, bytes)| Some((self.ids.get(*name)?.clone(), Bytes::from((*bytes).to_owned()))));
        let ask = SyncGroup {
            assignments: assignments.collect(),
            presence: self.presence(words),
            protocol_type: words.get("type").map(str::to_owned),
            protocol: words.get("protocol").map(str::to_owned),
        };
        let token = self.token(words.names[0]);
        let decision = self.coordinator.sync(ask, token, self.now);
        self.settle(decision.records, decision.woken);
    }

    fn leave(&mut self, words: &Words<'_>) {
        let by_name = words.names.iter().map(|name| LeaveMember { member: self.ids.get(*name).cloned().unwrap_or_default(), instance: None });
        let by_instance = words.pairs.iter().map(|(_, instance)| LeaveMember { member: String::new(), instance: Some((*instance).to_owned()) });
        let members: Vec<_> = by_name.chain(by_instance).collect();
        let decision = self.coordinator.leave(GROUP, &members, self.now);
        self.settle(decision.records, decision.woken);
        self.say_each(decision.reply, "left");
    }

    fn commit(&mut self, words: &Words<'_>) {
        let offsets = words.pairs.iter().filter(|(name, _)| name.contains('/')).map(|(name, value)| {
            let (offset, note) = value.split_once(':').unwrap_or((value, ""));
            let TopicPartition { topic, partition } = partition(name);
            CommitOffset { topic, partition, offset: offset.parse().expect("an offset"), leader_epoch: 0, metadata: note.to_owned() }
        });
        let simple = words.names.first() == Some(&"-");
        let ask = CommitOffsets {
            offsets: offsets.collect(),
            group: GROUP.to_owned(),
            member: if simple { String::new() } else { self.presence(words).member },
            instance: words.get("instance").map(str::to_owned),
            generation: if simple { -1 } else { words.number("gen", self.generation) },
            retention_ms: words.get("retention").map(|text| text.parse().expect("milliseconds")),
        };
        let decision = self.coordinator.commit(ask, self.now);
        self.settle(decision.records, decision.woken);
        self.say_each(decision.reply, "committed");
    }

    fn tick(&mut self, by: i64) {
        let until = self.now.monotonic_ms + by;
        while self.coordinator.next_deadline() <= until {
            self.advance_to(self.coordinator.next_deadline().max(self.now.monotonic_ms));
            let decision = self.coordinator.wake(self.now);
            let anything = !decision.records.is_empty() || !decision.woken.is_empty();
            if anything {
                self.said.push(format!("at {}:", self.now.monotonic_ms));
            }
            self.settle(decision.records, decision.woken);
        }
        self.advance_to(until);
    }

    fn advance_to(&mut self, moment: i64) {
        self.now.wall_ms += moment - self.now.monotonic_ms;
        self.now.monotonic_ms = moment;
    }

    fn presence(&self, words: &Words<'_>) -> Presence {
        let id = words.names.first().and_then(|name| self.ids.get(*name));
        Presence {
            group: GROUP.to_owned(),
            member: words.get("id").map(str::to_owned).or_else(|| id.cloned()).unwrap_or_default(),
            instance: words.get("instance").map(str::to_owned),
            generation: words.number("gen", self.generation),
        }
    }

    fn token(&mut self, name: &str) -> Token {
        self.tokens += 1;
        self.waiting.insert(Token(self.tokens), name.to_owned());
        Token(self.tokens)
    }

    fn settle(&mut self, records: Vec<Record>, woken: Vec<(Token, Woken)>) {
        for record in records {
            self.said.push(match &record {
                Record::Offset { topic, partition, value, .. } => {
                    format!("+ offset {topic}/{partition} = {}", value.as_ref().map_or("gone".to_owned(), |value| value.offset.to_string()))
                }
                Record::Group { value: None, .. } => "+ group gone".to_owned(),
                Record::Group { value: Some(value), .. } => {
                    let members: Vec<_> = value.members.iter().map(|member| format!("{}={:?}", member.id, text(&member.assignment))).collect();
                    format!("+ group gen={} leader={:?} {}", value.generation, value.leader.as_deref().unwrap_or(""), members.join(" "))
                }
            });
            self.log.push(record);
        }
        for (token, woken) in woken {
            let name = self.waiting.remove(&token).expect("every token is answered once");
            let said = match woken {
                Woken::Join(Ok(joined)) => {
                    self.ids.insert(name.clone(), joined.member.clone());
                    self.generation = joined.generation;
                    let members: Vec<_> = joined.members.iter().map(|member| member.id.as_str()).collect();
                    let skip = if joined.skip_assignment { " skip" } else { "" };
                    format!(
                        "{name}: joined as {} gen={} protocol={} leader={} members=[{}]{skip}",
                        joined.member,
                        joined.generation,
                        joined.protocol.unwrap_or_default(),
                        joined.leader,
                        members.join(" ")
                    )
                }
                Woken::Join(Err(refused)) => {
                    if refused.error == millrace_coordinator::GroupError::MemberIdRequired {
                        self.ids.insert(name.clone(), refused.member.clone());
                    }
                    format!("{name}: join refused: {} ({:?})", refused.error, refused.member)
                }
                Woken::Sync(Ok(synced)) => format!("{name}: assigned {:?}", text(&synced.assignment)),
                Woken::Sync(Err(error)) => format!("{name}: sync refused: {error}"),
            };
            self.said.push(said);
        }
    }

    fn say_result(&mut self, result: &Result<(), millrace_coordinator::GroupError>, good: &str) {
        self.said.push(match result {
            Ok(()) => good.to_owned(),
            Err(error) => format!("refused: {error}"),
        });
    }

    fn say_each(&mut self, results: Result<Vec<Result<(), millrace_coordinator::GroupError>>, millrace_coordinator::GroupError>, good: &str) {
        match results {
            Ok(results) => results.iter().for_each(|result| self.say_result(result, good)),
            Err(error) => self.said.push(format!("refused: {error}")),
        }
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}
