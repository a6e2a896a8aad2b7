//! What a power cut, a failed sync or rot leaves, told call by call, and how opening takes it: what a crash can leave is no
//! damage and loses nothing durable; damage is refused, and nothing is changed.

use std::path::Path;

use varve_core::disk::sim::{Call, CrashChoice, Fault, LengthFate, Rule, SectorFate};
use varve_core::error::Error;
use varve_core::format::SegmentHeader;
use varve_core::options::{Options, Tuning};
use varve_core::simulation::SimWorld;
use varve_core::verify::{VerifyOptions, verify_dir};

use super::{DIR, append, close, open, open_with, options, read, segment, submit};

/// A payload of this length fills a frame of exactly 16 KiB: a stale frame behind it starts on a sector, and the write
/// of the frame before does not wipe it out.
const WHOLE_SECTORS: usize = 16_269;

fn problems(world: &SimWorld) -> Vec<String> {
    let report = verify_dir(&world.host(), Path::new(DIR), &VerifyOptions::default(), &|_, _| true).expect("verified");
    assert_eq!(report.ok, report.problems.is_empty());
    report.problems.into_iter().map(|problem| problem.message).collect()
}

#[test]
fn a_cut_whose_sync_failed_does_not_come_undone_behind_later_records() {
    let world = SimWorld::new(1);
    let log = open(&world);
    let first = vec![1; 397];
    append(&world, &log, std::slice::from_ref(&first));
    // The quiet moment: the slot in page 0 attests the first record.
    world.executor.run_all();
    // Two batches of one frame each; the power fails before their sync, and only the first frame's start is lost.
    world.disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncData]));
    let (a, b) = (vec![b'a'; WHOLE_SECTORS], vec![b'b'; WHOLE_SECTORS]);
    submit(&log, &[&[a], &[b]]);
    let mut choice = CrashChoice::keep_all();
    let files = world.disk.read_file(&segment(1)).unwrap().len() as u64;
    world.disk.halt_at(world.disk.calls() + 2);
    world.executor.run_ready();
    let unsynced = world.disk.unsynced_sectors();
    let torn = unsynced.iter().find(|s| s.path == segment(1) && s.sector >= files / 512).expect("an unsynced frame");
    choice.sectors.insert((torn.file, torn.sector), SectorFate::Old);
    choice.sectors.insert((torn.file, torn.sector + 1), SectorFate::Zeros);
    drop(log);
    let world = world.crash_with(&choice);
    // Recovery cuts the tail, but the sync of the cut fails; the second attempt finds nothing left to cut.
    world.disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncAll]).path(segment(1)));
    let refused = open_with(&world, options()).err().expect("the sync of the cut fails");
    assert_eq!(refused.code(), "VARVE_IO");
    let log = open(&world);
    assert_eq!(log.head().size, 1);
    // A record whose frame ends exactly where the stale second frame starts.
    let c = vec![b'c'; WHOLE_SECTORS];
    append(&world, &log, std::slice::from_ref(&c));
    assert_eq!(log.head().size, 2);
    drop(log);
    let mut choice = CrashChoice::lose_all();
    choice.length_default = LengthFate::Old;
    let world = world.crash_with(&choice);
    let log = open(&world);
    assert!(read(&log) == [first, c]);
}

/// Appends a record, then two batches of one frame each that make the log rotate; the machine halts at call `halt`.
fn rotate_with_two_frames(halt: Option<u64>) -> SimWorld {
    let world = SimWorld::new(2);
    world.disk.start_trace();
    let log = open(&world);
    append(&world, &log, &[vec![1; 50_000]]);
    if let Some(halt) = halt {
        world.disk.halt_at(halt);
    }
    submit(&log, &[&[vec![b'a'; WHOLE_SECTORS]], &[vec![b'b'; WHOLE_SECTORS]]]);
    world.executor.run_ready();
    world
}

