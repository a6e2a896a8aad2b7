//! kimberlite-storage 0.9.1, the crate that the idea of two stages comes from: `append_batch_pipelined` with fsync, called
//! from Rust as its tests do, compression off (its default).

use bytes::Bytes;
use kimberlite_storage::{AppendPipeline, Storage};
use kimberlite_types::{Offset, StreamId};

use crate::Outcome;
use crate::arguments::{Arguments, EVENT_BYTES};
use crate::report::{Report, timed};

/// `dir` (new), `events`, `size` of a batch, `batches`: records a second.
pub fn run(arguments: &Arguments) -> Outcome<Report> {
    let dir = arguments.path("dir")?;
    let size: usize = arguments.number("size")?;
    let batches: usize = arguments.number("batches")?;
    let all = Bytes::from(arguments.events()?);
    let events: Vec<Bytes> = all.chunks(EVENT_BYTES).map(|event| all.slice_ref(event)).collect();
    let batch = |number: usize| -> Vec<Bytes> {
        (0..size).map(|index| events[(number * size + index) % events.len()].clone()).collect()
    };
    let batches: Vec<_> = (0..batches).map(batch).collect();

    let mut storage = Storage::new(dir);
    let mut pipeline = AppendPipeline::new(size * EVENT_BYTES * 2);
    let stream = StreamId::new(1);
    let (mut offset, mut hash) = (Offset::new(0), None);
    let mut append = |batch: &[Bytes]| -> Outcome<()> {
        let (next, last) = storage.append_batch_pipelined(stream, batch, offset, hash, true, &mut pipeline)?;
        (offset, hash) = (next, Some(last));
        Ok(())
    };
    append(&batch(0))?; // makes the folder, and warms up
    let (outcome, time, cpu) = timed(|| batches.iter().try_for_each(|batch| append(batch)));
    outcome?;
    let records = (batches.len() * size) as u64;
    Ok(Report::new(records as f64 / time.as_secs_f64(), records, cpu))
}
