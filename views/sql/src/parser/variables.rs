//! Session variables: `DEFINE v = 'x'`, then `${v}` anywhere in a text.

use std::borrow::Cow;
use std::collections::BTreeMap;

/// Names are without case. Replacing is textual and not repeated in what was put in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Variables(BTreeMap<String, String>);

impl Variables {
    pub fn define(&mut self, name: &str, value: &str) {
        self.0.insert(name.to_uppercase(), value.to_string());
    }

    pub fn undefine(&mut self, name: &str) {
        self.0.remove(&name.to_uppercase());
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(&name.to_uppercase()).map(String::as_str)
    }

    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// Replaces each `${name}` whose name is defined. `$${name}` stands for `${name}` itself; unknown names stay. Nothing when the
    /// result would have more than `bytes_max` bytes.
    pub fn substitute<'a>(&self, text: &'a str, bytes_max: usize) -> Option<Cow<'a, str>> {
        if !text.contains("${") {
            return (text.len() <= bytes_max).then_some(Cow::Borrowed(text));
        }
        // No further than the longest name, in either case: the brace that closes may be far, or not there.
        let longest = self.0.keys().map(|name| name.len() * 2).max().unwrap_or(0) + "${}".len();
        let mut done = String::new();
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            if done.len() > bytes_max {
                return None;
            }
            let escaped = rest[..at].ends_with('$');
            let close = rest.as_bytes()[at..].iter().take(longest).position(|byte| *byte == b'}').map(|length| at + length);
            let value = close.and_then(|close| self.get(&rest[at + 2..close]));
            match (close, value) {
                (Some(close), Some(_)) if escaped => {
                    done.push_str(&rest[..at - 1]);
                    done.push_str(&rest[at..=close]);
                    rest = &rest[close + 1..];
                }
                (Some(close), Some(value)) => {
                    done.push_str(&rest[..at]);
                    done.push_str(value);
                    rest = &rest[close + 1..];
                }
                _ => {
                    done.push_str(&rest[..at + 2]);
                    rest = &rest[at + 2..];
                }
            }
        }
        done.push_str(rest);
        (done.len() <= bytes_max).then_some(Cow::Owned(done))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_names_are_replaced_once() {
        let mut variables = Variables::default();
        variables.define("a", "${b}");
        variables.define("B", "x");
        let text = "${A} '${b}' $${b} ${c} ${long name} ${ ${b";
        assert_eq!(variables.substitute(text, 100).unwrap(), "${b} 'x' ${b} ${c} ${long name} ${ ${b");
    }

    #[test]
    fn what_grows_beyond_the_limit_is_not_made() {
        let mut variables = Variables::default();
        variables.define("a", &"x".repeat(1 << 20));
        let text = "${a}".repeat(1 << 20);
        assert!(variables.substitute(&text, text.len()).is_none());
        // A brace that never comes is not looked for again and again.
        let open = "${".repeat(1 << 20);
        assert_eq!(variables.substitute(&open, open.len()).unwrap(), open);
    }
}
