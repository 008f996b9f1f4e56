//! Replicas over logs in memory: one alone, three that talk, and what a start refuses.
use bytes::Bytes;
use millrace_record::{BatchBuilder, BatchHeader, Codec, Epoch, Level, Offset, Prefix, stamp, trim_frame};

use crate::{EntryLog, HardState, LogEntry, LogReadError, PeerMessage, Replica, Settings};

#[derive(Clone, Default)]
struct MemoryLog(Vec<LogEntry>);

impl EntryLog for MemoryLog {
    fn first_index(&self) -> u64 {
        1
    }
    fn last_index(&self) -> u64 {
        self.0.len() as u64
    }
    fn term_of(&self, index: u64) -> Option<u64> {
        if index == 0 {
            return Some(0);
        }
        let entry = self.0.get(index as usize - 1)?;
        Some(Prefix::parse(&entry.bytes).ok()?.epoch.0 as u64)
    }
    fn entries(&self, from: u64, to: u64, _bytes_max: u64) -> Result<Vec<LogEntry>, LogReadError> {
        Ok(self.0[from as usize - 1..to as usize - 1].to_vec())
    }
    fn offset_after(&self, index: u64) -> Result<Offset, LogReadError> {
        match index.checked_sub(1).and_then(|at| self.0.get(at as usize)) {
            None => Ok(Offset(0)),
            Some(entry) => crate::entry::end_offset(&entry.bytes).map_err(|e| LogReadError::Trouble(e.to_string())),
        }
    }
}

fn settings(me: u64, voters: &[u64]) -> Settings {
    Settings {
        me,
        voters: voters.to_vec(),
        election_ticks: 10,
        heartbeat_ticks: 2,
        message_bytes_max: 1 << 20,
        inflight_messages_max: 64,
        uncommitted_bytes_max: 1 << 20,
        committed_bytes_max: 1 << 20,
    }
}

fn batch(records: usize) -> bytes::BytesMut {
    let mut builder = BatchBuilder::new(Codec::None, Level::Default);
    for _ in 0..records {
        builder.push(0, None, Some(b"v"), &[]);
    }
    builder.build()
}

fn stamped(replica: &Replica<MemoryLog>, mut frame: bytes::BytesMut) -> Bytes {
    let log = replica.log();
    let end = log.offset_after(log.last_index()).unwrap();
    stamp(&mut frame, end, Epoch(replica.term() as i32));
    frame.freeze()
}

/// Does what a replica asks for until it asks for nothing; returns its messages and trims.
fn settle(replica: &mut Replica<MemoryLog>, kept: &mut HardState) -> (Vec<PeerMessage>, Option<Offset>) {
    let (mut messages, mut trimmed) = (Vec::new(), None);
    while replica.has_work() {
        let effects = replica.collect().unwrap();
        if let Some(first) = effects.entries.first() {
            replica.log_mut().0.truncate(first.index as usize - 1);
        }
        replica.log_mut().0.extend(effects.entries);
        *kept = effects.hard_state.unwrap_or(*kept);
        messages.extend(effects.messages);
        let progress = replica.persisted().unwrap();
        messages.extend(progress.messages);
        trimmed = trimmed.max(progress.trim_to);
    }
    (messages, trimmed)
}

#[test]
fn alone_it_leads_at_once_and_commits_with_its_own_disk() {
    let mut kept = HardState::default();
    let mut replica = Replica::start(&settings(1, &[1]), kept, MemoryLog::default()).unwrap();
    replica.campaign().unwrap();
    assert!(replica.is_leader());
    settle(&mut replica, &mut kept);
    assert_eq!((replica.committed(), replica.high_watermark()), (1, Offset(0)), "the empty entry takes no offset");
    let frame = stamped(&replica, batch(3));
    replica.propose([frame].into_iter()).unwrap();
    let effects = replica.collect().unwrap();
    assert_eq!(effects.entries.len(), 1);
    assert_eq!(replica.high_watermark(), Offset(0), "nothing is committed before it is persisted");
    replica.log_mut().0.extend(effects.entries);
    replica.persisted().unwrap();
    assert_eq!(replica.high_watermark(), Offset(3));
}

