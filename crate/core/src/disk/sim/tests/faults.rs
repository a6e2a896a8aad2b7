//! Faults that are told to happen: failing syncs, full disks, short transfers, lost and misdirected writes, rot.

use super::*;

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
