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

    /// Replaces each `${name}` whose name is defined. `$${name}` stands for `${name}` itself; unknown names stay.
    pub fn substitute<'a>(&self, text: &'a str) -> Cow<'a, str> {
        if !text.contains("${") {
            return Cow::Borrowed(text);
        }
        let mut done = String::with_capacity(text.len());
        let mut rest = text;
        while let Some(at) = rest.find("${") {
            let escaped = rest[..at].ends_with('$');
            let close = rest[at..].find('}').map(|length| at + length);
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
        Cow::Owned(done)
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
        let text = "${A} '${b}' $${b} ${c} ${ ${b";
        assert_eq!(variables.substitute(text), "${b} 'x' ${b} ${c} ${ ${b");
    }
}
