//! Verifying finds every kind of damage, says where, and changes nothing.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, missing_docs)]

mod support;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, mpsc};

use support::{Strict, real_host};
use varve_core::error::{Error, HeadClaim};
use varve_core::format::{
    FOOTER_LEN, FRAME_HEADER_LEN, FRAMES_START, Footer, FrameFlags, FrameHeader, IndexEntry, MARK_LEN, Mark, Position,
    SLOTS, SegmentHeader,
};
use varve_core::hash::{self, Keys};
use varve_core::host::Host;
use varve_core::log::Log;
use varve_core::options::{Compression, Options};
use varve_core::reader::ReadRequest;
use varve_core::verify::{Established, Problem, Report, VerifyOptions, verify_dir};
use varve_core::writer::Head;

fn open(dir: &Path, options: &Options) -> Log {
    Log::open(real_host(), dir, options.clone(), Arc::new(Strict)).unwrap()
}

fn append(log: &Log, payloads: &[Vec<u8>], batches: &[u32]) -> Head {
    let lengths: Vec<u32> = payloads.iter().map(|p| p.len() as u32).collect();
    log.submit(&payloads.concat(), &lengths, batches).unwrap();
    let (sender, receiver) = mpsc::channel();
    log.flush(Box::new(move |head| sender.send(head).unwrap()));
    receiver.recv().unwrap().unwrap()
}

fn close(log: &Log) {
    let (sender, receiver) = mpsc::channel();
    log.close(Box::new(move |outcome| sender.send(outcome).unwrap()));
    receiver.recv().unwrap().unwrap();
}

fn payload(number: u64) -> Vec<u8> {
    let filler: String = (0..number * 37 % 600).map(|i| char::from(b'a' + ((number * 7 + i * i) % 26) as u8)).collect();
    format!("{{\"event\":{number},\"text\":\"{filler}\"}}").into_bytes()
}

/// Appends batches of 1 to 40 records until the log has `size` of them.
fn fill(log: &Log, size: u64) {
    let mut next = log.head().size;
    while next < size {
        let count = (next % 40 + 1).min(size - next);
        let payloads: Vec<_> = (next..next + count).map(payload).collect();
        append(log, &payloads, &[count as u32]);
        next += count;
    }
}

fn options() -> Options {
    Options { segment_bytes: 64 << 10, compression: Compression::None, ..Options::default() }
}

/// A closed log of five segments in a folder of its own.
fn sample(options: &Options) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("log");
    for size in [150, 500, 800] {
        let log = open(&path, options);
        fill(&log, size);
        close(&log);
    }
    (dir, path)
}

fn files(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    let entries = std::fs::read_dir(dir).unwrap().map(|entry| entry.unwrap());
    entries.map(|e| (e.file_name().into_string().unwrap(), std::fs::read(e.path()).unwrap())).collect()
}

fn restore(dir: &Path, files: &BTreeMap<String, Vec<u8>>) {
    for entry in std::fs::read_dir(dir).unwrap() {
        std::fs::remove_file(entry.unwrap().path()).unwrap();
    }
    for (name, bytes) in files {
        std::fs::write(dir.join(name), bytes).unwrap();
    }
}

fn verify_with(dir: &Path, options: &VerifyOptions) -> Report {
    let before = files(dir);
    let report = verify_dir(&real_host(), dir, options, &|_, _| true).unwrap();
    assert!(files(dir) == before, "verifying changed the folder");
    report
}

fn verify(dir: &Path) -> Report {
    verify_with(dir, &VerifyOptions::default())
}

fn name(number: u32) -> String {
    format!("{number:010}.seg")
}

/// A segment's bytes with everything that is needed to forge parts of it.
struct Forge {
    dir: PathBuf,
    name: String,
    bytes: Vec<u8>,
    keys: Keys,
    header: SegmentHeader,
    key: [u8; 32],
}

