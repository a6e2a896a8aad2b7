//! A small log of three segments, in the states that differ in what attests its end; and what must be decided about
//! each of its bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use parking_lot::Mutex;
use varve_core::disk::sim::CrashChoice;
use varve_core::error::{Error, Result};
use varve_core::format::{FrameHeader, SegmentHeader};
use varve_core::hash::Keys;
use varve_core::log::{Listener, Log};
use varve_core::options::Options;
use varve_core::simulation::SimWorld;
use varve_core::writer::Head;

use crate::decision::{Row, is_lock};

pub const DIR: &str = "/a";

pub fn options() -> Options {
    Options { segment_bytes: 64 << 10, ..Options::default() }
}

pub fn segment(number: u32) -> PathBuf {
    PathBuf::from(format!("{DIR}/{number:010}.seg"))
}

pub fn lock() -> PathBuf {
    PathBuf::from(DIR).join("lock")
}

/// The same disk once more, everything on it durable.
pub fn copy(world: &SimWorld) -> SimWorld {
    let mut fresh = SimWorld::new(99);
    fresh.disk = world.disk.crash_with(&CrashChoice::keep_all());
    fresh
}

/// Hears how many records are durable.
pub struct Ear(pub Arc<Mutex<u64>>);
impl Listener for Ear {
    fn durable(&self, head: Head) {
        *self.0.lock() = head.size;
    }
    fn failed(&self, _: &Error) {}
}

pub fn open(world: &SimWorld, options: Options) -> Result<Log> {
    Log::open(world.host(), Path::new(DIR), options, Arc::new(Ear(Arc::default())))
}

pub fn append(world: &SimWorld, log: &Log, batch: &[&[u8]]) {
    let lengths: Vec<u32> = batch.iter().map(|payload| payload.len() as u32).collect();
    let _ = log.submit(&batch.concat(), &lengths, &[lengths.len() as u32]);
    world.executor.run_ready();
}

pub fn close(world: &SimWorld, log: &Log) {
    log.close(Box::new(|_| {}));
    world.executor.run_all();
}

/// Compresses to little, and leaves no room for a second one in a segment.
pub static LARGE: [u8; 62_000] = [0; 62_000];

/// The log of three segments.
pub struct Small {
    pub name: &'static str,
    pub world: SimWorld,
    pub id: [u8; 32],
    /// Ends of the frames in the third segment, each its own group.
    groups: Vec<u64>,
    /// Where the frames of the second segment end.
    pub second_end: u64,
    older_second: Vec<u8>,
}

impl Small {
    fn build(name: &'static str, seed: u64, closes: bool) -> Self {
        let world = SimWorld::new(seed);
        world.disk.set_prefill_pays(false); // every file ends where its frames end
        let log = open(&world, options()).unwrap();
        append(&world, &log, &[&LARGE]);
        append(&world, &log, &[&LARGE]);
        // The second segment as it would be, had it been sealed here.
        let twin = copy(&world);
        let (log_id, older_second) = (*log.id(), Self::sealed_second(&twin));
        append(&world, &log, &[b"in the second"]);
        append(&world, &log, &[&LARGE]);
        append(&world, &log, &[b"small"]);
        append(&world, &log, &[&[5; 300], b"the last group"]);
        if closes {
            close(&world, &log);
        }
        drop(log);
        let world = copy(&world);
        let third = world.disk.read_file(&segment(3)).unwrap();
        let nonce = third[56..72].try_into().unwrap();
        let key = Keys::new(&log_id, None).frame_key(&nonce);
        let mut groups = Vec::new();
        let mut at = 4096;
        while let Some(header) = FrameHeader::parse(third.get(at as usize..).unwrap_or_default(), &key, at) {
            at += header.frame_len();
            if header.flags.last() {
                groups.push(at);
            }
        }
        assert_eq!(groups.len(), if closes { 4 } else { 3 });
        assert_eq!(third.len() as u64, at);
        let second_end = u64::from_le_bytes(third[104..112].try_into().unwrap());
        Self { name, world, id: log_id, groups, second_end, older_second }
    }

    /// Lets a twin of the log go on to a third segment.
    fn sealed_second(twin: &SimWorld) -> Vec<u8> {
        let log = open(twin, options()).unwrap();
        append(twin, &log, &[&LARGE]);
        close(twin, &log);
        twin.disk.read_file(&segment(2)).unwrap()
    }

    /// The process ended: the live mark attests everything.
    pub fn marked_by_lock() -> Self {
        Self::build("with the live mark", 1, false)
    }

