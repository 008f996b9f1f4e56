//! What is done to a good input.
use crate::dice::Dice;

/// No input grows past this.
pub const INPUT_BYTES_MAX: usize = 256 << 10;

/// One to eight injuries.
pub fn damage(input: &mut Vec<u8>, dice: &mut Dice, others: &[Vec<u8>]) {
    for _ in 0..=[0, 0, 1, 2, 3, 7][dice.roll(6)] {
        injure(input, dice, others);
    }
    input.truncate(INPUT_BYTES_MAX);
}

fn injure(input: &mut Vec<u8>, dice: &mut Dice, others: &[Vec<u8>]) {
    let at = dice.roll(input.len());
    let left = input.len() - at;
    match dice.roll(12) {
        _ if input.is_empty() => input.extend((0..dice.roll(64)).map(|_| dice.byte())),
        0 => input[at] ^= 1 << dice.roll(8),
        1 => input[at] = *dice.pick(&[0, 1, 0x7f, 0x80, 0xff]),
        2 => input[at] = dice.byte(),
        3 => input.truncate(at),
        // Numbers as lengths and counts are written: big endian, little endian, varints.
        4 => overwrite(input, at, &hostile_number(dice)),
        5 => overwrite(input, at, &dice.pick(&[&[0xff, 0xff, 0xff, 0xff, 0x07][..], &[0xff; 10], &[0x80, 0x80, 0x80, 0x80, 0x08], &[0xfe, 0xff, 0xff, 0xff, 0x0f]]).to_vec()),
        6 => {
            let len = 1 + dice.roll(left.min(64));
            input.drain(at..(at + len).min(input.len()));
        }
        7 => {
            let len = 1 + dice.roll(left.min(64));
            let part = input[at..(at + len).min(input.len())].to_vec();
            let times = *dice.pick(&[1, 2, 10, 1_000]);
            let part = part.repeat(times.min(1 + INPUT_BYTES_MAX / part.len()));
            let tail = input.split_off(at);
            input.extend(part);
            input.extend(tail);
        }
        8 => {
            let more: Vec<u8> = (0..1 + dice.roll(16)).map(|_| dice.byte()).collect();
            let tail = input.split_off(at);
            input.extend(more);
            input.extend(tail);
        }
        9 => {
            let other = dice.pick(others);
            let from = dice.roll(other.len());
            input.truncate(at);
            input.extend(&other[from..]);
        }
        10 => {
            let len = dice.roll(left.min(256) + 1);
            input[at..at + len].fill(*dice.pick(&[0, 0xff]));
        }
        _ => {
            let len = dice.roll(left.min(32) + 1);
            input[at..at + len].iter_mut().for_each(|byte| *byte = dice.byte());
        }
    }
}

fn hostile_number(dice: &mut Dice) -> Vec<u8> {
    let number = *dice.pick(&[i64::MIN, i64::MAX, -1, -2, 0, 1, i64::from(i32::MAX), i64::from(i32::MIN), 0x7fff_ffff_0000, 1 << 30, 1 << 20, 65_536, 32_767, -32_768]);
    match dice.roll(6) {
        0 => (number as i16).to_be_bytes().to_vec(),
        1 => (number as i32).to_be_bytes().to_vec(),
        2 => number.to_be_bytes().to_vec(),
        3 => (number as i32).to_le_bytes().to_vec(),
        4 => number.to_le_bytes().to_vec(),
        _ => (number as i16).to_le_bytes().to_vec(),
    }
}

fn overwrite(input: &mut [u8], at: usize, with: &[u8]) {
    for (byte, new) in input[at..].iter_mut().zip(with) {
        *byte = *new;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_same_seed_gives_the_same_input_and_none_is_too_long() {
        let seeds = [vec![1, 2, 3], vec![0; 100_000], Vec::new()];
        let draw = |seed| {
            let mut dice = Dice::new(seed);
            let mut input = dice.pick(&seeds).clone();
            damage(&mut input, &mut dice, &seeds);
            input
        };
        for seed in 0..2_000 {
            assert!(draw(seed).len() <= INPUT_BYTES_MAX);
            assert_eq!(draw(seed), draw(seed));
        }
    }
}
