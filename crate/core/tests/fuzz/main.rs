//! Every fuzz target of the engine on the stable toolchain, with the memory that each input may use.
//!
//! `VARVE_FUZZ_CASES=1000000 cargo test -p varve-core --test fuzz body` goes on longer with one target;
//! `VARVE_FUZZ_SEED=7` begins elsewhere; `VARVE_FUZZ_INPUT=00ff` runs one input, as a failure prints it.
#![allow(clippy::unwrap_used, clippy::panic, missing_docs)]

mod counting;
mod regressions;
mod watch;

use std::cell::RefCell;
use std::sync::Once;
use std::time::Instant;

use proptest::collection::vec;
use proptest::prelude::*;
use proptest::test_runner::{Config, RngAlgorithm, TestCaseError, TestError, TestRng, TestRunner};
use varve_core::error::hex;
use varve_core::fuzzing::{TARGETS, Target};
use varve_core::simulation::SimEntropy;

/// Memory that a target may use for nothing: buffers of a fixed size, and for a folder what its log takes.
const MEMORY_BASE: usize = 12 << 20;

fn number(name: &str) -> Option<u64> {
    std::env::var(name).ok().and_then(|text| text.trim().parse().ok())
}

fn bytes_of(text: &str) -> Vec<u8> {
    let digits = text.trim().as_bytes().chunks(2);
    digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap()).collect()
}

fn run(target: &Target, input: &[u8]) {
    watch::begin(target.name, input);
    let peak = counting::peak(|| (target.run)(input));
    watch::end();
    let allowed = MEMORY_BASE + target.memory_factor * input.len();
    assert!(peak <= allowed, "{peak} bytes of memory for {} bytes of input", input.len());
}

thread_local! {
    /// The last panic of a thread that fuzzes: shrinking an input panics hundreds of times, and the last one counts.
    static LAST_PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

fn keep_panics_quiet() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |info| {
            LAST_PANIC.with_borrow_mut(|last| match last {
                Some(last) => *last = info.to_string(),
                None => usual(info),
            });
        }));
    });
    LAST_PANIC.set(Some(String::new()));
}

/// Runs `cases` inputs of up to `len_max` bytes.
fn fuzz(name: &str, cases: u32, len_max: usize) {
    let target = TARGETS.iter().find(|target| target.name == name).unwrap();
    // Made once, outside of what is measured.
    run(target, &[]);
    if let Ok(input) = std::env::var("VARVE_FUZZ_INPUT") {
        return run(target, &bytes_of(&input));
    }
    let cases = number("VARVE_FUZZ_CASES").map_or(cases, |cases| cases as u32);
    let seed = number("VARVE_FUZZ_SEED").unwrap_or(1);
    let mut bytes = [0; 32];
    varve_core::host::Entropy::fill(&SimEntropy::new(seed), &mut bytes).unwrap();
    let config = Config { cases, failure_persistence: None, max_shrink_iters: 4096, ..Config::default() };
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let any_input = prop_oneof![8 => vec(any::<u8>(), 0..=len_max / 8), 1 => vec(any::<u8>(), 0..=len_max)];
    keep_panics_quiet();
    let begun = Instant::now();
    let outcome = TestRunner::new_with_rng(config, rng).run(&any_input, |input| {
        run(target, &input);
        Ok::<_, TestCaseError>(())
    });
    let last_panic = LAST_PANIC.take().unwrap_or_default();
    let seconds = begun.elapsed().as_secs_f64();
    println!("{name}: seed {seed}, {cases} cases in {seconds:.1} s, {:.0} a second", f64::from(cases) / seconds);
    match outcome {
        Ok(()) => {}
        Err(TestError::Fail(why, input)) => panic!(
            "{name}: {why}\n{last_panic}\nreplay: VARVE_FUZZ_INPUT={} cargo test -p varve-core --test fuzz {name}",
            hex(&input)
        ),
        Err(TestError::Abort(why)) => panic!("{name}: {why}"),
    }
}

#[test]
fn segment_header() {
    fuzz("segment_header", 20_000, 4096);
}

#[test]
fn frame_header() {
    fuzz("frame_header", 50_000, 512);
}

#[test]
fn body() {
    fuzz("body", 50_000, 4096);
}

#[test]
fn lz4() {
    fuzz("lz4", 20_000, 4096);
}

#[test]
fn mark() {
    fuzz("mark", 50_000, 512);
}

#[test]
fn footer() {
    fuzz("footer", 50_000, 512);
}

#[test]
fn frame() {
    fuzz("frame", 20_000, 2048);
}

#[test]
fn side_files() {
    fuzz("side_files", 20_000, 2048);
}

#[test]
fn open_folder() {
    fuzz("open_folder", 5_000, 512);
}

#[test]
fn inputs_that_once_failed_pass() {
    for (name, input, _) in regressions::INPUTS {
        let target = TARGETS.iter().find(|target| target.name == *name).unwrap();
        run(target, &[]);
        run(target, &bytes_of(input));
    }
}