impl Forge {
    fn open(dir: &Path, number: u32) -> Self {
        let bytes = std::fs::read(dir.join(name(number))).unwrap();
        let header = SegmentHeader::parse(&bytes[..4096]).unwrap();
        let keys = Keys::new(&header.id, None);
        let key = keys.frame_key(&header.nonce);
        Self { dir: dir.to_owned(), name: name(number), bytes, keys, header, key }
    }
    fn save(&self) {
        std::fs::write(self.dir.join(&self.name), &self.bytes).unwrap();
    }
    fn frames(&self) -> Vec<(u64, FrameHeader)> {
        let mut frames = Vec::new();
        let mut at = FRAMES_START;
        while let Some(header) = self.bytes.get(at as usize..).and_then(|b| FrameHeader::parse(b, &self.key, at)) {
            frames.push((at, header.clone()));
            at += header.frame_len();
        }
        frames
    }
    fn footer(&self) -> Option<Footer> {
        let at = self.bytes.len() - FOOTER_LEN;
        Footer::parse(&self.bytes[at..], &self.key, self.bytes.len() as u64)
    }
    fn set_header(&mut self, change: impl Fn(&mut SegmentHeader)) {
        let mut header = self.header.clone();
        change(&mut header);
        let (first, kept) = (header.first_offset, header.kept_from);
        let sealed = header.sealed_bytes();
        header.seal = hash::header_seal(&self.keys, header.epoch, first, kept, &header.head, &sealed);
        let bytes = header.encode();
        self.bytes[..SLOTS[0] as usize].fill(0);
        self.bytes[..bytes.len()].copy_from_slice(&bytes);
        self.save();
    }
    fn set_frame(&mut self, at: u64, change: impl Fn(&mut FrameHeader)) {
        let mut header = FrameHeader::parse(&self.bytes[at as usize..], &self.key, at).unwrap();
        change(&mut header);
        let bytes = header.encode(&self.key, at);
        self.bytes[at as usize..at as usize + FRAME_HEADER_LEN].copy_from_slice(&bytes);
        self.save();
    }
    fn set_footer(&mut self, change: impl Fn(&mut Footer)) {
        let mut footer = self.footer().unwrap();
        change(&mut footer);
        let bytes = footer.encode(&self.key);
        let at = self.bytes.len() - FOOTER_LEN;
        self.bytes[at..].copy_from_slice(&bytes);
        self.save();
    }
    fn set_entry(&mut self, entry: usize, change: impl Fn(&mut IndexEntry)) {
        let footer = self.footer().unwrap();
        let range = footer.frames_end as usize..footer.position() as usize;
        let mut entries: Vec<_> = IndexEntry::parse_each(&self.bytes[range.clone()]).collect();
        change(&mut entries[entry]);
        let index = IndexEntry::encode_all(&entries);
        self.bytes[range].copy_from_slice(&index);
        self.set_footer(|footer| footer.index_crc = crc32c::crc32c(&index));
    }
}

fn first(report: &Report) -> &Problem {
    assert!(!report.ok && !report.problems.is_empty(), "{report:?}");
    &report.problems[0]
}

fn has(report: &Report, segment: u32, position: u64, words: &str) {
    let segment = name(segment);
    let found = report
        .problems
        .iter()
        .any(|p| p.segment.as_ref() == Some(&segment) && p.position == Some(position) && p.message.contains(words));
    assert!(found && !report.ok, "{words} in {segment} at {position}: {:#?}", report.problems);
}

#[test]
fn a_sound_log_is_ok() {
    for compression in [Compression::None, Compression::Lz4] {
        for secret in [None, Some(vec![7; 32])] {
            let options = Options { compression, secret: secret.clone(), ..options() };
            let (_guard, dir) = sample(&options);
            let report = verify_with(&dir, &VerifyOptions { secret: secret.clone(), ..VerifyOptions::default() });
            assert_eq!(report.problems, []);
            assert!(report.ok);
            assert_eq!((report.records, report.head.size), (800, 800));
            let bytes: usize = files(&dir).iter().filter(|(n, _)| n.ends_with(".seg")).map(|(_, b)| b.len()).sum();
            assert_eq!(report.bytes, bytes as u64);
            let expected = if secret.is_some() { Established::Secret } else { Established::Internal };
            assert_eq!(report.established, expected);
            let log = open(&dir, &options);
            assert_eq!(log.head(), Head { size: report.head.size, hash: report.head.hash });
            let live = log.verify(&VerifyOptions::default(), &|_, _| true).unwrap();
            assert_eq!((live.problems, live.records, live.established), (vec![], 800, expected));
            close(&log);
        }
    }
}

#[test]
fn an_empty_log_is_ok_and_none_is_not_found() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &options());
    assert!(log.verify(&VerifyOptions::default(), &|_, _| true).unwrap().ok);
    let report = verify(dir.path());
    assert!(report.ok, "{report:?}");
    assert_eq!((report.records, report.head.size), (0, 0));
    close(&log);
    assert!(verify(dir.path()).ok);
    let none = tempfile::tempdir().unwrap();
    let error = verify_dir(&real_host(), none.path(), &VerifyOptions::default(), &|_, _| true).unwrap_err();
    assert_eq!(error.code(), "VARVE_NOT_FOUND");
    let error = verify_dir(&real_host(), &none.path().join("x"), &VerifyOptions::default(), &|_, _| true).unwrap_err();
    assert_eq!(error.code(), "VARVE_NOT_FOUND");
}

