//! The simulator can show every fault, and never one that is not legal.
#![allow(clippy::unwrap_used, clippy::panic, reason = "tests fail by panicking")]

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
fn synced_bytes_survive_any_crash() {
    let disk = SimDisk::new();
    let file = disk.open(p("a"), Access::CreateNew).unwrap();
    write_all_at(&*file, &[7; 5000], 0).unwrap();
    file.sync_data().unwrap();
    disk.sync_dir(p("/")).unwrap();
    assert!(disk.unsynced_sectors().is_empty() && disk.unsynced_names().is_empty());
    for after in crashes(&disk) {
        assert_eq!(after.read_file(p("a")).unwrap(), [7; 5000]);
    }
    // Unsynced work beside them changes nothing about them.
    write_all_at(&*file, &[9; 4096], 5120).unwrap();
    write_all_at(&*file, &[8; 512], 1024).unwrap();
    for after in crashes(&disk) {
        let bytes = after.read_file(p("a")).unwrap();
        assert!(bytes.len() >= 5000);
        assert_eq!((&bytes[..1024], &bytes[1536..5000]), (&[7; 1024][..], &[7; 3464][..]));
    }
}

#[test]
fn a_sector_with_synced_bytes_is_old_or_new_and_others_may_be_anything() {
    let (disk, file) = disk_with("a", &[1; 700]);
    write_all_at(&*file, &[2; 512], 0).unwrap();
    write_all_at(&*file, &[3; 512], 0).unwrap();
    write_all_at(&*file, &[4; 1348], 700).unwrap();
    let (mut first, mut second, mut third) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for after in crashes(&disk) {
        let mut bytes = after.read_file(p("a")).unwrap();
        assert!(bytes.len() == 700 || bytes.len() == 2048);
        bytes.resize(2048, 0);
        first.insert(bytes[..512].to_vec());
        second.insert(bytes[512..1024].to_vec());
        third.insert(bytes[1024..1536].to_vec());
    }
    assert_eq!(first, BTreeSet::from([vec![1; 512], vec![2; 512], vec![3; 512]]));
    // The cut at the old length adds the third: what the sector holds there is shown up to the length.
    let old = [vec![1; 188], vec![0; 324]].concat();
    let new = [vec![1; 188], vec![4; 324]].concat();
    assert_eq!(second, BTreeSet::from([old, new]));
    assert!(third.contains(&vec![0; 512]) && third.contains(&vec![4; 512]));
    assert!(third.len() > 3, "garbage differs from crash to crash");
}

#[test]
fn unsynced_writes_may_vanish_survive_or_be_reordered() {
    let (disk, file) = disk_with("a", &[0; 4096]);
    for i in 0..8_u8 {
        write_all_at(&*file, &[i + 1; 512], u64::from(i) * 512).unwrap();
    }
    let mut seen = BTreeSet::new();
    for after in crashes(&disk) {
        let bytes = after.read_file(p("a")).unwrap();
        seen.insert((0..8).map(|i| bytes[i * 512] != 0).collect::<Vec<_>>());
    }
    assert!(seen.contains(&vec![false; 8]) && seen.contains(&vec![true; 8]));
    let is_prefix = |kept: &Vec<bool>| kept.windows(2).all(|pair| pair[0] || !pair[1]);
    assert!(seen.iter().filter(|kept| is_prefix(kept)).count() > 4);
    assert!(seen.iter().any(|kept| !is_prefix(kept)), "a later write survives an earlier one");
}

#[test]
fn the_length_survives_without_data_and_data_without_the_length() {
    let (disk, file) = disk_with("a", b"");
    write_all_at(&*file, &[5; 1024], 0).unwrap();
    let choice = CrashChoice { length_default: LengthFate::New, ..CrashChoice::lose_all() };
    assert_eq!(disk.crash_with(&choice).read_file(p("a")).unwrap(), [0; 1024]);
    let choice = CrashChoice { length_default: LengthFate::Old, ..CrashChoice::keep_all() };
    assert_eq!(disk.crash_with(&choice).read_file(p("a")).unwrap(), b"");
    let mut seen = BTreeSet::new();
    for after in crashes(&disk) {
        seen.insert(after.read_file(p("a")).unwrap());
    }
    assert!(seen.contains(&vec![0; 1024]) && seen.contains(&vec![]) && seen.contains(&vec![5; 1024]));
}

