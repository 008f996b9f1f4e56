//! The one look into opaque bytes: which topics a consumer subscribes to.
//!
//! ```text
//!  version i16 | topics: count i32, each length i16 + UTF-8 | ...
//! ```
use std::collections::BTreeSet;

/// The topics in a consumer's metadata, or none if it is not what the consumer protocol writes.
pub(super) fn topics(metadata: &[u8]) -> Option<BTreeSet<String>> {
    let rest = metadata.get(2..)?;
    let (count, mut rest) = rest.split_first_chunk::<4>()?;
    let count = usize::try_from(i32::from_be_bytes(*count)).ok()?;
    let mut topics = BTreeSet::new();
    for _ in 0..count {
        let (length, tail) = rest.split_first_chunk::<2>()?;
        let length = usize::try_from(i16::from_be_bytes(*length)).ok()?;
        let name = std::str::from_utf8(tail.get(..length)?).ok()?;
        topics.insert(name.to_owned());
        rest = &tail[length..];
    }
    Some(topics)
}

#[cfg(test)]
mod tests {
    use super::topics;

    #[test]
    fn reads_names_and_survives_nonsense() {
        let read = topics(b"\0\x01\0\0\0\x02\0\x01a\0\x02bc\xff\xff\xff\xff").expect("a subscription");
        assert_eq!(read.into_iter().collect::<Vec<_>>(), ["a", "bc"]);
        for nonsense in [&b""[..], b"\0", b"\0\x01\x7f\xff\xff\xff", b"\0\x01\xff\xff\xff\xff", b"\0\x01\0\0\0\x01\0\x09a", b"\0\0\0\0\0\x01\0\x01\xff"] {
            assert_eq!(topics(nonsense), None);
        }
    }
}
