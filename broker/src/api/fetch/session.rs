//! Incremental fetch sessions (KIP-227): the broker remembers what a client reads, so that the client
//! only says what changed, and is only told what changed. Pure: the clock and chance are arguments.
use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use millrace_protocol::ErrorCode;
use millrace_protocol::fetch::{FetchPartition, FetchRequest, PartitionData, TopicData};
use millrace_protocol::topic::TopicRef;
use millrace_world::Moment;
use parking_lot::Mutex;
use std::time::Duration;

/// A session that was not used for so long gives its slot to whoever asks.
const EVICTABLE_AFTER: Duration = Duration::from_secs(120);
/// "Without a session", and "end my session".
const FINAL_EPOCH: i32 = -1;
/// "Begin a new session."
const INITIAL_EPOCH: i32 = 0;

type Key = (Arc<TopicRef>, i32);

/// One partition that a client wants to read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub topic: Arc<TopicRef>,
    pub partition: FetchPartition,
}

/// What was last said of a partition.
struct Told {
    wanted: Wanted,
    high_watermark: i64,
    last_stable_offset: i64,
    log_start_offset: i64,
}

struct Session {
    id: i32,
    /// The epoch that the next request must carry.
    epoch: i32,
    uses_ids: bool,
    /// In the order in which they are served: who got records goes to the back.
    partitions: BTreeMap<u64, Told>,
    places: HashMap<Key, u64>,
    next_place: u64,
    used_at: Moment,
}

/// What a request turned out to mean.
pub struct Plan {
    kind: Kind,
    pub wanted: Vec<Wanted>,
    uses_ids: bool,
}

enum Kind {
    /// The answer holds everything and nothing is remembered.
    Sessionless,
    /// The answer holds everything, and a session begins with it.
    Full,
    /// The answer holds what changed.
    Incremental(Arc<Mutex<Session>>),
}

/// The sessions of a node.
pub struct FetchSessions {
    slots: usize,
    sessions: Mutex<HashMap<i32, Arc<Mutex<Session>>>>,
}

impl FetchSessions {
    pub fn new(slots: usize) -> FetchSessions {
        FetchSessions { slots, sessions: Mutex::default() }
    }

    pub fn len(&self) -> usize {
        self.sessions.lock().len()
    }

    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes a request's session fields and partitions in. An error answers the whole request.
    pub fn begin(&self, request: &FetchRequest, uses_ids: bool, now: Moment) -> Result<Plan, ErrorCode> {
        if matches!(request.session_epoch, INITIAL_EPOCH | FINAL_EPOCH) {
            if request.session_id != 0 {
                self.sessions.lock().remove(&request.session_id);
            }
            let kind = if request.session_epoch == FINAL_EPOCH { Kind::Sessionless } else { Kind::Full };
            return Ok(Plan { kind, wanted: listed(request), uses_ids });
        }
        let found = self.sessions.lock().get(&request.session_id).cloned();
        let shared = found.ok_or(ErrorCode::FetchSessionIdNotFound)?;
        let mut session = shared.lock();
        if session.epoch != request.session_epoch {
            return Err(ErrorCode::InvalidFetchSessionEpoch);
        }
        if session.uses_ids != uses_ids {
            return Err(ErrorCode::FetchSessionTopicIdError);
        }
        session.used_at = now;
        session.epoch = next_epoch(session.epoch);
        session.update(request);
        let wanted = session.partitions.values().map(|told| told.wanted.clone()).collect();
        drop(session);
        Ok(Plan { kind: Kind::Incremental(shared), wanted, uses_ids })
    }

    /// Cuts the answer down to what the client has to be told, and says which session it goes on with.
    pub fn finish(&self, plan: Plan, topics: &mut Vec<TopicData>, now: Moment, random: u64) -> i32 {
        match plan.kind {
            Kind::Sessionless => 0,
            Kind::Full => self.open(plan.wanted, topics, plan.uses_ids, now, random),
            Kind::Incremental(session) => {
                let mut session = session.lock();
                session.filter(topics);
                session.id
            }
        }
    }

    /// 0 if there is no slot: the client then goes on without a session.
    fn open(&self, wanted: Vec<Wanted>, topics: &[TopicData], uses_ids: bool, now: Moment, random: u64) -> i32 {
        // Nothing to remember is not worth a slot.
        if wanted.is_empty() {
            return 0;
        }
        let mut sessions = self.sessions.lock();
        if sessions.len() >= self.slots && !make_room(&mut sessions, wanted.len(), now) {
            return 0;
        }
        let mut id = (random & 0x7fff_ffff) as i32;
        while id == 0 || sessions.contains_key(&id) {
            id = id.wrapping_add(1) & i32::MAX;
        }
        let mut session = Session {
            id,
            epoch: 1,
            uses_ids,
            partitions: BTreeMap::new(),
            places: HashMap::new(),
            next_place: 0,
            used_at: now,
        };
        for wanted in wanted {
            session.add(wanted);
        }
        for (topic, data) in topics.iter().flat_map(|topic| topic.partitions.iter().map(move |data| (&topic.topic, data))) {
            session.note(topic, data);
        }
        sessions.insert(id, Arc::new(Mutex::new(session)));
        id
    }
}

