//! Real processes under an address space of 2 GiB, asked over their sockets. After any input the process is up; every so often it
//! must serve, and hold less than [`HELD_MAX`].
use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use bytes::{Buf, BufMut};
use millrace_harness::Broker;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::transport::Channel;
use uuid::Uuid;

use super::{formats, requests, samples};
use crate::dice::Dice;
use crate::{Target, damage};

const ADDRESS_SPACE: &str = "--as=2147483648";
/// Memory of its own that a broker may hold, whatever it is sent.
const HELD_MAX: u64 = 700 << 20;
/// Inputs between two looks.
const ROUND: u64 = 200;
/// Inputs of one process: then the next one begins with an empty folder, so that what inputs made does not add up.
const LIFE: u64 = 10_000;
/// Some requests are answered late or never (a group's other members, a push query).
const PATIENCE: Duration = Duration::from_millis(40);

struct Process {
    broker: Broker,
    runs: u64,
}

const STATEMENTS: &str = "CREATE STREAM S (K STRING KEY, A INT, D STRING, E ARRAY<INT>) WITH (KAFKA_TOPIC='s', VALUE_FORMAT='JSON', PARTITIONS=1); \
    CREATE TABLE LATEST AS SELECT K, COUNT(*) AS N, LATEST_BY_OFFSET(D) AS D FROM S GROUP BY K; \
    INSERT INTO S (K, A, D, E) VALUES ('a', 1, 'x', ARRAY[1, 2]); INSERT INTO S (K, A, D) VALUES ('b', 2, 'y');";

impl Process {
    fn start() -> Process {
        let broker = Broker::options().named("fuzz").set("offsets.topic.num.partitions", 2).under(["prlimit", ADDRESS_SPACE]).start();
        let process = Process { broker, runs: 0 };
        let kafka = process.broker.kafka();
        ask(&kafka, &samples::framed(19, 5, 1, true, &requests::create_topic("t"))).expect("a topic is made");
        let made = post(&process.broker.http(), "/ksql", &serde_json::json!({ "ksql": STATEMENTS }).to_string(), Duration::from_secs(30));
        assert!(made.contains(" 200 "), "the views of the target cannot be made: {made}");
        process
    }

    /// What must hold after every input.
    fn look(&mut self) -> Result<(), String> {
        self.runs += 1;
        if !self.broker.is_up() {
            let said = self.broker.log();
            *self = Process::start();
            return Err(format!("the broker died: {}", &said[said.len().saturating_sub(1_500)..]));
        }
        if self.runs.is_multiple_of(ROUND) {
            if self.broker.log().contains("panicked at") {
                let said = self.broker.log();
                let at = said.find("panicked at").unwrap_or(0);
                let said = said[at..].chars().take(600).collect::<String>();
                *self = Process::start();
                return Err(format!("something panicked within the last {ROUND} inputs: {said}"));
            }
            let metadata = samples::framed(3, 1, 7, false, &0_i32.to_be_bytes());
            let served = (0..20).any(|_| ask(&self.broker.kafka(), &metadata).is_ok());
            let pulled = post(&self.broker.http(), "/query", r#"{"ksql": "SELECT * FROM LATEST;"}"#, Duration::from_secs(20));
            if !served || !(pulled.contains(" 200 ") || pulled.contains("does not exist")) {
                return Err(format!("it serves no more: Kafka {served}, pull query {pulled:.200}"));
            }
            let held = self.broker.anonymous_bytes();
            if held > HELD_MAX {
                *self = Process::start();
                return Err(format!("it holds {} MiB", held >> 20));
            }
        }
        Ok(())
    }

    /// Between two inputs: a process that has had enough of them is followed by the next. Answers whether it was.
    fn rest(&mut self) -> bool {
        let over = self.runs >= LIFE;
        if over {
            *self = Process::start();
        }
        over
    }
}

fn connect(address: &str, patience: Duration) -> std::io::Result<TcpStream> {
    let stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(patience))?;
    stream.set_write_timeout(Some(Duration::from_secs(5)))?;
    stream.set_nodelay(true)?;
    Ok(stream)
}

fn ask(address: &str, frame: &[u8]) -> std::io::Result<Vec<u8>> {
    let mut stream = connect(address, Duration::from_secs(10))?;
    stream.write_all(frame)?;
    read_frame(&mut stream)
}

fn read_frame(stream: &mut TcpStream) -> std::io::Result<Vec<u8>> {
    let mut len = [0; 4];
    stream.read_exact(&mut len)?;
    let mut frame = Vec::new();
    stream.take(u64::from(u32::from_be_bytes(len))).read_to_end(&mut frame)?;
    Ok(frame)
}

fn request(path: &str, body: &str) -> String {
    format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{body}", body.len())
}

fn post(address: &str, path: &str, body: &str, patience: Duration) -> String {
    say(address, request(path, body).as_bytes(), patience)
}