    /// The power failed: only later frames attest.
    pub fn unmarked() -> Self {
        let small = Self::build("without marks", 1, false);
        small.world.disk.write_file(&lock(), &[0; 600]).unwrap();
        Self { world: copy(&small.world), ..small }
    }

    /// Closed, and the live mark is gone.
    pub fn closed() -> Self {
        let small = Self::build("closed", 1, true);
        small.world.disk.write_file(&lock(), &[0; 600]).unwrap();
        Self { world: copy(&small.world), ..small }
    }

    /// Another log.
    pub fn other() -> Self {
        Self::build("another", 5, true)
    }

    pub fn all() -> [Self; 3] {
        [Self::marked_by_lock(), Self::unmarked(), Self::closed()]
    }

    pub fn marked(&self) -> bool {
        self.name == "with the live mark"
    }

    fn is_closed(&self) -> bool {
        self.name == "closed"
    }

    pub fn read(&self, number: u32) -> Vec<u8> {
        self.world.disk.read_file(&segment(number)).unwrap()
    }

    pub fn files(&self) -> Vec<(PathBuf, Vec<u8>)> {
        self.world
            .disk
            .paths()
            .into_iter()
            .map(|path| (path.clone(), self.world.disk.read_file(&path).unwrap()))
            .collect()
    }

    pub fn older_second(&self) -> Vec<u8> {
        self.older_second.clone()
    }

    fn header(&self, number: u32) -> SegmentHeader {
        SegmentHeader::parse(&self.read(number)).unwrap()
    }

    fn header_len(&self, number: u32) -> u64 {
        self.header(number).encoded_len() as u64
    }

    /// The last frame of the third segment, put in the place of the one before, with its checks put right.
    pub fn contradicting_third(&self) -> Vec<u8> {
        let mut bytes = self.read(3);
        let key = Keys::new(&self.id, None).frame_key(&self.header(3).nonce);
        let at = self.groups[0];
        let mut header = FrameHeader::parse(&bytes[at as usize..], &key, at).unwrap();
        header.first_offset += 1;
        let encoded = header.encode(&key, at);
        bytes[at as usize..at as usize + encoded.len()].copy_from_slice(&encoded);
        bytes
    }

    /// The third segment with an unknown required feature, and a checksum that holds.
    pub fn newer_third(&self) -> Vec<u8> {
        let mut bytes = self.read(3);
        bytes[12] = 1;
        let end = self.header_len(3) as usize - 4;
        let crc = crc32c::crc32c(&bytes[..end]);
        bytes[end..end + 4].copy_from_slice(&crc.to_le_bytes());
        bytes
    }

    /// What must be decided when the byte at `at` is another one.
    pub fn expect_flip(&self, path: &Path, at: u64) -> Row {
        if is_lock(path) {
            return Row::Clean;
        }
        if path == segment(1) {
            // Opening reads the lowest header; the rest is for those who read.
            return if at < self.header_len(1) { Row::BadHeader } else { Row::Clean };
        }
        if path == segment(2) {
            return match at {
                _ if at < self.header_len(2) => Row::BadHeader,
                _ if at >= self.second_end => Row::SealNow,
                _ => Row::Clean,
            };
        }
        match at {
            _ if at < self.header_len(3) => Row::SuccessorLost,
            // Marks are one witness of several; what is between is nobody's.
            0..4096 => Row::Clean,
            // Opening starts at the state frame that the slot names; frames before it are for those who read.
            _ if self.is_closed() && at < self.groups[2] => Row::Clean,
            _ if self.marked() || self.is_closed() => Row::Lost,
            _ if at < self.groups[1] => Row::Lost,
            _ => Row::TornTail,
        }
    }

    /// What must be decided when the file ends at `len`.
    pub fn expect_length(&self, path: &Path, len: u64) -> Row {
        if is_lock(path) {
            return Row::Clean;
        }
        if path == segment(1) {
            return if len < self.header_len(1) { Row::BadHeader } else { Row::Clean };
        }
        if path == segment(2) {
            return match len {
                _ if len < self.header_len(2) => Row::BadHeader,
                _ if len < self.second_end => Row::Lost,
                _ => Row::SealNow,
            };
        }
        match len {
            _ if len < self.header_len(3) => Row::SuccessorLost,
            _ if self.marked() || self.is_closed() => Row::Lost,
            // The footer before attests the first group. Of the others nothing is left that could tell: see `expectHead`.
            _ if len < self.groups[0] => Row::Lost,
            _ if self.groups.contains(&len) => Row::Clean,
            _ => Row::TornTail,
        }
    }
}
