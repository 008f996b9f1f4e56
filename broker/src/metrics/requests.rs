use std::time::Duration;

use super::{Counter, Histogram, Text};
use crate::api::table::APIS;

/// Requests of one API.
#[derive(Default)]
struct OneApi {
    bytes_in: Counter,
    bytes_out: Counter,
    took: Histogram,
}

/// One entry for each row of the API table.
pub struct Requests(Vec<OneApi>);

impl Default for Requests {
    fn default() -> Requests {
        Requests(APIS.iter().map(|_| OneApi::default()).collect())
    }
}

impl Requests {
    pub fn record(&self, api_key: i16, bytes_in: usize, bytes_out: usize, took: Duration) {
        let Ok(at) = APIS.binary_search_by_key(&api_key, |api| api.key) else { return };
        let one = &self.0[at];
        one.bytes_in.add(bytes_in as u64);
        one.bytes_out.add(bytes_out as u64);
        one.took.record(took);
    }

    pub fn render(&self, text: &mut Text) {
        let used: Vec<_> = APIS.iter().zip(&self.0).filter(|(_, one)| one.took.count() > 0).collect();
        for (api, one) in &used {
            text.value("millrace_requests_total", &[api.name], one.took.count());
        }
        for (api, one) in &used {
            text.value("millrace_request_bytes_total", &[api.name], one.bytes_in.get());
        }
        for (api, one) in &used {
            text.value("millrace_response_bytes_total", &[api.name], one.bytes_out.get());
        }
        for (api, one) in &used {
            text.histogram("millrace_request_seconds", &[api.name], &one.took);
        }
    }
}
