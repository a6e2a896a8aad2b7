//! Everything that can be tried on a small log: every crash point with every legal image of its last group, every
//! byte flipped, every length, every file missing. What recovery decided is compared with the table in
//! docs/DURABILITY.md, and every row of the table must be reached.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod decision;
mod script;
mod small;

use std::collections::BTreeSet;

use varve_core::disk::sim::{Call, CrashChoice, Fault, LengthFate, Rule, SectorFate, SimRng};
use varve_core::error::Error;
use varve_core::options::Options;
use varve_core::simulation::SimWorld;

use decision::{Row, decide};
use script::{Writes, script};
use small::{DIR, Small, copy, options, segment};

/// Rows that were reached.
#[derive(Default)]
struct Reached(BTreeSet<&'static str>);

impl Reached {
    fn note(&mut self, row: Row) {
        self.0.insert(row.name());
    }
}

#[test]
fn recovery_decides_as_the_table_says_in_every_case_of_a_small_log() {
    let mut reached = Reached::default();
    for (direct_bytes, whole_blocks) in [(u64::MAX, false), (u64::MAX, true), (1, true)] {
        crash_images(Writes { direct_bytes, whole_blocks }, &mut reached);
    }
    flips(&mut reached);
    lengths(&mut reached);
    missing_files(&mut reached);
    neighbours(&mut reached);
    others(&mut reached);

    let page = include_str!("../../../../docs/DURABILITY.md");
    let rows = page.split("<!-- rows -->").nth(1).and_then(|rest| rest.split("<!-- /rows -->").next()).unwrap();
    let named: BTreeSet<&str> = rows.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next()).collect();
    let known: BTreeSet<&str> = Row::ALL.iter().map(|row| row.name()).collect();
    assert_eq!(named, known, "docs/DURABILITY.md and the test name the same rows");
    assert_eq!(known, reached.0, "every row is reached");
}

/// Every crash point × every subset of its unsynced sectors (all when there are at most eight), lengths and names.
fn crash_images(writes: Writes, reached: &mut Reached) {
    let calls = script(None, writes).0.disk.calls();
    let mut images = 0u64;
    let mut rng = SimRng::new(1);
    for halt in 1..=calls + 1 {
        let (world, model) = script(Some(halt), writes);
        let sectors = world.disk.unsynced_sectors();
        let subsets: Vec<u64> = if sectors.len() <= 8 {
            (0..1 << sectors.len()).collect()
        } else {
            (0..200)
                .map(|_| rng.next_u64() & rng.next_u64())
                .chain((0..64).map(|bit| 1 << bit))
                .chain([0, u64::MAX])
                .collect()
        };
        for subset in subsets {
            for length in [LengthFate::Old, LengthFate::New] {
                for names in [false, true] {
                    let mut choice = if names { CrashChoice::keep_all() } else { CrashChoice::lose_all() };
                    choice.length_default = length;
                    for (bit, sector) in sectors.iter().enumerate() {
                        let kept = subset >> (bit % 64) & 1 == 1;
                        let lost =
                            if subset.count_ones() % 2 == 0 { SectorFate::Old } else { SectorFate::Garbage(subset) };
                        choice.sectors.insert((sector.file, sector.sector), if kept { SectorFate::New } else { lost });
                    }
                    let after = world.crash_with(&choice);
                    let row =
                        model.judge(&after, &format!("halt {halt}, subset {subset:b}, {length:?}, names {names}"));
                    reached.note(row);
                    images += 1;
                }
            }
        }
    }
    println!("{images} images of {calls} crash points, {writes:?}");
}

/// Every byte of every file, one at a time; with the live mark, without it, and closed.
fn flips(reached: &mut Reached) {
    for small in Small::all() {
        let mut rng = SimRng::new(2);
        for (path, bytes) in small.files() {
            for at in 0..bytes.len() {
                let world = copy(&small.world);
                let mask = 1u8 << rng.below(8);
                world.disk.corrupt(&path, at as u64, |byte| *byte ^= mask).unwrap();
                let expected = small.expect_flip(&path, at as u64);
                let row = decide(&world, &options());
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                assert_eq!(row, expected, "{}: byte {at} of {name} flipped by {mask:#04x}", small.name);
                reached.note(row);
            }
        }
    }
}

/// Every length of every file.
fn lengths(reached: &mut Reached) {
    for small in Small::all() {
        for (path, bytes) in small.files() {
            for len in 0..bytes.len() {
                let world = copy(&small.world);
                world.disk.write_file(&path, &bytes[..len]).unwrap();
                let expected = small.expect_length(&path, len as u64);
                let row = decide(&world, &options());
                let name = path.file_name().unwrap().to_string_lossy().into_owned();
                assert_eq!(row, expected, "{}: {name} cut to {len} of {}", small.name, bytes.len());
                reached.note(row);
            }
        }
    }
}