/// Sends bytes and takes what comes until the end, or until nothing comes for a while.
fn say(address: &str, bytes: &[u8], patience: Duration) -> String {
    let Ok(mut stream) = connect(address, patience) else { return "no connection".into() };
    // It may close before all is written.
    let _ = stream.write_all(bytes);
    let mut answer = Vec::new();
    let _ = Read::by_ref(&mut stream).take(1 << 20).read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

/// `raw (1)`, then either bytes for the socket or `key (2), version (2), body`.
pub struct Kafka {
    process: Process,
    stream: Option<TcpStream>,
}

impl Kafka {
    pub fn start() -> Kafka {
        Kafka { process: Process::start(), stream: None }
    }
}

impl Target for Kafka {
    fn seeds(&self) -> Vec<Vec<u8>> {
        samples::samples(Uuid::nil()).into_iter().map(|sample| [vec![0], sample].concat()).collect()
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let Some((raw, rest)) = input.split_first() else { return Ok(()) };
        let frame = match samples::opening(rest).filter(|_| *raw == 0) {
            Some((api, version, body)) => samples::framed(api.key, version, 1, api.flexible(version), body),
            None => rest.to_vec(),
        };
        let kept = self.stream.take().map(Ok);
        if let Ok(mut stream) = kept.unwrap_or_else(|| connect(&self.process.broker.kafka(), PATIENCE))
            && stream.write_all(&frame).is_ok()
            && *raw == 0
            && read_frame(&mut stream).is_ok()
        {
            self.stream = Some(stream);
        }
        let life = self.process.broker.pid();
        let said = self.process.look();
        if self.process.broker.pid() != life {
            self.stream = None;
        }
        said
    }

    fn rest(&mut self) {
        if self.process.rest() {
            self.stream = None;
        }
    }

    fn draw(&self, dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = dice.pick(seeds).clone();
        if dice.roll(5) > 0 {
            let mut body = input.split_off(5);
            if input[1..3] == [0, 0] && dice.roll(2) == 0 { requests::damage_batch(&mut body, dice) } else { damage::damage(&mut body, dice, &seeds[..1]) }
            input.extend(body);
            return input;
        }
        let Some((api, version, body)) = samples::opening(&input[1..]) else { return input };
        let mut frame = samples::framed(api.key, version, 1, api.flexible(version), body);
        damage::damage(&mut frame, dice, seeds);
        [vec![1], frame].concat()
    }
}

/// `whole (1)`, then either a whole HTTP request or `path (1), body`.
pub struct Http {
    process: Process,
}

const PATHS: &[&str] = &["/ksql", "/query", "/query-stream", "/close-query", "/inserts-stream", "/status/stream/S/create", "/is_valid_property/x", "/info", "/metrics", "/clusterStatus"];

const BODIES: &[(u8, &str)] = &[
    (0, r#"{"ksql": "LIST STREAMS; DESCRIBE S EXTENDED;", "streamsProperties": {"ksql.streams.auto.offset.reset": "earliest"}, "sessionVariables": {"a": "b"}, "commandSequenceNumber": 0}"#),
    (0, r#"{"ksql": "INSERT INTO S (K, A, D, E) VALUES ('a', 1, 'x', ARRAY[1, 2]);"}"#),
    (0, r#"{"ksql": "CREATE OR REPLACE STREAM V AS SELECT K, A + 1 AS B FROM S; DROP STREAM IF EXISTS V;"}"#),
    (1, r#"{"ksql": "SELECT * FROM LATEST WHERE K = 'a';", "streamsProperties": {}}"#),
    (1, r#"{"ksql": "SELECT * FROM S EMIT CHANGES LIMIT 1;", "streamsProperties": {"auto.offset.reset": "earliest"}}"#),
    (2, r#"{"sql": "SELECT K, REDUCE(E, 0, (s, x) => s + x) FROM S WHERE A > 0;", "properties": {"auto.offset.reset": "earliest"}, "sessionVariables": {}}"#),
    (2, r#"{"sql": "SELECT N, K FROM LATEST;"}"#),
    (3, r#"{"queryId": "transient_1"}"#),
    (4, "{\"target\": \"S\"}\n{\"K\": \"a\", \"A\": 5, \"D\": \"z\", \"E\": [1, 2]}\n{\"K\": \"b\"}\n"),
];

impl Http {
    pub fn start() -> Http {
        Http { process: Process::start() }
    }
}

impl Target for Http {
    fn seeds(&self) -> Vec<Vec<u8>> {
        let mut seeds: Vec<Vec<u8>> = BODIES.iter().map(|(path, body)| [&[0, *path][..], body.as_bytes()].concat()).collect();
        for (open, close) in [("[", "]"), ("{\"a\":", "}")] {
            seeds.push([&[0, 0][..], format!("{{\"ksql\": \"LIST STREAMS;\", \"streamsProperties\": {}1{}}}", open.repeat(20_000), close.repeat(20_000)).as_bytes()].concat());
        }
        seeds.extend((5..PATHS.len() as u8).map(|path| vec![0, path]));
        seeds
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let [whole, rest @ ..] = input else { return Ok(()) };
        let bytes = match rest {
            [path, body @ ..] if *whole == 0 => {
                let path = PATHS[usize::from(*path) % PATHS.len()];
                let head = format!("POST {path} HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
                [head.as_bytes(), body].concat()
            }
            other => other.to_vec(),
        };
        say(&self.process.broker.http(), &bytes, PATIENCE);
        self.process.look()
    }

    fn rest(&mut self) {
        self.process.rest();
    }

    fn draw(&self, dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        let seed = dice.pick(seeds);
        if dice.roll(5) > 0 {
            let mut body = seed[2..].to_vec();
            damage::damage(&mut body, dice, seeds);
            return [&seed[..2], &body].concat();
        }
        let path = PATHS[usize::from(seed[1]) % PATHS.len()];
        let mut whole = request(path, &String::from_utf8_lossy(&seed[2..])).into_bytes();
        if dice.roll(4) == 0 {
            whole.splice(..b"POST".len(), *b"GET");
        }
        damage::damage(&mut whole, dice, seeds);
        [vec![1], whole].concat()
    }
}

/// `method (1), message`.
pub struct Grpc {
    process: Process,
    runtime: tokio::runtime::Runtime,
    channel: Channel,
    life: u32,
}

impl Grpc {
    pub fn start() -> Grpc {
        let process = Process::start();
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().expect("a runtime");
        let channel = channel(&runtime, &process.broker);
        let life = process.broker.pid();
        Grpc { process, runtime, channel, life }
    }
}

fn channel(runtime: &tokio::runtime::Runtime, broker: &Broker) -> Channel {
    let _inside = runtime.enter();
    Channel::from_shared(format!("http://{}", broker.grpc())).expect("an address").connect_lazy()
}

impl Grpc {
    /// Speaks to the process that runs now.
    fn follow(&mut self) {
        if self.process.broker.pid() != self.life {
            self.life = self.process.broker.pid();
            self.channel = channel(&self.runtime, &self.process.broker);
        }
    }
}

impl Target for Grpc {
    fn seeds(&self) -> Vec<Vec<u8>> {
        formats::grpc_samples().into_iter().enumerate().map(|(at, (_, _, message))| [vec![at as u8], message].concat()).collect()
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let Some((method, message)) = input.split_first() else { return Ok(()) };
        let samples = formats::grpc_samples();
        let (method, streams, _) = &samples[usize::from(*method) % samples.len()];
        let path = format!("/millrace.views.v1.Views/{method}").parse().map_err(|_| "a method's name is no path")?;
        let mut client = tonic::client::Grpc::new(self.channel.clone());
        let call = async {
            client.ready().await.map_err(|error| error.to_string())?;
            let request = tonic::Request::new(message.to_vec());
            if *streams {
                let Ok(answer) = client.server_streaming(request, path, Bare).await else { return Ok(()) };
                let mut rows = answer.into_inner();
                while let Ok(Some(_)) = rows.message().await {}
            } else {
                // An error is an answer.
                let _ = client.unary(request, path, Bare).await;
            }
            Ok::<_, String>(())
        };
        let _ = self.runtime.block_on(async { tokio::time::timeout(PATIENCE * 3, call).await });
        let said = self.process.look();
        self.follow();
        said
    }

    fn rest(&mut self) {
        self.process.rest();
        self.follow();
    }

    fn draw(&self, dice: &mut Dice, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut input = dice.pick(seeds).clone();
        let mut message = input.split_off(1);
        damage::damage(&mut message, dice, seeds);
        input.extend(message);
        input
    }
}

/// Messages as bytes.
#[derive(Clone, Copy)]
struct Bare;

impl Codec for Bare {
    type Encode = Vec<u8>;
    type Decode = usize;
    type Encoder = Bare;
    type Decoder = Bare;
    fn encoder(&mut self) -> Bare {
        Bare
    }
    fn decoder(&mut self) -> Bare {
        Bare
    }
}

impl Encoder for Bare {
    type Item = Vec<u8>;
    type Error = tonic::Status;
    fn encode(&mut self, message: Vec<u8>, out: &mut EncodeBuf<'_>) -> Result<(), tonic::Status> {
        out.put_slice(&message);
        Ok(())
    }
}

impl Decoder for Bare {
    type Item = usize;
    type Error = tonic::Status;
    fn decode(&mut self, message: &mut DecodeBuf<'_>) -> Result<Option<usize>, tonic::Status> {
        let len = message.remaining();
        message.advance(len);
        Ok(Some(len))
    }
}
