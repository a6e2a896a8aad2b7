//! A thread that looks on: a history that hangs names its seed before it ends the process.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

const PATIENCE: Duration = Duration::from_secs(60);

/// Looks on for as long as it lives.
pub struct Watch(Arc<AtomicU64>);

impl Watch {
    pub fn start() -> Self {
        let current = Arc::new(AtomicU64::new(u64::MAX));
        let weak = Arc::downgrade(&current);
        std::thread::spawn(move || {
            let mut last = (u64::MAX, Duration::ZERO);
            while let Some(current) = weak.upgrade() {
                let seed = current.load(Ordering::Relaxed);
                drop(current);
                last = if seed == last.0 { (seed, last.1 + Duration::from_secs(1)) } else { (seed, Duration::ZERO) };
                if last.1 >= PATIENCE {
                    eprintln!(
                        "history {seed} hangs; replay: VARVE_SEED={seed} cargo test -p varve-core --test history"
                    );
                    std::process::exit(101);
                }
                std::thread::sleep(Duration::from_secs(1));
            }
        });
        Self(current)
    }

    pub fn seed(&self, seed: u64) {
        self.0.store(seed, Ordering::Relaxed);
    }
}
