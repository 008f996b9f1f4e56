//! A node's folder, damaged while the node is down.
//!
//! What must hold: a start that refuses says so; what is served is what was written, at its offset. After a clean stop (all that was
//! acknowledged is in the segments) more must hold: a damaged index or producer snapshot costs nothing, and no damage makes a log
//! shorter without a word.
use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use futures_util::FutureExt;
use millrace_record::{BatchBuilder, BatchHeader, Codec, Level, ProducerId, Records, split_bytes};
use millrace_shard::{
    AppendOptions, Cleanup, Flush, GroupId, LogConfig, Partition, PartitionConfig, PartitionSpec, ReplicaId, Shard, ShardSettings, Upto,
};
use millrace_sim::{Loss, SimDisk, SimWorld, fixture};
use millrace_world::{Disk, OpenMode, World};

use crate::Target;
use crate::dice::Dice;

type Files = BTreeMap<PathBuf, Vec<u8>>;
/// Offset to key and value.
type Written = BTreeMap<i64, (Vec<u8>, Vec<u8>)>;

/// `folder (1), clock (1)`, then for each injury `file (1), kind (1), place (4), number (2)`.
pub struct Folder {
    folders: Vec<Made>,
}

struct Made {
    files: Files,
    written: Vec<Written>,
    /// Stopped cleanly: the segments hold everything.
    clean: bool,
}

const PARTITIONS: u64 = 2;
const INJURY_BYTES: usize = 8;

fn settings() -> ShardSettings {
    ShardSettings {
        ring_bytes: 64 << 10,
        direct_bytes: 4 << 10,
        retention_delay_ms: 1_000,
        retention_check_ms: 1_000,
        clean_check_ms: 1_000,
        ..fixture::shard_settings()
    }
}

fn spec(number: u64) -> PartitionSpec {
    let log = LogConfig {
        segment_bytes: 3_000,
        index_interval_bytes: 200,
        cleanup: if number == 0 { Cleanup::DELETE } else { Cleanup::COMPACT },
        delete_retention_ms: 1_000,
        min_cleanable_dirty_ratio: 0.01,
        ..fixture::log_config()
    };
    PartitionSpec {
        id: GroupId(number + 1),
        dir: PathBuf::from(format!("data/t-{number}")),
        identity: u128::from(number) + 77,
        config: PartitionConfig { log, flush: Flush::BEFORE_ANSWER, delete_delay_ms: 60_000 },
        voters: vec![ReplicaId(1)],
        me: ReplicaId(1),
    }
}

struct Node {
    shard: Shard,
    partitions: Vec<Result<Partition, String>>,
}

fn start(world: &Arc<SimWorld>) -> Result<Node, String> {
    let mut shard = Shard::open(world.clone(), settings()).map_err(|error| error.to_string())?;
    let handle = shard.handle();
    let partitions = (0..PARTITIONS).map(|number| {
        let mut opening = Box::pin(handle.open_partition(spec(number)));
        assert!(opening.as_mut().now_or_never().is_none(), "opening takes a turn");
        turns(&mut shard);
        opening.now_or_never().ok_or_else(|| "opening was not answered in its turn".to_owned())?.map_err(|error| error.to_string())
    });
    let partitions = partitions.collect();
    Ok(Node { shard, partitions })
}

fn turns(shard: &mut Shard) {
    while shard.turn() && shard.has_mail() {}
}

/// What the record at this place holds.
fn content(partition: usize, number: u64) -> (Vec<u8>, Vec<u8>) {
    (format!("k{}", number % 7).into_bytes(), format!("{partition}:{number}:{}", "x".repeat((number * 37 % 300) as usize)).into_bytes())
}