#[test]
fn a_flipped_byte_is_found_wherever_it_lies() {
    for compression in [Compression::None, Compression::Lz4] {
        let (_guard, dir) = sample(&Options { compression, ..options() });
        let sound = files(&dir);
        for (file, bytes) in sound.iter().filter(|(name, bytes)| name.ends_with(".seg") && !bytes.is_empty()) {
            let mut flipped = bytes.clone();
            let number: u32 = file[..10].parse().unwrap();
            let forge = Forge::open(&dir, number);
            let frames = forge.frames();
            let (last, header) = frames.last().unwrap();
            let frames_end = last + header.frame_len();
            let near_header = |at: u64| frames.iter().any(|(start, _)| (*start..start + 112).contains(&at));
            for at in 0..bytes.len() as u64 {
                // Header, marks, index and footer; less of headers of frames, and some of the bodies.
                let slot = |slot: u64| bytes[slot as usize] != 0 && (slot..slot + MARK_LEN as u64 - 1).contains(&at);
                let page_0 = at < forge.header.encoded_len() as u64 || SLOTS.into_iter().any(slot);
                if at < FRAMES_START && !page_0 {
                    continue;
                }
                let dense = page_0 || at >= frames_end;
                let some = at % 613 == 0 || (near_header(at) && at % 7 == u64::from(number));
                if !(dense && at % 3 == u64::from(number) % 3 || some) {
                    continue;
                }
                flipped[at as usize] ^= 1 << (at % 8);
                std::fs::write(dir.join(file), &flipped).unwrap();
                let report = verify_dir(&real_host(), &dir, &VerifyOptions::default(), &|_, _| true).unwrap();
                let problem = first(&report);
                assert_eq!(problem.code, "VARVE_CORRUPT", "{at}: {problem:?}");
                assert_eq!(problem.segment.as_ref(), Some(file), "{at}: {problem:?}");
                let position = problem.position.unwrap();
                let frame = frames.iter().find(|(start, h)| (*start..start + h.frame_len()).contains(&at));
                match frame {
                    Some((start, _)) => assert_eq!(position, *start, "{at}: {problem:?}"),
                    None => assert!(position <= at, "{at}: {problem:?}"),
                }
                flipped[at as usize] = bytes[at as usize];
            }
            std::fs::write(dir.join(file), bytes).unwrap();
        }
        assert!(verify(&dir).ok);
    }
}

#[test]
fn damage_in_several_places_is_listed_in_one_report() {
    let (_guard, dir) = sample(&options());
    let mut places = Vec::new();
    for number in 1..=4 {
        let mut forge = Forge::open(&dir, number);
        let frames = forge.frames();
        // A body, then a header two frames on, then a zeroed page.
        let (body, header, page) = (&frames[0], &frames[2], &frames[4]);
        forge.bytes[body.0 as usize + 120] ^= 1;
        forge.bytes[header.0 as usize + 20] ^= 1;
        forge.bytes[page.0 as usize..page.0 as usize + 112].fill(0);
        forge.save();
        places.extend([body, header, page].map(|(at, h)| (number, *at, h.first_offset)));
    }
    let report = verify(&dir);
    let found: Vec<_> =
        report.problems.iter().map(|p| (p.segment.clone().unwrap(), p.position.unwrap(), p.offset.unwrap())).collect();
    let expected: Vec<_> = places.iter().map(|&(number, at, offset)| (name(number), at, offset)).collect();
    assert_eq!(found, expected, "{:#?}", report.problems);
    assert!(report.problems[1].message.contains("cannot be read"), "{:?}", report.problems[1]);
    assert_eq!(report.head.size, 800);
    assert!(report.records < 800);
}

