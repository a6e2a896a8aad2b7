//! Seeded histories of one log on a simulated disk, each compared with a model (docs/DURABILITY.md).
//!
//! `VARVE_SEED=7 cargo test --test history -- --nocapture` replays one history with every I/O call;
//! `VARVE_HISTORIES=100000` runs more of them.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod ending;
mod faults;
mod interleave;
mod model;
mod opening;
mod reference;
mod rot;
mod run;
mod scenarios;
mod stray;
#[path = "../support/mod.rs"]
mod support;
mod user;
mod verified;
mod watch;

use run::Facts;

/// How many CI runs.
const HISTORIES: u64 = 3_000;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.trim().parse().ok())
}

#[test]
fn no_history_loses_an_acknowledged_record_or_returns_a_damaged_one() {
    let watch = watch::Watch::start();
    if let Some(seed) = number("VARVE_SEED") {
        watch.seed(seed);
        let facts = run::run(seed, true).unwrap_or_else(|story| panic!("{story}\nseed {seed}"));
        println!("{facts:#?}");
        return;
    }
    let first = number("VARVE_FIRST").unwrap_or(0);
    let mut facts = Facts::default();
    for seed in first..first + number("VARVE_HISTORIES").unwrap_or(HISTORIES) {
        watch.seed(seed);
        match run::run(seed, false) {
            Ok(more) => facts.add(&more),
            Err(what) => panic!(
                "history {seed} (after {} others): {what}\nreplay: VARVE_SEED={seed} cargo test -p varve-core --test history -- --nocapture",
                seed - first
            ),
        }
    }
    println!("{facts:#?}");
}