#[test]
fn sync_data_makes_growth_durable_but_may_leave_a_cut_undone() {
    let (disk, file) = disk_with("a", &[1; 2048]);
    file.set_len(700).unwrap();
    write_all_at(&*file, &[2; 100], 700).unwrap();
    file.sync_data().unwrap();
    let mut lengths = BTreeSet::new();
    for after in crashes(&disk) {
        let bytes = after.read_file(p("a")).unwrap();
        assert_eq!(bytes[..800], [vec![1; 700], vec![2; 100]].concat());
        lengths.insert(bytes.len());
    }
    assert_eq!(lengths, BTreeSet::from([800, 2048]));
    let undone = disk.crash_with(&CrashChoice::lose_all()).read_file(p("a")).unwrap();
    assert_eq!(undone[1024..], [1; 1024], "with the old length, the old bytes");
    file.sync_all().unwrap();
    assert!(crashes(&disk).all(|after| after.read_file(p("a")).unwrap().len() == 800));
}

#[test]
fn bytes_behind_a_cut_may_return_under_a_later_append() {
    let (disk, file) = disk_with("a", &[1; 4096]);
    file.set_len(512).unwrap();
    write_all_at(&*file, &[2; 512], 2048).unwrap();
    assert_eq!(read_all(&*file)[512..2048], [0; 1536]);
    let stale = crashes(&disk).any(|after| {
        let bytes = after.read_file(p("a")).unwrap();
        bytes.len() == 2560 && bytes[512..1024] == [1; 512]
    });
    assert!(stale);
    file.sync_all().unwrap();
    for after in crashes(&disk) {
        assert_eq!(after.read_file(p("a")).unwrap(), read_all(&*file));
    }
}

#[test]
fn a_synced_file_is_gone_when_its_name_was_not_synced() {
    let disk = SimDisk::new();
    let file = disk.open(p("a"), Access::CreateNew).unwrap();
    write_all_at(&*file, b"synced", 0).unwrap();
    file.sync_all().unwrap();
    assert!(disk.crash_with(&CrashChoice::lose_all()).paths().is_empty());
    let kept = disk.crash_with(&CrashChoice::keep_all());
    assert_eq!(kept.read_file(p("a")).unwrap(), b"synced");
    let found: BTreeSet<_> = crashes(&disk).map(|after| after.paths().len()).collect();
    assert_eq!(found, BTreeSet::from([0, 1]));
}

#[test]
fn a_new_folder_is_gone_with_all_it_holds_until_its_parent_is_synced() {
    let disk = SimDisk::new();
    disk.create_dir(p("/logs")).unwrap();
    let file = disk.open(p("/logs/a"), Access::CreateNew).unwrap();
    file.sync_all().unwrap();
    disk.sync_dir(p("/logs")).unwrap();
    let lost = disk.crash_with(&CrashChoice::lose_all());
    assert_eq!(lost.kind(p("/logs")).unwrap_err().kind(), io::ErrorKind::NotFound);
    disk.sync_dir(p("/")).unwrap();
    let kept = disk.crash_with(&CrashChoice::lose_all());
    assert_eq!(kept.paths(), [PathBuf::from("/logs/a")]);
}

