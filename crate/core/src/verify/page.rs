//! Page 0 of a segment: its header against the log and the segment before, its marks, and the zeros between.

use std::path::Path;

use super::fold::Fold;
use super::report::Problems;
use crate::disk::DiskFile;
use crate::disk::read_full_at;
use crate::error::{Damage, Error, Result, hex};
use crate::format::{MARK_LEN, Mark, PAGE_LEN, SECTOR_LEN, SLOTS, SegmentHeader};

/// A writer may be at work on a slot: what does not parse is read again this often.
const TRIES: usize = 5;

/// What the segment before leaves to the next.
#[derive(Default, Clone, Copy)]
pub struct Before {
    /// Its number.
    pub number: u32,
    /// Where its frames were found to end.
    pub end: Option<u64>,
    /// The nonce that it prepared for the next one.
    pub next_nonce: Option<[u8; 16]>,
    /// What it states of pruning.
    pub kept_from: u64,
    /// True when it has a sound footer, which is written once the next one's first group is durable.
    pub sealed: bool,
}

/// Compares a header with the walk up to it. `before` is the segment before, if that was walked; the first segment
/// of a log comes after an empty one.
pub fn neighbours(header: &SegmentHeader, before: &Before, fold: &Fold, path: &Path, problems: &mut Problems) {
    let mut differ = |what: &str, expected: String, found: String| {
        problems.corrupt(Damage::new(what, path).at(0).offset(header.first_offset).versus(expected, found));
    };
    if let Some(nonce) = before.next_nonce.filter(|nonce| *nonce != header.nonce) {
        differ("the segment is not the one that was prepared", hex(&nonce), hex(&header.nonce));
    }
    if let Some(end) = before.end.filter(|&end| end != header.predecessor_end) {
        let what = "the header names another end of the segment before";
        differ(what, end.to_string(), header.predecessor_end.to_string());
    }
    if let Some(next) = fold.next.filter(|&next| next != header.first_offset) {
        differ("the segment does not continue the log", next.to_string(), header.first_offset.to_string());
    } else if let Some(head) = fold.head().filter(|head| *head != header.head) {
        differ("the header states another head than the segment before ends with", hex(&head), hex(&header.head));
    }
    let time_differs =
        if fold.time_known { header.last_time != fold.last_time } else { header.last_time < fold.last_time };
    if time_differs {
        let what = "the header states another time than that of the record before";
        differ(what, fold.last_time.to_string(), header.last_time.to_string());
    }
    if header.kept_from < before.kept_from {
        differ("pruning was taken back", before.kept_from.to_string(), header.kept_from.to_string());
    }
}

/// The marks in the slots. What is neither a mark nor zeros is damage: a sector is never torn.
pub fn slots(
    file: &dyn DiskFile,
    path: &Path,
    number: u32,
    frame_key: &[u8; 32],
    problems: &mut Problems,
) -> Result<Vec<(u64, Mark)>> {
    let mut marks = Vec::new();
    for slot in SLOTS {
        let mut tries = TRIES;
        loop {
            let sector = read(file, path, slot, SECTOR_LEN as usize)?;
            let mark = Mark::parse(&sector, frame_key, slot).filter(|mark| mark.segment == number);
            let rest_is_zero = sector.iter().skip(MARK_LEN).all(|&b| b == 0);
            match mark {
                Some(mark) if rest_is_zero => marks.push((slot, mark)),
                None if sector.iter().all(|&b| b == 0) => {}
                _ if tries > 0 => {
                    tries -= 1;
                    continue;
                }
                _ => problems.corrupt(Damage::new("a mark is damaged", path).at(slot)),
            }
            break;
        }
    }
    Ok(marks)
}

/// Between the header and the slots stands nothing.
pub fn padding(file: &dyn DiskFile, path: &Path, header: &SegmentHeader, problems: &mut Problems) -> Result<()> {
    let start = header.encoded_len() as u64;
    let bytes = read(file, path, start, (SLOTS[0] - start.min(SLOTS[0])) as usize)?;
    if let Some(at) = bytes.iter().position(|&b| b != 0) {
        let damage = Damage::new("a byte that must be zero is not", path).at(start + at as u64);
        problems.corrupt(damage.versus("00", hex(&bytes[at..=at])));
    }
    Ok(())
}

fn read(file: &dyn DiskFile, path: &Path, position: u64, len: usize) -> Result<Vec<u8>> {
    debug_assert!(position + len as u64 <= PAGE_LEN);
    let mut bytes = vec![0; len];
    let got = read_full_at(file, &mut bytes, position).map_err(|error| Error::io("read", path, error))?;
    bytes.truncate(got);
    Ok(bytes)
}