#[test]
fn a_restart_takes_up_where_it_was() {
    let mut kept = HardState::default();
    let mut replica = Replica::start(&settings(1, &[1]), kept, MemoryLog::default()).unwrap();
    replica.campaign().unwrap();
    settle(&mut replica, &mut kept);
    let frame = stamped(&replica, batch(2));
    replica.propose([frame].into_iter()).unwrap();
    settle(&mut replica, &mut kept);
    let state = replica.hard_state();
    let mut again = Replica::start(&settings(1, &[1]), state, replica.into_log()).unwrap();
    assert_eq!(again.high_watermark(), Offset(2));
    again.campaign().unwrap();
    settle(&mut again, &mut kept);
    assert_eq!((again.term(), again.log().last_index()), (state.term + 1, 3));
}

#[test]
fn entries_of_an_unknown_term_raise_the_term_without_a_vote() {
    let mut kept = HardState::default();
    let mut replica = Replica::start(&settings(1, &[1]), kept, MemoryLog::default()).unwrap();
    replica.campaign().unwrap();
    settle(&mut replica, &mut kept);
    // The segment kept the entry, the journal lost the frame with its term.
    let again = Replica::start(&settings(1, &[1]), HardState::default(), replica.into_log()).unwrap();
    assert_eq!((again.hard_state().term, again.hard_state().vote), (1, 0));
}

#[test]
fn a_log_shorter_than_what_was_committed_is_refused() {
    let state = HardState { term: 1, vote: 1, commit: 5 };
    assert!(Replica::start(&settings(1, &[1]), state, MemoryLog::default()).is_err());
}

#[test]
fn a_committed_trim_is_told_and_takes_no_offset() {
    let mut kept = HardState::default();
    let mut replica = Replica::start(&settings(1, &[1]), kept, MemoryLog::default()).unwrap();
    replica.campaign().unwrap();
    settle(&mut replica, &mut kept);
    let frame = stamped(&replica, batch(4));
    replica.propose([frame].into_iter()).unwrap();
    settle(&mut replica, &mut kept);
    let trim = stamped(&replica, trim_frame(Offset(2)));
    replica.propose([trim].into_iter()).unwrap();
    let (_, trimmed) = settle(&mut replica, &mut kept);
    assert_eq!((trimmed, replica.high_watermark()), (Some(Offset(2)), Offset(4)));
}

#[test]
fn three_agree_on_the_same_bytes() {
    let voters = [1, 2, 3];
    let mut kept = [HardState::default(); 3];
    let mut replicas: Vec<_> = voters.iter().map(|me| Replica::start(&settings(*me, &voters), HardState::default(), MemoryLog::default()).unwrap()).collect();
    replicas[0].campaign().unwrap();
    let mut deliver = |replicas: &mut Vec<Replica<MemoryLog>>| {
        for _ in 0..20 {
            for at in 0..3 {
                let (messages, _) = settle(&mut replicas[at], &mut kept[at]);
                for message in messages {
                    replicas[message.to() as usize - 1].step(message).unwrap();
                }
            }
        }
    };
    deliver(&mut replicas);
    assert!(replicas[0].is_leader());
    for records in [1, 5, 2] {
        let frame = stamped(&replicas[0], batch(records));
        replicas[0].propose([frame].into_iter()).unwrap();
        deliver(&mut replicas);
    }
    // The commit of the last entry travels with the next heartbeat.
    for _ in 0..3 {
        replicas[0].tick();
        deliver(&mut replicas);
    }
    for replica in &replicas {
        assert_eq!(replica.high_watermark(), Offset(8));
        assert_eq!(replica.log().0, replicas[0].log().0);
    }
    let last = BatchHeader::parse(&replicas[2].log().0[3].bytes).unwrap();
    assert_eq!((last.base_offset, last.epoch), (Offset(6), Epoch(1)));
}
