//! One conformance case, normalised: every placeholder expanded, every default filled in.

use serde_json::Value as Json;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// Statements, records in, records out; no server.
    Qtt,
    /// A running server over HTTP.
    Rqtt,
    /// A script of statements, inserts and asserts.
    Sql,
}

impl Kind {
    pub fn name(self) -> &'static str {
        match self {
            Kind::Qtt => "qtt",
            Kind::Rqtt => "rqtt",
            Kind::Sql => "sql",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Window {
    pub start: i64,
    pub end: i64,
    pub session: bool,
}

#[derive(Clone, Debug)]
pub struct Header {
    pub key: String,
    /// Base64, or none for a null value.
    pub value: Option<String>,
}

/// A record given or expected. An input's timestamp is always present.
#[derive(Clone, Debug)]
pub struct RecordNode {
    pub topic: String,
    pub key: Json,
    pub value: Json,
    pub timestamp: Option<i64>,
    pub window: Option<Window>,
    pub headers: Vec<Header>,
}

#[derive(Clone, Debug)]
pub struct TopicNode {
    pub name: String,
    pub partitions: i32,
    /// Whether the case registers a schema for the topic.
    pub schema: bool,
}

/// The failure that a case demands.
#[derive(Clone, Debug, Default)]
pub struct Expected {
    pub class: Option<String>,
    pub message: Option<String>,
    /// Over HTTP, the status of the answer.
    pub status: Option<u64>,
}

/// What only a case for a running server says.
#[derive(Clone, Debug, Default)]
pub struct RestNode {
    /// One object per answer: `admin`, `query` or `queryProto`.
    pub responses: Vec<Json>,
    /// The query is to run before the inputs are written.
    pub query_first: bool,
    pub verify_order: bool,
    /// Every query is asked again for protobuf rows, after all have been asked for JSON.
    pub also_proto: bool,
}

#[derive(Clone, Debug)]
pub struct Case {
    pub kind: Kind,
    /// `<file> - <name>[ - FORMAT][ - property=value]`, unique within the kind.
    pub name: String,
    /// Why it cannot be run: the file, or this case in it, is not of the format.
    pub unreadable: Option<String>,
    pub enabled: bool,
    pub statements: Vec<String>,
    pub properties: Vec<(String, String)>,
    pub topics: Vec<TopicNode>,
    pub inputs: Vec<RecordNode>,
    pub outputs: Vec<RecordNode>,
    pub expected: Option<Expected>,
    pub post: Json,
    pub rest: RestNode,
    /// False when the case asks for a tolerance on doubles.
    pub exact_numbers: bool,
    /// Formats and features, for the report.
    pub needs: Vec<String>,
    pub rung: &'static str,
}

impl Case {
    /// A case that asks for nothing yet.
    pub fn new(kind: Kind, name: impl Into<String>) -> Case {
        Case {
            kind,
            name: name.into(),
            unreadable: None,
            enabled: true,
            statements: Vec::new(),
            properties: Vec::new(),
            topics: Vec::new(),
            inputs: Vec::new(),
            outputs: Vec::new(),
            expected: None,
            post: Json::Null,
            rest: RestNode::default(),
            exact_numbers: true,
            needs: Vec::new(),
            rung: "0-unreadable",
        }
    }

    /// One that is counted, and failed, for what its file says.
    pub fn unreadable(kind: Kind, name: impl Into<String>, why: impl Into<String>) -> Case {
        Case { unreadable: Some(why.into()), ..Case::new(kind, name) }
    }
}
