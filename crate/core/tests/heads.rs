//! The head depends on the records only: not on batches, frames, codec, segments, restarts or syncs.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use proptest::prelude::*;
use support::{CountingEntropy, close, flush, open_with, real_host};
use varve_core::disk::memory::MemoryDisk;
use varve_core::host::{Clock, Host};
use varve_core::options::{Compression, Durability, Options};

#[derive(Default)]
struct SetClock(AtomicU64);

impl Clock for SetClock {
    fn now_ms(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

/// Records in runs that have one time each: time is stamped on what is submitted together.
type Runs = Vec<Vec<Vec<u8>>>;

/// How the same records are brought in.
#[derive(Debug, Clone)]
struct Manner {
    /// Sizes of the batches, taken in a circle.
    batches: Vec<usize>,
    /// Restart after so many batches.
    restart_every: usize,
    compression: Compression,
    durability: Durability,
    segment_bytes: u64,
}

fn manner() -> impl Strategy<Value = Manner> {
    let batches = prop::collection::vec(1usize..40, 1..6);
    let compression = prop_oneof![Just(Compression::None), Just(Compression::Lz4)];
    let durability = prop_oneof![Just(Durability::Disk), Just(Durability::Os)];
    let segment_bytes = prop_oneof![Just(64u64 << 10), Just(256 << 10), Just(256 << 20)];
    (batches, 1usize..60, compression, durability, segment_bytes).prop_map(
        |(batches, restart_every, compression, durability, segment_bytes)| Manner {
            batches,
            restart_every,
            compression,
            durability,
            segment_bytes,
        },
    )
}

fn runs() -> impl Strategy<Value = Runs> {
    let payload = prop_oneof![
        8 => prop::collection::vec(any::<u8>(), 0..400),
        1 => (0usize..30_000).prop_map(|len| vec![7; len]),
    ];
    prop::collection::vec(prop::collection::vec(payload, 1..80), 1..5)
}

/// Every head by size that the log was seen to have, and the last one.
fn heads(runs: &Runs, manner: &Manner) -> (u64, [u8; 32]) {
    let clock = Arc::new(SetClock::default());
    let disk = Arc::new(MemoryDisk::new());
    let entropy = Arc::new(CountingEntropy::default());
    let host = || Host { disk: disk.clone(), clock: clock.clone(), entropy: entropy.clone(), ..real_host() };
    let options = Options {
        compression: manner.compression,
        durability: manner.durability,
        segment_bytes: manner.segment_bytes,
        ..Options::default()
    };
    let open = || open_with(host(), Path::new("/log"), options.clone());
    let mut log = open();
    let mut sizes = manner.batches.iter().cycle();
    let mut batches = 0;
    for (number, run) in runs.iter().enumerate() {
        clock.0.store(1_000 + number as u64 * 10, Ordering::Relaxed);
        let mut rest = &run[..];
        while !rest.is_empty() {
            let (batch, after) = rest.split_at((*sizes.next().unwrap()).min(rest.len()));
            let lengths: Vec<u32> = batch.iter().map(|payload| payload.len() as u32).collect();
            log.submit(&batch.concat(), &lengths, &[batch.len() as u32]).unwrap();
            rest = after;
            batches += 1;
            if batches % manner.restart_every == 0 {
                close(&log).unwrap();
                log = open();
            }
        }
    }
    let head = flush(&log).unwrap();
    close(&log).unwrap();
    (head.size, head.hash)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 60, ..ProptestConfig::default() })]

    #[test]
    fn the_same_records_have_the_same_head(runs in runs(), one in manner(), other in manner()) {
        let (one, other) = (heads(&runs, &one), heads(&runs, &other));
        prop_assert_eq!(one.0, runs.iter().map(Vec::len).sum::<usize>() as u64);
        prop_assert_eq!(one, other);
    }
}