fn append(shard: &mut Shard, partition: &Partition, at: usize, numbers: std::ops::Range<u64>, written: &mut Written, now_ms: i64) -> Result<(), String> {
    let sequence = numbers.start as i32;
    let mut batch = BatchBuilder::new(if numbers.start % 3 == 0 { Codec::Lz4 } else { Codec::None }, Level::Default).producer(ProducerId(5), 0, sequence);
    let contents: Vec<_> = numbers.map(|number| content(at, number)).collect();
    for (key, value) in &contents {
        batch.push(now_ms, Some(key), Some(value), &[]);
    }
    let batch = batch.build();
    let header = BatchHeader::parse(&batch).map_err(|error| error.to_string())?;
    let reply = partition.append(batch, header, AppendOptions::CLIENT);
    turns(shard);
    let appended = reply.now_or_never().ok_or("an append was not answered in its turn")?.map_err(|error| error.to_string())?;
    written.extend((appended.base_offset.0..).zip(contents));
    Ok(())
}

/// Folders to damage: stopped cleanly; killed with a full journal; killed soon after a checkpoint.
fn make(kind: usize) -> Made {
    let world = SimWorld::new(9, SimDisk::new(9));
    let mut node = start(&world).expect("an empty disk starts");
    let mut written = vec![Written::new(); PARTITIONS as usize];
    let mut number = 0;
    for round in 0..40 {
        for (at, written) in written.iter_mut().enumerate() {
            let partition = node.partitions[at].clone().expect("it is open");
            append(&mut node.shard, &partition, at, number..number + 3, written, world.wall_ms()).expect("a sound disk takes it");
        }
        number += 3;
        if kind != 1 && round % 10 == 9 {
            world.advance(std::time::Duration::from_secs(2));
            node.shard.turn();
            while node.shard.run_job() {}
            turns(&mut node.shard);
        }
    }
    if kind == 0 {
        let handle = node.shard.handle();
        let mut stopping = Box::pin(handle.stop());
        assert!(stopping.as_mut().now_or_never().is_none(), "stopping takes a turn");
        while node.shard.turn() {}
        stopping.now_or_never().expect("it has stopped").expect("and cleanly");
    }
    drop(node);
    world.sim_disk().crash(if kind == 2 { Loss::Everything } else { Loss::Nothing });
    Made { files: read(world.sim_disk()), written, clean: kind == 0 }
}

fn read(disk: &SimDisk) -> Files {
    let files = disk.files(Path::new("data")).into_iter().map(|(path, len)| {
        let mut bytes = vec![0; len as usize];
        let file = disk.open(&path, OpenMode::Read).expect("it is listed");
        file.read_at(&mut bytes, 0).expect("it can be read");
        (path, bytes)
    });
    files.collect()
}

fn write(files: &Files) -> SimDisk {
    let disk = SimDisk::new(11);
    let all = || -> std::io::Result<()> {
        for (path, bytes) in files {
            let folder = path.parent().unwrap_or(Path::new("data"));
            disk.create_dir_all(folder)?;
            let file = disk.open(path, OpenMode::OpenOrCreate)?;
            file.write_at(&[IoSlice::new(bytes)], 0)?;
            file.sync_data()?;
            folder.ancestors().try_for_each(|above| if above.as_os_str().is_empty() { Ok(()) } else { disk.sync_dir(above) })?;
        }
        Ok(())
    };
    all().expect("an empty simulated disk takes everything");
    disk
}

impl Folder {
    pub fn new() -> Folder {
        Folder { folders: (0..3).map(make).collect() }
    }
}

