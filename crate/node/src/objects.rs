//! Events as JS objects. Runs on the JS thread, in `drain`.

use std::ops::Range;
use std::sync::Arc;

use napi::bindgen_prelude::{JsObjectValue, Object, Unknown};
use napi::{Env, Result};
use varve_core::error::{Error, hex};
use varve_core::log::Log;
use varve_core::writer::Head;

use crate::environment::Environment;
use crate::errors;
use crate::events::{Answer, Chunk, Event, Outcome};
use crate::numbers::number;
use crate::raw;
use crate::reports;

/// An event as `NativeEvent`.
pub fn event<'env>(env: &'env Env, environment: &Arc<Environment>, event: Event) -> Result<Object<'env>> {
    match event {
        Event::Failed { log, error } => {
            let mut object = Object::new(env)?;
            object.set_c_named_property(c"type", "failed")?;
            object.set_c_named_property(c"log", log)?;
            object.set_c_named_property(c"error", errors::object(env, &error)?)?;
            Ok(object)
        }
        Event::Progress { request, bytes, total_bytes } => {
            let mut object = Object::new(env)?;
            object.set_c_named_property(c"type", "progress")?;
            object.set_c_named_property(c"request", request)?;
            object.set_c_named_property(c"bytes", number(bytes))?;
            object.set_c_named_property(c"totalBytes", number(total_bytes))?;
            Ok(object)
        }
        Event::Done { request, outcome } => {
            let cancelled = environment.requests.finish(request);
            let outcome = if cancelled { discard(environment, outcome) } else { outcome };
            // An answer that JS has no memory for is an error of that request alone.
            done(env, environment, request, outcome)
                .or_else(|error| done(env, environment, request, Err(Error::Internal(error.to_string()))))
        }
    }
}

/// Nobody waits for the answer any more: a log that was opened all the same is closed.
fn discard(environment: &Arc<Environment>, outcome: Outcome) -> Outcome {
    if let Ok(Answer::Opened(handle)) = outcome {
        environment.logs.close(handle, |_| {});
    }
    Err(Error::Aborted)
}

fn done<'env>(env: &'env Env, environment: &Environment, request: i64, outcome: Outcome) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"type", "done")?;
    object.set_c_named_property(c"request", request)?;
    match outcome {
        Err(error) => object.set_c_named_property(c"error", errors::object(env, &error)?)?,
        Ok(Answer::Nothing) => {}
        Ok(Answer::Opened(handle)) => match environment.logs.get(handle) {
            Ok(log) => object.set_c_named_property(c"value", opened(env, handle, &log)?)?,
            Err(error) => object.set_c_named_property(c"error", errors::object(env, &error)?)?,
        },
        Ok(Answer::Head(head)) => object.set_c_named_property(c"value", head_object(env, head)?)?,
        Ok(Answer::Offset(offset)) => object.set_c_named_property(c"value", number(offset))?,
        Ok(Answer::Chunk(records)) => object.set_c_named_property(c"value", chunk(env, &records)?)?,
        Ok(Answer::Report(report)) => object.set_c_named_property(c"value", reports::report(env, &report)?)?,
        Ok(Answer::Info(info)) => object.set_c_named_property(c"value", reports::info(env, &info)?)?,
        Ok(Answer::Plan(plan)) => object.set_c_named_property(c"value", reports::plan(env, &plan)?)?,
        Ok(Answer::Salvaged(report)) => object.set_c_named_property(c"value", reports::salvaged(env, &report)?)?,
    }
    Ok(object)
}

fn opened<'env>(env: &'env Env, handle: u32, log: &Log) -> Result<Object<'env>> {
    let Head { size, hash } = log.head();
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"log", handle)?;
    object.set_c_named_property(c"location", log.location().to_string_lossy().as_ref())?;
    object.set_c_named_property(c"id", hex(log.id()))?;
    object.set_c_named_property(c"size", number(size))?;
    object.set_c_named_property(c"hash", raw::buffer(env, &[&hash])?)?;
    object.set_c_named_property(c"firstOffset", number(log.first_offset()))?;
    object.set_c_named_property(c"encoding", log.encoding())?;
    if let Some(cut) = log.cut() {
        object.set_c_named_property(c"recovery", reports::cut(env, cut)?)?;
    }
    Ok(object)
}

fn head_object<'env>(env: &'env Env, head: Head) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"size", number(head.size))?;
    object.set_c_named_property(c"hash", raw::buffer(env, &[&head.hash])?)?;
    Ok(object)
}

fn chunk<'env>(env: &'env Env, records: &Chunk) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"offset", number(records.offset))?;
    object.set_c_named_property(c"count", number(records.count as u64))?;
    match &records.texts {
        None => object.set_c_named_property(c"buffer", raw::buffer(env, &[&records.table, &records.payloads])?)?,
        Some(texts) => {
            object.set_c_named_property(c"buffer", raw::buffer(env, &[&records.table])?)?;
            object.set_c_named_property(c"texts", strings(env, &records.payloads, texts)?)?;
        }
    }
    object.set_c_named_property(c"from", number(records.from))?;
    object.set_c_named_property(c"to", number(records.to))?;
    let bounds: Vec<f64> = records.bounds.iter().map(|&bound| number(bound)).collect();
    object.set_c_named_property(c"bounds", bounds)?;
    Ok(object)
}

/// Straight into JavaScript's heap, whose memory was used before: a buffer of a run comes in fresh pages. With it and with
/// the engine's own memory used again, every value of a log of JSON takes 0.9 of the time.
fn strings<'env>(env: &'env Env, payloads: &[u8], texts: &[Range<usize>]) -> Result<Vec<Unknown<'env>>> {
    texts.iter().map(|text| raw::latin1(env, payloads.get(text.clone()).unwrap_or_default())).collect()
}
