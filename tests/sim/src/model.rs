//! What a partition must hold, as far as its clients can know: the checker. It knows nothing of how
//! the records came there or what crashed meanwhile.
use std::collections::BTreeMap;

use millrace_record::{Records, split};
use millrace_shard::{Partition, Upto};

/// Which producer, and the how-manieth of its records.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Value {
    pub producer: u64,
    pub number: u64,
}

impl Value {
    /// As a record's value: the two numbers and some bytes that follow from them.
    pub fn encode(self, padding: usize) -> Vec<u8> {
        let mut bytes = format!("{}:{}:", self.producer, self.number).into_bytes();
        let filler = (self.producer * 31 + self.number) as u8;
        bytes.resize(bytes.len() + padding, filler);
        bytes
    }

    fn decode(bytes: &[u8]) -> Result<Value, String> {
        let text: Vec<&[u8]> = bytes.splitn(3, |byte| *byte == b':').collect();
        let number = |part: Option<&&[u8]>| part.and_then(|part| std::str::from_utf8(part).ok()?.parse().ok());
        let (Some(producer), Some(number)) = (number(text.first()), number(text.get(1))) else {
            return Err(format!("nobody wrote the value {:?}", String::from_utf8_lossy(&bytes[..bytes.len().min(40)])));
        };
        let value = Value { producer, number };
        let padding = text.get(2).map_or(0, |filler| filler.len());
        if value.encode(padding) != bytes { Err(format!("the bytes of {value:?} are not what was written")) } else { Ok(value) }
    }
}

/// What a client knows of one of its records.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Fate {
    /// Sent, and nothing heard.
    Unknown,
    /// Answered with an error that means: not appended, now or ever.
    Refused,
}

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
struct Known {
    value: Value,
    /// Acknowledged, or seen, under a promise that survives a power failure.
    durable: bool,
}

pub struct Model {
    pub name: String,
    pub compacted: bool,
    /// What is at which offset, as answers and reads said.
    known: BTreeMap<i64, Known>,
    fates: BTreeMap<Value, Fate>,
    /// Highest answered start; the log must not begin below.
    start_floor: i64,
    /// Highest start that anybody asked for.
    start_asked: i64,
    /// Retention moves the start too.
    pub retention: bool,
}

/// One record of a scan.
struct Scanned {
    offset: i64,
    key: Vec<u8>,
    value: Value,
}

impl Model {
    pub fn new(name: String, compacted: bool, retention: bool) -> Self {
        Model { name, compacted, known: BTreeMap::new(), fates: BTreeMap::new(), start_floor: 0, start_asked: 0, retention }
    }

    pub fn sent(&mut self, value: Value) {
        self.fates.insert(value, Fate::Unknown);
    }

    pub fn refused(&mut self, value: Value) {
        self.fates.insert(value, Fate::Refused);
    }

    /// The answer to an append.
    pub fn acked(&mut self, value: Value, offset: i64, durable: bool) -> Result<(), String> {
        self.know(offset, value, durable)
    }

    pub fn trim_asked(&mut self, to: i64) {
        self.start_asked = self.start_asked.max(to);
    }

    pub fn trimmed(&mut self, start: i64) {
        self.start_floor = self.start_floor.max(start);
    }

    /// The partition was told to flush before it answers, and has flushed what it had.
    pub fn all_durable(&mut self) {
        self.known.values_mut().for_each(|known| known.durable = true);
    }

    fn know(&mut self, offset: i64, value: Value, durable: bool) -> Result<(), String> {
        let known = self.known.entry(offset).or_insert(Known { value, durable });
        if known.value != value {
            return Err(format!("{}: offset {offset} held {:?} and now holds {value:?}", self.name, known.value));
        }
        known.durable |= durable;
        Ok(())
    }

    /// After a power failure: what was promised without a flush may be gone, from some point on, and
    /// what was refused there may have come back.
    pub fn power_failed(&mut self, end: i64, flushed: bool) -> Result<(), String> {
        if let Some((offset, known)) = self.known.range(end..).find(|(_, known)| known.durable) {
            return Err(format!("{}: {:?} at offset {offset} was acknowledged, and the log ends at {end}", self.name, known.value));
        }
        self.known.retain(|_, known| known.durable);
        if !flushed {
            self.fates.values_mut().for_each(|fate| *fate = Fate::Unknown);
        }
        Ok(())
    }

