//! What the listener of a log is told, and how often.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::sync::Arc;

use parking_lot::Mutex;
use support::{append, close, real_host};
use varve_core::error::Error;
use varve_core::log::{Listener, Log};
use varve_core::options::Options;
use varve_core::writer::Head;

#[derive(Default)]
struct Ear(Mutex<Vec<u64>>);

impl Listener for Ear {
    fn durable(&self, head: Head) {
        self.0.lock().push(head.size);
    }
    fn failed(&self, _: &Error) {}
}

#[test]
fn each_group_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let ear = Arc::new(Ear::default());
    let log = Log::open(real_host(), dir.path(), Options::default(), Arc::clone(&ear) as Arc<dyn Listener>).unwrap();
    for number in 1..=5 {
        append(&log, &[vec![number]]).unwrap();
    }
    close(&log).unwrap();
    assert_eq!(*ear.0.lock(), [1, 2, 3, 4, 5]);
}