#[test]
fn a_rename_without_a_folder_sync_may_revert_and_is_never_torn() {
    let (disk, _file) = disk_with("/logs/a.tmp", b"x");
    disk.rename(p("/logs/a.tmp"), p("/logs/a.seg")).unwrap();
    let seen: BTreeSet<_> = crashes(&disk).map(|after| after.paths()).collect();
    assert_eq!(seen, BTreeSet::from([vec![PathBuf::from("/logs/a.seg")], vec![PathBuf::from("/logs/a.tmp")]]));
    disk.sync_dir(p("/logs")).unwrap();
    assert!(crashes(&disk).all(|after| after.paths() == [PathBuf::from("/logs/a.seg")]));
}

#[test]
fn any_subset_of_removals_persists() {
    let disk = SimDisk::new();
    for name in ["1", "2", "3"] {
        disk.write_file(p(name), name.as_bytes()).unwrap();
        disk.remove(p(name)).unwrap();
    }
    let seen: BTreeSet<_> = crashes(&disk).map(|after| after.paths()).collect();
    assert_eq!(seen.len(), 8);
    for after in crashes(&disk) {
        for path in after.paths() {
            let name = path.file_name().unwrap().to_str().unwrap();
            assert_eq!(after.read_file(&path).unwrap(), name.as_bytes());
        }
    }
}

#[test]
fn a_name_that_was_moved_away_is_not_lost_to_a_later_file_of_that_name() {
    let (disk, _file) = disk_with("a", b"old");
    disk.rename(p("a"), p("b")).unwrap();
    disk.open(p("a"), Access::CreateNew).unwrap();
    for after in crashes(&disk) {
        let old = [p("a"), p("b")].iter().any(|path| after.read_file(path).is_ok_and(|bytes| bytes == b"old"));
        assert!(old);
    }
}

#[test]
fn a_failed_sync_reports_once_and_shows_new_bytes_until_eviction() {
    let (disk, file) = disk_with("a", &[1; 1024]);
    write_all_at(&*file, &[2; 1024], 0).unwrap();
    disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncData]));
    assert_eq!(number(&file.sync_data().unwrap_err()), 5);
    file.sync_data().unwrap();
    file.sync_all().unwrap();
    disk.open(p("a"), Access::Read).unwrap().sync_data().unwrap();
    assert_eq!(read_all(&*file), [2; 1024]);
    assert!(crashes(&disk).all(|after| after.read_file(p("a")).unwrap() == [1; 1024]));
    disk.evict();
    assert_eq!(read_all(&*file), [1; 1024]);
}

#[test]
fn bytes_written_again_after_a_failed_sync_are_durable_with_the_next() {
    let (disk, file) = disk_with("a", &[1; 512]);
    write_all_at(&*file, &[2; 1024], 0).unwrap();
    disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncData]));
    file.sync_data().unwrap_err();
    write_all_at(&*file, &[2; 512], 0).unwrap();
    file.sync_data().unwrap();
    disk.evict();
    let expected = [vec![2; 512], vec![0; 512]].concat();
    assert_eq!(read_all(&*file), expected, "the length became durable, the second sector never did");
    assert!(crashes(&disk).all(|after| after.read_file(p("a")).unwrap() == expected));
}

#[test]
fn a_sync_that_fails_half_way_leaves_some_sectors() {
    let mut counts = BTreeSet::new();
    for seed in 0..50 {
        let (disk, file) = disk_with("a", &[0; 4096]);
        write_all_at(&*file, &[1; 4096], 0).unwrap();
        disk.add_rule(Rule::new(Fault::IoPartly(seed)));
        assert_eq!(number(&file.sync_all().unwrap_err()), 5);
        let bytes = disk.read_durable(p("a")).unwrap();
        counts.insert(bytes.chunks(512).filter(|sector| sector[0] == 1).count());
    }
    assert!(counts.len() > 3);
}

#[test]
fn a_background_write_back_error_reaches_the_first_sync_only() {
    let (disk, file) = disk_with("a", &[1; 512]);
    let second = disk.open(p("a"), Access::Write).unwrap();
    write_all_at(&*file, &[2; 512], 0).unwrap();
    disk.fail_write_back(p("a")).unwrap();
    assert_eq!(number(&second.sync_data().unwrap_err()), 5);
    file.sync_data().unwrap();
    disk.evict();
    assert_eq!(read_all(&*file), [1; 512]);
}

