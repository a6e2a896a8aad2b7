//! `read`, `get`, `offsetAt` and `follow`, on engine threads.

use napi::Env;
use napi::bindgen_prelude::Float64Array;
use napi_derive::napi;
use varve_core::error::{Error, Result};
use varve_core::host::Class;
use varve_core::reader::{ReadRequest, Records};

use crate::environment::Environment;
use crate::events::{Answer, Chunk};
use crate::numbers::integer;
use crate::requests::Reply;

/// Payload bytes after which the answer to many lookups ends.
const FOUND_BYTES_MAX: u64 = 1 << 20;

/// As in lib/native.ts.
#[napi(object, object_to_js = false)]
pub struct NativeReadRequest {
    /// Inclusive.
    pub from: f64,
    /// Exclusive.
    pub to: f64,
    /// Bytes aimed at; the engine has a limit of its own.
    pub max_bytes: f64,
    /// Most records.
    pub max_records: f64,
    /// The run that ends at `to`.
    pub reverse: bool,
    /// Recompute hashes.
    pub verify: bool,
    /// Payloads as texts, where every byte is a character.
    pub text: bool,
    /// Where the whole read ends (with `reverse`: starts).
    pub beyond: f64,
}

/// Reads a run of records; answered with `NativeChunk`.
#[napi(catch_unwind)]
pub fn read(env: Env, request: i64, log: u32, options: NativeReadRequest) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    let text = options.text;
    match environment.logs.get(log).and_then(|log| Ok((log, parse(&options)?))) {
        Ok((log, (range, beyond))) => reply.work(Class::Read, move |_| {
            let records = log.read(&range)?;
            let rest = if range.reverse { beyond..records.to } else { records.from..beyond };
            let bounds = log.run_bounds(rest, range.max_bytes, range.reverse);
            let texts = if text { records.texts() } else { None };
            Ok(Answer::Chunk(Chunk { texts, ..chunk(records, bounds) }))
        }),
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

fn parse(options: &NativeReadRequest) -> Result<(ReadRequest, u64)> {
    let request = ReadRequest {
        from: integer("from", options.from)?,
        to: integer("to", options.to)?,
        max_bytes: integer("maxBytes", options.max_bytes)?,
        max_records: integer("maxRecords", options.max_records)?,
        reverse: options.reverse,
        verify: options.verify,
    };
    Ok((request, integer("beyond", options.beyond)?))
}

/// Lays times and ends out for JS here, so that the event loop only copies.
fn chunk(records: Records, bounds: Vec<u64>) -> Chunk {
    let count = records.len();
    let mut table = Vec::with_capacity(count * 12);
    for &time in &records.times {
        table.extend_from_slice(&(time as f64).to_le_bytes());
    }
    for end in &records.ends {
        table.extend_from_slice(&end.to_le_bytes());
    }
    let Records { offset, payloads, from, to, .. } = records;
    Chunk { offset, count, table, payloads, texts: None, from, to, bounds }
}

/// Answered with the durable head once it is above `size`: for a log open for reading, whose writer is elsewhere.
#[napi(catch_unwind)]
pub fn follow(env: Env, request: i64, log: u32, size: f64) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    match environment.logs.get(log).and_then(|log| Ok((log, integer("size", size)?))) {
        Ok((log, size)) => {
            let cancel = reply.cancel().clone();
            let done = |outcome: Result<_>| reply.send(outcome.map(Answer::Head));
            log.follow(size, Box::new(move || cancel.is_set()), Box::new(done));
        }
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

/// Looks up the records at `offsets`; answered with `NativeChunk`, whose records are in that order. Perhaps not all of
/// them; what is no record has no time (NaN).
#[napi(catch_unwind)]
pub fn get(env: Env, request: i64, log: u32, offsets: Float64Array) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    let parsed = offsets.iter().map(|&offset| integer("offset", offset)).collect::<Result<Vec<u64>>>();
    match environment.logs.get(log).and_then(|log| Ok((log, parsed?))) {
        Ok((log, offsets)) => reply.work(Class::Read, move |_| {
            let found = log.lookup(&offsets, FOUND_BYTES_MAX)?;
            let mut chunk = chunk(found.records, Vec::new());
            let times = chunk.table.as_chunks_mut::<8>().0;
            for (time, _) in times.iter_mut().zip(found.present).filter(|(_, present)| !present) {
                *time = f64::NAN.to_le_bytes();
            }
            Ok(Answer::Chunk(chunk))
        }),
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

/// Offset of the first record with a time of at least `ms`.
#[napi(catch_unwind)]
pub fn offset_at(env: Env, request: i64, log: u32, ms: f64) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    match environment.logs.get(log).and_then(|log| Ok((log, time(ms)?))) {
        Ok((log, ms)) => reply.work(Class::Read, move |_| log.offset_at(ms).map(Answer::Offset)),
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

/// Times are whole milliseconds since 1970, so any number has a least time that is not below it.
fn time(ms: f64) -> Result<u64> {
    if ms.is_nan() {
        return Err(Error::Invalid("the time must be a number, got NaN".to_owned()));
    }
    Ok(ms.ceil().max(0.0) as u64)
}
