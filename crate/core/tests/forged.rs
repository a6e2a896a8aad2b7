//! Bytes that pass the checksums they carry and still say what is not so: made by somebody who knows the format, or by
//! a caller whose payloads imitate it. Nothing of it is believed.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::path::{Path, PathBuf};
use std::sync::Arc;

use support::Deaf;
use varve_core::disk::sim::{CrashChoice, SectorFate};
use varve_core::error::{Error, Result};
use varve_core::format::{
    FOOTER_LEN, FRAME_HEADER_LEN, FRAMES_START, Footer, FrameFlags, FrameHeader, IndexEntry, Mark, Position, SLOTS,
    SegmentHeader,
};
use varve_core::hash::{self, Hash, Keys, LeafHasher, Peaks, RecordRef};
use varve_core::host::Host;
use varve_core::log::Log;
use varve_core::options::{Compression, Options};
use varve_core::pool::Pool;
use varve_core::reader::ReadRequest;
use varve_core::salvage::salvage;
use varve_core::simulation::SimWorld;

const DIR: &str = "/log";

fn try_open(world: &SimWorld, secret: Option<&[u8]>) -> Result<Log> {
    let options = Options {
        segment_bytes: 64 << 10,
        compression: Compression::None,
        secret: secret.map(<[u8]>::to_vec),
        ..Options::default()
    };
    Log::open(world.host(), Path::new(DIR), options, Arc::new(Deaf))
}

fn open(world: &SimWorld) -> Log {
    try_open(world, None).expect("the log opens")
}

fn submit(log: &Log, payload: &[u8]) {
    log.submit(payload, &[payload.len() as u32], &[1]).expect("taken");
}

/// Runs everything but the quiet moment.
fn append(world: &SimWorld, log: &Log, payload: &[u8]) {
    submit(log, payload);
    world.executor.run_ready();
}

fn segment(number: u32) -> PathBuf {
    PathBuf::from(format!("{DIR}/{number:010}.seg"))
}

fn read(log: &Log, from: u64, max_records: u64) -> Result<Vec<Vec<u8>>> {
    let request =
        ReadRequest { from, to: from + max_records, max_bytes: 1, max_records, reverse: false, verify: false };
    let records = log.read(&request)?;
    Ok((0..records.len()).filter_map(|at| records.payload(at)).map(<[u8]>::to_vec).collect())
}

/// A segment's bytes, and what is needed to forge them in a log without a secret.
struct Forge {
    bytes: Vec<u8>,
    keys: Keys,
    key: [u8; 32],
}

impl Forge {
    fn new(world: &SimWorld, number: u32) -> Self {
        let bytes = world.disk.read_file(&segment(number)).unwrap();
        let header = SegmentHeader::parse(&bytes[..4096]).unwrap();
        let keys = Keys::new(&header.id, None);
        let key = keys.frame_key(&header.nonce);
        Self { bytes, keys, key }
    }
    fn put(&mut self, at: u64, bytes: &[u8]) {
        self.bytes[at as usize..at as usize + bytes.len()].copy_from_slice(bytes);
    }
    fn frame(&self, at: u64) -> FrameHeader {
        FrameHeader::parse(&self.bytes[at as usize..], &self.key, at).expect("a frame")
    }
}

/// A log of one record that a slot attests, and no close: its frame is the last.
fn one_euro(secret: Option<&[u8]>) -> (SimWorld, Forge) {
    let world = SimWorld::new(1);
    let log = try_open(&world, secret).expect("the log opens");
    append(&world, &log, b"one euro");
    world.executor.run_all();
    drop(log);
    let world = world.crash_with(&CrashChoice::keep_all());
    let forge = Forge::new(&world, 1);
    (world, forge)
}

