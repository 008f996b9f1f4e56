//! COUNT_DISTINCT: exact for small groups, then HyperLogLog with 2^14 registers (standard error 0.8 %).
//!
//! State bytes: tag 0 and the sorted 64-bit hashes (big endian), or tag 1 and one byte a register. The hash is fixed
//! by this file: states live on disk.

use std::hash::{Hash, Hasher};
use std::sync::Arc;

use super::{AggregateRow, Aggregator, Site, first};
use crate::expr::EvalError;
use crate::types::SqlType;
use crate::value::Value;

const BITS: u32 = 14;
const REGISTERS: usize = 1 << BITS;
/// Hashes kept one by one before the registers take over.
const EXACT_MAX: usize = 1024;
const EXACT: u8 = 0;
const SKETCH: u8 = 1;

pub(super) const FUNCTIONS: &[AggregateRow] = &[AggregateRow {
    name: "COUNT_DISTINCT",
    about: "About how many distinct values the column has: exact up to 1024, then within about one percent.",
    overloads: &[("(col T) -> BIGINT", 0, count_distinct)],
}];

#[derive(Debug)]
struct CountDistinct;

fn count_distinct(_: &Site<'_>) -> Result<Arc<dyn Aggregator>, String> {
    Ok(Arc::new(CountDistinct))
}

/// FNV-1a with a final mix: the same on every machine, whatever the integers' byte order.
struct StableHasher(u64);

impl Hasher for StableHasher {
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = (self.0 ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3);
        }
    }

    fn write_u32(&mut self, n: u32) {
        self.write(&n.to_le_bytes());
    }

    fn write_u64(&mut self, n: u64) {
        self.write(&n.to_le_bytes());
    }

    fn write_u128(&mut self, n: u128) {
        self.write(&n.to_le_bytes());
    }

    fn write_usize(&mut self, n: usize) {
        self.write(&(n as u64).to_le_bytes());
    }

    fn write_isize(&mut self, n: isize) {
        self.write(&(n as i64).to_le_bytes());
    }

    fn finish(&self) -> u64 {
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xff51_afd7_ed55_8ccd);
        mixed = (mixed ^ (mixed >> 33)).wrapping_mul(0xc4ce_b9fe_1a85_ec53);
        mixed ^ (mixed >> 33)
    }
}

/// Never changes: it is written in states.
pub(super) fn hash_of(value: &Value) -> u64 {
    let mut hasher = StableHasher(0xcbf2_9ce4_8422_2325);
    value.hash(&mut hasher);
    hasher.finish()
}

enum Sketch {
    Exact(Vec<u64>),
    Registers(Box<[u8]>),
}

impl Sketch {
    fn read(state: &Value) -> Sketch {
        match state {
            Value::Bytes(bytes) => match bytes.split_first() {
                Some((&SKETCH, registers)) if registers.len() == REGISTERS => Sketch::Registers(registers.into()),
                Some((&EXACT, hashes)) => {
                    let hashes = hashes.chunks_exact(8).map(|hash| {
                        hash.iter().fold(0, |word, byte| word << 8 | u64::from(*byte))
                    });
                    Sketch::Exact(hashes.collect())
                }
                _ => Sketch::Exact(Vec::new()),
            },
            _ => Sketch::Exact(Vec::new()),
        }
    }

    fn write(&self) -> Value {
        Value::bytes(match self {
            Sketch::Exact(hashes) => {
                std::iter::once(EXACT).chain(hashes.iter().flat_map(|hash| hash.to_be_bytes())).collect::<Vec<u8>>()
            }
            Sketch::Registers(registers) => std::iter::once(SKETCH).chain(registers.iter().copied()).collect(),
        })
    }

    /// Whether the hash changed anything.
    fn insert(&mut self, hash: u64) -> bool {
        match self {
            Sketch::Exact(hashes) => {
                let Err(position) = hashes.binary_search(&hash) else { return false };
                hashes.insert(position, hash);
                if hashes.len() > EXACT_MAX {
                    let mut registers = vec![0; REGISTERS].into_boxed_slice();
                    for hash in hashes.iter() {
                        mark(&mut registers, *hash);
                    }
                    *self = Sketch::Registers(registers);
                }
                true
            }
            Sketch::Registers(registers) => mark(registers, hash),
        }
    }

    fn merge(&mut self, other: Sketch) {
        match other {
            Sketch::Exact(hashes) => {
                for hash in hashes {
                    self.insert(hash);
                }
            }
            Sketch::Registers(theirs) => {
                if let Sketch::Exact(hashes) = self {
                    let mine = std::mem::take(hashes);
                    *self = Sketch::Registers(theirs);
                    for hash in mine {
                        self.insert(hash);
                    }
                } else if let Sketch::Registers(mine) = self {
                    for (register, their) in mine.iter_mut().zip(theirs) {
                        *register = (*register).max(their);
                    }
                }
            }
        }
    }

    fn estimate(&self) -> i64 {
        match self {
            Sketch::Exact(hashes) => hashes.len() as i64,
            Sketch::Registers(registers) => {
                let count = REGISTERS as f64;
                // Summed in register order: floats are added the same way everywhere.
                let inverse: f64 = registers.iter().map(|rank| (-f64::from(*rank)).exp2()).sum();
                let raw = 0.7213 / (1.0 + 1.079 / count) * count * count / inverse;
                let zeros = registers.iter().filter(|rank| **rank == 0).count();
                let estimate =
                    if raw <= 2.5 * count && zeros > 0 { count * (count / zeros as f64).ln() } else { raw };
                estimate.round() as i64
            }
        }
    }
}

fn mark(registers: &mut [u8], hash: u64) -> bool {
    let register = (hash >> (64 - BITS)) as usize;
    let rank = ((hash << BITS) | (1 << (BITS - 1))).leading_zeros() as u8 + 1;
    let grows = rank > registers[register];
    registers[register] = registers[register].max(rank);
    grows
}

impl Aggregator for CountDistinct {
    fn state_type(&self) -> &SqlType {
        &SqlType::Bytes
    }

    fn result_type(&self) -> &SqlType {
        &SqlType::BigInt
    }

    fn initial(&self) -> Value {
        Sketch::Exact(Vec::new()).write()
    }

    fn add(&self, state: Value, arguments: &[Value], _: i64) -> Result<Value, EvalError> {
        if first(arguments).is_null() {
            return Ok(state);
        }
        let mut sketch = Sketch::read(&state);
        Ok(if sketch.insert(hash_of(first(arguments))) { sketch.write() } else { state })
    }

    fn merge(&self, left: Value, right: Value) -> Result<Value, EvalError> {
        let mut sketch = Sketch::read(&left);
        sketch.merge(Sketch::read(&right));
        Ok(sketch.write())
    }

    fn result(&self, state: &Value) -> Result<Value, EvalError> {
        Ok(Value::BigInt(Sketch::read(state).estimate()))
    }

    fn intermediate_type(&self) -> SqlType {
        SqlType::array(SqlType::Integer)
    }
}
