//! A short history in which the machine halts at any call, and the judge of what that crash leaves: everything that was
//! acknowledged, in whole batches, and the same again after another power loss.

use std::path::Path;
use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::disk::sim::CrashChoice;
use varve_core::error::Error;
use varve_core::log::Log;
use varve_core::reader::ReadRequest;
use varve_core::simulation::SimWorld;
use varve_core::verify::{VerifyOptions, verify_dir};

use crate::decision::{Row, decide};
use crate::small::{DIR, Ear, LARGE, append, close, copy, open, options};

/// What a crash image is compared with.
pub struct Script {
    batches: Vec<Vec<Vec<u8>>>,
    acknowledged: u64,
}

/// How a script's groups are written.
#[derive(Debug, Clone, Copy)]
pub struct Writes {
    /// Groups from this size on go past the page cache.
    pub direct_bytes: u64,
    /// Others take the rest of their last block along.
    pub whole_blocks: bool,
}

/// Creates a log, appends, rotates and closes; the machine halts at call `halt`.
pub fn script(halt: Option<u64>, writes: Writes) -> (SimWorld, Script) {
    let mut options = options();
    options.tuning.direct_bytes = writes.direct_bytes;
    let world = SimWorld::new(1);
    world.disk.set_prefill_pays(writes.whole_blocks);
    if let Some(halt) = halt {
        world.disk.halt_at(halt);
    }
    let acknowledged = Arc::new(Mutex::new(0));
    let batches: Vec<Vec<Vec<u8>>> = vec![
        vec![b"one".to_vec(), vec![7; 500]],
        vec![b"two".to_vec()],
        // A torn batch of this size lies in several sectors.
        (0..9).map(|byte| vec![byte; 130]).collect(),
        vec![LARGE.to_vec()],
        vec![b"four".to_vec(), Vec::new(), vec![9; 100]],
    ];
    if let Ok(log) = Log::open(world.host(), Path::new(DIR), options, Arc::new(Ear(Arc::clone(&acknowledged)))) {
        for (number, batch) in batches.iter().enumerate() {
            append(&world, &log, &batch.iter().map(Vec::as_slice).collect::<Vec<_>>());
            if number == 1 {
                // A quiet moment.
                world.executor.run_all();
            }
        }
        close(&world, &log);
    }
    let acknowledged = *acknowledged.lock();
    (world, Script { batches, acknowledged })
}

impl Script {
    /// Opens what a crash left: everything acknowledged is there, batches are whole; and opening again changes nothing.
    pub fn judge(&self, world: &SimWorld, what: &str) -> Row {
        let twice = copy(world);
        ensure_verified(world, what);
        let row = decide(world, &options());
        let fine = matches!(row, Row::Clean | Row::TornTail | Row::TornHeader | Row::Spare | Row::SealNow);
        assert!(fine, "{what}: {row:?}");
        let first = self.compare(&copy(world), what);
        // A power loss right after recovery finds the same.
        let log = open(&twice, options()).expect("as before");
        drop(log);
        let again = self.compare(&twice.crash_with(&CrashChoice::lose_all()), what);
        assert_eq!(first, again, "{what}: recovery kept what it had not made durable");
        row
    }

    fn compare(&self, world: &SimWorld, what: &str) -> u64 {
        let log = open(world, options()).unwrap_or_else(|error| panic!("{what}: {error}"));
        let size = log.head().size;
        assert!(size >= self.acknowledged, "{what}: {size} left of {} acknowledged", self.acknowledged);
        let mut end = 0;
        let whole = std::iter::once(0).chain(self.batches.iter().map(|batch| {
            end += batch.len() as u64;
            end
        }));
        assert!(whole.into_iter().any(|end| end == size), "{what}: {size} records are no whole batches");
        let expected: Vec<&Vec<u8>> = self.batches.iter().flatten().take(size as usize).collect();
        let mut request =
            ReadRequest { from: 0, to: size, max_bytes: 1 << 20, max_records: u64::MAX, reverse: false, verify: true };
        let mut found = Vec::new();
        while request.from < size {
            let records = log.read(&request).unwrap_or_else(|error| panic!("{what}: {error}"));
            found.extend((0..records.len()).map(|at| records.payload(at).unwrap().to_vec()));
            request.from = records.from;
        }
        assert!(found.iter().eq(expected), "{what}: other records");
        size
    }
}

/// What a crash leaves is no damage: `verify` finds nothing before the log is opened again.
fn ensure_verified(world: &SimWorld, what: &str) {
    match verify_dir(&world.host(), Path::new(DIR), &VerifyOptions::default(), &|_, _| true) {
        Ok(report) => assert!(report.ok, "{what}: verify finds {:#?}", report.problems),
        Err(Error::NotFound { .. }) => {}
        Err(error) => panic!("{what}: verify fails: {error}"),
    }
}
