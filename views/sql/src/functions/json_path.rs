//! Paths into JSON values: `$`, then `.name`, `[0]` or `["name"]`.

use serde_json::Value as Json;

#[derive(Debug, PartialEq, Eq)]
pub(super) struct Path(Vec<Step>);

#[derive(Debug, PartialEq, Eq)]
enum Step {
    Field(String),
    Element(usize),
}

impl Path {
    pub fn parse(text: &str) -> Option<Path> {
        let mut rest = text.strip_prefix('$')?;
        let mut steps = Vec::new();
        while !rest.is_empty() {
            if let Some(behind) = rest.strip_prefix('.') {
                let end = behind.find(['.', '[']).unwrap_or(behind.len());
                if end == 0 {
                    return None;
                }
                steps.push(Step::Field(behind[..end].to_owned()));
                rest = &behind[end..];
            } else {
                let behind = rest.strip_prefix('[')?;
                if let Some(quoted) = behind.strip_prefix('"') {
                    let (name, after) = quoted.split_once("\"]")?;
                    steps.push(Step::Field(name.to_owned()));
                    rest = after;
                } else {
                    let (index, after) = behind.split_once(']')?;
                    steps.push(Step::Element(index.trim().parse().ok()?));
                    rest = after;
                }
            }
        }
        Some(Path(steps))
    }

    pub fn find<'a>(&self, json: &'a Json) -> Option<&'a Json> {
        self.0.iter().try_fold(json, |json, step| match (step, json) {
            (Step::Field(name), Json::Object(fields)) => fields.get(name),
            (Step::Element(index), Json::Array(items)) => items.get(*index),
            // `.0` on an array is an index too.
            (Step::Field(name), Json::Array(items)) => items.get(name.parse::<usize>().ok()?),
            _ => None,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds() {
        let json: Json = serde_json::from_str(r#"{"a":{"b c":[10,{"@x":1}]},"$":2}"#).expect("json");
        let find = |path: &str| Path::parse(path).expect(path).find(&json).map(ToString::to_string);
        assert_eq!(find("$.a[\"b c\"][0]").as_deref(), Some("10"));
        assert_eq!(find("$.a.b c[1].@x").as_deref(), Some("1"));
        assert_eq!(find("$.$").as_deref(), Some("2"));
        assert_eq!(find("$.a.b c[9]"), None);
        assert_eq!(find("$.nope.deeper"), None);
        assert!(find("$").is_some());
        for bad in ["", "a", "$.", "$..a", "$[", "$[x]", "$[-1]", "$[\"a]", "$a"] {
            assert_eq!(Path::parse(bad), None, "{bad}");
        }
    }
}
