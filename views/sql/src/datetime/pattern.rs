//! The pattern language: runs of letters are fields, quotes and other characters literals, brackets optional parts.

/// A compiled pattern.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Pattern {
    pub(super) items: Vec<Item>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Item {
    Literal(String),
    Field { letter: char, count: usize, padded: Option<usize> },
    Optional(Vec<Item>),
}

#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum PatternError {
    #[error("Unknown pattern letter: {0}")]
    UnknownLetter(char),
    #[error("Too many pattern letters: {0}")]
    TooManyLetters(char),
    #[error("Pattern ends with an incomplete string literal: {0}")]
    OpenLiteral(String),
    #[error("Pattern invalid as it contains ] without previous [")]
    UnopenedOptional,
    #[error("Pattern includes reserved character: '{0}'")]
    Reserved(char),
    #[error("Pad letter 'p' must be followed by valid pad pattern: {0}")]
    LonelyPad(String),
    #[error("A pattern may have at most {0} characters")]
    TooLong(usize),
}

/// Bounds the work of every text formatted or parsed.
const PATTERN_MAX: usize = 1024;

/// The letters that name fields, with the longest run that each allows.
const LETTERS: [(char, usize); 35] = [
    ('G', 5), ('u', 19), ('y', 19), ('Y', 19), ('D', 3), ('M', 5), ('L', 5), ('d', 2), ('Q', 5), ('q', 5), ('w', 2), ('W', 1),
    ('E', 5), ('e', 5), ('c', 5), ('F', 1), ('a', 1), ('h', 2), ('K', 2), ('k', 2), ('H', 2), ('m', 2), ('s', 2), ('S', 9),
    ('A', 19), ('n', 19), ('N', 19), ('V', 2), ('v', 4), ('z', 4), ('O', 4), ('X', 5), ('x', 5), ('Z', 5), ('g', 19),
];

impl Pattern {
    pub fn compile(text: &str) -> Result<Pattern, PatternError> {
        if text.len() > PATTERN_MAX {
            return Err(PatternError::TooLong(PATTERN_MAX));
        }
        let chars: Vec<char> = text.chars().collect();
        let mut at = 0;
        // One list for each open bracket, outermost first.
        let mut open: Vec<Vec<Item>> = vec![Vec::new()];
        while at < chars.len() {
            let c = chars[at];
            let run = chars[at..].iter().take_while(|other| **other == c).count();
            match c {
                '\'' => {
                    let (literal, next) = quoted(&chars, at, text)?;
                    push(&mut open, Item::Literal(literal));
                    at = next;
                    continue;
                }
                '[' => {
                    open.push(Vec::new());
                    at += 1;
                    continue;
                }
                ']' => {
                    let inner = open.pop().filter(|_| !open.is_empty()).ok_or(PatternError::UnopenedOptional)?;
                    push(&mut open, Item::Optional(inner));
                    at += 1;
                    continue;
                }
                '{' | '}' | '#' => return Err(PatternError::Reserved(c)),
                'p' => {
                    let letter = chars.get(at + run).copied().filter(char::is_ascii_alphabetic);
                    let Some(letter) = letter else { return Err(PatternError::LonelyPad(text.to_owned())) };
                    let count = chars[at + run..].iter().take_while(|other| **other == letter).count();
                    push(&mut open, field(letter, count, Some(run))?);
                    at += run + count;
                    continue;
                }
                letter if letter.is_ascii_alphabetic() => push(&mut open, field(letter, run, None)?),
                literal => push(&mut open, Item::Literal(std::iter::repeat_n(literal, run).collect())),
            }
            at += run;
        }
        // Brackets still open at the end are closed there.
        while open.len() > 1 {
            if let Some(inner) = open.pop() {
                push(&mut open, Item::Optional(inner));
            }
        }
        Ok(Pattern { items: open.pop().unwrap_or_default() })
    }
}

fn push(open: &mut [Vec<Item>], item: Item) {
    if let Some(items) = open.last_mut() {
        items.push(item);
    }
}

fn field(letter: char, count: usize, padded: Option<usize>) -> Result<Item, PatternError> {
    let known = LETTERS.iter().find(|(known, _)| *known == letter);
    let (_, longest) = known.ok_or(PatternError::UnknownLetter(letter))?;
    if count > *longest || letter == 'V' && count != 2 || letter == 'O' && !matches!(count, 1 | 4) {
        return Err(PatternError::TooManyLetters(letter));
    }
    Ok(Item::Field { letter, count, padded })
}

/// The literal that begins with the quote at `at`, and where the pattern goes on. `''` is one quote.
fn quoted(chars: &[char], at: usize, text: &str) -> Result<(String, usize), PatternError> {
    let mut literal = String::new();
    let mut next = at + 1;
    loop {
        match (chars.get(next), chars.get(next + 1)) {
            (Some('\''), Some('\'')) => {
                literal.push('\'');
                next += 2;
            }
            (Some('\''), _) => {
                // A pair of quotes with nothing between stands for one.
                let literal = if next == at + 1 { "'".to_owned() } else { literal };
                return Ok((literal, next + 1));
            }
            (Some(c), _) => {
                literal.push(*c);
                next += 1;
            }
            (None, _) => return Err(PatternError::OpenLiteral(text.to_owned())),
        }
    }
}
