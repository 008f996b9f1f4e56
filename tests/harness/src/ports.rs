//! Free TCP ports on loopback.
use std::net::TcpListener;

/// A port that nothing listens on now. Somebody else may take it before the broker does; starting then fails loudly.
pub fn free_port() -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback has a free port");
    listener.local_addr().expect("a bound socket has an address").port()
}
