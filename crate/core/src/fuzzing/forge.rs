//! Makes checks hold again over edited bytes: everything that needs no secret, as somebody who knows the format can.

use super::input::Input;
use super::sample::Files;
use crate::format::{
    FOOTER_LEN, FRAME_HEADER_LEN, FRAMES_START, Footer, FrameHeader, INDEX_ENTRY_LEN, LIVE_MARK_POSITION, MARK_LEN,
    Mark, Position, SLOTS, SegmentHeader, frame_header,
};
use crate::hash::{self, Keys, Peaks};

/// The checksum of a segment header, as its own lengths say.
pub(super) fn fix_header_crc(page: &mut [u8]) {
    let Some(lengths) = page.get(124..128) else { return };
    let lens = [32 * usize::from(lengths[0]), lengths[1].into(), u16::from_le_bytes([lengths[2], lengths[3]]).into()];
    let end = 176 + lens.iter().sum::<usize>() + 16;
    if let Some((covered, rest)) = page.split_at_mut_checked(end)
        && let Some(place) = rest.first_chunk_mut::<4>()
    {
        *place = crc32c::crc32c(covered).to_le_bytes();
    }
}

pub(super) fn fix_frame_check(bytes: &mut [u8], key: &[u8; 32], position: u64) {
    let Some(header) = bytes.get_mut(..FRAME_HEADER_LEN) else { return };
    let mut durable = [0; 12];
    durable.copy_from_slice(&header[44..56]);
    let (segment, at) = durable.split_at(4);
    let durable_to = Position {
        segment: u32::from_le_bytes(segment.try_into().expect("4 bytes")),
        position: u64::from_le_bytes(at.try_into().expect("8 bytes")),
    };
    frame_header::stamp(header, key, durable_to, position);
}

pub(super) fn fix_mark_check(bytes: &mut [u8], key: &[u8; 32], at: u64) {
    fix_check(bytes, MARK_LEN, key, at);
}

pub(super) fn fix_footer_check(bytes: &mut [u8], key: &[u8; 32], position: u64) {
    fix_check(bytes, FOOTER_LEN, key, position);
}

fn fix_check(bytes: &mut [u8], len: usize, key: &[u8; 32], position: u64) {
    let Some(bytes) = bytes.get_mut(..len) else { return };
    let (covered, check) = bytes.split_at_mut(len - 8);
    let hash = blake3::Hasher::new_keyed(key).update(covered).update(&position.to_le_bytes()).finalize();
    check.copy_from_slice(&hash.as_bytes()[..8]);
}

/// Edits something in segment `number` that a check covers, and makes the check hold again.
pub(super) fn forge(files: &mut Files, number: u32, input: &mut Input<'_>) {
    let name = crate::format::segment_name(number);
    let Some(bytes) = files.get(&name) else { return };
    let Ok(header) = SegmentHeader::parse(bytes) else { return };
    let keys = Keys::new(&header.id, None);
    let key = keys.frame_key(&header.nonce);
    let what = input.u8() % 6;
    if what == 5 {
        if let Some(mark) = files.get_mut("lock").and_then(|lock| lock.get_mut(LIVE_MARK_POSITION as usize..)) {
            edit_mark(mark, &key, LIVE_MARK_POSITION, input);
        }
        return;
    }
    let Some(bytes) = files.get_mut(&name) else { return };
    match what {
        0 => edit_header(bytes, header, &keys, input),
        1 | 2 => edit_frame(bytes, &key, input),
        3 => edit_footer(bytes, &keys, &key, input),
        _ => {
            let slot = SLOTS[input.below(2)];
            if let Some(place) = bytes.get_mut(slot as usize..) {
                edit_mark(place, &key, slot, input);
            }
        }
    }
}

fn edit_header(bytes: &mut [u8], mut header: SegmentHeader, keys: &Keys, input: &mut Input<'_>) {
    match input.u8() % 10 {
        0 => header.segment = input.number() as u32,
        1 => header.first_offset = input.number(),
        2 => header.last_time = input.number(),
        3 => header.predecessor_end = input.number(),
        4 => header.kept_from = input.number(),
        5 => header.epoch = input.number() as u32,
        6 => header.next_nonce[0] ^= 1,
        7 => header.secret = !header.secret,
        8 => header.encoding = "j".repeat(input.u8().into()),
        _ => header.extensions = vec![(input.u16(), vec![1; input.u8().into()])],
    }
    header.peaks.resize(header.first_offset.count_ones() as usize, [9; 32]);
    if let Some(peaks) = Peaks::from_parts(header.first_offset, header.peaks.clone()) {
        header.head = peaks.head(keys);
    }
    let sealed = header.sealed_bytes();
    header.seal = hash::header_seal(keys, header.epoch, header.first_offset, header.kept_from, &header.head, &sealed);
    let encoded_len = header.encoded_len();
    if encoded_len as u64 <= SLOTS[0]
        && let Some(place) = bytes.get_mut(..encoded_len)
    {
        place.copy_from_slice(&header.encode());
    }
}

