//! Cost a record of stage 1's parts: hashing, body columns, LZ4. `cargo bench -p varve-core --bench hash`. Whole frames:
//! frames.rs.
//!
//! Every figure is for one batch or frame; divan's item rate gives records a second (1,000 / rate in M = ns a record).

use divan::counter::ItemsCount;
use divan::{Bencher, black_box};
use varve_core::compress::{Scratch, by_id};
use varve_core::hash::{Hash, Keys, LeafHasher, Peaks, RecordRef, Subtrees, frame_seal};
use varve_core::record::{Columns, decode, encode};

mod events;

use events::{events, payloads, records};

const BATCH: usize = 4096;
const BODY_MAX: usize = 16 << 10;

fn main() {
    divan::main();
}

/// Records a frame with at most 16 KiB of body.
fn per_frame(records: &[RecordRef<'_>]) -> usize {
    let bytes: usize = records.iter().map(|record| record.payload.len() + 3).sum();
    (BODY_MAX * records.len() / bytes).max(1)
}

/// P, leaf and fold, in frames of 16 KiB as the writer does it; no heads, no seals.
#[divan::bench(args = [16, 64, 256, 300, 1000])]
fn leaves_and_fold(bencher: Bencher<'_, '_>, len: usize) {
    hash_batch(bencher, &payloads(len, BATCH), false);
}

/// The same for events.
#[divan::bench]
fn leaves_and_fold_of_events(bencher: Bencher<'_, '_>) {
    hash_batch(bencher, &events(BATCH), false);
}

/// The same with the head and seal of each frame.
#[divan::bench(args = [16, 64, 256, 300, 1000])]
fn leaves_fold_heads_and_seals(bencher: Bencher<'_, '_>, len: usize) {
    hash_batch(bencher, &payloads(len, BATCH), true);
}

/// The leaves alone.
#[divan::bench(args = [16, 64, 256, 300, 1000, 1100, 2048, 4096, 8192, 16384])]
fn leaves(bencher: Bencher<'_, '_>, len: usize) {
    let payloads = payloads(len, BATCH);
    let records = records(&payloads);
    let keys = Keys::new(&[1; 32], None);
    let (mut hasher, mut leaves) = (LeafHasher::new(), Vec::new());
    bencher.counter(ItemsCount::new(BATCH)).bench_local(|| {
        leaves.clear();
        hasher.leaves(&keys, 5, black_box(&records), &mut leaves);
    });
}

fn hash_batch(bencher: Bencher<'_, '_>, payloads: &[Vec<u8>], seal: bool) {
    let records = records(payloads);
    let frame = per_frame(&records);
    let keys = Keys::new(&[1; 32], None);
    let (mut hasher, mut leaves, mut nodes): (_, Vec<Hash>, Vec<Hash>) = (LeafHasher::new(), Vec::new(), Vec::new());
    let (mut peaks, mut subtrees) = (Peaks::new(), Subtrees::new());
    peaks.extend(&keys, &[[1; 32]; 12_345], &mut nodes);
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        leaves.clear();
        hasher.leaves(&keys, peaks.size(), black_box(&records), &mut leaves);
        subtrees.build(&keys, peaks.size(), &leaves);
        for leaves in leaves.chunks(frame) {
            nodes.clear();
            let a = peaks.size();
            peaks.advance(&keys, &subtrees, leaves.len() as u64, &mut nodes);
            if seal {
                let head = peaks.head(&keys);
                black_box(frame_seal(&keys, 0, 0, a, peaks.size(), &head, &nodes));
            }
        }
    });
}

/// What a single append costs: leaf, fold, head, seal.
#[divan::bench(args = [16, 300])]
fn lone_append(bencher: Bencher<'_, '_>, len: usize) {
    hash_batch(bencher, &payloads(len, 1), true);
}

fn frame_of_events() -> Vec<Vec<u8>> {
    let mut events = events(200);
    let mut bytes = 0;
    events.retain(|event| {
        bytes += event.len() + 3;
        bytes <= BODY_MAX
    });
    events
}

#[divan::bench]
fn body_encode(bencher: Bencher<'_, '_>) {
    let events = frame_of_events();
    let records = records(&events);
    let mut body = Vec::new();
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        body.clear();
        let _ = encode(records[0].time, black_box(&records), &mut body);
    });
}

#[divan::bench]
fn body_decode(bencher: Bencher<'_, '_>) {
    let events = frame_of_events();
    let records = records(&events);
    let (mut body, mut columns) = (Vec::new(), Columns::default());
    let _ = encode(records[0].time, &records, &mut body);
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        let body = decode(records[0].time, records.len() as u32, black_box(&body), &mut columns);
        body.map_or(0, |body| body.records().map(|record| record.payload.len() + record.time as usize).sum())
    });
}

#[divan::bench]
fn lz4_compress(bencher: Bencher<'_, '_>) {
    let events = frame_of_events();
    let records = records(&events);
    let (mut raw, mut stored, mut scratch) = (Vec::new(), Vec::new(), Scratch::default());
    let _ = encode(records[0].time, &records, &mut raw);
    let Some(lz4) = by_id(1) else { return };
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        stored.clear();
        lz4.compress(black_box(&raw), &mut stored, &mut scratch)
    });
    eprintln!("LZ4: {} records, {} to {} bytes", records.len(), raw.len(), stored.len());
}

#[divan::bench]
fn lz4_decompress(bencher: Bencher<'_, '_>) {
    let events = frame_of_events();
    let records = records(&events);
    let (mut raw, mut stored) = (Vec::new(), Vec::new());
    let _ = encode(records[0].time, &records, &mut raw);
    let Some(lz4) = by_id(1) else { return };
    lz4.compress(&raw, &mut stored, &mut Scratch::default());
    let mut back = Vec::new();
    bencher.counter(ItemsCount::new(records.len())).bench_local(|| {
        back.clear();
        lz4.decompress(black_box(&stored), raw.len(), &mut back)
    });
}
