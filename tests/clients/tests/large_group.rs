//! Five thousand members of one group on real sockets: each is answered, the rebalance ends, and nobody else waits for it.
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::{Duration, Instant};

use millrace_clients_tests::{Peer, fresh, kcat};
use millrace_harness::{Broker, wait_for};

const MEMBERS: usize = 5_000;

/// Kafka's request, by hand: the fields of versions without tags.
struct Ask(Vec<u8>);

impl Ask {
    fn new(key: i16, version: i16) -> Ask {
        let mut bytes = vec![0; 4];
        bytes.extend(key.to_be_bytes());
        bytes.extend(version.to_be_bytes());
        bytes.extend([0, 0, 0, 1, 0xff, 0xff]);
        Ask(bytes)
    }

    fn text(mut self, text: &str) -> Ask {
        self.0.extend((text.len() as i16).to_be_bytes());
        self.0.extend(text.as_bytes());
        self
    }

    fn bytes(mut self, bytes: &[u8]) -> Ask {
        self.0.extend((bytes.len() as i32).to_be_bytes());
        self.0.extend(bytes);
        self
    }

    fn number(mut self, number: i32) -> Ask {
        self.0.extend(number.to_be_bytes());
        self
    }

    fn send(mut self, stream: &mut TcpStream) {
        let length = (self.0.len() - 4) as i32;
        self.0[..4].copy_from_slice(&length.to_be_bytes());
        stream.write_all(&self.0).expect("the broker reads");
    }
}

/// An answer, read field by field.
struct Answer(Vec<u8>, usize);

impl Answer {
    fn receive(stream: &mut TcpStream) -> Answer {
        let mut length = [0; 4];
        stream.read_exact(&mut length).expect("an answer in time");
        let mut bytes = vec![0; i32::from_be_bytes(length) as usize];
        stream.read_exact(&mut bytes).expect("all of it");
        Answer(bytes, 4)
    }

    fn take(&mut self, length: usize) -> &[u8] {
        self.1 += length;
        &self.0[self.1 - length..self.1]
    }

    fn short(&mut self) -> i16 {
        i16::from_be_bytes(self.take(2).try_into().unwrap())
    }

    fn number(&mut self) -> i32 {
        i32::from_be_bytes(self.take(4).try_into().unwrap())
    }

    fn text(&mut self) -> String {
        let length = self.short().max(0) as usize;
        String::from_utf8(self.take(length).to_vec()).unwrap()
    }

    fn bytes(&mut self) -> Vec<u8> {
        let length = self.number().max(0) as usize;
        self.take(length).to_vec()
    }
}

#[test]
fn five_thousand_members_on_real_sockets() {
    // Every member is a socket here and one there.
    let mut limit = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: both calls read or write the struct that they are given.
    unsafe {
        libc::getrlimit(libc::RLIMIT_NOFILE, &mut limit);
        limit.rlim_cur = limit.rlim_max;
        libc::setrlimit(libc::RLIMIT_NOFILE, &limit);
    }
    if (limit.rlim_max as usize) < 2 * MEMBERS {
        eprintln!("{} files are too few for {MEMBERS} members: only the coordinator's own test runs", limit.rlim_max);
        return;
    }
    let Some(mut broker) = Peer::ours(Broker::options().set("group.initial.rebalance.delay.ms", 3_000)) else { return };
    let (group, topic) = (fresh("crowd"), fresh("beside"));
    let before = broker.anonymous_bytes();
    let began = Instant::now();
    kcat(&broker.kafka(), &["-P", "-t", &topic], "x\n").text();
    wait_for("the group's coordinator", Duration::from_secs(30), || {
        let mut stream = TcpStream::connect(broker.kafka()).ok()?;
        Ask::new(10, 0).text(&group).send(&mut stream);
        (Answer::receive(&mut stream).short() == 0).then_some(())
    });
    let mut members: Vec<TcpStream> = Vec::with_capacity(MEMBERS);
    for _ in 0..MEMBERS {
        let mut stream = TcpStream::connect(broker.kafka()).expect("the broker listens");
        stream.set_read_timeout(Some(Duration::from_secs(120))).expect("a socket takes a timeout");
        let join = Ask::new(11, 2).text(&group).number(300_000).number(300_000).text("").text("consumer").number(1).text("range");
        join.bytes(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff").send(&mut stream);
        members.push(stream);
    }
    // While they wait for each other, everybody else is served.
    assert_eq!(kcat(&broker.kafka(), &["-C", "-t", &topic, "-e", "-q"], "").text(), "x\n");
    let (mut ids, mut generations, mut leader) = (Vec::with_capacity(MEMBERS), Vec::new(), None);
    for (at, stream) in members.iter_mut().enumerate() {
        let mut answer = Answer::receive(stream);
        let (_throttle, error, generation) = (answer.number(), answer.short(), answer.number());
        assert_eq!(error, 0, "member {at}");
        let (_protocol, lead, id, count) = (answer.text(), answer.text(), answer.text(), answer.number());
        assert_eq!(count as usize, if lead == id { MEMBERS } else { 0 }, "what member {at} is told of the others");
        if lead == id {
            let told: Vec<String> = (0..count).map(|_| { let id = answer.text(); answer.bytes(); id }).collect();
            assert!(leader.replace((at, told)).is_none(), "two leaders");
        }
        generations.push(generation);
        ids.push(id);
    }
    generations.dedup();
    assert_eq!(generations.len(), 1, "one generation for all");
    let (leader, mut told) = leader.expect("somebody leads");
    let mut known = ids.clone();
    (told.sort(), known.sort());
    assert!(told == known, "the leader knows every member");
    // All but the leader wait for what it assigns; each gets its own.
    for at in (0..MEMBERS).filter(|at| *at != leader).chain([leader]) {
        let mut sync = Ask::new(14, 1).text(&group).number(generations[0]).text(&ids[at]);
        sync = sync.number(if at == leader { MEMBERS as i32 } else { 0 });
        if at == leader {
            sync = ids.iter().fold(sync, |sync, id| sync.text(id).bytes(id.as_bytes()));
        }
        sync.send(&mut members[at]);
    }
    for (stream, id) in members.iter_mut().zip(&ids) {
        let mut answer = Answer::receive(stream);
        assert_eq!((answer.number(), answer.short()), (0, 0));
        assert_eq!(answer.bytes(), id.as_bytes(), "somebody else's assignment");
    }
    let grown = broker.anonymous_bytes().saturating_sub(before);
    assert!(grown < 300 << 20, "{} MiB for {MEMBERS} members", grown >> 20);
    eprintln!("{MEMBERS} members in {:?}, {} MiB", began.elapsed(), grown >> 20);
    drop(members);
    assert!(broker.is_up());
}