    /// Reads the whole log and holds it against all that is known. What it finds is known from now on.
    pub fn check(&mut self, partition: &Partition, durable: bool) -> Result<usize, String> {
        let state = partition.state();
        let (start, limit) = (state.start.0, state.high_watermark.0);
        self.check_start(start)?;
        let scanned = self.scan(partition, start)?;
        let mut places: BTreeMap<Value, i64> = BTreeMap::new();
        let mut newest: BTreeMap<u64, (u64, i64)> = BTreeMap::new();
        for record in &scanned {
            let Scanned { offset, value, .. } = record;
            match self.fates.get(value) {
                None => return Err(format!("{}: nobody sent {value:?} at {offset}", self.name)),
                Some(Fate::Refused) => return Err(format!("{}: {value:?} was refused, and is at {offset}", self.name)),
                Some(Fate::Unknown) => {}
            }
            if let Some(other) = places.insert(*value, *offset) {
                return Err(format!("{}: {value:?} is at {other} and at {offset}", self.name));
            }
            if let Some((number, at)) = newest.insert(value.producer, (value.number, *offset))
                && number > value.number
            {
                return Err(format!("{}: producer {} wrote {number} at {at} before {} at {offset}", self.name, value.producer, value.number));
            }
            self.know(*offset, *value, durable)?;
        }
        self.check_complete(start, limit, &scanned)?;
        Ok(scanned.len())
    }

    fn check_start(&mut self, start: i64) -> Result<(), String> {
        if start < self.start_floor {
            return Err(format!("{}: the log begins at {start}, after it had begun at {}", self.name, self.start_floor));
        }
        if start > self.start_asked && !self.retention {
            return Err(format!("{}: the log begins at {start}, and nobody asked for more than {}", self.name, self.start_asked));
        }
        self.start_floor = start;
        Ok(())
    }

    /// Every known offset is there, or there is a reason that it is not.
    fn check_complete(&self, start: i64, limit: i64, scanned: &[Scanned]) -> Result<(), String> {
        let there: BTreeMap<i64, &Scanned> = scanned.iter().map(|record| (record.offset, record)).collect();
        if !self.compacted {
            let mut expected = start;
            for offset in there.keys() {
                if *offset != expected {
                    return Err(format!("{}: offset {expected} is missing before {offset}", self.name));
                }
                expected += 1;
            }
            if expected != limit {
                return Err(format!("{}: the log reads up to {expected}, the high watermark is {limit}", self.name));
            }
        }
        let mut last_of_key: BTreeMap<&[u8], i64> = BTreeMap::new();
        for record in scanned {
            last_of_key.insert(&record.key, record.offset);
        }
        for (offset, known) in self.known.range(start..) {
            if *offset >= limit {
                return Err(format!("{}: {:?} at {offset} is known, and the high watermark is {limit}", self.name, known.value));
            }
            if there.contains_key(offset) {
                continue;
            }
            // Compaction may take a record if a later one has its key.
            let key = key_of(known.value);
            if !self.compacted || last_of_key.get(key.as_slice()).is_none_or(|last| last <= offset) {
                return Err(format!("{}: {:?} at {offset} is gone", self.name, known.value));
            }
        }
        Ok(())
    }

    /// Forgets what is gone for a good reason, so that a long run's model stays small.
    pub fn forget_gone(&mut self) {
        let start = self.start_floor;
        self.known.retain(|offset, _| *offset >= start);
    }

    fn scan(&self, partition: &Partition, start: i64) -> Result<Vec<Scanned>, String> {
        let mut scanned = Vec::new();
        let mut from = millrace_record::Offset(start);
        let limit = partition.state().high_watermark;
        while from < limit {
            let read = partition.read(from, 64 << 10, Upto::HighWatermark, true).map_err(|e| format!("{}: reading at {from}: {e}", self.name))?;
            for slice in &read.slices.slices {
                for batch in split(slice) {
                    let (header, batch) = batch.map_err(|e| format!("{}: {e}", self.name))?;
                    millrace_record::verify_crc(batch).map_err(|e| format!("{}: batch at {}: {e}", self.name, header.base_offset))?;
                    let records = Records::open(batch, 64 << 20).map_err(|e| format!("{}: {e}", self.name))?;
                    for record in records.iter() {
                        let record = record.map_err(|e| format!("{}: {e}", self.name))?;
                        let offset = header.offset_of(&record).0;
                        if offset < from.0 {
                            continue;
                        }
                        let value = Value::decode(record.value.unwrap_or_default()).map_err(|e| format!("{} at {offset}: {e}", self.name))?;
                        scanned.push(Scanned { offset, key: record.key.unwrap_or_default().to_vec(), value });
                    }
                }
            }
            if read.slices.next_offset <= from {
                return Err(format!("{}: a read at {from} below {limit} found nothing", self.name));
            }
            from = read.slices.next_offset;
        }
        Ok(scanned)
    }
}

/// Every record's key follows from its value: few keys, so that compaction has something to do.
pub fn key_of(value: Value) -> Vec<u8> {
    format!("k{}", (value.producer * 7 + value.number) % 5).into_bytes()
}