/// Does one injury; names the files that it hit.
fn injure(files: &mut Files, injury: &[u8]) -> Vec<PathBuf> {
    let at = usize::from(injury[0]) % files.len().max(1);
    let Some((path, bytes)) = files.iter_mut().nth(at).map(|(path, bytes)| (path.clone(), bytes)) else { return Vec::new() };
    let number = u16::from_be_bytes([injury[6], injury[7]]);
    let place = u32::from_be_bytes([injury[2], injury[3], injury[4], injury[5]]) as usize;
    let place = if bytes.is_empty() { 0 } else { place % bytes.len() };
    let end = (place + usize::from(number)).min(bytes.len());
    match injury[1] % 10 {
        0 if !bytes.is_empty() => bytes[place] ^= 1 << (number % 8),
        1 if !bytes.is_empty() => bytes[place] = number as u8,
        2 => bytes.truncate(place),
        3 => bytes[place..end].fill(0),
        4 => bytes[place..end].fill(0xff),
        // A sector that went somewhere else.
        5 => {
            let part = bytes[place..end].to_vec();
            let to = usize::from(number) * 7 % (bytes.len() + 1);
            let room = (bytes.len() - to).min(part.len());
            bytes[to..to + room].copy_from_slice(&part[..room]);
        }
        6 => bytes.extend(std::iter::repeat_n(number as u8, usize::from(number))),
        7 => {
            let wide = (i64::from(number as i16)).to_be_bytes();
            for (byte, new) in bytes[place..].iter_mut().zip(wide) {
                *byte = new;
            }
        }
        8 => {
            files.remove(&path);
        }
        // Two files change places.
        9 => {
            let other = files.keys().nth(usize::from(number) % files.len()).cloned().unwrap_or_else(|| path.clone());
            let (one, two) = (files[&path].clone(), files[&other].clone());
            files.insert(other.clone(), one);
            files.insert(path.clone(), two);
            // An index of somewhere else is refused: that is no damage, but another log's file.
            return vec![path, other, PathBuf::from("swapped")];
        }
        _ => {}
    }
    vec![path]
}

fn ending(path: &Path) -> &str {
    path.extension().and_then(|ending| ending.to_str()).unwrap_or_else(|| path.file_name().and_then(|name| name.to_str()).unwrap_or(""))
}

impl Made {
    /// Every record that can be read is what was written; says how far the reading went, and whether to the end.
    fn look(&self, partition: &Partition, written: &Written, at: usize) -> Result<(), String> {
        let state = partition.state();
        let mut from = state.start;
        while from < state.high_watermark {
            let Ok(read) = partition.read(from, 64 << 10, Upto::HighWatermark, true) else { return Ok(()) };
            for slice in &read.slices.slices {
                for batch in split_bytes(slice.clone()) {
                    let (header, batch) = batch.map_err(|error| format!("partition {at}: served, and is no batch: {error}"))?;
                    // A consumer compares the checksum: what fails it is not taken for a record.
                    if millrace_record::verify_crc(&batch).is_err() {
                        return Ok(());
                    }
                    let records = Records::open(&batch, 1 << 20).map_err(|error| format!("partition {at}: a sound checksum, and {error}"))?;
                    for record in records.iter() {
                        let record = record.map_err(|error| format!("partition {at}: a sound checksum, and {error}"))?;
                        let offset = header.offset_of(&record).0;
                        let there = (record.key.unwrap_or_default().to_vec(), record.value.unwrap_or_default().to_vec());
                        // Base offsets lie outside Kafka's checksums. Between the gaps that compaction leaves, a damaged one cannot be
                        // told from a good one; what it holds is still what was written.
                        let moved = at == 1 && written.values().any(|record| *record == there);
                        if written.get(&offset) != Some(&there) && !moved {
                            return Err(format!("partition {at}, offset {offset}: {:?} was never written there", String::from_utf8_lossy(&there.1[..there.1.len().min(30)])));
                        }
                    }
                }
            }
            if read.slices.next_offset <= from {
                // Compaction left nothing up to here, and what came behind went with a torn end: readers of compacted logs go on
                // from the next record that is written.
                if at == 1 && !self.clean {
                    return Ok(());
                }
                return Err(format!("partition {at}: a read at {from} below {} found nothing", state.high_watermark));
            }
            from = read.slices.next_offset;
        }
        Ok(())
    }

