//! A thread that looks on: an input that hangs is printed before the process ends.

use std::collections::HashMap;
use std::sync::{LazyLock, Mutex};
use std::thread::ThreadId;
use std::time::{Duration, Instant};

use varve_core::error::hex;

const PATIENCE: Duration = Duration::from_secs(60);

type Running = HashMap<ThreadId, (Instant, &'static str, Vec<u8>)>;

static RUNNING: LazyLock<Mutex<Running>> = LazyLock::new(|| {
    std::thread::spawn(|| {
        loop {
            std::thread::sleep(Duration::from_secs(1));
            let running = RUNNING.lock().unwrap();
            if let Some((_, name, input)) = running.values().find(|(begun, ..)| begun.elapsed() > PATIENCE) {
                eprintln!("{name} hangs; replay: VARVE_FUZZ_INPUT={} cargo test --test fuzz {name}", hex(input));
                std::process::exit(101);
            }
        }
    });
    Mutex::default()
});

/// This thread begins with an input.
pub fn begin(name: &'static str, input: &[u8]) {
    RUNNING.lock().unwrap().insert(std::thread::current().id(), (Instant::now(), name, input.to_vec()));
}

/// It has come to its end. (After a panic it is begun anew with the next input.)
pub fn end() {
    RUNNING.lock().unwrap().remove(&std::thread::current().id());
}
