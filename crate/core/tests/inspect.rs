//! What `inspect` tells of open, closed and damaged logs.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::Path;
use std::sync::Arc;

use support::{Strict, close, flush, real_host};
use varve_core::error::HeadClaim;
use varve_core::inspect::{Info, inspect};
use varve_core::log::Log;
use varve_core::options::Options;

fn fill(log: &Log, batches: u32) -> HeadClaim {
    for batch in 0..batches {
        log.submit(&[b'x'; 3000], &[1000; 3], &[3]).unwrap();
        if batch + 1 == batches {
            flush(log).unwrap();
        }
    }
    let head = log.head();
    HeadClaim { id: *log.id(), size: head.size, hash: head.hash }
}

fn look(dir: &Path) -> Info {
    inspect(&real_host(), dir).unwrap()
}

fn adds_up(info: &Info) {
    let mut next = info.first_offset;
    for segment in &info.segments {
        assert_eq!(segment.first_offset, next, "{info:#?}");
        assert!(segment.frame_bytes <= segment.bytes, "{info:#?}");
        assert_eq!(segment.frame_bytes > 0, segment.count > 0, "{info:#?}");
        next += segment.count;
    }
    assert_eq!(next, info.head.size, "{info:#?}");
}

#[test]
fn an_open_and_a_closed_log_are_described() {
    let dir = tempfile::tempdir().unwrap();
    let secret = Some(vec![3; 32]);
    let options = Options {
        segment_bytes: 64 << 10,
        encoding: "json".into(),
        compression: varve_core::options::Compression::None,
        secret,
        ..Options::default()
    };
    let log = Log::open(real_host(), dir.path(), options, Arc::new(Strict)).unwrap();
    let empty = look(dir.path());
    assert_eq!((empty.head.size, empty.encoding.as_str(), empty.keyed), (0, "json", true));
    let head = fill(&log, 70);
    let info = look(dir.path());
    assert_eq!(info.head, head);
    adds_up(&info);
    if cfg!(target_os = "linux") {
        let holder = info.locked_by.expect("this process holds the lock");
        assert!(holder.this_process && holder.pid == std::process::id());
    }
    close(&log).unwrap();
    let info = look(dir.path());
    assert_eq!((info.head, info.locked_by.clone()), (head, None));
    adds_up(&info);
    let sealed: Vec<bool> = info.segments.iter().filter(|s| s.count > 0).map(|s| s.sealed).collect();
    assert!(sealed.len() >= 4 && sealed[..sealed.len() - 1].iter().all(|&s| s) && !sealed[sealed.len() - 1]);
    for segment in &info.segments {
        assert_eq!(std::fs::metadata(dir.path().join(&segment.file)).unwrap().len(), segment.bytes);
    }
    // Without the lock file, and so without the live mark, page 0 tells the same.
    std::fs::remove_file(dir.path().join("lock")).unwrap();
    assert_eq!(look(dir.path()).head, head);
}

#[test]
fn a_damaged_log_is_described_as_far_as_it_can_be() {
    let dir = tempfile::tempdir().unwrap();
    let options =
        Options { segment_bytes: 64 << 10, compression: varve_core::options::Compression::None, ..Options::default() };
    let log = Log::open(real_host(), dir.path(), options, Arc::new(Strict)).unwrap();
    let head = fill(&log, 70);
    close(&log).unwrap();
    let sound = look(dir.path());
    for segment in 0..3 {
        let path = dir.path().join(&sound.segments[segment].file);
        let bytes = std::fs::read(&path).unwrap();
        let mut damaged = bytes.clone();
        damaged[30] ^= 1;
        std::fs::write(&path, &damaged).unwrap();
        let info = look(dir.path());
        assert_eq!(info.head, head);
        assert!(!info.segments[segment].sealed);
        std::fs::write(&path, &bytes).unwrap();
    }
    assert_eq!(look(dir.path()), sound);
    let none = tempfile::tempdir().unwrap();
    assert_eq!(inspect(&real_host(), none.path()).unwrap_err().code(), "VARVE_NOT_FOUND");
    std::fs::write(none.path().join(&sound.segments[0].file), b"nothing").unwrap();
    assert_eq!(inspect(&real_host(), none.path()).unwrap_err().code(), "VARVE_CORRUPT");
}