fn missing_files(reached: &mut Reached) {
    for small in Small::all() {
        for number in 1..=3 {
            let world = copy(&small.world);
            world.disk.remove_file(&segment(number)).unwrap();
            let row = decide(&world, &options());
            let expected = if number == 3 { Row::SuccessorLost } else { Row::FileMissing };
            assert_eq!(row, expected, "{}: segment {number} removed", small.name);
            reached.note(row);
        }
        let world = copy(&small.world);
        for number in 1..=3 {
            world.disk.remove_file(&segment(number)).unwrap();
        }
        if small.marked() {
            let row = decide(&world, &options());
            assert_eq!(row, Row::FileMissing, "{}: all segments removed", small.name);
        }
    }
}

/// Files of other segments, other logs and other states under a segment's name.
fn neighbours(reached: &mut Reached) {
    let small = Small::closed();
    let other = Small::other();
    let mut expect = |world: &SimWorld, expected: Row, what: &str| {
        let row = decide(world, &options());
        assert_eq!(row, expected, "{what}");
        reached.note(row);
    };
    for number in [1, 2] {
        let world = copy(&small.world);
        world.disk.write_file(&segment(number), &other.read(number)).unwrap();
        expect(&world, Row::Foreign, &format!("segment {number} of another log"));
        let world = copy(&small.world);
        world.disk.write_file(&segment(number), &small.read(number % 2 + 1)).unwrap();
        expect(&world, Row::Foreign, &format!("segment {number} is a copy of another one"));
    }
    // The predecessor before it took its last record: an older copy that is sound in itself.
    let world = copy(&small.world);
    world.disk.write_file(&segment(2), &small.older_second()).unwrap();
    expect(&world, Row::Disagree, "an older second segment");
    // Unsealed, and damaged before its end.
    let world = copy(&small.world);
    let mut second = small.read(2);
    second.truncate(small.second_end as usize);
    let last = second.len() - 10;
    second[last - 200] ^= 1;
    world.disk.write_file(&segment(2), &second).unwrap();
    expect(&world, Row::UnsealedDamaged, "an unsealed segment with a damaged frame");
    // A frame with all checksums right that does not continue the log.
    // Not in the closed log: there opening starts behind that frame.
    let unmarked = Small::unmarked();
    let world = copy(&unmarked.world);
    world.disk.write_file(&segment(3), &unmarked.contradicting_third()).unwrap();
    expect(&world, Row::Contradiction, "a frame that does not continue the log");
    // A header of a later version, checksum and all.
    let world = copy(&small.world);
    world.disk.write_file(&segment(3), &small.newer_third()).unwrap();
    expect(&world, Row::Newer, "a header with a required feature that is unknown");
}

fn others(reached: &mut Reached) {
    let small = Small::unmarked();
    // Reading fails.
    for number in [2, 3] {
        let world = copy(&small.world);
        world.disk.add_rule(Rule::new(Fault::Io).on(&[Call::Read]).path(segment(number)));
        let row = decide(&world, &options());
        assert_eq!(row, Row::ReadError);
        reached.note(row);
    }
    // The side file cannot be written: nothing is cut.
    let world = copy(&small.world);
    let bytes = small.read(3);
    world.disk.write_file(&segment(3), &bytes[..bytes.len() - 1]).unwrap();
    world.disk.set_free(Some(0));
    let before = world.disk.read_file(&segment(3)).unwrap();
    match small::open(&world, options()) {
        Err(Error::Io { path, .. }) if path.to_string_lossy().contains("lost-") => {}
        outcome => panic!("no space for the side file: {:?}", outcome.err()),
    }
    assert!(world.disk.read_file(&segment(3)).unwrap() == before);
    reached.note(Row::NoSideFile);
    // A wrong secret, and a head that the log does not have.
    let world = copy(&small.world);
    let secret = Options { secret: Some(vec![1; 32]), ..options() };
    let row = decide(&world, &secret);
    assert_eq!(row, Row::WrongSecret);
    reached.note(row);
    let world = copy(&small.world);
    let head = varve_core::error::HeadClaim { id: small.id, size: 1, hash: [1; 32] };
    let row = decide(&world, &Options { expect_head: Some(head), ..options() });
    assert_eq!(row, Row::HeadMismatch);
    reached.note(row);
    // A new spare: all zeros.
    let world = copy(&small.world);
    world.disk.write_file(&segment(4), &[0; 5000]).unwrap();
    assert_eq!(decide(&world, &options()), Row::Spare);
    reached.note(Row::Spare);
    assert!(DIR.starts_with('/'));
}
