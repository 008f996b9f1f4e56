//! The walk that stands between the wire and `kafka-protocol`.
//!
//! A shape says which fields a message has in which versions: as much as is needed to step over them.
//! Nullability is not part of it, since a null costs nothing; the decoder behind refuses it.
//!
//! Invariant: for a body that `check` lets pass, every length and count in it is covered by bytes that
//! are there, so decoding allocates no more than a small multiple of the frame.
use crate::reader::{Malformed, Reader};

/// More elements than any sane control-plane request has; it bounds what decoded structs may add to
/// the bytes that they came from.
const ELEMENTS_MAX: usize = 1_000_000;

#[derive(Clone, Copy, Debug)]
pub enum Kind {
    /// A scalar of so many bytes.
    Fixed(usize),
    String,
    Bytes,
    /// Elements that are bare values (`Fixed` or `String`).
    List(&'static Kind),
    /// Elements that are structs, each with its own tagged fields.
    Structs(&'static [Field]),
    /// One byte that says whether a struct follows.
    Optional(&'static [Field]),
}

/// A field and the versions that carry it.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    pub kind: Kind,
    pub since: i16,
    pub until: i16,
}

impl Field {
    const fn always(kind: Kind) -> Field {
        Field { kind, since: 0, until: i16::MAX }
    }
    pub const fn since(self, version: i16) -> Field {
        Field { since: version, ..self }
    }
    pub const fn until(self, version: i16) -> Field {
        Field { until: version, ..self }
    }
}

pub const INT8: Field = Field::always(Kind::Fixed(1));
pub const BOOL: Field = INT8;
pub const INT16: Field = Field::always(Kind::Fixed(2));
pub const INT32: Field = Field::always(Kind::Fixed(4));
pub const INT64: Field = Field::always(Kind::Fixed(8));
pub const FLOAT64: Field = INT64;
pub const UUID: Field = Field::always(Kind::Fixed(16));
pub const STRING: Field = Field::always(Kind::String);
pub const BYTES: Field = Field::always(Kind::Bytes);
pub const INT32S: Field = Field::always(Kind::List(&Kind::Fixed(4)));
pub const INT8S: Field = Field::always(Kind::List(&Kind::Fixed(1)));
pub const INT64S: Field = Field::always(Kind::List(&Kind::Fixed(8)));
pub const STRINGS: Field = Field::always(Kind::List(&Kind::String));

pub const fn structs(fields: &'static [Field]) -> Field {
    Field::always(Kind::Structs(fields))
}
pub const fn optional(fields: &'static [Field]) -> Field {
    Field::always(Kind::Optional(fields))
}

/// Passes if `body` begins with one message of this shape. What follows is not looked at, as in Kafka: librdkafka from
/// 2.12 on leaves three bytes behind a Metadata request for all topics.
pub fn check(shape: &[Field], version: i16, flexible: bool, body: &[u8]) -> Result<(), Malformed> {
    let mut walk = Walk { reader: Reader::new(body), version, flexible, elements: 0 };
    walk.fields(shape)
}

struct Walk<'a> {
    reader: Reader<'a>,
    version: i16,
    flexible: bool,
    elements: usize,
}

impl Walk<'_> {
    fn fields(&mut self, fields: &[Field]) -> Result<(), Malformed> {
        for field in fields {
            if (field.since..=field.until).contains(&self.version) {
                self.value(&field.kind)?;
            }
        }
        self.reader.skip_tagged(self.flexible)
    }

    fn value(&mut self, kind: &Kind) -> Result<(), Malformed> {
        match kind {
            Kind::Fixed(width) => self.reader.take(*width).map(drop).map_err(|_| Malformed::Short),
            Kind::String => self.reader.text(self.flexible).map(drop),
            Kind::Bytes => self.reader.bytes(self.flexible).map(drop),
            Kind::List(element) => self.each(|walk| walk.value(element)),
            Kind::Structs(fields) => self.each(|walk| walk.fields(fields)),
            Kind::Optional(fields) => match self.reader.int8()? {
                present if present >= 0 => self.fields(fields),
                _ => Ok(()),
            },
        }
    }

    fn each(&mut self, mut element: impl FnMut(&mut Self) -> Result<(), Malformed>) -> Result<(), Malformed> {
        let count = self.reader.count(self.flexible)?.unwrap_or(0);
        self.elements += count;
        if self.elements > ELEMENTS_MAX {
            return Err(Malformed::TooMany(ELEMENTS_MAX));
        }
        (0..count).try_for_each(|_| element(self))
    }
}
