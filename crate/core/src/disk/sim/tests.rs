//! The simulator can show every fault, and never one that is not legal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

mod crashes;
mod faults;

use std::collections::BTreeSet;

use super::super::{read_full_at, write_all_at};
use super::*;

const SEEDS: u64 = 400;

fn p(path: &str) -> &Path {
    Path::new(path)
}

/// Memory for a direct write.
#[repr(align(4096))]
struct Block([u8; 4096]);

/// A disk with one file whose bytes and name are durable.
fn disk_with(path: &str, bytes: &[u8]) -> (SimDisk, Box<dyn DiskFile>) {
    let disk = SimDisk::new();
    disk.write_file(p(path), bytes).unwrap();
    let file = disk.open(p(path), Access::Write).unwrap();
    (disk, file)
}

fn crashes(disk: &SimDisk) -> impl Iterator<Item = SimDisk> {
    (0..SEEDS).map(|seed| disk.crash(&mut SimRng::new(seed)))
}

fn number(error: &io::Error) -> i32 {
    error.raw_os_error().unwrap()
}

fn read_all(file: &dyn DiskFile) -> Vec<u8> {
    let mut bytes = vec![0; usize::try_from(file.len().unwrap()).unwrap()];
    let count = read_full_at(file, &mut bytes, 0).unwrap();
    assert_eq!(count, bytes.len());
    bytes
}
#[test]
fn calls_are_numbered_and_traced() {
    let disk = SimDisk::new();
    disk.start_trace();
    disk.create_dir(p("/log")).unwrap();
    let file = disk.open(p("/log/1.seg.tmp"), Access::CreateNew).unwrap();
    file.write_at(&[0; 384], 4096).unwrap();
    disk.rename(p("/log/1.seg.tmp"), p("/log/1.seg")).unwrap();
    file.set_len(4096).unwrap();
    disk.add_rule(Rule::new(Fault::Io).number(6));
    file.sync_all().unwrap_err();
    let expected = [
        "#1 create_dir log",
        "#2 open 1.seg.tmp",
        "#3 write 1.seg.tmp 4096+384",
        "#4 rename 1.seg.tmp 1.seg",
        "#5 set_len 1.seg 4096",
        "#6 sync_all 1.seg ! Io",
    ];
    assert_eq!(disk.trace(), expected);
    assert_eq!(disk.calls(), 6);
}

#[test]
fn a_crash_point_between_any_two_calls_freezes_the_state_before_it() {
    let run = |halt: Option<u64>| {
        let disk = SimDisk::new();
        if let Some(halt) = halt {
            disk.halt_at(halt);
        }
        let outcome = (|| {
            disk.create_dir(p("/log"))?;
            let file = disk.open(p("/log/a"), Access::CreateNew)?;
            for i in 0..3 {
                file.write_at(&[1; 512], i * 512)?;
                file.sync_data()?;
            }
            disk.sync_dir(p("/log"))?;
            disk.sync_dir(p("/"))
        })();
        (disk, outcome)
    };
    let (disk, outcome) = run(None);
    outcome.unwrap();
    let calls = disk.calls();
    assert_eq!(calls, 10);
    for halt in 1..=calls {
        let (disk, outcome) = run(Some(halt));
        assert!(outcome.is_err() && disk.halted());
        assert_eq!(disk.calls(), halt - 1);
        let kept = disk.crash_with(&CrashChoice::keep_all());
        let len = kept.read_file(p("/log/a")).map_or(0, |bytes| bytes.len());
        assert_eq!(len as u64, 512 * (halt.saturating_sub(2) / 2).min(3));
        assert!(!kept.halted());
    }
    assert!(run(Some(calls + 1)).1.is_ok());
}

#[test]
fn locks_end_with_their_descriptor_or_the_crash() {
    let (disk, first) = disk_with("lock", b"");
    let second = disk.open(p("lock"), Access::OpenOrCreate).unwrap();
    assert!(first.try_lock().unwrap() && first.try_lock().unwrap());
    assert!(!second.try_lock().unwrap());
    let after = disk.crash(&mut SimRng::new(0));
    assert!(after.open(p("lock"), Access::Write).unwrap().try_lock().unwrap());
    assert!(!second.try_lock().unwrap());
    drop(first);
    assert!(second.try_lock().unwrap());
}

#[test]
fn a_direct_write_is_seen_at_once_and_durable_after_the_next_sync() {
    let (disk, file) = disk_with("a", &[1; 5000]);
    file.write_direct_at(&Block([2; 4096]).0, 4096).unwrap();
    assert_eq!(disk.read_file(p("a")).unwrap(), [vec![1; 4096], vec![2; 4096]].concat());
    let lost = disk.crash_with(&CrashChoice::lose_all());
    assert_eq!(lost.read_file(p("a")).unwrap(), [1; 5000]);
    file.sync_data().unwrap();
    let kept = disk.crash_with(&CrashChoice::lose_all());
    assert_eq!(kept.read_file(p("a")).unwrap().len(), 8192);
}

#[test]
fn a_direct_write_is_short_by_whole_blocks_and_may_be_refused() {
    let (disk, file) = disk_with("a", &[]);
    disk.add_rule(Rule::new(Fault::Short(100)).on(&[Call::WriteDirect]));
    disk.add_rule(Rule::new(Fault::Refused).on(&[Call::WriteDirect]));
    let block = Block([2; 4096]);
    assert_eq!(file.write_direct_at(&block.0, 0).unwrap(), 4096);
    assert_eq!(file.write_direct_at(&block.0, 0).unwrap_err().kind(), io::ErrorKind::InvalidInput);
    disk.set_free(Some(4000));
    assert_eq!(number(&file.write_direct_at(&block.0, 4096).unwrap_err()), 28);
}

#[test]
#[should_panic(expected = "begins inside of a block")]
fn a_direct_write_that_is_not_aligned_is_a_defect() {
    let (_, file) = disk_with("a", &[]);
    let _ = file.write_direct_at(&Block([2; 4096]).0, 64);
}
