//! What verifying, inspecting and salvaging found, as the objects of lib/reports.ts. Runs on the JS thread, in `drain`.

use napi::bindgen_prelude::{JsObjectValue, Object};
use napi::{Env, Result};
use varve_core::error::{HeadClaim, hex};
use varve_core::inspect::{Info, SegmentInfo};
use varve_core::recovery::Plan;
use varve_core::repair::Cut;
use varve_core::salvage::{self, LeftOut, Run};
use varve_core::verify::{Problem, Report};

use crate::errors::{set_number, set_text};
use crate::numbers::number;

/// A `VerifyReport`.
pub fn report<'env>(env: &'env Env, report: &Report) -> Result<Object<'env>> {
    let problems: Vec<_> = report.problems.iter().map(|problem| self::problem(env, problem)).collect::<Result<_>>()?;
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"ok", report.ok)?;
    object.set_c_named_property(c"records", number(report.records))?;
    object.set_c_named_property(c"bytes", number(report.bytes))?;
    object.set_c_named_property(c"established", report.established.as_str())?;
    object.set_c_named_property(c"head", head(env, &report.head)?)?;
    object.set_c_named_property(c"problems", problems)?;
    Ok(object)
}

fn problem<'env>(env: &'env Env, problem: &Problem) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"code", problem.code)?;
    object.set_c_named_property(c"message", problem.message.as_str())?;
    set_text(&mut object, c"segment", problem.segment.as_deref())?;
    set_number(&mut object, c"position", problem.position)?;
    set_number(&mut object, c"offset", problem.offset)?;
    set_text(&mut object, c"expected", problem.expected.as_deref())?;
    set_text(&mut object, c"found", problem.found.as_deref())?;
    Ok(object)
}

/// A `LogInfo`.
pub fn info<'env>(env: &'env Env, info: &Info) -> Result<Object<'env>> {
    let segments: Vec<_> = info.segments.iter().map(|segment| self::segment(env, segment)).collect::<Result<_>>()?;
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"head", head(env, &info.head)?)?;
    object.set_c_named_property(c"firstOffset", number(info.first_offset))?;
    object.set_c_named_property(c"encoding", info.encoding.as_str())?;
    object.set_c_named_property(c"keyed", info.keyed)?;
    if let Some(holder) = &info.locked_by {
        let mut locked_by = Object::new(env)?;
        locked_by.set_c_named_property(c"pid", holder.pid)?;
        locked_by.set_c_named_property(c"host", holder.host.as_str())?;
        object.set_c_named_property(c"lockedBy", locked_by)?;
    }
    object.set_c_named_property(c"segments", segments)?;
    Ok(object)
}

fn segment<'env>(env: &'env Env, segment: &SegmentInfo) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"file", segment.file.as_str())?;
    object.set_c_named_property(c"firstOffset", number(segment.first_offset))?;
    object.set_c_named_property(c"count", number(segment.count))?;
    object.set_c_named_property(c"bytes", number(segment.bytes))?;
    object.set_c_named_property(c"frameBytes", number(segment.frame_bytes))?;
    object.set_c_named_property(c"sealed", segment.sealed)?;
    Ok(object)
}

fn head<'env>(env: &'env Env, head: &HeadClaim) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"id", hex(&head.id))?;
    object.set_c_named_property(c"size", number(head.size))?;
    object.set_c_named_property(c"hash", hex(&head.hash))?;
    Ok(object)
}

/// A `Recovery`.
pub fn cut<'env>(env: &'env Env, cut: &Cut) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"segment", cut.segment.as_str())?;
    object.set_c_named_property(c"position", number(cut.position))?;
    object.set_c_named_property(c"cutBytes", number(cut.bytes))?;
    object.set_c_named_property(c"savedAs", cut.saved_as.as_str())?;
    Ok(object)
}

/// A `RecoveryPlan`.
pub fn plan<'env>(env: &'env Env, plan: &Plan) -> Result<Object<'env>> {
    let cuts: Vec<_> = plan.cuts.iter().map(|cut| self::cut(env, cut)).collect::<Result<_>>()?;
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"head", head(env, &plan.head)?)?;
    object.set_c_named_property(c"cuts", cuts)?;
    set_text(&mut object, c"seals", plan.seals.as_deref())?;
    Ok(object)
}

/// A `SalvageReport`.
pub fn salvaged<'env>(env: &'env Env, report: &salvage::Report) -> Result<Object<'env>> {
    let runs: Vec<_> = report.runs.iter().map(|run| self::run(env, run)).collect::<Result<_>>()?;
    let left_out: Vec<_> = report.left_out.iter().map(|left| self::left_out(env, left)).collect::<Result<_>>()?;
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"head", head(env, &report.head)?)?;
    object.set_c_named_property(c"sourceId", hex(&report.source_id))?;
    object.set_c_named_property(c"encoding", report.encoding.as_str())?;
    object.set_c_named_property(c"records", number(report.records))?;
    object.set_c_named_property(c"payloadBytes", number(report.payload_bytes))?;
    object.set_c_named_property(c"recordsLeftOut", number(report.records_left_out))?;
    object.set_c_named_property(c"runs", runs)?;
    object.set_c_named_property(c"leftOut", left_out)?;
    Ok(object)
}

fn run<'env>(env: &'env Env, run: &Run) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"from", number(run.from))?;
    object.set_c_named_property(c"to", number(run.to))?;
    object.set_c_named_property(c"at", number(run.at))?;
    Ok(object)
}

fn left_out<'env>(env: &'env Env, left: &LeftOut) -> Result<Object<'env>> {
    let mut object = Object::new(env)?;
    object.set_c_named_property(c"from", number(left.from))?;
    set_number(&mut object, c"to", left.to)?;
    set_text(&mut object, c"segment", left.segment.as_deref())?;
    set_number(&mut object, c"position", left.position)?;
    object.set_c_named_property(c"why", left.why.as_str())?;
    Ok(object)
}
