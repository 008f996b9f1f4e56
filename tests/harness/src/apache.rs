//! Apache Kafka, the peer of the benches, started by the script that the compatibility runs use too.
use std::path::Path;
use std::process::Command;

/// A running Apache Kafka; ends with its handle.
pub struct ApacheKafka {
    pub pid: u32,
    pub address: String,
}

impl ApacheKafka {
    /// Fetches it if need be (a minute the first time) and starts a fresh node.
    pub fn start(script: &Path, folder: &Path) -> Result<Self, String> {
        let port = crate::free_port();
        let output = Command::new(script)
            .args(["up", &port.to_string()])
            .env("KAFKA_DATA", folder)
            .env("KAFKA_HEAP", "-Xmx1G -Xms1G")
            .output()
            .map_err(|error| format!("{}: {error}", script.display()))?;
        let said = String::from_utf8_lossy(&output.stdout);
        let pid = said.lines().last().and_then(|line| line.trim().parse().ok());
        match pid {
            Some(pid) if output.status.success() => Ok(Self { pid, address: format!("127.0.0.1:{port}") }),
            _ => Err(format!("{} did not start Apache Kafka: {said}{}", script.display(), String::from_utf8_lossy(&output.stderr))),
        }
    }
}

impl Drop for ApacheKafka {
    fn drop(&mut self) {
        // Its own process, named by the script; nothing else may have taken the id while we hold the handle.
        let _ = Command::new("kill").arg("-9").arg(self.pid.to_string()).status();
    }
}
