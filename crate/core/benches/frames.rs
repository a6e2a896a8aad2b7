//! Cost a record of whole frames: making them (stage 1 without its queue), and every step of reading them back.
//! `cargo bench -p varve-core --bench frames`. Events of 256 B in frames of 16 KiB, one thread; 1,000 / rate in M = ns.

use std::time::Duration;

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use varve_core::compress::{Codec, by_id};
use varve_core::format::{FRAME_HEADER_LEN, FrameFlags, FrameHeader, Position, frame_header};
use varve_core::frame::{FrameEncoder, FrameInput, Rehasher, decode, raw_body, stored_body};
use varve_core::hash::{Keys, Peaks};
use varve_core::host::{Class, Executor, Job};
use varve_core::record::Columns;

mod events;

use events::{EVENT_BYTES, events, records};

const BATCH: usize = 4_000;
/// Body bytes of a record: payload and columns.
const PER_FRAME: usize = (16 << 10) / (EVENT_BYTES + 3);
const FRAME_KEY: [u8; 32] = [7; 32];
const NONE: u8 = 0;
const LZ4: u8 = 1;

fn main() {
    divan::main();
}

/// Lends no thread: the figures are those of one.
struct Alone;

impl Executor for Alone {
    fn spawn(&self, _class: Class, _job: Job) {}
    fn spawn_after(&self, _delay: Duration, _class: Class, _job: Job) {}
}

fn codec(id: u8) -> &'static dyn Codec {
    match by_id(id) {
        Some(codec) => codec,
        None => unreachable!("codecs 0 and 1 are built in"),
    }
}

/// Frames of one batch, and where each starts.
fn frames(keys: &Keys, id: u8) -> (Vec<u8>, Vec<usize>) {
    let events = events(BATCH);
    let records = records(&events);
    let mut bytes = Vec::new();
    let frames: Vec<_> = records.chunks(PER_FRAME).map(input).collect();
    let encoder = FrameEncoder::new(codec(id));
    let starts = encoder.encode(keys, &mut Peaks::new(), &records, &frames, &Alone, &mut bytes);
    let starts = starts.unwrap_or_default();
    for &at in &starts {
        frame_header::stamp(&mut bytes[at..], &FRAME_KEY, Position::default(), at as u64);
    }
    (bytes, starts)
}

fn input<'a>(records: &'a [varve_core::hash::RecordRef<'a>]) -> FrameInput<'a> {
    FrameInput { flags: FrameFlags::default(), records }
}

/// Hashing, columns, compressing, sealing, checksums: all of stage 1 but its queue and its copy.
#[divan::bench(args = [NONE, LZ4])]
fn make_frames(bencher: Bencher<'_, '_>, id: u8) {
    let keys = Keys::new(&[1; 32], None);
    let events = events(BATCH);
    let records = records(&events);
    let frames: Vec<_> = records.chunks(PER_FRAME).map(input).collect();
    let encoder = FrameEncoder::new(codec(id));
    let (mut peaks, mut bytes) = (Peaks::new(), Vec::new());
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        bytes.clear();
        encoder.encode(&keys, &mut peaks, black_box(&records), &frames, &Alone, &mut bytes).map(|starts| starts.len())
    });
}

/// The header's check of each frame.
#[divan::bench]
fn parse_headers(bencher: Bencher<'_, '_>) {
    read(bencher, LZ4, |_, _| Some(0));
}

/// The same, and the checksum of each body.
#[divan::bench(args = [NONE, LZ4])]
fn check_bodies(bencher: Bencher<'_, '_>, id: u8) {
    read(bencher, id, |header, bytes| stored_body(header, bytes).ok().map(<[u8]>::len));
}

/// The same, decompressed and cut into records: what a scan does before it hands them over.
#[divan::bench(args = [NONE, LZ4])]
fn scan_records(bencher: Bencher<'_, '_>, id: u8) {
    let (mut raw, mut columns) = (Vec::new(), Columns::default());
    read(bencher, id, |header, bytes| {
        let stored = stored_body(header, bytes).ok()?;
        let body = decode(header, raw_body(header, stored, &mut raw).ok()?, &mut columns).ok()?;
        Some(body.records().map(|record| record.payload.len() + record.time as usize).sum())
    });
}

/// The same with every leaf and node hashed again: what `verify` does to a frame.
#[divan::bench(args = [NONE, LZ4])]
fn rehash_frames(bencher: Bencher<'_, '_>, id: u8) {
    let keys = Keys::new(&[1; 32], None);
    let mut rehasher = Rehasher::default();
    read(bencher, id, |header, bytes| {
        let stored = stored_body(header, bytes).ok()?;
        rehasher.frame(&keys, header, stored).ok().map(|_| stored.len())
    });
}

fn read(bencher: Bencher<'_, '_>, id: u8, mut work: impl FnMut(&FrameHeader, &[u8]) -> Option<usize>) {
    let (bytes, starts) = frames(&Keys::new(&[1; 32], None), id);
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        let mut sum = 0;
        for &at in &starts {
            let header = FrameHeader::parse(&bytes[at..at + FRAME_HEADER_LEN], &FRAME_KEY, at as u64);
            let done = header.and_then(|header| work(&header, black_box(&bytes[at..at + header.frame_len() as usize])));
            assert!(done.is_some(), "the frame at {at} must hold");
            sum += done.unwrap_or(0);
        }
        sum
    });
}