fn next_epoch(epoch: i32) -> i32 {
    if epoch == i32::MAX { 1 } else { epoch + 1 }
}

fn listed(request: &FetchRequest) -> Vec<Wanted> {
    let mut wanted = Vec::new();
    for topic in &request.topics {
        let name = Arc::new(topic.topic.clone());
        wanted.extend(topic.partitions.iter().map(|partition| Wanted { topic: name.clone(), partition: *partition }));
    }
    wanted
}

/// Frees a slot: of a session that is idle, or else of one that is smaller than the new one.
fn make_room(sessions: &mut HashMap<i32, Arc<Mutex<Session>>>, size: usize, now: Moment) -> bool {
    let oldest = sessions.values().map(|session| session.lock()).map(|s| (s.used_at, s.id)).min();
    let smallest = sessions.values().map(|session| session.lock()).map(|s| (s.partitions.len(), s.id)).min();
    let evicted = match (oldest, smallest) {
        (Some((used_at, id)), _) if now.since(used_at) > EVICTABLE_AFTER => id,
        (_, Some((partitions, id))) if partitions < size => id,
        _ => return false,
    };
    sessions.remove(&evicted).is_some()
}

impl Session {
    fn add(&mut self, wanted: Wanted) {
        let key = (wanted.topic.clone(), wanted.partition.index);
        let place = self.next_place;
        self.next_place += 1;
        if let Some(before) = self.places.insert(key, place) {
            self.partitions.remove(&before);
        }
        let told = Told { wanted, high_watermark: -1, last_stable_offset: -1, log_start_offset: -1 };
        self.partitions.insert(place, told);
    }

    fn update(&mut self, request: &FetchRequest) {
        for wanted in listed(request) {
            let key = (wanted.topic.clone(), wanted.partition.index);
            match self.places.get(&key).and_then(|place| self.partitions.get_mut(place)) {
                Some(told) => told.wanted.partition = wanted.partition,
                None => self.add(wanted),
            }
        }
        for topic in &request.forgotten {
            let name = Arc::new(topic.topic.clone());
            for index in &topic.partitions {
                if let Some(place) = self.places.remove(&(name.clone(), *index)) {
                    self.partitions.remove(&place);
                }
            }
        }
    }

    fn note(&mut self, topic: &TopicRef, data: &PartitionData) {
        let key = (Arc::new(topic.clone()), data.index);
        if let Some(told) = self.places.get(&key).and_then(|place| self.partitions.get_mut(place)) {
            told.take(data);
        }
    }

    /// Keeps what is news, remembers it, and sends those who got records to the back.
    fn filter(&mut self, topics: &mut Vec<TopicData>) {
        for topic in topics.iter_mut() {
            let name = Arc::new(topic.topic.clone());
            topic.partitions.retain(|data| {
                let key = (name.clone(), data.index);
                let Some(place) = self.places.get(&key).copied() else { return true };
                let Some(told) = self.partitions.get_mut(&place) else { return true };
                if !told.is_news(data) {
                    return false;
                }
                told.take(data);
                if data.record_bytes() > 0 {
                    self.to_the_back(key, place);
                }
                true
            });
        }
        topics.retain(|topic| !topic.partitions.is_empty());
    }

    fn to_the_back(&mut self, key: Key, place: u64) {
        if let Some(told) = self.partitions.remove(&place) {
            self.partitions.insert(self.next_place, told);
            self.places.insert(key, self.next_place);
            self.next_place += 1;
        }
    }
}

impl Told {
    fn is_news(&self, data: &PartitionData) -> bool {
        data.record_bytes() > 0
            || data.error_code != 0
            || data.diverging.is_some()
            || data.preferred_read_replica >= 0
            || data.high_watermark != self.high_watermark
            || data.last_stable_offset != self.last_stable_offset
            || data.log_start_offset != self.log_start_offset
    }

    fn take(&mut self, data: &PartitionData) {
        // After an error everything is news again.
        self.high_watermark = if data.error_code == 0 { data.high_watermark } else { -1 };
        self.last_stable_offset = data.last_stable_offset;
        self.log_start_offset = data.log_start_offset;
    }
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use millrace_protocol::fetch::{FetchTopic, ForgottenTopic};

    use super::*;

    const NOW: Moment = Moment(0);

