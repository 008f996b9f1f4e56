//! Protobuf's wire: tags, varints and length-delimited parts.

use crate::DecodeError;

pub const VARINT: u8 = 0;
pub const FIXED64: u8 = 1;
pub const LENGTH: u8 = 2;
pub const FIXED32: u8 = 5;

/// One field of a message, not yet given a type.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Part<'a> {
    Varint(u64),
    Fixed64(u64),
    Bytes(&'a [u8]),
}

const BROKEN: DecodeError = DecodeError::Protobuf("the message ends inside a field");

pub fn read_varint(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let mut value = 0u64;
    for shift in (0..64).step_by(7) {
        let (first, rest) = bytes.split_first().ok_or(BROKEN)?;
        *bytes = rest;
        value |= u64::from(first & 0x7f) << shift;
        if first & 0x80 == 0 {
            return Ok(value);
        }
    }
    Err(DecodeError::Protobuf("a varint is longer than ten bytes"))
}

pub fn read_fixed64(bytes: &mut &[u8]) -> Result<u64, DecodeError> {
    let (head, rest) = bytes.split_first_chunk::<8>().ok_or(BROKEN)?;
    *bytes = rest;
    Ok(u64::from_le_bytes(*head))
}

/// The next field's number and content; 32-bit fields, which no column uses, read as varints.
pub fn read_part<'a>(bytes: &mut &'a [u8]) -> Result<(u64, Part<'a>), DecodeError> {
    let tag = read_varint(bytes)?;
    let part = match (tag & 7) as u8 {
        VARINT => Part::Varint(read_varint(bytes)?),
        FIXED64 => Part::Fixed64(read_fixed64(bytes)?),
        LENGTH => {
            let length = usize::try_from(read_varint(bytes)?).map_err(|_| BROKEN)?;
            let (head, rest) = bytes.split_at_checked(length).ok_or(BROKEN)?;
            *bytes = rest;
            Part::Bytes(head)
        }
        FIXED32 => {
            let (head, rest) = bytes.split_first_chunk::<4>().ok_or(BROKEN)?;
            *bytes = rest;
            Part::Varint(u64::from(u32::from_le_bytes(*head)))
        }
        _ => return Err(DecodeError::Protobuf("an unknown wire type")),
    };
    Ok((tag >> 3, part))
}

pub fn write_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push((value & 0x7f) as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub fn write_tag(out: &mut Vec<u8>, field: u64, wire_type: u8) {
    write_varint(out, field << 3 | u64::from(wire_type));
}

pub fn write_bytes(out: &mut Vec<u8>, field: u64, bytes: &[u8]) {
    write_tag(out, field, LENGTH);
    write_varint(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

/// A whole number, left out when it is zero, as proto3 does.
pub fn write_number(out: &mut Vec<u8>, field: u64, number: i64) {
    if number != 0 {
        write_tag(out, field, VARINT);
        write_varint(out, number.cast_unsigned());
    }
}
