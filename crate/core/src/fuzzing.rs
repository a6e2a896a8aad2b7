//! One function for each parser that reads a file, and one for whole folders: any bytes go in, and what every input
//! must fulfil is asserted. `tests/fuzz/` drives them on the stable toolchain, `fuzz/` with libFuzzer.
//!
//! A parser sees raw bytes, or a sound structure that was edited and whose checks were then made to hold again: so
//! what lies behind the checks is reached, as a forger would. What parses must be the one encoding of what it means.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a fuzz target fails by panicking")]

mod folder;
mod forge;
mod frames;
mod input;
mod sample;

pub use folder::open_folder;
pub use frames::{body, frame, frame_header, lz4};

use std::path::Path;

use crate::disk::memory::MemoryDisk;
use crate::disk::{self, Access, Disk};
use crate::format::{
    self, EPOCH, FOOTER_LEN, FRAMES_START, Footer, HeaderError, IndexEntry, LIVE_MARK_POSITION, MARK_LEN, Mark,
    PAGE_LEN, SLOTS, SegmentHeader,
};
use crate::lock::LockFile;
use input::Input;

const KEY: [u8; 32] = [7; 32];

/// A fuzz target, with how much memory it may use for each byte of its input.
#[derive(Debug, Clone, Copy)]
pub struct Target {
    /// Its name, the same here and in `fuzz/`.
    pub name: &'static str,
    /// Takes any bytes; panics on a defect.
    pub run: fn(&[u8]),
    /// Bytes of memory for each byte of input, besides a few MiB.
    pub memory_factor: usize,
}

/// All targets.
pub const TARGETS: [Target; 9] = [
    Target { name: "segment_header", run: segment_header, memory_factor: 64 },
    Target { name: "frame_header", run: frame_header, memory_factor: 64 },
    Target { name: "body", run: body, memory_factor: 64 },
    // LZ4 grows data up to 255 times, twice, and is then compressed again.
    Target { name: "lz4", run: lz4, memory_factor: 4 * 255 },
    Target { name: "mark", run: mark, memory_factor: 64 },
    Target { name: "footer", run: footer, memory_factor: 64 },
    Target { name: "frame", run: frame, memory_factor: 3 * 255 },
    Target { name: "side_files", run: side_files, memory_factor: 64 },
    Target { name: "open_folder", run: open_folder, memory_factor: 64 },
];

/// The header of a segment.
pub fn segment_header(data: &[u8]) {
    let mut input = Input::new(data);
    let mut page;
    if input.chance(4) {
        page = input.rest().to_vec();
    } else {
        page = any_segment_header(&mut input).encode();
        page.resize(PAGE_LEN as usize, 0);
        input.edit_some(&mut page, forge::fix_header_crc);
    }
    match SegmentHeader::parse(&page) {
        Ok(header) => {
            let again = header.encode();
            assert!(page.starts_with(&again), "a header has one encoding: {header:?}");
            assert_eq!(header.encoded_len(), again.len());
            assert!(again.len() as u64 <= SLOTS[0]);
            assert!((1..=255).contains(&header.encoding.len()), "the format demands a name");
            assert_eq!(SegmentHeader::parse(&again), Ok(header));
        }
        Err(HeaderError::Damaged(what)) => assert!(!what.is_empty()),
        Err(HeaderError::Newer(what)) => assert!(!what.is_empty()),
    }
}

fn any_segment_header(input: &mut Input<'_>) -> SegmentHeader {
    let first_offset = if input.chance(2) { u64::from(input.u8()) } else { input.number() };
    SegmentHeader {
        secret: input.chance(2),
        optional_features: u32::from(input.u8()),
        segment: u32::from(input.u8()),
        id: [1; 32],
        nonce: [2; 16],
        next_nonce: [3; 16],
        first_offset,
        last_time: input.number(),
        predecessor_end: input.number(),
        kept_from: 0,
        epoch: EPOCH,
        key_check: [4; 16],
        head: [5; 32],
        peaks: vec![[6; 32]; first_offset.count_ones() as usize],
        encoding: "json".to_owned(),
        extensions: (0..input.below(3)).map(|kind| (kind as u16, input.take(5).to_vec())).collect(),
        seal: [10; 16],
    }
}

