//! The example in docs/FORMAT.md is what the engine writes, byte for byte.
#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs)]

mod support;

use std::fmt::Write;
use std::sync::Arc;

use support::{CountingEntropy, FixedClock, close, flush, open_with, real_host};
use varve_core::host::Host;
use varve_core::options::{Compression, Options};

/// As `hexdump -C` would show it, without lines of zeros.
fn dump(bytes: &[u8]) -> String {
    let mut out = String::new();
    for (line, chunk) in bytes.chunks(16).enumerate().filter(|(_, chunk)| chunk.iter().any(|&b| b != 0)) {
        let hex: Vec<String> = chunk.iter().map(|b| format!("{b:02x}")).collect();
        writeln!(out, "{:04x}  {}", line * 16, hex.join(" ")).unwrap();
    }
    out
}

#[test]
fn the_worked_example_is_what_the_engine_writes() {
    let dir = tempfile::tempdir().unwrap();
    let host = Host {
        clock: Arc::new(FixedClock(1_700_000_000_000)),
        entropy: Arc::new(CountingEntropy::default()),
        ..real_host()
    };
    let log = open_with(host, dir.path(), Options { compression: Compression::None, ..Options::default() });
    log.submit(b"avarve", &[1, 0, 5], &[3]).unwrap();
    flush(&log).unwrap();
    close(&log).unwrap();
    let written = std::fs::read(dir.path().join("0000000001.seg")).unwrap();

    let page = include_str!("../../../docs/FORMAT.md");
    let example = page.split("```hexdump\n").nth(1).and_then(|rest| rest.split("```").next()).unwrap();
    assert_eq!(written.len(), 4416);
    assert!(example == dump(&written), "docs/FORMAT.md should show:\n{}", dump(&written));
}
