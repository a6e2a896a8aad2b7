//! The targets for frames and what is in them: header, body, codec, and whole frames as recovery and readers take them.

use crate::cache::Frame;
use crate::compress::{Codec, Lz4, Scratch, Uncompressed};
use crate::format::{self, EPOCH, FRAME_HEADER_LEN, FRAMES_START, FrameFlags, FrameHeader, Position, align_frame};
use crate::frame::{self, Rehasher, Replay};
use crate::hash::{self, Keys, LeafHasher, Peaks, RecordRef};
use crate::record::{self, Columns};

use super::{KEY, forge, input::Input};

/// The header of a frame.
pub fn frame_header(data: &[u8]) {
    let mut input = Input::new(data);
    let position = input.number();
    let mut bytes;
    if input.chance(4) {
        bytes = input.rest().to_vec();
    } else {
        bytes = any_frame_header(&mut input).encode(&KEY, position);
        input.edit_some(&mut bytes, |bytes| forge::fix_frame_check(bytes, &KEY, position));
    }
    if let Some(header) = FrameHeader::parse(&bytes, &KEY, position) {
        assert_eq!(header.encode(&KEY, position), bytes[..FRAME_HEADER_LEN], "a frame header has one encoding");
        assert!(header.end_offset() >= header.first_offset);
        assert!(header.frame_len() >= FRAME_HEADER_LEN as u64 && header.frame_len() <= (1 << 30) + 256);
        assert_eq!(header.frame_len() % format::FRAME_ALIGN, 0);
        assert_eq!(header.flags.state(), header.count == 0);
        let moved = position.wrapping_add(format::FRAME_ALIGN);
        assert_eq!(FrameHeader::parse(&bytes, &KEY, moved), None, "a frame belongs to one position");
        assert_eq!(FrameHeader::parse(&bytes, &[8; 32], position), None, "a frame belongs to one segment");
    }
}

fn any_frame_header(input: &mut Input<'_>) -> FrameHeader {
    FrameHeader {
        codec: input.u8() % 3,
        flags: FrameFlags(input.u8()),
        first_offset: input.number(),
        base_time: input.number(),
        count: input.number() as u32,
        stored_len: input.number() as u32,
        raw_len: input.number() as u32,
        body_crc: 0,
        epoch: u32::from(input.chance(8)),
        durable_to: Position { segment: input.number() as u32, position: input.number() },
        head: [5; 32],
        seal: [10; 16],
    }
}

/// The columns of a body, and its payloads.
pub fn body(data: &[u8]) {
    let mut input = Input::new(data);
    let base_time = input.number();
    let count = if input.chance(8) { input.number() as u32 } else { u32::from(input.u8()) };
    let bytes = input.rest();
    let mut columns = Columns::default();
    if let Ok(body) = record::decode(base_time, count, bytes, &mut columns) {
        assert_eq!(body.len(), count as usize);
        let records: Vec<_> = body.records().collect();
        assert!(records.iter().map(|record| record.payload.len()).sum::<usize>() <= bytes.len());
        assert!(records.is_sorted_by_key(|record| record.time));
        let mut again = Vec::new();
        record::encode(base_time, &records, &mut again).expect("what was read can be written");
        assert_eq!(again, bytes, "records have one body");
    }
    // A vector begins with room for four.
    assert!(columns.memory() <= 12 * bytes.len().max(4), "columns take no more than the body justifies");
}

/// An LZ4 block, and what it decompresses to.
pub fn lz4(data: &[u8]) {
    let mut input = Input::new(data);
    let raw_len = if input.chance(4) { input.number() as usize } else { usize::from(input.u16()) };
    let stored = input.rest();
    let mut out = vec![1, 2, 3];
    match Lz4.decompress(stored, raw_len, &mut out) {
        Ok(()) => {
            assert_eq!(out.len(), 3 + raw_len);
            assert!(raw_len <= 255 * stored.len());
        }
        Err(_) => assert_eq!(out, [1, 2, 3], "nothing of a bad block is handed out"),
    }
    let mut place = Vec::new();
    if let Ok(Some(mut start)) = Lz4.start(stored, raw_len, &mut place) {
        for want in [raw_len / 3, raw_len] {
            match start.reach(want) {
                Ok(bytes) => assert!(out.len() == 3 || bytes == &out[3..][..want], "a start is that of the block"),
                Err(_) => assert_eq!(out.len(), 3, "a sound block has a start"),
            }
        }
    }
    // Both ways: what was decompressed, and the input itself.
    for raw in [&out[3..], stored] {
        let mut small = Vec::new();
        if Lz4.compress(raw, &mut small, &mut Scratch::default()) {
            let mut back = Vec::new();
            Lz4.decompress(&small, raw.len(), &mut back).expect("what was compressed decompresses");
            assert_eq!(back, raw);
        }
    }
}