/// Puts the only frame into the file, its head in the slots too, and nothing into `lock`: the log is refused as it is.
fn ensure_refused(world: &SimWorld, mut forge: Forge, header: &FrameHeader, secret: Option<&[u8]>) {
    forge.put(FRAMES_START, &header.encode(&forge.key, FRAMES_START));
    for slot in SLOTS {
        if let Some(mark) = Mark::parse(&forge.bytes[slot as usize..], &forge.key, slot) {
            let mark = Mark { head: header.head, ..mark }.encode(&forge.key, slot);
            forge.put(slot, &mark);
        }
    }
    world.disk.write_file(&segment(1), &forge.bytes).unwrap();
    world.disk.write_file(&Path::new(DIR).join("lock"), &[]).unwrap();
    let refused = try_open(world, secret).err().expect("refused");
    assert!(matches!(refused, Error::Corrupt(_)), "{refused}");
    assert!(world.disk.read_file(&segment(1)).unwrap() == forge.bytes);
}

fn leaf_of(forge: &Forge, payload: &[u8], time: u64) -> Vec<Hash> {
    let mut leaves = Vec::new();
    LeafHasher::new().leaves(&forge.keys, 0, &[RecordRef { payload, time, kind: 0, flags: 0 }], &mut leaves);
    leaves
}

#[test]
fn a_payload_rewritten_with_all_checksums_put_right_is_refused() {
    // By somebody who can write the files, knows the format and lacks the secret.
    let secret = Some(&[9; 32][..]);
    let (world, mut forge) = one_euro(secret);
    let mut header = forge.frame(FRAMES_START);
    let body = FRAMES_START as usize + FRAME_HEADER_LEN;
    let end = (FRAMES_START + header.frame_len()) as usize;
    assert_eq!(&forge.bytes[body + 2..body + 10], b"one euro");
    forge.bytes[body + 2..body + 10].copy_from_slice(b"two euro");
    header.body_crc = crc32c::crc32c(&forge.bytes[body..end]);
    let mut peaks = Peaks::new();
    peaks.extend(&forge.keys, &leaf_of(&forge, b"two euro", header.base_time), &mut Vec::new());
    header.head = peaks.head(&forge.keys);
    ensure_refused(&world, forge, &header, secret);
}

#[test]
fn a_head_that_does_not_recompute_is_refused_though_it_is_sealed() {
    let (world, forge) = one_euro(None);
    let mut header = forge.frame(FRAMES_START);
    header.head[0] ^= 1;
    let leaves = leaf_of(&forge, b"one euro", header.base_time);
    header.seal = hash::frame_seal(&forge.keys, header.flags.0, 0, 0, 1, &header.head, &leaves);
    ensure_refused(&world, forge, &header, None);
}

/// A group torn by a power loss, whose payload says in header after header that everything up to far behind it was
/// durable. `key_of` is the key that those headers are made with. Also tells where the group starts.
fn torn_group_with_imitations(seed: u64, key_of: impl Fn(&Forge) -> [u8; 32]) -> (SimWorld, u64) {
    let world = SimWorld::new(seed);
    let log = open(&world);
    append(&world, &log, b"durable");
    world.executor.run_all();
    let forge = Forge::new(&world, 1);
    let torn_at = FRAMES_START + forge.frame(FRAMES_START).frame_len();
    let imitation = FrameHeader {
        codec: 0,
        flags: FrameFlags(FrameFlags::FIRST | FrameFlags::LAST),
        first_offset: 2,
        base_time: u64::MAX,
        count: 1,
        stored_len: 3,
        raw_len: 3,
        body_crc: 0,
        epoch: 0,
        durable_to: Position { segment: 1, position: 1 << 20 },
        head: [7; 32],
        seal: [7; 16],
    };
    let mut payload = vec![0; 20_000];
    // Behind the frame's header, the mask and a length of two bytes (three from 16,384 on).
    let starts = torn_at + FRAME_HEADER_LEN as u64 + 1 + 3;
    let first = (starts.next_multiple_of(64) - starts) as usize;
    for at in (first..payload.len() - FRAME_HEADER_LEN).step_by(128) {
        let header = imitation.encode(&key_of(&forge), starts + at as u64);
        payload[at..at + FRAME_HEADER_LEN].copy_from_slice(&header);
    }
    // The machine dies before the sync, and of the record only its frame's header is lost.
    world.disk.halt_at(world.disk.calls() + 2);
    append(&world, &log, &payload);
    let written = world.disk.read_file(&segment(1)).unwrap();
    assert!(written[(starts as usize + first)..].starts_with(b"vfrm"), "the imitation stands where frames stand");
    let mut choice = CrashChoice::keep_all();
    let sectors = world.disk.unsynced_sectors();
    let torn = sectors.iter().find(|s| s.path == segment(1) && s.sector == torn_at / 512).expect("not synced");
    choice.sectors.insert((torn.file, torn.sector), SectorFate::Old);
    drop(log);
    (world.crash_with(&choice), torn_at)
}