/// Edits the header or the body of some frame.
fn edit_frame(bytes: &mut [u8], key: &[u8; 32], input: &mut Input<'_>) {
    let mut position = FRAMES_START;
    let mut wanted = input.below(8);
    while let Some(header) = bytes.get(position as usize..).and_then(|b| FrameHeader::parse(b, key, position)) {
        let frame = &mut bytes[position as usize..];
        if wanted == 0 {
            let len = if input.chance(2) { FRAME_HEADER_LEN } else { header.frame_len() as usize };
            let len = len.min(frame.len());
            input.edit(&mut frame[..len]);
            if let Some(padded) = frame.get(FRAME_HEADER_LEN..header.frame_len() as usize) {
                let crc = crc32c::crc32c(padded);
                frame[36..40].copy_from_slice(&crc.to_le_bytes());
            }
            fix_frame_check(frame, key, position);
            return;
        }
        wanted -= 1;
        position += header.frame_len();
    }
}

/// Edits the index, or the footer.
fn edit_footer(bytes: &mut [u8], keys: &Keys, key: &[u8; 32], input: &mut Input<'_>) {
    let file_len = bytes.len() as u64;
    let Some(at) = bytes.len().checked_sub(FOOTER_LEN) else { return };
    let Some(mut footer) = Footer::parse(&bytes[at..], key, file_len) else { return };
    let index_bytes = footer.index_count as usize * INDEX_ENTRY_LEN;
    match input.u8() % 8 {
        0 => footer.segment = input.number() as u32,
        1 => footer.first_offset = input.number(),
        2 => footer.end_offset = input.number(),
        3 => footer.last_time = input.number(),
        4 => footer.epoch = input.number() as u32,
        5 => {
            // Another border between frames and index; the footer stays where it is.
            let entries = input.below(1 + at / INDEX_ENTRY_LEN);
            footer.index_count = entries as u32;
            footer.frames_end = (at - entries * INDEX_ENTRY_LEN) as u64;
        }
        _ => input.edit(&mut bytes[at - index_bytes..at]),
    }
    footer.index_crc = crc32c::crc32c(&bytes[footer.frames_end as usize..at]);
    footer.seal = hash::footer_seal(keys, footer.epoch, footer.first_offset, footer.end_offset, &footer.head);
    bytes[at..].copy_from_slice(&footer.encode(key));
}

fn edit_mark(bytes: &mut [u8], key: &[u8; 32], at: u64, input: &mut Input<'_>) {
    let Some(mut mark) = Mark::parse(bytes, key, at) else { return };
    match input.u8() % 5 {
        0 => mark.segment = input.number() as u32,
        1 => mark.position = input.number(),
        2 => mark.size = input.number(),
        3 => mark.last_time = input.number(),
        _ => mark.state_position = input.number(),
    }
    bytes[..MARK_LEN].copy_from_slice(&mark.encode(key, at));
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::sync::Arc;

    use super::super::sample::{DIR, Deaf, SAMPLES, install, options};
    use super::*;
    use crate::log::Log;
    use crate::options::Options;
    use crate::reader::ReadRequest;
    use crate::simulation::SimWorld;

    #[test]
    fn an_index_that_points_out_of_its_file_is_not_believed() {
        let sample = &SAMPLES[0];
        let mut files = sample.files.clone();
        let bytes = files.get_mut("0000000001.seg").unwrap();
        let header = SegmentHeader::parse(bytes).unwrap();
        let keys = Keys::new(&header.id, None);
        let key = keys.frame_key(&header.nonce);
        let at = bytes.len() - FOOTER_LEN;
        let mut footer = Footer::parse(&bytes[at..], &key, bytes.len() as u64).unwrap();
        bytes[at - 4..at].copy_from_slice(&u32::MAX.to_le_bytes());
        footer.index_crc = crc32c::crc32c(&bytes[footer.frames_end as usize..at]);
        bytes[at..].copy_from_slice(&footer.encode(&key));

        let world = SimWorld { disk: install(&files), ..SimWorld::new(1) };
        let options = Options { read_only: true, ..options(None) };
        let log = Log::open(world.host(), Path::new(DIR), options, Arc::new(Deaf)).unwrap();
        for (max_records, reverse) in [(1, false), (9, false), (9, true)] {
            let request = ReadRequest { from: 3, to: 4, max_bytes: 4096, max_records, reverse, verify: false };
            assert_eq!(log.read(&request).unwrap().payload(0), Some(&sample.records[3][..]));
        }
    }
}
