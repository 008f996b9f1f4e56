//! Which of the content types that an endpoint can answer with a client wants.
use axum::http::HeaderMap;
use axum::http::header::ACCEPT;

use crate::rest::error::{NOT_ACCEPTABLE, RestError};

pub const KSQL_JSON: &str = "application/vnd.ksql.v1+json";
pub const JSON: &str = "application/json";
pub const DELIMITED: &str = "application/vnd.ksqlapi.delimited.v1";
pub const PROTOBUF: &str = "application/vnd.ksql.v1+protobuf";

/// What statements and questions about the server are answered with.
pub const ENTITIES: &[&str] = &[KSQL_JSON, JSON];

/// The offered type that the client likes best; the first one where it does not care.
pub fn choose(headers: &HeaderMap, offered: &[&'static str]) -> Result<&'static str, RestError> {
    let mut best: Option<(f32, &'static str)> = None;
    let mut asked = false;
    for header in headers.get_all(ACCEPT) {
        let Ok(text) = header.to_str() else { continue };
        for range in text.split(',').map(str::trim).filter(|range| !range.is_empty()) {
            asked = true;
            let mut parts = range.split(';').map(str::trim);
            let kind = parts.next().unwrap_or_default().to_ascii_lowercase();
            let weight = parts.find_map(|part| part.strip_prefix("q=")?.parse::<f32>().ok()).unwrap_or(1.0);
            let Some(found) = offered.iter().find(|offer| covers(&kind, offer)) else { continue };
            if weight > 0.0 && best.is_none_or(|(known, _)| weight > known) {
                best = Some((weight, found));
            }
        }
    }
    match (best, asked) {
        (Some((_, found)), _) => Ok(found),
        (None, false) => Ok(offered[0]),
        (None, true) => Err(RestError::generic(NOT_ACCEPTABLE, format!("Not Acceptable: this endpoint answers with {}", offered.join(", ")))),
    }
}

fn covers(range: &str, offer: &str) -> bool {
    match range.split_once('/') {
        Some(("*", "*")) => true,
        Some((kind, "*")) => offer.split_once('/').is_some_and(|(offered, _)| offered == kind),
        _ => range == offer,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn chosen(accept: Option<&str>, offered: &[&'static str]) -> Option<&'static str> {
        let mut headers = HeaderMap::new();
        if let Some(accept) = accept {
            headers.insert(ACCEPT, accept.parse().unwrap());
        }
        choose(&headers, offered).ok()
    }

    #[test]
    fn the_first_is_for_those_who_do_not_care() {
        assert_eq!(chosen(None, &[DELIMITED, JSON]), Some(DELIMITED));
        assert_eq!(chosen(Some("*/*"), &[DELIMITED, JSON]), Some(DELIMITED));
        assert_eq!(chosen(Some("application/*"), &[KSQL_JSON, JSON]), Some(KSQL_JSON));
        assert_eq!(chosen(Some(""), ENTITIES), Some(KSQL_JSON));
    }

    #[test]
    fn what_is_named_is_given_by_weight() {
        assert_eq!(chosen(Some("application/json"), ENTITIES), Some(JSON));
        assert_eq!(chosen(Some("text/html, application/json;q=0.5, application/vnd.ksql.v1+json;q=0.9"), ENTITIES), Some(KSQL_JSON));
        assert_eq!(chosen(Some("Application/JSON; charset=utf-8"), ENTITIES), Some(JSON));
        assert_eq!(chosen(Some("application/json;q=0"), ENTITIES), None);
        assert_eq!(chosen(Some("text/html"), ENTITIES), None);
    }
}