#[test]
fn a_full_disk_takes_what_fits_and_then_refuses() {
    let (disk, file) = disk_with("a", &[1; 100]);
    disk.set_free(Some(50));
    assert_eq!(file.write_at(&[2; 80], 100).unwrap(), 50);
    let error = file.write_at(&[2; 30], 150).unwrap_err();
    assert_eq!((number(&error), error.kind()), (28, io::ErrorKind::StorageFull));
    assert_eq!(disk.volume(p("/")).unwrap().free, 0);
    assert_eq!(file.write_at(&[3; 150], 0).unwrap(), 150, "overwriting needs no space");
    file.set_len(1000).unwrap();
    assert_eq!(number(&file.write_at(&[4; 10], 500).unwrap_err()), 28, "an unwritten hole does");
    file.set_len(100).unwrap();
    assert_eq!(disk.volume(p("/")).unwrap().free, 50);
    disk.remove(p("a")).unwrap();
    assert_eq!(disk.volume(p("/")).unwrap().free, 150);
    disk.set_free(None);
    disk.add_rule(Rule::new(Fault::NoSpace).on(&[Call::Open]).path("b"));
    assert_eq!(number(&disk.open(p("b"), Access::CreateNew).err().unwrap()), 28);
    disk.open(p("b"), Access::CreateNew).unwrap();
}

#[test]
fn writes_fail_whole_or_after_a_part() {
    let (disk, file) = disk_with("a", b"");
    disk.add_rule(Rule::new(Fault::Io).on(&[Call::Write]));
    assert_eq!(number(&file.write_at(&[1; 100], 0).unwrap_err()), 5);
    assert_eq!(file.len().unwrap(), 0);
    let mut lengths = BTreeSet::new();
    for seed in 0..50 {
        file.set_len(0).unwrap();
        disk.add_rule(Rule::new(Fault::IoPartly(seed)).on(&[Call::Write]));
        assert_eq!(number(&file.write_at(&[1; 100], 0).unwrap_err()), 5);
        lengths.insert(file.len().unwrap());
    }
    assert!(lengths.len() > 5);
}

#[test]
fn transfers_are_short_interrupted_or_empty_as_told() {
    let (disk, file) = disk_with("a", b"0123456789");
    disk.add_rule(Rule::new(Fault::Short(3)).on(&[Call::Read]));
    assert_eq!(file.read_at(&mut [0; 10], 0).unwrap(), 3);
    disk.add_rule(Rule::new(Fault::Short(0)).on(&[Call::Read]));
    assert_eq!(file.read_at(&mut [0; 10], 0).unwrap(), 1, "a read of nothing would mean the end");
    disk.add_rule(Rule::new(Fault::Short(4)).on(&[Call::Write]));
    assert_eq!(file.write_at(b"abcdefgh", 0).unwrap(), 4);
    disk.add_rule(Rule::new(Fault::Short(0)).on(&[Call::Write]));
    let error = write_all_at(&*file, b"zz", 0).unwrap_err();
    assert_eq!(error.kind(), io::ErrorKind::WriteZero);
    disk.add_rule(Rule::new(Fault::Interrupted).on(&[Call::Read, Call::Write]).times(2));
    assert_eq!(file.read_at(&mut [0; 10], 0).unwrap_err().kind(), io::ErrorKind::Interrupted);
    assert_eq!(read_all(&*file), b"abcd456789");
}

#[test]
fn harmless_chaos_is_not_noticed_through_the_helpers() {
    let (disk, file) = disk_with("a", b"");
    disk.set_chaos(Chaos::harmless(), 11);
    disk.start_trace();
    let bytes: Vec<u8> = (0..=255).cycle().take(10_000).collect();
    for (index, chunk) in bytes.chunks(50).enumerate() {
        write_all_at(&*file, chunk, index as u64 * 50).unwrap();
    }
    assert_eq!(read_all(&*file), bytes);
    let trace = disk.trace().join("\n");
    assert!(trace.contains("Short") && trace.contains("Interrupted"));
}

