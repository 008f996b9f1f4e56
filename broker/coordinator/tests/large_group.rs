//! A group of five thousand: its rebalance ends, nobody is forgotten, and old generations are shown the door.
use std::time::{Duration, Instant};

use bytes::Bytes;
use millrace_coordinator::{
    CommitOffset, CommitOffsets, Coordinator, CoordinatorConfig, GroupError, JoinGroup, Now, Presence, Protocol, SyncGroup, Token, Woken,
};

const MEMBERS: u64 = 5_000;

fn config() -> CoordinatorConfig {
    CoordinatorConfig {
        initial_rebalance_delay_ms: 3_000,
        session_timeout_min_ms: 6_000,
        session_timeout_max_ms: 1_800_000,
        group_size_max: usize::MAX,
        offset_metadata_bytes_max: 4_096,
        commit_bytes_max: 1 << 20,
        offsets_retention_ms: 604_800_000,
        expiry_interval_ms: 600_000,
    }
}

fn now(ms: i64) -> Now {
    Now { monotonic_ms: ms, wall_ms: 1_700_000_000_000 + ms }
}

fn join(member: &str, number: u64) -> JoinGroup {
    JoinGroup {
        group: "g".to_owned(),
        member: member.to_owned(),
        instance: None,
        client_id: format!("c{number}"),
        client_host: "/h".to_owned(),
        session_timeout_ms: 45_000,
        rebalance_timeout_ms: 60_000,
        protocol_type: "consumer".to_owned(),
        protocols: vec![Protocol { name: "range".to_owned(), metadata: Bytes::from_static(b"\0\0\0\0\0\x01\0\x01t\xff\xff\xff\xff") }],
        knows_member_id_required: false,
        knows_skip_assignment: true,
        unique: number.to_string(),
    }
}

fn presence(member: &str, generation: i32) -> Presence {
    Presence { group: "g".to_owned(), member: member.to_owned(), instance: None, generation }
}

/// Lets time pass up to `until`, and gives whatever was woken.
fn pass(coordinator: &mut Coordinator, from: i64, until: i64) -> Vec<(Token, Woken)> {
    let mut woken = Vec::new();
    let mut at = from;
    while coordinator.next_deadline() <= until {
        at = coordinator.next_deadline().max(at);
        woken.extend(coordinator.wake(now(at)).woken);
    }
    woken
}

#[test]
fn five_thousand_members_rebalance_and_an_old_generation_commits_nothing() {
    let began = Instant::now();
    let mut coordinator = Coordinator::new(config(), now(0));
    let mut woken = Vec::new();
    for number in 0..MEMBERS {
        woken.extend(coordinator.join(join("", number), Token(number), now(1)).woken);
    }
    woken.extend(pass(&mut coordinator, 1, 10_000));
    let joined: Vec<_> = woken.iter().filter_map(|(_, woken)| match woken { Woken::Join(Ok(joined)) => Some(joined.clone()), _ => None }).collect();
    assert_eq!(joined.len() as u64, MEMBERS, "every join is answered");
    let generation = joined[0].generation;
    assert!(joined.iter().all(|one| one.generation == generation), "one generation for all");
    let leader = joined.iter().find(|one| !one.members.is_empty()).expect("somebody leads");
    assert_eq!(leader.members.len() as u64, MEMBERS);

    let assignments = leader.members.iter().map(|member| (member.id.clone(), Bytes::from(member.id.clone()))).collect();
    let mut synced = 0;
    let mut count = |woken: Vec<(Token, Woken)>| synced += woken.iter().filter(|(_, woken)| matches!(woken, Woken::Sync(Ok(_)))).count();
    for (number, one) in joined.iter().enumerate().filter(|(_, one)| one.member != leader.member) {
        let ask = SyncGroup { presence: presence(&one.member, generation), protocol_type: None, protocol: None, assignments: Default::default() };
        count(coordinator.sync(ask, Token(MEMBERS + number as u64), now(10_000)).woken);
    }
    let ask = SyncGroup { presence: presence(&leader.member, generation), protocol_type: None, protocol: None, assignments };
    count(coordinator.sync(ask, Token(3 * MEMBERS), now(10_001)).woken);
    assert_eq!(synced as u64, MEMBERS, "every sync is answered");

    // Who was in an earlier generation, or makes one up, neither beats nor commits.
    let member = &joined[7].member;
    assert_eq!(coordinator.heartbeat(&presence(member, generation), now(10_002)).reply, Ok(()));
    for forged in [generation - 1, generation + 1, i32::MAX] {
        assert_eq!(coordinator.heartbeat(&presence(member, forged), now(10_002)).reply, Err(GroupError::IllegalGeneration), "{forged}");
        let offsets = vec![CommitOffset { topic: "t".into(), partition: 0, offset: 5, leader_epoch: -1, metadata: String::new() }];
        let ask = CommitOffsets { group: "g".into(), member: member.clone(), instance: None, generation: forged, retention_ms: None, offsets };
        let decision = coordinator.commit(ask, now(10_002));
        assert!(decision.records.is_empty(), "generation {forged} committed");
        assert!(!matches!(&decision.reply, Ok(each) if each.iter().any(Result::is_ok)), "generation {forged} was told so");
    }
    assert_eq!(coordinator.heartbeat(&presence("nobody", generation), now(10_002)).reply, Err(GroupError::UnknownMember));

    // All of them fall silent: the group is empty, and small again.
    pass(&mut coordinator, 10_002, 300_000);
    assert_eq!(coordinator.list()[0].members, 0);
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
}