#[test]
fn forged_segment_headers_are_found() {
    let (_guard, dir) = sample(&options());
    let sound = files(&dir);
    type Change = (&'static str, fn(&mut SegmentHeader));
    let changes: [Change; 9] = [
        ("another end", |h| h.predecessor_end += 64),
        ("another time", |h| h.last_time += 1),
        ("another head", |h| h.head[3] ^= 1),
        ("prepared", |h| h.nonce[0] ^= 1),
        ("number", |h| h.segment += 1),
        ("another secret", |h| h.key_check[0] ^= 1),
        ("encoding", |h| h.encoding = "json".into()),
        ("epoch", |h| h.epoch = 1),
        ("recompute from its peaks", |h| h.peaks[0][0] ^= 1),
    ];
    for (words, change) in changes {
        restore(&dir, &sound);
        Forge::open(&dir, 3).set_header(change);
        let report = verify(&dir);
        let found = report
            .problems
            .iter()
            .any(|p| p.message.contains(words) || (words == "another head" && p.message.contains("recompute")));
        assert!(found, "{words}: {:#?}", report.problems);
        assert_eq!((first(&report).segment.clone(), first(&report).position), (Some(name(3)), Some(0)), "{words}");
    }
    restore(&dir, &sound);
    Forge::open(&dir, 3).set_header(|h| h.next_nonce[0] ^= 1);
    has(&verify(&dir), 4, 0, "prepared");
    restore(&dir, &sound);
    Forge::open(&dir, 3).set_header(|h| h.kept_from = 5);
    has(&verify(&dir), 4, 0, "pruning");
}

#[test]
fn forged_frame_headers_are_found() {
    let (_guard, dir) = sample(&options());
    let sound = files(&dir);
    type Change = (&'static str, fn(&mut FrameHeader));
    let changes: [Change; 12] = [
        ("codec", |h| h.codec = 9),
        ("decompress", |h| h.codec = 1),
        ("batches overlap", |h| h.flags.0 ^= FrameFlags::FIRST),
        ("seal", |h| h.flags.0 ^= FrameFlags::LAST),
        ("does not continue", |h| h.first_offset += 1),
        ("time runs backwards", |h| h.base_time -= 100_000),
        ("decode", |h| h.count += 1),
        ("two lengths", |h| h.raw_len += 1),
        ("checksum", |h| h.body_crc += 1),
        ("epoch", |h| h.epoch += 1),
        ("attests", |h| h.durable_to = Position { segment: 9, position: 4096 }),
        ("head does not recompute", |h| h.head[0] ^= 1),
    ];
    for at in [0, 2] {
        for (words, change) in &changes {
            restore(&dir, &sound);
            let mut forge = Forge::open(&dir, 2);
            let (position, _) = forge.frames()[at];
            forge.set_frame(position, change);
            has(&verify(&dir), 2, position, words);
        }
        restore(&dir, &sound);
        let mut forge = Forge::open(&dir, 2);
        let (position, _) = forge.frames()[at];
        forge.set_frame(position, |h| h.seal[0] ^= 1);
        let report = verify(&dir);
        has(&report, 2, position, "seal");
        assert_eq!(report.problems.len(), 1, "the chain goes on behind a wrong seal");
    }
}

#[test]
fn a_rewritten_record_is_found_though_its_frame_is_consistent() {
    let (_guard, dir) = sample(&options());
    let mut forge = Forge::open(&dir, 2);
    let (at, header) = forge.frames()[2].clone();
    let (start, end) = (at as usize + FRAME_HEADER_LEN, (at + header.frame_len()) as usize);
    forge.bytes[start + header.stored_len as usize - 5] ^= 1;
    let crc = crc32c::crc32c(&forge.bytes[start..end]);
    forge.set_frame(at, |h| h.body_crc = crc);
    let report = verify(&dir);
    has(&report, 2, at, "seal does not recompute");
    has(&report, 2, at, "head does not recompute");
    assert!(report.problems.len() < 8, "{:#?}", report.problems);
}

#[test]
fn forged_footers_and_index_entries_are_found() {
    let (_guard, dir) = sample(&options());
    let sound = files(&dir);
    type Change = (&'static str, fn(&mut Footer));
    let changes: [Change; 8] = [
        ("another segment", |f| f.segment = 7),
        ("first offset", |f| f.first_offset += 1),
        ("end offset", |f| f.end_offset += 1),
        ("first time", |f| f.first_time += 1),
        ("last time", |f| f.last_time += 1),
        ("another head", |f| f.head[0] ^= 1),
        ("checksum of the segment's index", |f| f.index_crc ^= 1),
        ("seal", |f| f.seal[0] ^= 1),
    ];
    for number in [1, 4] {
        for (words, change) in &changes {
            restore(&dir, &sound);
            let mut forge = Forge::open(&dir, number);
            forge.set_footer(change);
            let footer = forge.footer().unwrap();
            let place = if words.starts_with("checksum") { footer.frames_end } else { footer.position() };
            has(&verify(&dir), number, place, words);
        }
        for (entry, change) in [
            (0, (|e| e.slot += 1) as fn(&mut IndexEntry)),
            (2, |e| e.slot += 1),
            (2, |e| e.relative_offset += 1),
            (3, |e| e.slot = 1),
        ] {
            restore(&dir, &sound);
            let mut forge = Forge::open(&dir, number);
            let offset = forge.frames()[entry].1.first_offset;
            forge.set_entry(entry, change);
            let report = verify(&dir);
            let place = forge.footer().unwrap().frames_end + entry as u64 * 8;
            has(&report, number, place, "index entry");
            assert_eq!((report.problems.len(), first(&report).offset), (1, Some(offset)), "{:#?}", report.problems);
            assert_eq!(report.records, 800);
        }
    }
}

#[test]
fn a_forged_state_frame_is_found() {
    let (_guard, dir) = sample(&options());
    let sound = files(&dir);
    let mut seen = 0;
    for number in 1..=5 {
        for (at, header) in Forge::open(&dir, number).frames().into_iter().filter(|(_, h)| h.flags.state()) {
            seen += 1;
            for forged_peak in [true, false] {
                restore(&dir, &sound);
                let mut forge = Forge::open(&dir, number);
                let (start, end) = (at as usize + FRAME_HEADER_LEN, (at + header.frame_len()) as usize);
                let time_at = start + header.stored_len as usize - 8;
                forge.bytes[if forged_peak { start } else { time_at }] ^= 1;
                let (peaks, _) = forge.bytes[start..time_at].as_chunks::<32>();
                let time = u64::from_le_bytes(forge.bytes[time_at..time_at + 8].try_into().unwrap());
                let crc = crc32c::crc32c(&forge.bytes[start..end]);
                let seal = hash::state_seal(
                    &forge.keys,
                    header.flags.close(),
                    0,
                    header.first_offset,
                    &header.head,
                    peaks,
                    time,
                );
                forge.set_frame(at, |h| (h.body_crc, h.seal) = (crc, seal));
                has(&verify(&dir), number, at, if forged_peak { "head" } else { "time" });
            }
        }
    }
    assert_eq!(seen, 3, "one for each close");
}

#[test]
fn marks_must_agree_with_the_walk() {
    let (_guard, dir) = sample(&options());
    let sound = files(&dir);
    let newest = sound.iter().filter(|(n, b)| n.ends_with(".seg") && !b.is_empty()).count() as u32;
    for number in 1..=newest {
        let forge = Forge::open(&dir, number);
        for slot in SLOTS {
            let Some(mark) = Mark::parse(&forge.bytes[slot as usize..], &forge.key, slot) else { continue };
            type Change = (&'static str, fn(&mut Mark));
            let changes: [Change; 5] = [
                ("another head", |m| m.size += 1),
                ("another head", |m| m.head[0] ^= 1),
                ("another time", |m| m.last_time += 1),
                ("no end of a frame", |m| m.position -= 64),
                ("state frame", |m| m.state_position = 8192 + 64 * 7),
            ];
            for (words, change) in changes {
                restore(&dir, &sound);
                let mut forge = Forge::open(&dir, number);
                let mut forged = mark.clone();
                change(&mut forged);
                let bytes = forged.encode(&forge.key, slot);
                forge.bytes[slot as usize..slot as usize + bytes.len()].copy_from_slice(&bytes);
                forge.save();
                has(&verify(&dir), number, slot, words);
            }
        }
    }
}

#[test]
fn missing_segments_are_found() {
    let (_guard, dir) = sample(&options());
    let sound = files(&dir);
    let newest = sound.iter().filter(|(n, b)| n.ends_with(".seg") && !b.is_empty()).count() as u32;
    assert!(newest >= 4);
    for number in 1..=newest {
        restore(&dir, &sound);
        for (file, _) in sound.iter().filter(|(n, b)| **n == name(number) || (b.is_empty() && number == newest)) {
            std::fs::remove_file(dir.join(file)).unwrap();
        }
        let report = verify(&dir);
        let problem = first(&report);
        assert!(problem.message.contains("missing"), "{problem:?}");
        assert_eq!(problem.segment, Some(name(number)), "{problem:?}");
    }
    restore(&dir, &sound);
    for number in 1..=newest {
        let _ = std::fs::remove_file(dir.join(name(number)));
    }
    let _ = std::fs::remove_file(dir.join(name(newest + 1)));
    let report = verify(&dir);
    assert!(first(&report).message.contains("every segment file is missing"), "{report:?}");
}

#[test]
fn segments_of_another_place_or_log_are_found() {
    let (_guard, dir) = sample(&options());
    let (_other_guard, other) = sample(&options());
    let sound = files(&dir);
    std::fs::write(dir.join(name(2)), &sound[&name(3)]).unwrap();
    std::fs::write(dir.join(name(3)), &sound[&name(2)]).unwrap();
    let report = verify(&dir);
    has(&report, 2, 0, "number is not that of its file name");
    has(&report, 3, 0, "number is not that of its file name");
    for number in 1..=5 {
        restore(&dir, &sound);
        std::fs::copy(other.join(name(number)), dir.join(name(number))).unwrap();
        let report = verify(&dir);
        has(&report, number, 0, "another log");
        assert_eq!(report.problems.len(), 1, "{:#?}", report.problems);
    }
}

#[test]
fn a_misdirected_frame_is_found() {
    let (_guard, dir) = sample(&options());
    let mut forge = Forge::open(&dir, 2);
    let frames = forge.frames();
    let (from, header) = &frames[1];
    let copy = forge.bytes[*from as usize..(*from + header.frame_len()) as usize].to_vec();
    let to = frames[3].0;
    forge.bytes[to as usize..to as usize + copy.len()].copy_from_slice(&copy);
    forge.save();
    has(&verify(&dir), 2, to, "no sound frame header");
}

#[test]
fn a_tail_cut_under_an_open_log_is_found() {
    for (segment_bytes, cut_frames) in [(64 << 10, 1), (64 << 10, 3), (1 << 20, 2)] {
        let options = Options { segment_bytes, ..options() };
        let dir = tempfile::tempdir().unwrap();
        let log = open(dir.path(), &options);
        fill(&log, 700);
        let head = log.head();
        let newest = (1..).take_while(|&n| std::fs::metadata(dir.path().join(name(n))).is_ok_and(|m| m.len() > 4096));
        let newest = newest.last().unwrap();
        let forge = Forge::open(dir.path(), newest);
        let frames = forge.frames();
        let (cut, header) = frames[frames.len() - cut_frames.min(frames.len())].clone();
        let file = std::fs::OpenOptions::new().write(true).open(dir.path().join(name(newest))).unwrap();
        file.set_len(cut).unwrap();
        let report = log.verify(&VerifyOptions::default(), &|_, _| true).unwrap();
        let problem = first(&report);
        assert_eq!(problem.code, "VARVE_CORRUPT");
        assert_eq!(
            (problem.segment.clone(), problem.position, problem.offset),
            (Some(name(newest)), Some(cut), Some(header.first_offset)),
            "{problem:?}"
        );
        assert_eq!(report.problems.len(), 1, "{:#?}", report.problems);
        assert_eq!(report.head.size, header.first_offset);
        // The lock file's live mark tells the same to everybody else.
        has(&verify(dir.path()), newest, cut, "durable");
        // And without it the head that a caller kept.
        std::fs::remove_file(dir.path().join("lock")).unwrap();
        let expect_head = Some(HeadClaim { id: *log.id(), size: head.size, hash: head.hash });
        let report = verify_with(dir.path(), &VerifyOptions { expect_head, ..VerifyOptions::default() });
        assert!(report.problems.iter().any(|p| p.code == "VARVE_HEAD_MISMATCH" && p.message.contains("shorter")));
        std::mem::forget(log);
    }
}

#[test]
fn a_tail_that_nothing_attests_is_no_problem() {
    let (_guard, dir) = sample(&options());
    let sound = files(&dir);
    let newest = sound.iter().filter(|(n, b)| n.ends_with(".seg") && !b.is_empty()).count() as u32;
    for tail in [vec![0; 5000], vec![7; 5000], b"vfrm".repeat(500)] {
        restore(&dir, &sound);
        let mut forge = Forge::open(&dir, newest);
        forge.bytes.extend(tail);
        forge.save();
        let report = verify(&dir);
        assert!(report.ok && report.records == 800, "{report:?}");
    }
}

#[test]
fn heads_of_every_size_are_recomputed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &options());
    let mut heads = vec![log.head()];
    // One record an append, so that the log tells the head at every size.
    for number in 0..60 {
        heads.push(append(&log, &[payload(number)], &[1]));
    }
    close(&log);
    // The same records in one batch: the same heads now lie inside frames.
    let batched = tempfile::tempdir().unwrap();
    let log = open(batched.path(), &options());
    let payloads: Vec<_> = (0..400).map(payload).collect();
    append(&log, &payloads, &[150, 250]);
    fill(&log, 600);
    close(&log);
    let id = *log.id();
    let log = open(batched.path(), &options());
    let all = log
        .read(&ReadRequest { from: 0, to: 600, max_bytes: 1 << 30, max_records: 600, reverse: false, verify: true })
        .unwrap();
    let keys = Keys::new(&id, None);
    let mut peaks = hash::Peaks::new();
    let mut claims = vec![peaks.head(&keys)];
    let mut hasher = hash::LeafHasher::new();
    for at in 0..all.len() {
        let record = hash::RecordRef { payload: all.payload(at).unwrap(), time: all.times[at], kind: 0, flags: 0 };
        let mut leaves = Vec::new();
        hasher.leaves(&keys, at as u64, &[record], &mut leaves);
        peaks.extend(&keys, &leaves, &mut Vec::new());
        claims.push(peaks.head(&keys));
    }
    close(&log);
    let cases = heads.iter().map(|head| (dir.path(), Forge::open(dir.path(), 1).header.id, head.size, head.hash));
    let cases = cases.chain((0..).zip(claims).map(|(size, hash)| (batched.path(), id, size, hash)));
    for (path, id, size, hash) in cases {
        let claim = |id, size, hash| VerifyOptions {
            expect_head: Some(HeadClaim { id, size, hash }),
            ..VerifyOptions::default()
        };
        let report = verify_dir(&real_host(), path, &claim(id, size, hash), &|_, _| true).unwrap();
        assert!(report.ok && report.established == Established::Receipt, "{size}: {report:?}");
        let mut other = hash;
        other[31] ^= 1;
        for wrong in [claim(id, size, other), claim([9; 32], size, hash), claim(id, size + 1, hash)] {
            let report = verify_dir(&real_host(), path, &wrong, &|_, _| true).unwrap();
            assert_eq!(first(&report).code, "VARVE_HEAD_MISMATCH", "{size}");
            assert_eq!((report.established, report.problems.len()), (Established::Internal, 1));
        }
    }
    // Also from a later segment on.
    let from = VerifyOptions { from: 599, ..VerifyOptions::default() };
    let report = verify_with(batched.path(), &from);
    assert!(report.ok && report.records < 600 && report.head.size == 600, "{report:?}");
}

#[test]
fn the_secret_is_told_from_damage() {
    let secret = Some(vec![1; 40]);
    let (_guard, dir) = sample(&Options { secret: secret.clone(), ..options() });
    let (_plain_guard, plain) = sample(&options());
    for (dir, secret) in [(&dir, Some(vec![2; 40])), (&dir, None), (&plain, secret.clone())] {
        let options = VerifyOptions { secret, ..VerifyOptions::default() };
        let error = verify_dir(&real_host(), dir, &options, &|_, _| true).unwrap_err();
        assert_eq!(error.code(), "VARVE_WRONG_SECRET");
    }
    let options = VerifyOptions { secret: Some(vec![1; 3]), ..VerifyOptions::default() };
    assert_eq!(verify_dir(&real_host(), &dir, &options, &|_, _| true).unwrap_err().code(), "VARVE_INVALID");
    // One segment sealed by somebody without the secret is damage.
    let forge = Forge::open(&dir, 2);
    let mut header = forge.header.clone();
    header.key_check = forge.keys.key_check();
    let sealed = header.sealed_bytes();
    header.seal = hash::header_seal(&forge.keys, 0, header.first_offset, 0, &header.head, &sealed);
    let mut bytes = forge.bytes.clone();
    let encoded = header.encode();
    bytes[..encoded.len()].copy_from_slice(&encoded);
    std::fs::write(dir.join(name(2)), bytes).unwrap();
    let report = verify_with(&dir, &VerifyOptions { secret, ..VerifyOptions::default() });
    has(&report, 2, 0, "another secret");
    has(&report, 2, 0, "header's seal");
}

#[test]
fn progress_is_told_and_can_stop_it() {
    let (_guard, dir) = sample(&options());
    let seen = parking_lot::Mutex::new(Vec::new());
    let told = |bytes, total| {
        seen.lock().push((bytes, total));
        true
    };
    let report = verify_dir(&real_host(), &dir, &VerifyOptions::default(), &told).unwrap();
    let seen = seen.into_inner();
    assert!(seen.is_sorted_by_key(|(bytes, _)| *bytes) && seen.len() > 4, "{seen:?}");
    assert!(seen.iter().all(|&(bytes, total)| bytes <= total && total == report.bytes), "{seen:?}");
    assert_eq!(seen.last().unwrap().0, report.bytes);
    for stop_after in [0, 1, 3] {
        let calls = AtomicUsize::new(0);
        let told = |_, _| calls.fetch_add(1, Ordering::Relaxed) < stop_after;
        let error = verify_dir(&real_host(), &dir, &VerifyOptions::default(), &told).unwrap_err();
        assert!(matches!(error, Error::Aborted));
    }
}

/// Sets a flag when it goes out of scope, also by a panic: nobody may wait for the writer for ever.
struct Stop<'a>(&'a AtomicBool);
impl Drop for Stop<'_> {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

#[test]
fn a_log_that_is_being_written_is_sound() {
    let dir = tempfile::tempdir().unwrap();
    for compression in [Compression::Lz4, Compression::None] {
        let log = open(dir.path(), &Options { compression, ..options() });
        let stop = AtomicBool::new(false);
        std::thread::scope(|scope| {
            let _guard = Stop(&stop);
            scope.spawn(|| {
                while !stop.load(Ordering::Relaxed) && log.head().size < 200_000 {
                    let size = log.head().size;
                    fill(&log, size + 97);
                }
            });
            for _ in 0..60 {
                let least = log.head().size;
                let report = verify_dir(&real_host(), dir.path(), &VerifyOptions::default(), &|_, _| true).unwrap();
                assert!(report.ok && report.head.size >= least, "{:#?}", report.problems);
                let report = log.verify(&VerifyOptions::default(), &|_, _| true).unwrap();
                assert!(report.ok, "{:#?}", report.problems);
            }
        });
        close(&log);
    }
    assert!(verify(dir.path()).ok);
}

/// Runs nothing: every helper comes too late.
struct Never;
impl varve_core::host::Executor for Never {
    fn spawn(&self, _: varve_core::host::Class, _: varve_core::host::Job) {}
    fn spawn_after(&self, _: std::time::Duration, _: varve_core::host::Class, _: varve_core::host::Job) {}
}

#[test]
fn the_caller_can_do_all_the_work() {
    let (_guard, dir) = sample(&options());
    let host = Host { executor: Arc::new(Never), ..real_host() };
    let report = verify_dir(&host, &dir, &VerifyOptions::default(), &|_, _| true).unwrap();
    assert!(report.ok && report.records == 800);
}

#[test]
fn logs_open_for_reading_and_unsynced_ones_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let durability = varve_core::options::Durability::Os;
    let log = open(dir.path(), &Options { durability, ..options() });
    for number in 0..300 {
        let payload = payload(number);
        log.submit(&payload, &[payload.len() as u32], &[1]).unwrap();
        if number % 50 == 0 {
            assert!(log.verify(&VerifyOptions::default(), &|_, _| true).unwrap().ok);
        }
    }
    // Waits, so that the log's size is that of everything submitted.
    append(&log, &[payload(300)], &[1]);
    fill(&log, 400);
    let reader = open(dir.path(), &Options { read_only: true, ..options() });
    fill(&log, 500);
    let report = reader.verify(&VerifyOptions::default(), &|_, _| true).unwrap();
    assert!(report.ok && report.head.size == 400, "{report:?}");
    assert_eq!(reader.refresh().unwrap().size, 500);
    let report = reader.verify(&VerifyOptions::default(), &|_, _| true).unwrap();
    assert!(report.ok && report.head.size == 500, "{report:?}");
    close(&log);
}

