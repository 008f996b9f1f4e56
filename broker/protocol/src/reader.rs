//! A cursor over bytes that nobody has vouched for. Every read is bounded by what remains, so a
//! hostile length is an error and never an allocation.

/// Why bytes are not the message that they claim to be.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Malformed {
    #[error("the message ends inside a field")]
    Short,
    #[error("a length of {0} exceeds the bytes that remain")]
    Length(i64),
    #[error("an array of {0} elements exceeds the bytes that remain")]
    Count(i64),
    #[error("a variable-length integer does not end within its width")]
    Varint,
    #[error("text is not UTF-8")]
    Utf8,
    #[error("a field that must be there is null")]
    Null,
    #[error("the message holds more than {0} array elements")]
    TooMany(usize),
    #[error("the message does not decode")]
    Undecodable,
}

/// The longest string of Kafka's protocol.
const STRING_MAX: usize = i16::MAX as usize;

/// Positions are counted from the start of `bytes`, so that a caller who owns the buffer can cut
/// slices out of it after the walk.
pub struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

macro_rules! integers {
    ($($name:ident: $type:ty),*) => {$(
        pub fn $name(&mut self) -> Result<$type, Malformed> {
            let (head, _) = self.rest().split_first_chunk().ok_or(Malformed::Short)?;
            self.at += head.len();
            Ok(<$type>::from_be_bytes(*head))
        }
    )*};
}

impl<'a> Reader<'a> {
    pub fn new(bytes: &'a [u8]) -> Reader<'a> {
        Reader { bytes, at: 0 }
    }

    pub fn position(&self) -> usize {
        self.at
    }

    pub fn remaining(&self) -> usize {
        self.bytes.len() - self.at
    }

    fn rest(&self) -> &'a [u8] {
        &self.bytes[self.at..]
    }

    integers!(int8: i8, int16: i16, int32: i32, int64: i64);

    pub fn uuid(&mut self) -> Result<[u8; 16], Malformed> {
        let (head, _) = self.rest().split_first_chunk().ok_or(Malformed::Short)?;
        self.at += head.len();
        Ok(*head)
    }

    pub fn take(&mut self, len: usize) -> Result<&'a [u8], Malformed> {
        let taken = self.rest().get(..len).ok_or(Malformed::Length(len as i64))?;
        self.at += len;
        Ok(taken)
    }

    pub fn uvarint(&mut self) -> Result<u32, Malformed> {
        let mut value = 0u64;
        for (i, byte) in self.rest().iter().take(5).enumerate() {
            value |= u64::from(byte & 0x7f) << (7 * i);
            if byte & 0x80 == 0 {
                self.at += i + 1;
                return u32::try_from(value).map_err(|_| Malformed::Varint);
            }
        }
        Err(if self.remaining() < 5 { Malformed::Short } else { Malformed::Varint })
    }

    /// The length of what follows, in the encoding of compact strings, bytes and arrays; `None` is null.
    fn compact_length(&mut self) -> Result<Option<usize>, Malformed> {
        Ok((self.uvarint()? as usize).checked_sub(1))
    }

    fn length(signed: i64) -> Result<Option<usize>, Malformed> {
        match signed {
            -1 => Ok(None),
            n => usize::try_from(n).map(Some).map_err(|_| Malformed::Length(n)),
        }
    }

    /// Raw bytes of a nullable string (int16 length, or compact).
    pub fn string(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, Malformed> {
        let len = if flexible { self.compact_length()? } else { Self::length(self.int16()?.into())? };
        match len {
            // The compact encoding could say more, but then older versions (and the records in which we
            // keep such text) could not carry it. Kafka refuses it, too.
            Some(len) if len > STRING_MAX => Err(Malformed::Length(len as i64)),
            len => len.map(|len| self.take(len)).transpose(),
        }
    }

    pub fn text(&mut self, flexible: bool) -> Result<Option<&'a str>, Malformed> {
        let raw = self.string(flexible)?;
        raw.map(|raw| std::str::from_utf8(raw).map_err(|_| Malformed::Utf8)).transpose()
    }

    /// Nullable bytes (int32 length, or compact).
    pub fn bytes(&mut self, flexible: bool) -> Result<Option<&'a [u8]>, Malformed> {
        let len = if flexible { self.compact_length()? } else { Self::length(self.int32()?.into())? };
        len.map(|len| self.take(len)).transpose()
    }

    /// The count of an array of which each element takes at least one byte; `None` is null.
    pub fn count(&mut self, flexible: bool) -> Result<Option<usize>, Malformed> {
        let count = if flexible { self.compact_length()? } else { Self::length(self.int32()?.into())? };
        match count {
            Some(n) if n > self.remaining() => Err(Malformed::Count(n as i64)),
            count => Ok(count),
        }
    }

    /// Hands each tagged field to `known`, whole and bounded by its declared size.
    pub fn tagged(
        &mut self,
        mut known: impl FnMut(u32, &'a [u8], usize) -> Result<(), Malformed>,
    ) -> Result<(), Malformed> {
        let count = self.uvarint()?;
        // A field takes at least its tag and its size.
        if count as usize > self.remaining() / 2 {
            return Err(Malformed::Count(count.into()));
        }
        for _ in 0..count {
            let tag = self.uvarint()?;
            let size = self.uvarint()? as usize;
            let at = self.at;
            let value = self.take(size)?;
            known(tag, value, at)?;
        }
        Ok(())
    }

    pub fn skip_tagged(&mut self, flexible: bool) -> Result<(), Malformed> {
        if flexible { self.tagged(|_, _, _| Ok(())) } else { Ok(()) }
    }
}
