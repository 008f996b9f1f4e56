//! The files of a data directory: every frame is read and its checksum compared.
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use millrace_record::Frame;

use super::Findings;
use crate::cat::{Fate, segments, walk};
use crate::common::CliError;

pub(super) fn read(path: &Path, findings: &mut Findings) -> Result<(), CliError> {
    let segments = segments(path)?;
    if segments.is_empty() {
        findings.warn(format!("{} holds no segment files", path.display()), "is it the directory that log.dirs names?");
        return Ok(());
    }
    let (mut batches, mut bytes, mut newest) = (0_u64, 0_u64, i64::MIN);
    let last_of_folder = |at: usize| segments.get(at + 1).is_none_or(|next| next.parent() != segments[at].parent());
    let mut expected: Option<(PathBuf, i64)> = None;
    for (at, segment) in segments.iter().enumerate() {
        let folder = segment.parent().map(Path::to_owned).unwrap_or_default();
        let mut next = expected.take().filter(|(before, _)| *before == folder).map(|(_, next)| next);
        let mut backwards = None;
        let fate = walk(segment, &mut |found| {
            bytes += found.bytes.len() as u64;
            if let Frame::Batch(header, _) = found.frame {
                batches += 1;
                newest = newest.max(header.max_timestamp);
                if next.is_some_and(|next| header.base_offset.0 < next) && backwards.is_none() {
                    backwards = Some((found.at, header.base_offset.0));
                }
                next = Some(header.next_offset().0);
            }
            Ok(())
        })?;
        if let Some((at, offset)) = backwards {
            findings.bad(format!("{}: offset {offset} comes again at byte {at}", segment.display()), "files of another partition or an old copy lie here");
        }
        expected = next.map(|next| (folder, next));
        match fate {
            Fate::Whole => {}
            Fate::Damaged { at: byte, why } if last_of_folder(at) => findings.warn(
                format!("{}: unfinished at byte {byte}: {why}", segment.display()),
                "a torn tail is cut off at the next start; if this was synced before, the start will say so and refuse",
            ),
            Fate::Damaged { at: byte, why } => {
                findings.bad(format!("{}: damaged at byte {byte}: {why}", segment.display()), "the disk lost what it had; restore this partition from a replica or a copy");
            }
        }
    }
    clock(newest, findings);
    findings.ok(format!("{} segment files, {batches} batches, {bytes} bytes: read, checksums compared", segments.len()));
    Ok(())
}

/// Records may carry any time; most carry that of a clock.
fn clock(newest_ms: i64, findings: &mut Findings) {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let ahead_ms = newest_ms.saturating_sub(i64::try_from(now.as_millis()).unwrap_or(i64::MAX));
    if let Ok(ahead_ms) = u64::try_from(ahead_ms) && ahead_ms > AHEAD_MS_MAX {
        let hours = Duration::from_millis(ahead_ms).as_secs() / 3600;
        findings.warn(
            format!("the newest record is {hours} hours in the future"),
            "this machine's clock is behind, or a producer's is ahead: retention by time keeps such records so much longer",
        );
    }
}

/// As Kafka's log.message.timestamp.after.max.ms has it.
const AHEAD_MS_MAX: u64 = 3_600_000;
