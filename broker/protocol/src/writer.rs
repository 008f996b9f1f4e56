//! Puts fields in the encoding of a version: the counterpart of `reader`.
use bytes::{BufMut, BytesMut};

pub struct Writer<'a> {
    pub out: &'a mut BytesMut,
    pub flexible: bool,
}

impl Writer<'_> {
    pub fn uvarint(&mut self, mut value: u32) {
        while value >= 0x80 {
            self.out.put_u8(value as u8 | 0x80);
            value >>= 7;
        }
        self.out.put_u8(value as u8);
    }

    /// The head of an array, or of bytes. Counts here come from our own state and fit.
    pub fn count(&mut self, count: usize) {
        if self.flexible { self.uvarint(count as u32 + 1) } else { self.out.put_i32(count as i32) }
    }

    /// Text of ours; what does not fit the old encoding's int16 is cut at a character's edge.
    pub fn string(&mut self, text: &str) {
        if self.flexible {
            self.uvarint(text.len() as u32 + 1);
            self.out.put_slice(text.as_bytes());
        } else {
            let text = &text[..text.floor_char_boundary(i16::MAX as usize)];
            self.out.put_i16(text.len() as i16);
            self.out.put_slice(text.as_bytes());
        }
    }

    pub fn nullable_string(&mut self, text: Option<&str>) {
        match text {
            Some(text) => self.string(text),
            None if self.flexible => self.uvarint(0),
            None => self.out.put_i16(-1),
        }
    }

    /// The end of a struct without tagged fields.
    pub fn no_tags(&mut self) {
        if self.flexible {
            self.out.put_u8(0);
        }
    }

    /// One tagged field whose bytes `fill` writes.
    pub fn tag(&mut self, tag: u32, fill: impl FnOnce(&mut Writer<'_>)) {
        let mut value = BytesMut::new();
        fill(&mut Writer { out: &mut value, flexible: self.flexible });
        self.uvarint(tag);
        self.uvarint(value.len() as u32);
        self.out.put_slice(&value);
    }
}
