//! What a panic cannot tell: an input that hangs, or asks for all memory, is printed before the process ends.

use std::collections::HashMap;
use std::io::Write;
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
            if let Some(found) = running.values().find(|(begun, ..)| begun.elapsed() > PATIENCE) {
                tell("hangs", found);
            }
        }
    });
    Mutex::default()
});

fn tell(what: &str, (_, name, input): &(Instant, &str, Vec<u8>)) -> ! {
    let input = hex(input);
    // Not `eprintln!`, whose output waits for the end of a test that will have none.
    let _ = writeln!(
        std::io::stderr(),
        "{name} {what}; replay: VARVE_FUZZ_INPUT={input} cargo test -p varve-core --test fuzz {name}"
    );
    std::process::exit(101);
}

/// Ends the process, if this thread is at work on an input.
pub fn stop(what: &str) {
    let found = RUNNING.lock().unwrap().remove(&std::thread::current().id());
    if let Some(found) = found {
        tell(what, &found);
    }
}

/// This thread begins with an input.
pub fn begin(name: &'static str, input: &[u8]) {
    RUNNING.lock().unwrap().insert(std::thread::current().id(), (Instant::now(), name, input.to_vec()));
}

/// It has come to its end. (After a panic it is begun anew with the next input.)
pub fn end() {
    RUNNING.lock().unwrap().remove(&std::thread::current().id());
}
