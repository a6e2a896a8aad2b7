//! `verify`, `verifyDir`, `inspect`, `planRecovery` and `salvage`, on engine threads.

use std::path::PathBuf;

use napi::Env;
use napi::bindgen_prelude::Uint8Array;
use napi_derive::napi;
use varve_core::error::Result;
use varve_core::host::Class;
use varve_core::inspect;
use varve_core::options::Options;
use varve_core::recovery;
use varve_core::salvage;
use varve_core::verify::{self, Report, VerifyOptions};

use crate::environment::Environment;
use crate::events::{Answer, Event};
use crate::numbers::integer;
use crate::opening::{NativeHead, head_claim};
use crate::requests::Reply;

/// As in lib/native.ts.
#[napi(object, object_to_js = false)]
pub struct NativeVerifyOptions {
    /// First offset of interest.
    pub from: Option<f64>,
    /// What the log must contain.
    pub expect_head: Option<NativeHead>,
    /// For a folder: the log's secret.
    pub secret: Option<Uint8Array>,
    /// Whether to send progress events.
    pub progress: bool,
}

/// Verifies an open log; answered with a `VerifyReport`.
#[napi(catch_unwind)]
pub fn verify(env: Env, request: i64, log: u32, options: NativeVerifyOptions) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    let progress = options.progress;
    match environment.logs.get(log).and_then(|log| Ok((log, parse(options)?))) {
        Ok((log, options)) => {
            reply.work_in_turn(move |reply| report(reply, progress, |tell| log.verify(&options, tell)));
        }
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

/// Verifies the log in a folder; answered with a `VerifyReport`.
#[napi(catch_unwind)]
pub fn verify_dir(env: Env, request: i64, dir: String, options: NativeVerifyOptions) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let reply = Reply::begin(&environment, request);
    let progress = options.progress;
    let (host, dir) = (environment.host.clone(), PathBuf::from(dir));
    match parse(options) {
        Ok(options) => reply
            .work_in_turn(move |reply| report(reply, progress, |tell| verify::verify_dir(&host, &dir, &options, tell))),
        Err(error) => reply.send(Err(error)),
    }
    Ok(())
}

/// Runs a verification that tells how far it is and stops when cancelled.
fn report(reply: &Reply, progress: bool, run: impl FnOnce(&verify::Progress<'_>) -> Result<Report>) -> Result<Answer> {
    run(&tell(reply, progress)).map(|report| Answer::Report(Box::new(report)))
}

/// Tells how far the work is, where somebody wants to know, and whether to go on.
fn tell(reply: &Reply, progress: bool) -> impl Fn(u64, u64) -> bool + Sync + '_ {
    move |bytes, total_bytes| {
        if progress {
            reply.environment().push(Event::Progress { request: reply.request(), bytes, total_bytes });
        }
        !reply.cancel().is_set()
    }
}

fn parse(given: NativeVerifyOptions) -> Result<VerifyOptions> {
    Ok(VerifyOptions {
        from: given.from.map_or(Ok(0), |from| integer("from", from))?,
        expect_head: given.expect_head.map(head_claim).transpose()?,
        secret: given.secret.map(|secret| secret.to_vec()),
    })
}

/// Describes the log in a folder; answered with a `LogInfo`.
#[napi(catch_unwind)]
pub fn inspect(env: Env, request: i64, dir: String) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let host = environment.host.clone();
    let work = move |_: &Reply| {
        let info = inspect::inspect(&host, dir.as_ref())?;
        Ok(Answer::Info(Box::new(info)))
    };
    Reply::begin(&environment, request).work(Class::Read, work);
    Ok(())
}

/// What opening the log in a folder for writing would repair; answered with a `RecoveryPlan`.
#[napi(catch_unwind)]
pub fn plan_recovery(env: Env, request: i64, dir: String, options: NativeVerifyOptions) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let host = environment.host.clone();
    let work = move |_: &Reply| {
        let VerifyOptions { expect_head, secret, .. } = parse(options)?;
        let options = Options { expect_head, secret, ..Options::default() };
        let plan = recovery::plan(&host, dir.as_ref(), &options)?;
        Ok(Answer::Plan(Box::new(plan)))
    };
    Reply::begin(&environment, request).work(Class::Read, work);
    Ok(())
}

/// Copies what is sound of the log in `dir` into a new one in `to`; answered with a `SalvageReport`.
#[napi(catch_unwind)]
pub fn salvage(env: Env, request: i64, dir: String, to: String, options: NativeVerifyOptions) -> napi::Result<()> {
    let environment = Environment::of(&env)?;
    let host = environment.host.clone();
    let progress = options.progress;
    Reply::begin(&environment, request).work_in_turn(move |reply| {
        let secret = options.secret.map(|secret| secret.to_vec());
        let tell = tell(reply, progress);
        let report = salvage::salvage(&host, dir.as_ref(), to.as_ref(), secret, &tell)?;
        Ok(Answer::Salvaged(Box::new(report)))
    });
    Ok(())
}
