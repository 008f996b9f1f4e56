//! Time, chance, disk and network come in by one door, the World: nothing else names them.
//!
//! What does cannot be simulated, so each exception below is a part that the simulator does not run.
use millrace_tidy::{Exception, judge, sources};

/// Folders whose shipped code is under the rule.
const JUDGED: &[&str] = &["storage/", "broker/", "views/"];

/// Names that reach past the World. `tokio::sync` is not among them: channels have no clock.
const NAMES: &[&str] = &[
    "tokio::{", "tokio::time", "tokio::net", "tokio::io", "tokio::fs", "tokio::spawn", "tokio::task", "tokio::runtime", "tokio::select", "tokio::signal",
    "std::fs", "TcpStream", "TcpListener", "UdpSocket", "std::time::Instant", "Instant::now", "SystemTime", "rand::", "std::thread::sleep", "RandomState",
];

const EXCEPTIONS: &[Exception] = &[
    Exception { place: "storage/world/src/", word: "", reason: "it is the door" },
    Exception { place: "broker/src/net/", word: "", reason: "the sockets of clients: the simulator drives what lies below them" },
    Exception { place: "broker/src/launch.rs", word: "", reason: "binds the sockets that it hands to the listeners" },
    Exception { place: "broker/src/rehearse.rs", word: "", reason: "tries the machine itself: permissions, addresses, and the production world below a rehearsal" },
    Exception { place: "broker/src/http.rs", word: "", reason: "a listener, as net is" },
    Exception { place: "views/serve/src/grpc/mod.rs", word: "", reason: "tonic serves here, on connections that it is given" },
    Exception { place: "views/serve/src/grpc/guarded.rs", word: "", reason: "such a connection" },
    Exception { place: "views/proto/build.rs", word: "", reason: "a build script: it runs before there is a program" },
    Exception { place: "views/engine/src/state/rows.rs", word: "RandomState", reason: "seeds the hashes of maps that are walked in the order of insertion: what chance decides is not seen" },
    Exception { place: "broker/src/main.rs", word: "", reason: "the process: runtime, signals, its configuration file" },
];

#[test]
fn only_the_world_names_clock_chance_disk_and_network() {
    let mut breaches = Vec::new();
    for source in sources(".rs").into_iter().filter(|source| !source.is_test() && JUDGED.iter().any(|folder| source.path.starts_with(folder))) {
        for (number, line) in source.shipped() {
            for name in NAMES.iter().filter(|name| line.contains(**name)) {
                breaches.push((source.path.clone(), (*name).to_owned(), format!("{}:{number}: {name}", source.path)));
            }
        }
    }
    if let Err(said) = judge(&breaches, EXCEPTIONS) {
        panic!("names that only the World may use {said}");
    }
}

/// Pure crates: no I/O even through the World.
const PURE: &[&str] = &["storage/record/", "storage/fold/", "broker/coordinator/", "broker/protocol/", "views/sql/", "views/formats/"];

#[test]
fn pure_crates_do_not_know_the_world() {
    for source in sources(".rs").into_iter().filter(|source| !source.is_test() && PURE.iter().any(|folder| source.path.starts_with(folder))) {
        let found = source.shipped().into_iter().find(|(_, line)| line.contains("millrace_world::") && !line.contains("Timestamp"));
        assert!(found.is_none(), "{}:{} reaches for the World, but is pure", source.path, found.map_or(0, |(number, _)| number));
    }
}

#[test]
fn maps_with_a_random_order_stay_out_of_folds() {
    // A fold that walks a HashMap gives each replica its own order.
    for source in sources(".rs").into_iter().filter(|source| !source.is_test() && source.path.starts_with("storage/fold/")) {
        let found = source.shipped().into_iter().find(|(_, line)| line.contains("HashMap") || line.contains("HashSet"));
        assert!(found.is_none(), "{}: {found:?}", source.path);
    }
}