#[test]
fn chaos_shows_every_fault_and_repeats_with_its_seed() {
    let run = |seed| {
        let (disk, file) = disk_with("a", &[0; 4096]);
        let all = 2_000;
        let chaos = Chaos {
            short: all,
            interrupted: all,
            refused: all,
            zero_write: all,
            write_io: all,
            sync_io: all,
            read_io: all,
            no_space: all,
            names_io: all,
        };
        disk.set_chaos(chaos, seed);
        disk.start_trace();
        let block = Block([2; 4096]);
        for i in 0..200 {
            let _ = file.write_at(&[1; 100], i * 10);
            let _ = file.write_direct_at(&block.0, i * 4096);
            let _ = file.read_at(&mut [0; 100], i * 10);
            let _ = file.sync_data();
            let _ = disk.sync_dir(p("/"));
        }
        disk.trace()
    };
    assert_eq!(run(1), run(1));
    assert_ne!(run(1), run(2));
    let trace = run(1).join("\n");
    for shown in ["Io", "IoPartly", "NoSpace", "Interrupted", "Short(0)", "sync_dir / ! Io"] {
        assert!(trace.contains(shown), "{shown}");
    }
}

#[test]
fn a_read_error_on_a_range_strikes_that_range_only() {
    let (disk, file) = disk_with("/logs/a", &[1; 4096]);
    disk.write_file(p("/logs/b"), &[1; 4096]).unwrap();
    disk.add_rule(Rule::new(Fault::Io).on(&[Call::Read]).path("a").range(1000..1001).always());
    assert_eq!(file.read_at(&mut [0; 1000], 0).unwrap(), 1000);
    for _ in 0..3 {
        assert_eq!(number(&file.read_at(&mut [0; 1001], 0).unwrap_err()), 5);
    }
    assert_eq!(file.read_at(&mut [0; 1000], 1001).unwrap(), 1000);
    assert_eq!(disk.open(p("/logs/b"), Access::Read).unwrap().read_at(&mut [0; 4096], 0).unwrap(), 4096);
    disk.clear_faults();
    assert_eq!(file.read_at(&mut [0; 1001], 0).unwrap(), 1001);
}

#[test]
fn a_phantom_write_is_seen_until_the_cache_is_dropped() {
    let (disk, file) = disk_with("a", &[1; 512]);
    disk.add_rule(Rule::new(Fault::Phantom).on(&[Call::Write]));
    write_all_at(&*file, &[2; 1024], 0).unwrap();
    file.sync_all().unwrap();
    assert_eq!(read_all(&*file), [2; 1024]);
    let expected = [vec![1; 512], vec![0; 512]].concat();
    assert!(crashes(&disk).all(|after| after.read_file(p("a")).unwrap() == expected));
    disk.evict();
    assert_eq!(read_all(&*file), expected);
}

#[test]
fn a_phantom_sync_promises_what_the_disk_never_got() {
    let (disk, file) = disk_with("a", &[1; 512]);
    disk.add_rule(Rule::new(Fault::Phantom).on(&[Call::SyncData, Call::SyncDir]).always());
    write_all_at(&*file, &[2; 512], 0).unwrap();
    file.sync_data().unwrap();
    disk.open(p("b"), Access::CreateNew).unwrap();
    disk.sync_dir(p("/")).unwrap();
    let after = disk.crash_with(&CrashChoice::lose_all());
    assert_eq!(after.read_file(p("a")).unwrap(), [1; 512]);
    assert_eq!(after.paths().len(), 1);
}