/// The same, halted at the sync of segment 2's first group: header and both frames are written, and nothing of them is durable.
fn halted_before_segment_2_is_synced() -> SimWorld {
    let calls = rotate_with_two_frames(None).disk.trace();
    let sync = calls.iter().find(|call| call.ends_with(" sync_data 0000000002.seg")).expect("segment 2 is synced");
    let sync = sync.trim_start_matches('#').split(' ').next().unwrap().parse().unwrap();
    rotate_with_two_frames(Some(sync))
}

#[test]
fn a_spare_that_was_a_torn_segment_keeps_nothing_of_it() {
    let world = halted_before_segment_2_is_synced();
    // The first group of segment 2 is torn: header and first frame are lost, the second frame is not.
    let mut choice = CrashChoice::keep_all();
    for sector in world.disk.unsynced_sectors().iter().filter(|s| s.path == segment(2) && s.sector < 9) {
        choice.sectors.insert((sector.file, sector.sector), SectorFate::Old);
    }
    let world = world.crash_with(&choice);
    // Recovery makes it the spare again, but the sync of the cut fails; the second attempt finds an empty file.
    world.disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncAll]).path(segment(2)));
    let refused = open_with(&world, options()).err().expect("the sync of the cut fails");
    assert_eq!(refused.code(), "VARVE_IO");
    let log = open(&world);
    append(&world, &log, &[vec![b'c'; WHOLE_SECTORS]]);
    let expected = read(&log);
    assert_eq!(expected.len(), 2);
    drop(log);
    let mut choice = CrashChoice::lose_all();
    choice.length_default = LengthFate::Old;
    let world = world.crash_with(&choice);
    assert!(read(&open(&world)) == expected);
}

#[test]
fn a_segment_cut_within_its_page_0_is_refused_though_the_mark_that_is_left_names_no_record() {
    let world = halted_before_segment_2_is_synced();
    // Of the first group of segment 2 only the header is there, and recovery marks in a slot that nothing follows it.
    let mut choice = CrashChoice::keep_all();
    for sector in world.disk.unsynced_sectors().iter().filter(|s| s.path == segment(2) && s.sector >= 8) {
        choice.sectors.insert((sector.file, sector.sector), SectorFate::Old);
    }
    let world = world.crash_with(&choice);
    let log = open(&world);
    append(&world, &log, &[b"attested by the other slot".to_vec()]);
    world.executor.run_all();
    drop(log);
    // The live mark is lost, and so are the other slot and the record.
    let world = world.crash_with(&CrashChoice::lose_all());
    let cut = &world.disk.read_file(&segment(2)).unwrap()[..3211];
    world.disk.write_file(&segment(2), cut).unwrap();
    assert!(!problems(&world).is_empty(), "verify sees it too");
    let refused = open_with(&world, options()).err().expect("a segment without all of page 0 is refused");
    assert_eq!(refused.code(), "VARVE_CORRUPT", "{refused}");
    assert!(world.disk.read_file(&segment(2)).unwrap() == cut, "a refused open changes nothing");
}

/// Goes on in a second segment, so that the first one is sealed; the machine halts at call `halt`.
fn seal_the_first_segment(halt: Option<u64>) -> SimWorld {
    let world = SimWorld::new(3);
    world.disk.start_trace();
    // Without space filled ahead the footer is the end of the file before it is cut.
    world.disk.set_prefill_pays(false);
    let log = open(&world);
    // So many frames that their index begins in another sector than the footer.
    for byte in 0..150 {
        append(&world, &log, &[vec![byte; 50]]);
    }
    if let Some(halt) = halt {
        world.disk.halt_at(halt);
    }
    append(&world, &log, &[vec![b'a'; 40_000]]);
    world
}

