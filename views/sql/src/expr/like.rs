//! LIKE: `%` stands for any text, `_` for one character, and the escape character takes the next one literally.

use super::EvalError;

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct LikePattern(Vec<Part>);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    Char(char),
    One,
    Any,
}

impl LikePattern {
    pub fn new(pattern: &str, escape: Option<char>) -> Result<LikePattern, EvalError> {
        let mut parts = Vec::with_capacity(pattern.len());
        let mut chars = pattern.chars();
        while let Some(c) = chars.next() {
            parts.push(match c {
                c if Some(c) == escape => match chars.next() {
                    Some(literal) => Part::Char(literal),
                    None => return Err(EvalError::new(format!("LIKE pattern '{pattern}' ends with its escape character"))),
                },
                '%' if parts.last() == Some(&Part::Any) => continue,
                '%' => Part::Any,
                '_' => Part::One,
                c => Part::Char(c),
            });
        }
        Ok(LikePattern(parts))
    }

    /// Goes back only to the last `%`, so the work is bounded by text times pattern.
    pub fn matches(&self, text: &str) -> bool {
        let text: Vec<char> = text.chars().collect();
        let (mut at, mut part) = (0, 0);
        let mut retry: Option<(usize, usize)> = None;
        loop {
            let fits = match self.0.get(part) {
                Some(Part::Any) => {
                    retry = Some((at, part));
                    part += 1;
                    continue;
                }
                Some(Part::One) => at < text.len(),
                Some(Part::Char(c)) => text.get(at) == Some(c),
                None if at == text.len() => return true,
                None => false,
            };
            if fits {
                (at, part) = (at + 1, part + 1);
            } else {
                match retry {
                    Some((from, any)) if from < text.len() => {
                        retry = Some((from + 1, any));
                        (at, part) = (from + 1, any + 1);
                    }
                    _ => return false,
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn like(text: &str, pattern: &str, escape: Option<char>) -> bool {
        LikePattern::new(pattern, escape).expect("a pattern").matches(text)
    }

    #[test]
    fn matches_as_sql() {
        let cases = [
            ("foo", "foo", true),
            ("foo", "fo", false),
            ("foo", "%", true),
            ("", "%", true),
            ("", "", true),
            ("foo", "", false),
            ("foo", "f_o", true),
            ("foo", "f__o", false),
            ("foobar", "%o%r", true),
            ("foobar", "%o%z", false),
            ("a.c", "a.c", true),
            ("abc", "a.c", false),
            ("fö", "f_", true),
            ("aaa\nb", "a%b", true),
        ];
        for (text, pattern, expected) in cases {
            assert_eq!(like(text, pattern, None), expected, "{text} LIKE {pattern}");
        }
        assert!(like("100%", "100!%", Some('!')));
        assert!(!like("1000", "100!%", Some('!')));
        assert!(LikePattern::new("x!", Some('!')).is_err());
    }

    /// The definition, exponential but plain.
    fn naive(text: &[char], pattern: &[char]) -> bool {
        match pattern.split_first() {
            None => text.is_empty(),
            Some(('%', rest)) => (0..=text.len()).any(|skip| naive(&text[skip..], rest)),
            Some(('_', rest)) => !text.is_empty() && naive(&text[1..], rest),
            Some((c, rest)) => text.first() == Some(c) && naive(&text[1..], rest),
        }
    }

    proptest! {
        #[test]
        fn agrees_with_the_definition(text in "[ab]{0,7}", pattern in "[ab%_]{0,6}") {
            let (t, p): (Vec<char>, Vec<char>) = (text.chars().collect(), pattern.chars().collect());
            prop_assert_eq!(like(&text, &pattern, None), naive(&t, &p));
        }
    }
}
