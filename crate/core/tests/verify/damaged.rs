//! Rot, cuts, and files of another place: found, and listed with the place. What a crash leaves is none of it.

use super::*;

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
        has(&verify_open(dir.path(), &VerifyOptions::default()), newest, cut, "durable");
        // And without it the head that a caller kept.
        std::fs::remove_file(dir.path().join("lock")).unwrap();
        let expect_head = Some(HeadClaim { id: *log.id(), size: head.size, hash: head.hash });
        let report = verify_open(dir.path(), &VerifyOptions { expect_head, ..VerifyOptions::default() });
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
fn an_unfinished_batch_at_the_end_is_no_problem() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &Options { segment_bytes: 1 << 20, ..options() });
    fill(&log, 100);
    let before = files(dir.path());
    append(&log, &(100..400).map(payload).collect::<Vec<_>>()).unwrap();
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