/// The power failed while index and footer of the first segment were written: the footer reached the disk, and of the
/// index nothing did. The second segment's first group was durable before.
fn footer_over_a_lost_index() -> SimWorld {
    let calls = seal_the_first_segment(None).disk.trace();
    // Recovery syncs the file as well; sealing does it twice at the end, before and after the cut.
    let syncs = calls.iter().filter(|call| call.ends_with(" sync_all 0000000001.seg"));
    let sync = syncs.rev().nth(1).expect("the footer is synced before the cut");
    let sync = sync.trim_start_matches('#').split(' ').next().unwrap().parse().unwrap();
    let world = seal_the_first_segment(Some(sync));
    let mut choice = CrashChoice::keep_all();
    let unsynced: Vec<_> = world.disk.unsynced_sectors().into_iter().filter(|s| s.path == segment(1)).collect();
    let [index, .., footer] = &unsynced[..] else { panic!("index and footer share a sector") };
    choice.sectors.insert((index.file, index.sector), SectorFate::Old);
    assert!(footer.sector * 512 + 120 < world.disk.read_file(&segment(1)).unwrap().len() as u64);
    world.crash_with(&choice)
}

#[test]
fn a_footer_over_an_index_that_never_reached_the_disk_is_no_damage_and_is_written_again() {
    let world = footer_over_a_lost_index();
    assert_eq!(problems(&world), [""; 0], "what a crash leaves is no damage");
    let log = open(&world);
    assert_eq!(read(&log).len(), 151);
    drop(log);
    // What recovery wrote is durable, and whole: from here on a missing index is damage.
    let world = world.crash_with(&CrashChoice::lose_all());
    let log = open(&world);
    close(&world, &log).unwrap();
    drop(log);
    assert_eq!(problems(&world), [""; 0]);
    let sealed = world.disk.read_file(&segment(1)).unwrap();
    world.disk.flip_bit(&segment(1), (sealed.len() as u64 - 120 - 8) * 8).unwrap();
    assert!(problems(&world).iter().any(|problem| problem.contains("the checksum of the segment's index")));
}

#[test]
fn a_footer_over_a_lost_index_still_promises_a_durable_successor() {
    let world = footer_over_a_lost_index();
    let second = world.disk.read_file(&segment(2)).unwrap();
    world.disk.write_file(&Path::new(DIR).join("lock"), &[0; 600]).unwrap();
    world.disk.write_file(&segment(2), &second[..4096]).unwrap();
    let refused = open_with(&world, options()).err().expect("the first group of the second segment was durable");
    assert_eq!(refused.code(), "VARVE_CORRUPT", "{refused}");
    assert!(!problems(&world).is_empty());
}

#[test]
fn damage_before_the_state_frame_of_an_unsealed_segment_is_refused_before_anything_is_changed() {
    let world = SimWorld::new(10);
    let tuning = Tuning { state_bytes: 3000, ..Tuning::default() };
    let log = open_with(&world, Options { tuning, ..options() }).unwrap();
    for byte in 0..40 {
        append(&world, &log, &[vec![byte; 400]]);
    }
    // The quiet moment: a slot in page 0 names the last state frame, and recovery rehashes from there.
    world.executor.run_all();
    append(&world, &log, &[vec![b'a'; 50_000]]);
    drop(log);
    let world = world.crash_with(&CrashChoice::keep_all());
    let (first, mut second) = (world.disk.read_file(&segment(1)).unwrap(), world.disk.read_file(&segment(2)).unwrap());
    let frames_end = SegmentHeader::parse(&second).unwrap().predecessor_end as usize;
    // Not sealed yet, and rot in the first frame's header. The second segment has a tail to be cut.
    world.disk.write_file(&segment(1), &first[..frames_end]).unwrap();
    world.disk.flip_bit(&segment(1), 4100 * 8).unwrap();
    second.extend([7; 100]);
    world.disk.write_file(&segment(2), &second).unwrap();
    let files = |world: &SimWorld| -> Vec<_> {
        world.disk.paths().into_iter().map(|path| (world.disk.read_file(&path).unwrap(), path)).collect()
    };
    let before = files(&world);
    let refused = open_with(&world, options()).err().expect("durable records are damaged");
    assert_eq!(refused.code(), "VARVE_CORRUPT", "{refused}");
    assert!(files(&world) == before, "a refused open changes nothing");
}

