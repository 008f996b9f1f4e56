//! Who this data belongs to: `meta.properties` in the data folder, as Kafka writes it.
//!
//! A folder belongs to one node of one cluster. Starting with another node's id, or with a metadata
//! log that has lost its past, is refused: both would end in data that looks right and is not.
use std::io;
use std::path::Path;

use millrace_cluster::config::Properties;
use millrace_world::{Disk, OpenMode};
use uuid::Uuid;

const FILE: &str = "meta.properties";

#[derive(Debug, thiserror::Error)]
pub enum IdentityError {
    #[error("{FILE}: {0}")]
    Io(#[from] io::Error),
    #[error("{FILE} cannot be understood: {0}")]
    Unreadable(String),
    #[error("the data belongs to node {found}, and node.id is {configured}: use another log.dirs or that node.id")]
    OtherNode { found: i32, configured: i32 },
    #[error("the data belongs to cluster {found}, and its metadata log says {log}: parts of the folder are not where they were")]
    OtherCluster { found: String, log: String },
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identity {
    pub cluster_id: Uuid,
    pub node_id: i32,
    pub directory_id: Uuid,
}

impl Identity {
    /// Reads the folder's identity, if it has one yet.
    pub fn read(disk: &dyn Disk, dir: &Path, node_id: i32) -> Result<Option<Identity>, IdentityError> {
        let path = dir.join(FILE);
        if !disk.exists(&path)? {
            return Ok(None);
        }
        let file = disk.open(&path, OpenMode::Read)?;
        // A file of three lines; whatever is longer is not ours.
        let mut bytes = vec![0; file.len()?.min(4096) as usize];
        let read = file.read_at(&mut bytes, 0)?;
        let text = std::str::from_utf8(&bytes[..read]).map_err(|error| IdentityError::Unreadable(error.to_string()))?;
        let identity = parse(text)?;
        if identity.node_id != node_id {
            return Err(IdentityError::OtherNode { found: identity.node_id, configured: node_id });
        }
        Ok(Some(identity))
    }

    /// Writes it so that a crash leaves the old file or the new one.
    pub fn write(&self, disk: &dyn Disk, dir: &Path) -> Result<(), IdentityError> {
        let text = format!(
            "version=1\ncluster.id={}\nnode.id={}\ndirectory.id={}\n",
            base64url(self.cluster_id),
            self.node_id,
            base64url(self.directory_id)
        );
        let draft = dir.join(format!("{FILE}.tmp"));
        let file = disk.open(&draft, OpenMode::OpenOrCreate)?;
        file.set_len(0)?;
        file.write_at(&[io::IoSlice::new(text.as_bytes())], 0)?;
        file.sync_data()?;
        disk.rename(&draft, &dir.join(FILE))?;
        disk.sync_dir(dir)?;
        Ok(())
    }

    /// The folder and the metadata log must speak of the same cluster.
    pub fn agrees_with(&self, log: Option<Uuid>) -> Result<(), IdentityError> {
        if log == Some(self.cluster_id) {
            return Ok(());
        }
        let log = log.map_or_else(|| "nothing".to_owned(), base64url);
        Err(IdentityError::OtherCluster { found: base64url(self.cluster_id), log })
    }
}

fn parse(text: &str) -> Result<Identity, IdentityError> {
    let read = Properties::parse(text).map_err(|error| IdentityError::Unreadable(error.to_string()))?.values;
    let field = |name: &str| read.get(name).ok_or_else(|| IdentityError::Unreadable(format!("{name} is missing")));
    let id = |name: &str| {
        let text = field(name)?;
        from_base64url(text).ok_or_else(|| IdentityError::Unreadable(format!("{name}={text} is no id")))
    };
    let node_id = field("node.id")?.parse().map_err(|_| IdentityError::Unreadable("node.id is no number".to_owned()))?;
    Ok(Identity { cluster_id: id("cluster.id")?, node_id, directory_id: id("directory.id")? })
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// An id as Kafka shows it: 22 characters, no padding.
pub fn base64url(id: Uuid) -> String {
    let bits = id.as_u128();
    // 128 bits and 4 zero bits behind them make 22 times 6.
    let sextet = |at: u32| if at == 0 { bits << 4 } else { bits >> (6 * at - 4) };
    (0..22).rev().map(|at| char::from(ALPHABET[(sextet(at) & 63) as usize])).collect()
}

/// The reverse of `base64url`.
pub fn from_base64url(text: &str) -> Option<Uuid> {
    let mut bits = 0u128;
    let (head, last) = text.as_bytes().split_at_checked(21)?;
    let value = |byte: &u8| ALPHABET.iter().position(|letter| letter == byte).map(|at| at as u128);
    for byte in head {
        bits = bits << 6 | value(byte)?;
    }
    let [last] = last else { return None };
    let last = value(last)?;
    (last & 15 == 0).then(|| Uuid::from_u128(bits << 2 | last >> 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Compat: M18.
    #[test]
    fn ids_read_as_kafka_writes_them() {
        for (id, text) in [
            (Uuid::nil(), "AAAAAAAAAAAAAAAAAAAAAA"),
            (Uuid::from_u128(1), "AAAAAAAAAAAAAAAAAAAAAQ"),
            (Uuid::max(), "_____________________w"),
            (Uuid::from_u128(0x3041e2c7_5d0b_4a6c_9a1e_5f0c1d2e3f40), "MEHix10LSmyaHl8MHS4_QA"),
        ] {
            assert_eq!(base64url(id), text);
            assert_eq!(from_base64url(text), Some(id));
        }
        for bad in ["", "AAAA", "AAAAAAAAAAAAAAAAAAAAA?", "AAAAAAAAAAAAAAAAAAAAAB", "AAAAAAAAAAAAAAAAAAAAAAA"] {
            assert_eq!(from_base64url(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_folder_knows_its_node_and_cluster() {
        let dir = tempfile::tempdir().expect("a folder");
        let disk = millrace_world::production::Files;
        assert_eq!(Identity::read(&disk, dir.path(), 1).expect("readable"), None);
        let identity = Identity { cluster_id: Uuid::from_u128(5), node_id: 1, directory_id: Uuid::from_u128(6) };
        identity.write(&disk, dir.path()).expect("written");
        assert_eq!(Identity::read(&disk, dir.path(), 1).expect("readable"), Some(identity.clone()));
        assert!(matches!(Identity::read(&disk, dir.path(), 2), Err(IdentityError::OtherNode { .. })));
        assert!(identity.agrees_with(Some(Uuid::from_u128(5))).is_ok());
        assert!(identity.agrees_with(None).is_err());
    }
}
