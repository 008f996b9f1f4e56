//! From Java's regular expressions to those of our engine: where the same text means something else, it is rewritten.
//!
//! `\d \w \s` are ASCII in Java, `\h` is horizontal space (not a hex digit), `\Q..\E` quotes. What both spell alike
//! (groups, look-around, possessive quantifiers, `\p{..}`, classes and their intersections) passes through.

/// The same pattern in our dialect.
pub(super) fn translate(pattern: &str) -> String {
    let mut translated = String::with_capacity(pattern.len() + 16);
    let mut rest = pattern;
    while let Some(at) = rest.find('\\') {
        translated.push_str(&rest[..at]);
        let escape = &rest[at + 1..];
        let Some(letter) = escape.chars().next() else {
            translated.push('\\');
            return translated;
        };
        rest = &escape[letter.len_utf8()..];
        match letter {
            'Q' => {
                let (quoted, behind) = rest.split_once("\\E").unwrap_or((rest, ""));
                for c in quoted.chars() {
                    if c.is_ascii_punctuation() || c.is_ascii_whitespace() {
                        translated.push('\\');
                    }
                    translated.push(c);
                }
                rest = behind;
            }
            'E' => {}
            other => match ascii_class(other) {
                // Classes may be nested, so this holds inside a class too.
                Some(class) => translated.push_str(class),
                None => {
                    translated.push('\\');
                    translated.push(other);
                }
            },
        }
    }
    translated.push_str(rest);
    translated
}

fn ascii_class(letter: char) -> Option<&'static str> {
    Some(match letter {
        'd' => "[0-9]",
        'D' => "[^0-9]",
        'w' => "[a-zA-Z_0-9]",
        'W' => "[^a-zA-Z_0-9]",
        's' => "[ \\t\\n\\x0B\\f\\r]",
        'S' => "[^ \\t\\n\\x0B\\f\\r]",
        'h' => "[ \\t\\u{A0}\\u{1680}\\u{180E}\\u{2000}-\\u{200A}\\u{202F}\\u{205F}\\u{3000}]",
        'H' => "[^ \\t\\u{A0}\\u{1680}\\u{180E}\\u{2000}-\\u{200A}\\u{202F}\\u{205F}\\u{3000}]",
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use fancy_regex::Regex;

    use super::translate;

    #[test]
    fn means_what_java_means() {
        // pattern, text, the whole first match
        let cases = [
            (r"\w+", "é-abc", Some("abc")),
            (r"[\w.]+", "é a.b", Some("a.b")),
            (r"[^\s]+", " x y", Some("x")),
            (r"\d+", "٣ 42", Some("42")),
            (r"\Qa.b\E+", "axb a.bb", Some("a.bb")),
            (r"\Q[a b]", "[a b]", Some("[a b]")),
            (r"a\hb", "a\tb", Some("a\tb")),
            (r"\\d", r"\d", Some(r"\d")),
            (r"(?<=x)y", "xy", Some("y")),
            (r"(a)\1", "aa", Some("aa")),
            (r"a++b", "aab", Some("aab")),
            (r"\p{Lu}+", "abÄC", Some("ÄC")),
            (r"[a-z&&[^b]]+", "bac", Some("ac")),
            (r"\.", "a.", Some(".")),
        ];
        for (pattern, text, expected) in cases {
            let translated = translate(pattern);
            let regex = Regex::new(&translated).unwrap_or_else(|error| panic!("{translated}: {error}"));
            assert_eq!(regex.find(text).expect("matches in time").map(|found| found.as_str()), expected, "{pattern}");
        }
        assert_eq!(translate("a\\"), "a\\");
    }
}
