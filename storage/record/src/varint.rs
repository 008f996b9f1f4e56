//! Zig-zag varints, as record bodies use them.

/// Reads one varint of at most 5 bytes from the front of `bytes`.
#[inline]
pub fn take_i32(bytes: &mut &[u8]) -> Option<i32> {
    let raw = take_raw(bytes, 5)?;
    // The fifth byte may carry bits beyond 32; Kafka's readers drop them too.
    let raw = raw as u32;
    Some((raw >> 1) as i32 ^ -((raw & 1) as i32))
}

/// Reads one varint of at most 10 bytes from the front of `bytes`.
#[inline]
pub fn take_i64(bytes: &mut &[u8]) -> Option<i64> {
    let raw = take_raw(bytes, 10)?;
    Some((raw >> 1) as i64 ^ -((raw & 1) as i64))
}

#[inline]
fn take_raw(bytes: &mut &[u8], bytes_max: usize) -> Option<u64> {
    let first = *bytes.first()?;
    if first < 0x80 {
        *bytes = &bytes[1..];
        return Some(first as u64);
    }
    let mut value = (first & 0x7f) as u64;
    for at in 1..bytes_max {
        let byte = *bytes.get(at)?;
        value |= ((byte & 0x7f) as u64) << (7 * at);
        if byte < 0x80 {
            *bytes = &bytes[at + 1..];
            return Some(value);
        }
    }
    None
}

pub fn put_i32(out: &mut Vec<u8>, value: i32) {
    put_raw(out, ((value << 1) ^ (value >> 31)) as u32 as u64);
}

pub fn put_i64(out: &mut Vec<u8>, value: i64) {
    put_raw(out, ((value << 1) ^ (value >> 63)) as u64);
}

fn put_raw(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Bytes that `put_i32` would write.
pub fn len_i32(value: i32) -> usize {
    len_raw(((value << 1) ^ (value >> 31)) as u32 as u64)
}

/// Bytes that `put_i64` would write.
pub fn len_i64(value: i64) -> usize {
    len_raw(((value << 1) ^ (value >> 63)) as u64)
}

fn len_raw(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn what_is_put_is_taken(small in any::<i32>(), large in any::<i64>()) {
            let mut out = Vec::new();
            put_i32(&mut out, small);
            prop_assert_eq!(out.len(), len_i32(small));
            put_i64(&mut out, large);
            prop_assert_eq!(out.len(), len_i32(small) + len_i64(large));
            let mut rest = &out[..];
            prop_assert_eq!(take_i32(&mut rest), Some(small));
            prop_assert_eq!(take_i64(&mut rest), Some(large));
            prop_assert!(rest.is_empty());
        }
    }

    #[test]
    fn endless_and_cut_varints_are_refused() {
        assert_eq!(take_i32(&mut &[0xff; 5][..]), None);
        assert_eq!(take_i64(&mut &[0xff; 10][..]), None);
        assert_eq!(take_i32(&mut &[0x80][..]), None);
        assert_eq!(take_i32(&mut &[][..]), None);
    }
}