    fn request(session_id: i32, session_epoch: i32, partitions: &[i32], forgotten: &[i32]) -> FetchRequest {
        let name = TopicRef::Name("t".to_owned());
        let wanted = |index: &i32| FetchPartition {
            index: *index,
            current_leader_epoch: -1,
            fetch_offset: 0,
            last_fetched_epoch: -1,
            max_bytes: 1,
        };
        let topics = FetchTopic { topic: name.clone(), partitions: partitions.iter().map(wanted).collect() };
        FetchRequest {
            replica_id: -1,
            max_wait_ms: 0,
            min_bytes: 1,
            max_bytes: 1,
            isolation_level: 0,
            session_id,
            session_epoch,
            topics: vec![topics],
            forgotten: vec![ForgottenTopic { topic: name, partitions: forgotten.to_vec() }],
            rack_id: String::new(),
        }
    }

    fn answer(partitions: &[(i32, i64, &'static str)]) -> Vec<TopicData> {
        let data = partitions.iter().map(|(index, high_watermark, records)| PartitionData {
            high_watermark: *high_watermark,
            records: vec![Bytes::from_static(records.as_bytes())],
            ..PartitionData::empty(*index, 0)
        });
        vec![TopicData { topic: TopicRef::Name("t".to_owned()), partitions: data.collect() }]
    }

    fn indexes(topics: &[TopicData]) -> Vec<i32> {
        topics.iter().flat_map(|topic| &topic.partitions).map(|partition| partition.index).collect()
    }

    fn wanted(plan: &Plan) -> Vec<i32> {
        plan.wanted.iter().map(|wanted| wanted.partition.index).collect()
    }

    /// Opens a session over partitions 0, 1, 2 at high watermark 5.
    fn opened(sessions: &FetchSessions) -> i32 {
        let plan = sessions.begin(&request(0, 0, &[0, 1, 2], &[]), false, NOW).unwrap();
        let mut topics = answer(&[(0, 5, ""), (1, 5, ""), (2, 5, "")]);
        let id = sessions.finish(plan, &mut topics, NOW, 77);
        assert_eq!(indexes(&topics), [0, 1, 2], "the first answer is whole");
        assert_eq!(id, 77);
        id
    }

    /// Compat: F17.
    #[test]
    fn only_news_is_told_and_readers_of_records_go_to_the_back() {
        let sessions = FetchSessions::new(10);
        let id = opened(&sessions);
        let plan = sessions.begin(&request(id, 1, &[], &[]), false, NOW).unwrap();
        assert_eq!(wanted(&plan), [0, 1, 2]);
        let mut topics = answer(&[(0, 6, "records"), (1, 5, ""), (2, 9, "")]);
        assert_eq!(sessions.finish(plan, &mut topics, NOW, 0), id);
        assert_eq!(indexes(&topics), [0, 2]);
        let plan = sessions.begin(&request(id, 2, &[3], &[1]), false, NOW).unwrap();
        assert_eq!(wanted(&plan), [2, 0, 3]);
        let mut topics = answer(&[(2, 9, ""), (0, 6, ""), (3, -1, "")]);
        sessions.finish(plan, &mut topics, NOW, 0);
        assert!(topics.is_empty(), "nothing is news");
    }

    #[test]
    fn epochs_must_follow_one_another() {
        let sessions = FetchSessions::new(10);
        let id = opened(&sessions);
        let refused = |id, epoch, ids| sessions.begin(&request(id, epoch, &[], &[]), ids, NOW).err();
        assert_eq!(refused(id + 1, 1, false), Some(ErrorCode::FetchSessionIdNotFound));
        assert_eq!(refused(id, 2, false), Some(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(refused(id, 1, true), Some(ErrorCode::FetchSessionTopicIdError));
        assert_eq!(refused(id, 1, false), None);
        assert_eq!(refused(id, 1, false), Some(ErrorCode::InvalidFetchSessionEpoch));
        assert_eq!(next_epoch(i32::MAX), 1);
    }

    #[test]
    fn a_final_epoch_ends_the_session() {
        let sessions = FetchSessions::new(10);
        let id = opened(&sessions);
        let plan = sessions.begin(&request(id, FINAL_EPOCH, &[0], &[]), false, NOW).unwrap();
        assert_eq!(sessions.finish(plan, &mut answer(&[(0, 5, "")]), NOW, 1), 0);
        assert!(sessions.is_empty());
    }

    /// Compat: F18.
    #[test]
    fn a_full_cache_gives_up_idle_and_smaller_sessions_only() {
        let sessions = FetchSessions::new(1);
        let id = opened(&sessions);
        let open = |partitions: &[i32], now| {
            let plan = sessions.begin(&request(0, 0, partitions, &[]), false, now).unwrap();
            sessions.finish(plan, &mut Vec::new(), now, 90)
        };
        assert_eq!(open(&[0, 1], NOW), 0, "not for a smaller one");
        assert_eq!(open(&[0, 1, 2, 3], NOW), 90, "for a larger one");
        assert!(sessions.begin(&request(id, 1, &[], &[]), false, NOW).is_err());
        assert_eq!(open(&[0], NOW), 0);
        assert_eq!(open(&[0], NOW + EVICTABLE_AFTER + Duration::from_secs(1)), 91 - 1);
    }
}
