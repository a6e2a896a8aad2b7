//! Bytes that pass their own checksums and contradict the rest: what somebody who knows the format may write.

use super::*;

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