#[test]
fn a_slot_that_recovery_mended_without_seeing_it_synced_is_mended_for_good() {
    let world = SimWorld::new(11);
    let log = open(&world);
    append(&world, &log, &[b"a".to_vec()]);
    world.executor.run_all();
    // The mark of the second quiet moment fails half-way.
    append(&world, &log, &[b"b".to_vec()]);
    world.disk.add_rule(Rule::new(Fault::IoPartly(1)).on(&[Call::Write]).range(3072..4096));
    world.executor.run_all();
    assert!(log.failure().is_some());
    drop(log);
    world.executor.clear();
    // Recovery writes the slot anew, and the sync of that fails: the slot is whole in memory and torn on the disk.
    world.disk.add_rule(Rule::new(Fault::Io).on(&[Call::SyncData]).path(segment(1)));
    let refused = open_with(&world, options()).err().expect("the sync of the slot fails");
    assert_eq!(refused.code(), "VARVE_IO");
    let log = open(&world);
    append(&world, &log, &[vec![b'c'; 62_000]]);
    drop(log);
    let world = world.crash_with(&CrashChoice::lose_all());
    assert_eq!(problems(&world), [""; 0], "what crashes and failed writes leave is no damage");
}

#[test]
fn a_read_error_during_recovery_is_an_error_and_not_the_end_of_the_log() {
    let world = SimWorld::new(6);
    let log = open(&world);
    append(&world, &log, &[vec![7; 30_000]]);
    append(&world, &log, &[vec![8; 30_000]]);
    drop(log);
    let world = world.crash_with(&CrashChoice::keep_all());
    let paths = world.disk.paths();
    let files: Vec<_> = paths.iter().map(|path| world.disk.read_file(path).unwrap()).collect();
    for position in [0, 3072, 4096, 30_000, 60_000] {
        let fails = Rule::new(Fault::Io).on(&[Call::Read]).path(segment(1)).range(position..position + 1).always();
        world.disk.add_rule(fails);
        let error = open_with(&world, options()).err().expect("refused");
        assert_eq!(error.code(), "VARVE_IO", "{error}");
        world.disk.clear_faults();
        let after: Vec<_> = paths.iter().map(|path| world.disk.read_file(path).unwrap()).collect();
        assert!(files == after, "a read error at {position} changed something");
    }
    assert_eq!(open(&world).head().size, 2);
}

#[test]
fn rot_in_a_group_is_refused_once_a_later_group_attests_it_and_cut_before() {
    let world = SimWorld::new(9);
    let log = open(&world);
    for byte in [b'a', b'b', b'c'] {
        append(&world, &log, &[vec![byte; 1000]]);
    }
    drop(log);
    let world = world.crash_with(&CrashChoice::keep_all());
    // Power loss: the live mark is gone, and no quiet moment had marked page 0.
    world.disk.write_file(&Path::new(DIR).join("lock"), &[0; 600]).unwrap();
    let sound = world.disk.read_file(&segment(1)).unwrap();
    let starts: Vec<usize> = (4096..sound.len()).step_by(64).filter(|&at| sound[at..].starts_with(b"vfrm")).collect();
    assert_eq!(starts.len(), 3);
    for (number, &start) in starts.iter().enumerate() {
        for at in [start, start + 8, start + 48, start + 60, start + 104, start + 112, start + 600] {
            let rotten = world.crash_with(&CrashChoice::keep_all());
            rotten.disk.flip_bit(&segment(1), at as u64 * 8 + 3).unwrap();
            let outcome = open_with(&rotten, options());
            match (number, outcome) {
                (2, Ok(log)) => {
                    assert_eq!(log.head().size, 2, "byte {at}");
                    assert_eq!(log.cut().expect("told").position, start as u64);
                }
                (0 | 1, Err(Error::Corrupt(_))) => {}
                (_, outcome) => panic!("group {number}, byte {at}: {:?}", outcome.map(|log| log.head()).err()),
            }
        }
    }
}