#[test]
fn records_of_all_sizes_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &Options { segment_bytes: 4 << 20, ..options() });
    append(&log, &vec![Vec::new(); 200_000], &[200_000]);
    for len in [5 << 20, 1, 700 << 10, 3 << 20, 0] {
        append(&log, &[vec![b'z'; len]], &[1]);
    }
    fill(&log, 201_000);
    close(&log);
    let report = verify(dir.path());
    assert!(report.ok && report.records == 201_000, "{report:?}");
}

#[test]
fn an_unfinished_batch_at_the_end_is_no_problem() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &Options { segment_bytes: 1 << 20, ..options() });
    fill(&log, 100);
    let before = files(dir.path());
    append(&log, &(100..400).map(payload).collect::<Vec<_>>(), &[300]);
    let after = files(dir.path());
    std::mem::forget(log);
    // As a crash leaves it: the lock file and the marks are those of before.
    let (old, new) = (&before[&name(1)], &after[&name(1)]);
    restore(dir.path(), &before);
    for cut in (old.len().max(4096)..=new.len()).step_by(997) {
        let mut torn = new[..cut].to_vec();
        torn[..4096].copy_from_slice(&old[..4096]);
        std::fs::write(dir.path().join(name(1)), &torn).unwrap();
        let report = verify(dir.path());
        assert!(report.ok && report.records == 100 && report.head.size == 100, "{cut}: {report:?}");
    }
    std::fs::write(dir.path().join(name(1)), new).unwrap();
    assert_eq!(verify(dir.path()).records, 400);
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_rotates_keeps_few_files_open() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &options());
    for _ in 0..200 {
        append(&log, &vec![vec![b'x'; 1000]; 60], &[60]);
    }
    let here = dir.path().to_owned();
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    let open_files = fds.filter(|file| file.starts_with(&here)).count();
    assert!(open_files < 100, "{open_files} files are open");
    close(&log);
}
