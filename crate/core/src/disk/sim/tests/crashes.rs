//! What a crash may leave of bytes, lengths and names.

use super::*;

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
