//! Runs ksqlDB conformance corpora given by path and grades every case.
//!
//! A case counts only when every record, key, timestamp, window, header and post-condition was compared.
//! Absences: no corpus lives here, and nothing here knows a case by name.

pub mod answers;
pub mod bench;
pub mod bound;
pub mod case;
pub mod compare;
pub mod http;
pub mod load;
pub mod needs;
pub mod number;
pub mod post;
pub mod proto;
pub mod qtt;
pub mod report;
pub mod rqtt;
pub mod run;
pub mod scenario;
pub mod script;
pub mod session;
pub mod test_functions;
pub mod topics;
pub mod wire;