/// A whole frame around any body, whose header and checksum hold: data or state, as recovery, readers and the cache
/// take it.
pub fn frame(data: &[u8]) {
    let mut input = Input::new(data);
    let keys = Keys::new(&[1; 32], None);
    let state = input.chance(3);
    let mut header = any_frame_header(&mut input);
    header.flags = FrameFlags(if state { 7 } else { 3 });
    header.epoch = EPOCH;
    header.first_offset = if input.chance(2) { u64::from(input.u8()) } else { header.first_offset };
    header.count = if state { 0 } else { u32::from(input.u8()) + 1 };
    if header.first_offset.checked_add(u64::from(header.count)).is_none() {
        return;
    }
    let peaks = vec![[9; 32]; header.first_offset.count_ones() as usize];
    let mut before = Peaks::from_parts(header.first_offset, peaks.clone()).expect("one peak for each one bit");
    let stored = if state && input.chance(2) {
        [peaks.as_flattened(), &header.base_time.to_le_bytes()].concat()
    } else {
        input.rest().to_vec()
    };
    header.stored_len = stored.len() as u32;
    header.raw_len = if header.codec == Uncompressed.id() { header.stored_len } else { header.raw_len };
    let mut bytes = vec![0; align_frame((FRAME_HEADER_LEN + stored.len()) as u64) as usize];
    bytes[FRAME_HEADER_LEN..][..stored.len()].copy_from_slice(&stored);
    header.body_crc = crc32c::crc32c(&bytes[FRAME_HEADER_LEN..]);

    if state {
        header.head = before.head(&keys);
        header.seal =
            hash::state_seal(&keys, false, EPOCH, header.first_offset, &header.head, before.hashes(), header.base_time);
    } else if let Some((nodes, head)) = hashes_of(&keys, &header, &stored, &mut before) {
        header.head = head;
        let (a, b) = (header.first_offset, header.end_offset());
        header.seal = hash::frame_seal(&keys, 3, EPOCH, a, b, &header.head, &nodes);
    }
    bytes[..FRAME_HEADER_LEN].copy_from_slice(&header.encode(&KEY, FRAMES_START));
    let Some(header) = FrameHeader::parse(&bytes, &KEY, FRAMES_START) else { return };
    let stored = frame::stored_body(&header, &bytes).expect("the checksum was made to hold");

    let start = Peaks::from_parts(header.first_offset, peaks).expect("the same peaks");
    let mut replay = Replay::new(start, header.base_time);
    let taken = replay.apply(&keys, &header, stored);
    if header.flags.state() {
        if let Ok(replay) = Replay::from_state(&keys, &header, stored) {
            assert_eq!(replay.peaks.size(), header.first_offset);
            assert_eq!(stored.len(), 32 * replay.peaks.hashes().len() + 8);
        }
        return;
    }
    let rehashed = Rehasher::default().frame(&keys, &header, stored);
    let cached = Frame::decode(header.clone(), stored);
    assert_eq!(rehashed.is_ok(), cached.is_ok(), "all readers of a frame agree on it");
    assert_eq!(taken.is_ok(), cached.is_ok());
    assert_eq!(frame::first_leaves(&keys, &header, stored, 1).is_ok(), cached.is_ok());
    if let Ok(frame) = cached {
        assert!(frame.record(header.count as usize - 1).is_some() && frame.record(header.count as usize).is_none());
        assert_eq!(replay.peaks.size(), header.end_offset());
        for index in [0, header.count as usize / 2, header.count as usize - 1, header.count as usize] {
            let (mut raw, mut columns) = (Vec::new(), Columns::default());
            let same = |record: Option<RecordRef<'_>>| record == frame.record(index);
            let alone = frame::with_record(&header, stored, index, (&mut raw, &mut columns), same);
            assert_eq!(alone, Ok(true), "record {index} is the same without those behind it");
        }
    }
}

/// The nodes of a frame's records, and the head after them; none where the body does not decode.
fn hashes_of(
    keys: &Keys,
    header: &FrameHeader,
    stored: &[u8],
    peaks: &mut Peaks,
) -> Option<(Vec<hash::Hash>, hash::Hash)> {
    let (mut raw, mut columns, mut leaves, mut nodes) = (Vec::new(), Columns::default(), Vec::new(), Vec::new());
    let body = frame::decode(header, frame::raw_body(header, stored, &mut raw).ok()?, &mut columns).ok()?;
    LeafHasher::new().leaves(keys, header.first_offset, &body.records().collect::<Vec<_>>(), &mut leaves);
    peaks.extend(keys, &leaves, &mut nodes);
    Some((nodes, peaks.head(keys)))
}
