//! Regular expressions in Java's dialect (see `java_regex`), as far as the engine carries it; what it does not know is
//! an error for the row, and a match that takes too many steps is one too.

use fancy_regex::{Regex, RegexBuilder};

use super::call::{Call, Row, strict};
use super::java_regex::translate;
use crate::expr::EvalError;
use crate::value::Value;

/// Steps of backtracking before a match is given up.
const BACKTRACK_MAX: usize = 1_000_000;

pub(super) const FUNCTIONS: &[Row] = &[
    Row {
        name: "regexp_extract",
        category: "REGULAR EXPRESSION",
        about: "The first match of a pattern, or a group of it.",
        overloads: &[
            strict("(pattern STRING, input STRING) -> STRING", extract),
            strict("(pattern STRING, input STRING, group INT) -> STRING", extract),
        ],
    },
    Row {
        name: "regexp_extract_all",
        category: "REGULAR EXPRESSION",
        about: "All matches of a pattern, or a group of each.",
        overloads: &[
            strict("(pattern STRING, input STRING) -> ARRAY<STRING>", extract_all),
            strict("(pattern STRING, input STRING, group INT) -> ARRAY<STRING>", extract_all),
        ],
    },
    Row {
        name: "regexp_replace",
        category: "REGULAR EXPRESSION",
        about: "The text with every match of a pattern replaced; $1 in the replacement is the first group.",
        overloads: &[strict("(str STRING, regexp STRING, newStr STRING) -> STRING", replace)],
    },
    Row {
        name: "regexp_split_to_array",
        category: "REGULAR EXPRESSION",
        about: "The parts between the matches of a pattern; an empty pattern splits every character.",
        overloads: &[strict("(string STRING, regexp STRING) -> ARRAY<STRING>", split)],
    },
];

fn compile(pattern: &str) -> Result<Regex, EvalError> {
    RegexBuilder::new(&translate(pattern))
        .backtrack_limit(BACKTRACK_MAX)
        .build()
        .map_err(|error| EvalError::new(format!("invalid regular expression pattern '{pattern}': {error}")))
}

fn failed(error: fancy_regex::Error) -> EvalError {
    EvalError::new(format!("the regular expression could not be matched: {error}"))
}

/// The group asked for, 0 being the whole match.
fn group(call: &Call<'_>, regex: &Regex) -> Result<Option<usize>, EvalError> {
    if call.len() < 3 {
        return Ok(Some(0));
    }
    Ok(usize::try_from(call.int(2)?).ok().filter(|group| *group < regex.captures_len()))
}

fn extract(call: &Call<'_>) -> Result<Value, EvalError> {
    let regex = call.prepared(call.str(0)?, compile)?;
    let Some(group) = group(call, &regex)? else { return Ok(Value::Null) };
    let captures = regex.captures(call.str(1)?).map_err(failed)?;
    Ok(captures.and_then(|captures| captures.get(group).map(|found| found.as_str())).into())
}

fn extract_all(call: &Call<'_>) -> Result<Value, EvalError> {
    let regex = call.prepared(call.str(0)?, compile)?;
    let Some(group) = group(call, &regex)? else { return Ok(Value::Null) };
    let mut found = Vec::new();
    for captures in regex.captures_iter(call.str(1)?) {
        let captures = captures.map_err(failed)?;
        found.push(captures.get(group).map(|part| part.as_str()).into());
        call.context.check_result(found.len(), 0)?;
    }
    Ok(Value::array(found))
}

/// Java's replacement text: `$n` a group, `\` takes the next character literally.
fn expand(replacement: &str, captures: &fancy_regex::Captures<'_>, result: &mut String) -> Result<(), EvalError> {
    let mut chars = replacement.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\\' => result.push(chars.next().ok_or_else(|| EvalError::new("character to be escaped is missing"))?),
            '$' => {
                let digit = |c: Option<&char>| c.and_then(|c| c.to_digit(10)).map(|digit| digit as usize);
                let mut group = digit(chars.peek()).ok_or_else(|| EvalError::new("Illegal group reference"))?;
                chars.next();
                // As many digits as still name a group.
                while let Some(longer) = digit(chars.peek()).map(|digit| group * 10 + digit).filter(|n| *n < captures.len()) {
                    group = longer;
                    chars.next();
                }
                if group >= captures.len() {
                    return Err(EvalError::new(format!("No group {group}")));
                }
                result.push_str(captures.get(group).map_or("", |part| part.as_str()));
            }
            other => result.push(other),
        }
    }
    Ok(())
}

fn replace(call: &Call<'_>) -> Result<Value, EvalError> {
    let (text, replacement) = (call.str(0)?, call.str(2)?);
    let regex = call.prepared(call.str(1)?, compile)?;
    let (mut result, mut end) = (String::with_capacity(text.len()), 0);
    for captures in regex.captures_iter(text) {
        let captures = captures.map_err(failed)?;
        let Some(whole) = captures.get(0) else { continue };
        result.push_str(&text[end..whole.start()]);
        expand(replacement, &captures, &mut result)?;
        end = whole.end();
        call.context.check_result(0, result.len())?;
    }
    result.push_str(&text[end..]);
    Ok(result.into())
}

fn split(call: &Call<'_>) -> Result<Value, EvalError> {
    let text = call.str(0)?;
    call.context.check_result(text.len(), 0)?;
    let regex = call.prepared(call.str(1)?, compile)?;
    let (mut parts, mut end) = (Vec::new(), 0);
    for found in regex.find_iter(text) {
        let found = found.map_err(failed)?;
        if found.end() == 0 {
            // A match of nothing at the very start parts nothing.
            continue;
        }
        parts.push(&text[end..found.start()]);
        end = found.end();
    }
    parts.push(&text[end..]);
    // A pattern that matches nothing at all splits between characters, and leaves no empty parts at the end.
    if regex.is_match("").map_err(failed)? {
        while parts.len() > 1 && parts.last().is_some_and(|part| part.is_empty()) {
            parts.pop();
        }
    }
    Ok(Value::array(parts.into_iter().map(Value::from)))
}