#[test]
fn misdirected_writes_land_elsewhere_and_misdirected_reads_come_from_there() {
    let (disk, file) = disk_with("a", &[1; 1024]);
    disk.write_file(p("b"), &[3; 1024]).unwrap();
    disk.add_rule(Rule::new(Fault::Misdirected { path: "b".into(), position: 512 }).on(&[Call::Write]));
    write_all_at(&*file, &[2; 512], 0).unwrap();
    file.sync_all().unwrap();
    assert_eq!(read_all(&*file)[..512], [2; 512], "the cache is right");
    disk.evict();
    assert_eq!(read_all(&*file), [1; 1024]);
    assert_eq!(disk.read_file(p("b")).unwrap(), [vec![3; 512], vec![2; 512]].concat());
    disk.add_rule(Rule::new(Fault::Misdirected { path: "b".into(), position: 500 }).on(&[Call::Read]));
    let mut buffer = [0; 24];
    assert_eq!(file.read_at(&mut buffer, 0).unwrap(), 24);
    assert_eq!(buffer[..], [vec![3; 12], vec![2; 12]].concat());
}

#[test]
fn rot_at_rest_is_in_the_cache_and_on_the_medium() {
    let (disk, file) = disk_with("a", &[0xFF; 10_000]);
    disk.flip_bit(p("a"), 8 * 5 + 1).unwrap();
    disk.corrupt(p("a"), 9_999, |byte| *byte = 7).unwrap();
    disk.zero_page(p("a"), 5000).unwrap();
    let mut expected = vec![0xFF; 10_000];
    expected[5] = 0xFD;
    expected[9_999] = 7;
    expected[4096..8192].fill(0);
    assert_eq!(read_all(&*file), expected);
    assert_eq!(disk.read_durable(p("a")).unwrap(), expected);
    assert!(disk.corrupt(p("a"), 10_000, |byte| *byte = 0).is_err());
    assert!(disk.zero_page(p("a"), 20_000).is_err());
    assert!(disk.corrupt(p("none"), 0, |byte| *byte = 0).is_err());
}

