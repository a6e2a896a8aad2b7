//! The calls on an open log, except reading and checking.

use std::time::Duration;

use napi::Env;
use napi::bindgen_prelude::{Either, Object, Undefined};
use napi_derive::napi;
use varve_core::error::{Error, Result};
use varve_core::host::Class;
use varve_core::stats::{Bucket, Distribution, Stats};
use varve_core::wait::wait;

use crate::environment::Environment;
use crate::errors;
use crate::events::Answer;
use crate::numbers::number;
use crate::requests::Reply;

/// An error, or `undefined`.
type Refusal<'env> = Either<Object<'env>, Undefined>;

/// Takes records in; the slices are copied before it returns.
#[napi(catch_unwind)]
pub fn submit<'env>(
    env: &'env Env,
    log: u32,
    payloads: &[u8],
    lengths: &[u32],
    batches: &[u32],
) -> napi::Result<Refusal<'env>> {
    let outcome = Environment::with(env, |environment| {
        environment.logs.get(log).and_then(|log| log.submit(payloads, lengths, batches))
    })?;
    refusal(env, outcome)
}

/// Answered with the head after a sync of everything submitted before.
#[napi(catch_unwind)]
pub fn flush(env: Env, request: i64, log: u32) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    match environment.logs.get(log) {
        Ok(log) => log.flush(Box::new(|outcome| reply.send(outcome.map(Answer::Head)))),
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

/// Blocks until everything submitted is on the device.
#[napi(catch_unwind)]
pub fn flush_sync(env: &Env, log: u32, timeout_ms: f64) -> napi::Result<Refusal<'_>> {
    let outcome = Environment::with(env, |environment| flush_and_wait(environment, log, timeout(timeout_ms)))?;
    refusal(env, outcome)
}

fn flush_and_wait(environment: &Environment, log: u32, timeout: Duration) -> Result<()> {
    let log = environment.logs.get(log)?;
    match wait(timeout, |done| log.flush(done)) {
        Some(outcome) => outcome.map(|_| ()),
        None => Err(Error::io("fdatasync", log.location(), std::io::ErrorKind::TimedOut.into())),
    }
}

/// Flushes and closes; the handle is dead at once.
#[napi(catch_unwind)]
pub fn close(env: Env, request: i64, log: u32) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    environment.logs.close(log, move |outcome| reply.send(outcome.map(|()| Answer::Nothing)));
    Ok(())
}

/// For process exit: flushes and closes every log of this environment, blocking.
#[napi(catch_unwind)]
pub fn close_all_sync(env: Env, timeout_ms: f64) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    // Long reads would hold threads that closing needs; nobody will see their answers.
    environment.requests.cancel_all();
    environment.logs.close_all(timeout(timeout_ms));
    Ok(())
}

/// Answered with the durable head; a log open for reading looks at the live mark first.
#[napi(catch_unwind)]
pub fn refresh(env: Env, request: i64, log: u32) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    match environment.logs.get(log) {
        // The engine has it at hand.
        Ok(log) if log.shared().writer().is_some() => reply.send(Ok(Answer::Head(log.head()))),
        Ok(log) => reply.work(Class::Read, move |_| log.refresh().map(Answer::Head)),
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

/// Asks a running request to stop.
#[napi(catch_unwind)]
pub fn cancel(env: Env, request: i64) -> napi::Result<()> {
    Environment::with(&env, |environment| environment.requests.cancel(request))
}

/// As in lib/native.ts.
#[napi(object, object_from_js = false)]
pub struct NativeDistribution {
    /// How many values.
    pub count: f64,
    /// All together.
    pub sum: f64,
    /// Median.
    pub p50: f64,
    /// 99th percentile.
    pub p99: f64,
    /// Largest.
    pub max: f64,
    /// Upper bounds of the buckets, inclusive.
    pub bounds: Vec<f64>,
    /// Values up to each bound. Two arrays of numbers: an object for each bucket took 40 µs in all.
    pub counts: Vec<f64>,
}

impl From<Distribution> for NativeDistribution {
    fn from(Distribution { count, sum, p50, p99, max, buckets }: Distribution) -> Self {
        let pair = |Bucket { at_most, count }| (number(at_most), number(count));
        let (bounds, counts) = buckets.into_iter().map(pair).unzip();
        let [count, sum, p50, p99, max] = [count, sum, p50, p99, max].map(number);
        Self { count, sum, p50, p99, max, bounds, counts }
    }
}

/// As in lib/native.ts.
#[napi(object, object_from_js = false)]
pub struct NativeStats {
    /// Records written.
    pub records: f64,
    /// Groups written.
    pub groups: f64,
    /// Payload bytes.
    pub payload_bytes: f64,
    /// Bytes of frames.
    pub stored_bytes: f64,
    /// Records in each group.
    pub group_records: NativeDistribution,
    /// How long syncs took, microseconds.
    pub sync_micros: NativeDistribution,
}

/// Counters since the log was opened; all zero for a log that is closed.
#[napi(catch_unwind)]
pub fn stats(env: Env, log: u32) -> napi::Result<NativeStats> {
    let found = Environment::with(&env, |environment| environment.logs.get(log))?;
    let stats = found.map_or_else(|_| Stats::default(), |log| log.stats());
    Ok(NativeStats {
        records: number(stats.records),
        groups: number(stats.groups()),
        payload_bytes: number(stats.payload_bytes),
        stored_bytes: number(stats.stored_bytes),
        group_records: stats.group_records.into(),
        sync_micros: stats.sync_micros.into(),
    })
}

fn refusal(env: &Env, outcome: Result<()>) -> napi::Result<Refusal<'_>> {
    match outcome {
        Ok(()) => Ok(Either::B(())),
        Err(error) => errors::object(env, &error).map(Either::A),
    }
}

/// Milliseconds; what is no number of them is no time at all.
fn timeout(ms: f64) -> Duration {
    Duration::from_millis(ms as u64)
}