#[test]
fn frames_inside_of_a_payload_attest_nothing() {
    let (world, torn_at) = torn_group_with_imitations(2, |_| [9; 32]);
    let log = open(&world);
    assert_eq!(log.head().size, 1);
    let cut = log.cut().expect("the torn record is cut");
    assert_eq!(cut.position, torn_at);
}

/// Who reads the folder has the segment's key, and who also chooses payloads can foresee their place: docs/DURABILITY.md
/// says what that costs.
#[test]
fn frames_made_for_their_place_in_a_payload_have_a_torn_group_refused_and_lose_nothing() {
    let (world, torn_at) = torn_group_with_imitations(4, |forge| forge.key);
    let before = world.disk.read_file(&segment(1)).unwrap();
    match try_open(&world, None).err().expect("refused") {
        Error::Corrupt(damage) => assert_eq!(damage.position, Some(torn_at)),
        other => panic!("{other}"),
    }
    assert!(world.disk.read_file(&segment(1)).unwrap() == before);
    let host = Host { executor: Pool::global(), ..world.host() };
    let copied = salvage(&host, Path::new(DIR), Path::new("/copy"), None, &|_, _| true).unwrap();
    assert_eq!(copied.records, 1);
}

#[test]
fn an_index_that_leads_elsewhere_gives_no_record() {
    let world = SimWorld::new(3);
    let log = open(&world);
    for number in 0..12u8 {
        append(&world, &log, &vec![number; 9_000]);
    }
    world.executor.run_all();
    drop(log);
    let world = world.crash_with(&CrashChoice::keep_all());
    let sound = Forge::new(&world, 1).bytes;
    type Change = fn(&mut [IndexEntry]) -> usize;
    let changes: [Change; 4] = [
        // The frame of record 4 is said to begin with record 3.
        |entries| {
            entries[4].relative_offset -= 1;
            3
        },
        // The frame of record 3 is said to begin with record 4: none is left for record 3.
        |entries| {
            entries[3].relative_offset += 1;
            3
        },
        // Into the payload of record 2.
        |entries| {
            entries[2].slot += 1;
            2
        },
        // Behind all frames.
        |entries| {
            let last = entries.len() - 1;
            entries[last].slot += 1 << 20;
            last
        },
    ];
    for (case, change) in changes.into_iter().enumerate() {
        world.disk.write_file(&segment(1), &sound).unwrap();
        let mut forge = Forge::new(&world, 1);
        let len = forge.bytes.len() as u64;
        let footer = Footer::parse(&forge.bytes[len as usize - FOOTER_LEN..], &forge.key, len).expect("sealed");
        let range = footer.frames_end as usize..footer.position() as usize;
        let mut entries = IndexEntry::parse_all(&forge.bytes[range]).unwrap();
        assert!(entries.len() > 5, "one frame for each record");
        let asked = change(&mut entries);
        let index = IndexEntry::encode_all(&entries);
        forge.put(footer.frames_end, &index);
        let encoded = Footer { index_crc: crc32c::crc32c(&index), ..footer.clone() }.encode(&forge.key);
        forge.put(len - FOOTER_LEN as u64, &encoded);
        world.disk.write_file(&segment(1), &forge.bytes).unwrap();
        let log = open(&world);
        for max_records in [1, 2] {
            match read(&log, asked as u64, max_records) {
                Err(Error::Corrupt(_)) => {}
                // An index that cannot be one is rebuilt from the frames.
                Ok(records) => assert!(records[0] == vec![asked as u8; 9_000], "case {case}"),
                Err(error) => panic!("case {case}: {error}"),
            }
        }
        drop(log);
        world.executor.clear();
    }
}
