//! Page 0 of a segment: its header against the log and the segment before, and its marks.
//!
//! What else stands there means nothing: a crash while the page was written for the first time may leave anything.

use std::path::Path;

use super::fold::Fold;
use super::report::Problems;
use crate::disk::DiskFile;
use crate::disk::read_full_at;
use crate::error::{Damage, Error, Result, hex};
use crate::format::{MARK_LEN, Mark, PAGE_LEN, SLOTS, SegmentHeader};

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

/// What stands in the slots.
#[derive(Default)]
pub struct Slots {
    /// The marks, with their slots.
    pub marks: Vec<(u64, Mark)>,
    /// Slots that hold neither a mark nor zeros, with their bytes.
    pub damaged: Vec<(u64, Vec<u8>)>,
}

/// Reads the slots.
pub fn slots(file: &dyn DiskFile, path: &Path, number: u32, frame_key: &[u8; 32]) -> Result<Slots> {
    let mut slots = Slots::default();
    for slot in SLOTS {
        let mut tries = TRIES;
        loop {
            let bytes = read(file, path, slot, MARK_LEN)?;
            let mark = Mark::parse(&bytes, frame_key, slot).filter(|mark| mark.segment == number);
            match mark {
                Some(mark) => slots.marks.push((slot, mark)),
                None if bytes.iter().all(|&b| b == 0) => {}
                _ if tries > 0 => {
                    tries -= 1;
                    continue;
                }
                _ => slots.damaged.push((slot, bytes)),
            }
            break;
        }
    }
    Ok(slots)
}

/// True when a damaged slot of the newest segment can be what a failed write left of `mark`: its last byte never came.
/// `open` mends such a slot.
pub fn is_torn(slot: u64, bytes: &[u8], mark: &Mark, frame_key: &[u8; 32]) -> bool {
    bytes.last() != mark.encode(frame_key, slot).last()
}

fn read(file: &dyn DiskFile, path: &Path, position: u64, len: usize) -> Result<Vec<u8>> {
    debug_assert!(position + len as u64 <= PAGE_LEN);
    let mut bytes = vec![0; len];
    let got = read_full_at(file, &mut bytes, position).map_err(|error| Error::io("read", path, error))?;
    bytes.truncate(got);
    Ok(bytes)
}