    fn check(&self, files: &Files, injured: &[PathBuf], later_ms: u64) -> Result<(), String> {
        let rebuildable = injured.iter().all(|path| matches!(ending(path), "index" | "snapshot"));
        let world = SimWorld::new(13, write(files));
        world.advance(std::time::Duration::from_millis(later_ms));
        let mut node = match start(&world) {
            Ok(node) => node,
            Err(why) if self.clean && rebuildable => return Err(format!("only indexes are damaged, and the node does not start: {why}")),
            Err(_) => return Ok(()),
        };
        for (at, written) in self.written.iter().enumerate() {
            let partition = match &node.partitions[at] {
                Ok(partition) => partition.clone(),
                Err(why) if self.clean && rebuildable => return Err(format!("only indexes are damaged, and partition {at} does not open: {why}")),
                Err(_) => continue,
            };
            let end = written.keys().next_back().map_or(0, |last| last + 1);
            let state = partition.state();
            let moved = injured.iter().any(|path| ending(path) == "start");
            if self.clean && (state.high_watermark.0 != end || (state.start.0 != 0 && !moved)) {
                return Err(format!("partition {at} held 0..{end} when it was stopped, and now says {}..{} and no more", state.start, state.high_watermark));
            }
            self.look(&partition, written, at)?;
            self.go_on(&mut node, &world, &partition, at, end as u64)?;
        }
        Ok(())
    }

    /// It goes on: whatever was damaged, appending and cleaning end, and what is read then is still right.
    fn go_on(&self, node: &mut Node, world: &SimWorld, partition: &Partition, at: usize, next: u64) -> Result<(), String> {
        let mut written = self.written[at].clone();
        // Refused or failed is as good as done.
        let _ = append(&mut node.shard, partition, at, next..next + 3, &mut written, world.wall_ms());
        world.advance(std::time::Duration::from_secs(2));
        node.shard.turn();
        for _ in 0..50 {
            if !node.shard.run_job() {
                break;
            }
        }
        turns(&mut node.shard);
        self.look(partition, &written, at)
    }
}

impl Target for Folder {
    fn seeds(&self) -> Vec<Vec<u8>> {
        (0..3).map(|folder| vec![folder, 0]).collect()
    }

    fn run(&mut self, input: &[u8]) -> Result<(), String> {
        let (Some(folder), Some(clock)) = (input.first(), input.get(1)) else { return Ok(()) };
        let made = &self.folders[usize::from(*folder) % self.folders.len()];
        let mut files = made.files.clone();
        let injured: Vec<PathBuf> = input[2..].chunks_exact(INJURY_BYTES).flat_map(|injury| injure(&mut files, injury)).collect();
        let said = made.check(&files, &injured, u64::from(*clock) * 1_000);
        said.map_err(|broken| format!("{broken}; damaged: {injured:?}"))
    }

    fn draw(&self, dice: &mut Dice, _: &[Vec<u8>]) -> Vec<u8> {
        let folder = dice.roll(self.folders.len());
        let files = &self.folders[folder].files;
        let mut kinds: Vec<&str> = files.keys().map(|path| ending(path)).collect();
        kinds.sort_unstable();
        kinds.dedup();
        let mut input = vec![folder as u8, if dice.roll(4) == 0 { dice.byte() } else { 0 }];
        for _ in 0..=dice.roll(3) {
            // A kind first: there are many segments and one journal.
            let kind = *dice.pick(&kinds);
            let of_kind: Vec<usize> = files.keys().enumerate().filter(|(_, path)| ending(path) == kind).map(|(at, _)| at).collect();
            let file = *dice.pick(&of_kind);
            input.push(file as u8);
            input.push(dice.byte());
            let len = files.values().nth(file).map_or(0, Vec::len);
            // The heads of files hold more than their share.
            let place = if dice.roll(3) == 0 { dice.roll(64) } else { dice.roll(len) };
            input.extend((place as u32).to_be_bytes());
            let width = [8, 300, 65_536][dice.roll(3)];
            input.extend((dice.roll(width) as u16).to_be_bytes());
        }
        input
    }
}
