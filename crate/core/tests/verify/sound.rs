//! Sound logs, open or closed, busy or not: what is reported of them, and what the caller can ask for.

use super::*;

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
            close(&log).unwrap();
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
    close(&log).unwrap();
    assert!(verify(dir.path()).ok);
    let none = tempfile::tempdir().unwrap();
    let error = verify_dir(&real_host(), none.path(), &VerifyOptions::default(), &|_, _| true).unwrap_err();
    assert_eq!(error.code(), "VARVE_NOT_FOUND");
    let error = verify_dir(&real_host(), &none.path().join("x"), &VerifyOptions::default(), &|_, _| true).unwrap_err();
    assert_eq!(error.code(), "VARVE_NOT_FOUND");
}

#[test]
fn heads_of_every_size_are_recomputed() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &options());
    let mut heads = vec![log.head()];
    // One record an append, so that the log tells the head at every size.
    for number in 0..60 {
        heads.push(append(&log, &[payload(number)]).unwrap());
    }
    close(&log).unwrap();
    // The same records in large batches: the same heads now lie inside frames.
    let batched = tempfile::tempdir().unwrap();
    let log = open(batched.path(), &options());
    let payloads: Vec<_> = (0..400).map(payload).collect();
    for batch in [&payloads[..150], &payloads[150..]] {
        append(&log, batch).unwrap();
    }
    fill(&log, 600);
    close(&log).unwrap();
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
    close(&log).unwrap();
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
        close(&log).unwrap();
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
    append(&log, &[payload(300)]).unwrap();
    fill(&log, 400);
    let reader = open(dir.path(), &Options { read_only: true, ..options() });
    fill(&log, 500);
    let report = reader.verify(&VerifyOptions::default(), &|_, _| true).unwrap();
    assert!(report.ok && report.head.size == 400, "{report:?}");
    assert_eq!(reader.refresh().unwrap().size, 500);
    let report = reader.verify(&VerifyOptions::default(), &|_, _| true).unwrap();
    assert!(report.ok && report.head.size == 500, "{report:?}");
    close(&log).unwrap();
}

#[test]
fn records_of_all_sizes_are_verified() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &Options { segment_bytes: 4 << 20, ..options() });
    append(&log, &vec![Vec::new(); 200_000]).unwrap();
    for len in [5 << 20, 1, 700 << 10, 3 << 20, 0] {
        append(&log, &[vec![b'z'; len]]).unwrap();
    }
    fill(&log, 201_000);
    close(&log).unwrap();
    let report = verify(dir.path());
    assert!(report.ok && report.records == 201_000, "{report:?}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_log_that_rotates_keeps_few_files_open() {
    let dir = tempfile::tempdir().unwrap();
    let log = open(dir.path(), &options());
    for _ in 0..200 {
        append(&log, &vec![vec![b'x'; 1000]; 60]).unwrap();
    }
    let here = dir.path().to_owned();
    let fds = std::fs::read_dir("/proc/self/fd").unwrap().filter_map(|fd| std::fs::read_link(fd.ok()?.path()).ok());
    let open_files = fds.filter(|file| file.starts_with(&here)).count();
    assert!(open_files < 100, "{open_files} files are open");
    close(&log).unwrap();
}