/// A mark in a slot or in the lock file.
pub fn mark(data: &[u8]) {
    let mut input = Input::new(data);
    let at = [SLOTS[0], SLOTS[1], LIVE_MARK_POSITION][input.below(3)];
    let mut bytes;
    if input.chance(4) {
        bytes = input.rest().to_vec();
    } else {
        let mark = Mark {
            segment: input.number() as u32,
            identity: input.number(),
            position: input.number(),
            size: input.number(),
            last_time: input.number(),
            state_position: input.number(),
            head: [5; 32],
        };
        bytes = mark.encode(&KEY, at);
        assert_eq!(Mark::parse(&bytes, &KEY, at), Some(mark));
        input.edit_some(&mut bytes, |bytes| forge::fix_mark_check(bytes, &KEY, at));
    }
    if let Some(mark) = Mark::parse(&bytes, &KEY, at) {
        assert_eq!(mark.encode(&KEY, at), bytes[..MARK_LEN], "a mark has one encoding");
        assert_eq!(Mark::peek_segment(&bytes), Some(mark.segment));
        assert_eq!(Mark::parse(&bytes, &KEY, at ^ 512), None, "a mark belongs to one place");
    }
}

/// The index and the footer of a sealed segment.
pub fn footer(data: &[u8]) {
    let mut input = Input::new(data);
    let index_count = input.u8();
    let footer = Footer {
        segment: input.number() as u32,
        index_count: u32::from(index_count),
        frames_end: if input.chance(2) { FRAMES_START + u64::from(input.u16()) * 64 } else { input.u16().into() },
        first_offset: input.number(),
        end_offset: input.number(),
        first_time: input.number(),
        last_time: input.number(),
        head: [5; 32],
        epoch: EPOCH,
        index_crc: 0,
        seal: [10; 16],
    };
    // As long as a file can be: lengths are signed in every system.
    let file_len = if input.chance(2) { footer.file_len() } else { input.number() >> 1 };
    let mut bytes = footer.encode(&KEY);
    input.edit_some(&mut bytes, |bytes| {
        forge::fix_footer_check(bytes, &KEY, file_len.saturating_sub(FOOTER_LEN as u64));
    });
    let index = input.rest();
    for bytes in [&bytes[..], index] {
        if let Some(footer) = Footer::parse(bytes, &KEY, file_len) {
            assert_eq!(footer.encode(&KEY), bytes[..FOOTER_LEN], "a footer has one encoding");
            assert_eq!(footer.file_len(), file_len);
            assert!((FRAMES_START..file_len).contains(&footer.frames_end), "frames end behind page 0: {footer:?}");
            assert!(u64::from(footer.index_count) * 8 < file_len, "an index lies in its file");
        }
    }
    assert_eq!(IndexEntry::parse_each(index).count(), index.len() / 8);
    if let Some(entries) = IndexEntry::parse_all(index) {
        assert_eq!(IndexEntry::encode_all(&entries), index);
        assert!(entries.is_sorted_by(|a, b| a.position() < b.position()));
    }
}

/// What stands beside the segments: their names, and the lock file with its holder and live mark.
pub fn side_files(data: &[u8]) {
    let name = String::from_utf8_lossy(data);
    if let Some(number) = format::segment_number(&name) {
        assert_eq!(format::segment_name(number), name, "a segment has one name");
        assert!(number > 0 && number < u32::MAX, "there is a number before and one behind: {number}");
    }
    let disk = MemoryDisk::new();
    let file = disk.open(Path::new("/lock"), Access::CreateNew).expect("an empty disk");
    disk::write_all_at(&*file, data, 0).expect("memory takes it");
    let lock = LockFile::look(&disk, Path::new("/")).expect("it can be read").expect("it is there");
    if let Some(holder) = lock.holder().expect("it can be read") {
        assert!(holder.host.len() <= 3 * format::SECTOR_LEN as usize);
    }
    assert_eq!(lock.held_by().expect("it can be read"), None, "nobody holds it");
    let mark = lock.mark_bytes().expect("it can be read");
    assert_eq!(mark.is_some(), data.len() >= LIVE_MARK_POSITION as usize + MARK_LEN);
}
