use serde_json::Value;

/// A record of a topic.
#[derive(Clone, Debug)]
pub struct Event {
    pub partition: usize,
    pub offset: i64,
    pub timestamp: i64,
    pub key: Option<Vec<u8>>,
    /// Absent for a tombstone, and for what is no JSON.
    pub value: Option<Value>,
}

impl Event {
    pub fn new(partition: usize, offset: i64, timestamp: i64, key: Option<&[u8]>, value: Option<&[u8]>) -> Event {
        let value = value.and_then(|bytes| serde_json::from_slice(bytes).ok());
        Event { partition, offset, timestamp, key: key.map(<[u8]>::to_vec), value }
    }

    pub fn key_text(&self) -> Option<String> {
        self.key.as_ref().map(|key| String::from_utf8_lossy(key).into_owned())
    }

    pub fn integer(&self, name: &str) -> Option<i64> {
        self.value.as_ref()?.get(name)?.as_i64()
    }

    pub fn text(&self, name: &str) -> Option<String> {
        Some(self.value.as_ref()?.get(name)?.as_str()?.to_owned())
    }
}