#[test]
fn files_that_a_test_writes_or_removes_are_durable_and_settle_nothing_else() {
    let disk = SimDisk::new();
    disk.open(p("other"), Access::CreateNew).unwrap();
    disk.open(p("b"), Access::CreateNew).unwrap();
    disk.write_file(p("/x/y/a"), b"1").unwrap();
    disk.write_file(p("b"), b"2").unwrap();
    disk.write_file(p("c"), b"3").unwrap();
    disk.remove_file(p("c")).unwrap();
    let after = disk.crash_with(&CrashChoice::lose_all());
    assert_eq!(after.paths(), [PathBuf::from("/b"), PathBuf::from("/x/y/a")]);
    assert_eq!(after.read_file(p("b")).unwrap(), b"2");
    assert_eq!(disk.crash_with(&CrashChoice::keep_all()).paths().len(), 3);
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
fn every_combination_of_fates_can_be_walked() {
    let (disk, file) = disk_with("a", &[1; 512]);
    write_all_at(&*file, &[2; 1024], 0).unwrap();
    disk.open(p("b"), Access::CreateNew).unwrap();
    let sectors = disk.unsynced_sectors();
    assert_eq!(
        sectors.iter().map(|s| (s.sector, s.versions, s.holds_synced)).collect::<Vec<_>>(),
        [(0, 1, true), (1, 1, false)]
    );
    let lengths = disk.unsynced_lengths();
    assert_eq!((lengths.len(), lengths[0].durable, &lengths[0].versions), (1, 512, &vec![1024]));
    let names = disk.unsynced_names();
    assert_eq!((names.len(), names[0].edit.as_str()), (1, "create b"));
    let mut images = BTreeSet::new();
    for first in [SectorFate::Old, SectorFate::New] {
        for second in [SectorFate::Old, SectorFate::New, SectorFate::Zeros, SectorFate::Garbage(9)] {
            for length in [LengthFate::Old, LengthFate::New] {
                for name in [false, true] {
                    let mut choice = CrashChoice::lose_all();
                    choice.sectors.insert((sectors[0].file, sectors[0].sector), first);
                    choice.sectors.insert((sectors[1].file, sectors[1].sector), second);
                    choice.lengths.insert(lengths[0].file, length);
                    choice.names.insert(names[0].call, name);
                    let after = disk.crash_with(&choice);
                    images.insert((after.read_file(p("a")).unwrap(), after.paths().len()));
                }
            }
        }
    }
    // First sector 2 × (short, or long with zeros, new or garbage) 4 × name 2.
    assert_eq!(images.len(), 16);
}

#[test]
fn a_crash_keeps_identities_and_may_be_followed_by_another() {
    let (disk, file) = disk_with("/log/a", &[1; 512]);
    let identity = file.identity().unwrap();
    let after = disk.crash(&mut SimRng::new(3));
    let file = after.open(p("/log/a"), Access::Write).unwrap();
    assert_eq!(file.identity().unwrap(), identity);
    let other = after.open(p("/log/b"), Access::CreateNew).unwrap();
    assert_ne!(other.identity().unwrap(), identity);
    write_all_at(&*file, &[2; 512], 0).unwrap();
    let again = after.crash_with(&CrashChoice::lose_all());
    assert_eq!(again.read_file(p("/log/a")).unwrap(), [1; 512]);
    assert_eq!(again.paths().len(), 1);
}

#[test]
fn the_seed_alone_decides_the_crash() {
    let (disk, file) = disk_with("a", &[1; 4096]);
    write_all_at(&*file, &[2; 8192], 100).unwrap();
    let image = |seed| disk.crash(&mut SimRng::new(seed)).read_file(p("a")).unwrap();
    let choice = disk.crash_choice(&mut SimRng::new(5));
    for seed in 0..50 {
        assert_eq!(image(seed), image(seed));
    }
    assert_eq!(disk.crash_with(&choice).read_file(p("a")).unwrap(), image(5));
}

/// A plain model of what is synced, driven at random: after any crash each file is there with every sector that has
/// not been touched since its last sync.
#[test]
fn random_histories_never_lose_what_was_synced() {
    for seed in 0..300 {
        let mut rng = SimRng::new(seed);
        let (disk, file) = disk_with("a", &[0; 3000]);
        let mut synced = read_all(&*file);
        for step in 0..30_u8 {
            let position = rng.below(6000);
            let len = rng.index(2000);
            match rng.below(6) {
                0 => {
                    file.sync_all().unwrap();
                    synced = read_all(&*file);
                    assert_eq!(disk.read_durable(p("a")).unwrap(), synced);
                }
                1 => file.set_len(position).unwrap(),
                _ => write_all_at(&*file, &vec![step + 1; len], position).unwrap(),
            }
        }
        let touched: BTreeSet<u64> = disk.unsynced_sectors().iter().map(|sector| sector.sector).collect();
        let view = read_all(&*file);
        for crash in 0..20 {
            let bytes = disk.crash(&mut SimRng::new(crash)).read_file(p("a")).unwrap();
            for (index, sector) in synced.chunks(512).enumerate() {
                if !touched.contains(&(index as u64)) {
                    let end = (index * 512 + sector.len()).min(bytes.len());
                    assert_eq!(bytes.get(index * 512..end).unwrap_or(&[]), &sector[..end.saturating_sub(index * 512)]);
                }
            }
        }
        assert_eq!(disk.crash_with(&CrashChoice::lose_all()).read_file(p("a")).unwrap(), synced);
        assert_eq!(disk.crash_with(&CrashChoice::keep_all()).read_file(p("a")).unwrap(), view);
        file.sync_data().unwrap();
        for crash in 0..20 {
            let bytes = disk.crash(&mut SimRng::new(crash)).read_file(p("a")).unwrap();
            assert_eq!(bytes[..view.len()], view, "sync_data makes everything readable durable");
        }
    }
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
