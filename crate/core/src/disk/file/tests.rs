//! Real files do as the trait says, on the file system of the temporary folder.
#![allow(clippy::unwrap_used, reason = "tests fail by panicking")]

use super::super::{read_full_at, write_all_at};
use super::*;

fn folder() -> tempfile::TempDir {
    tempfile::tempdir().unwrap()
}

fn open(path: &Path, access: Access) -> io::Result<Box<dyn DiskFile>> {
    FileDisk.open(path, access)
}

fn open_error(path: &Path, access: Access) -> io::Error {
    open(path, access).err().unwrap()
}

#[test]
fn written_bytes_are_read_back_past_a_hole_of_zeros() {
    let dir = folder();
    let file = open(&dir.path().join("a"), Access::CreateNew).unwrap();
    write_all_at(&*file, b"varve", 10).unwrap();
    let mut buffer = [1; 20];
    assert_eq!(read_full_at(&*file, &mut buffer, 0).unwrap(), 15);
    assert_eq!(&buffer[..15], b"\0\0\0\0\0\0\0\0\0\0varve");
    assert_eq!(file.len().unwrap(), 15);
    assert_eq!(file.read_at(&mut buffer, 15).unwrap(), 0);
    file.sync_data().unwrap();
    file.sync_all().unwrap();
}

#[test]
fn access_decides_what_must_exist() {
    let dir = folder();
    let path = dir.path().join("a");
    assert_eq!(open_error(&path, Access::Read).kind(), io::ErrorKind::NotFound);
    assert_eq!(open_error(&path, Access::Write).kind(), io::ErrorKind::NotFound);
    write_all_at(&*open(&path, Access::OpenOrCreate).unwrap(), b"kept", 0).unwrap();
    assert_eq!(open_error(&path, Access::CreateNew).kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(open(&path, Access::OpenOrCreate).unwrap().len().unwrap(), 4);
    assert_eq!(open(&path, Access::Write).unwrap().len().unwrap(), 4);
    let reader = open(&path, Access::Read).unwrap();
    assert!(reader.write_at(b"x", 0).is_err());
}

#[cfg(target_os = "linux")]
#[test]
fn direct_writes_take_turns_with_others_and_every_descriptor_sees_them() {
    use super::super::{DIRECT_ALIGN, write_all_direct_at};
    // Beside the test itself: a temporary folder may be in memory, where there are none.
    let here = std::env::current_exe().unwrap();
    let dir = tempfile::tempdir_in(here.parent().unwrap()).unwrap();
    let path = dir.path().join("a");
    let (file, reader) = (open(&path, Access::CreateNew).unwrap(), open(&path, Access::Read).unwrap());
    if !file.takes_direct() {
        return; // neither ext4 nor XFS
    }
    let memory = vec![7; 3 * DIRECT_ALIGN];
    let at = memory.as_ptr().align_offset(DIRECT_ALIGN);
    let mut buffer = [0; 5];
    for round in 0..20u64 {
        let block = 4096 * (round + 1);
        write_all_at(&*file, b"varve", block + 10).unwrap();
        assert_eq!(read_full_at(&*reader, &mut buffer, block + 10).unwrap(), 5);
        assert_eq!(&buffer, b"varve");
        write_all_direct_at(&*file, &memory[at..at + DIRECT_ALIGN], block).unwrap();
        assert_eq!(read_full_at(&*reader, &mut buffer, block + 10).unwrap(), 5);
        assert_eq!(buffer, [7; 5]);
        assert_eq!(read_full_at(&*file, &mut buffer, block + 10).unwrap(), 5);
        assert_eq!(buffer, [7; 5]);
    }
    let refused = write_all_direct_at(&*file, &memory[at..at + DIRECT_ALIGN], 64).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::InvalidInput);
    file.sync_data().unwrap();
}

#[cfg(unix)]
#[test]
fn errors_keep_the_systems_number() {
    let dir = folder();
    let error = open_error(&dir.path().join("missing"), Access::Read);
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
    let error = FileDisk.create_dir(&dir.path().join("missing/inner")).unwrap_err();
    assert_eq!(error.raw_os_error(), Some(rustix::io::Errno::NOENT.raw_os_error()));
}

#[cfg(unix)]
#[test]
fn new_files_are_private_to_their_owner() {
    use std::os::unix::fs::PermissionsExt;
    let dir = folder();
    for (name, access) in [("a", Access::CreateNew), ("b", Access::OpenOrCreate)] {
        let path = dir.path().join(name);
        open(&path, access).unwrap();
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
}

#[test]
fn set_len_cuts_and_extends_with_zeros() {
    let dir = folder();
    let file = open(&dir.path().join("a"), Access::CreateNew).unwrap();
    write_all_at(&*file, b"abcdef", 0).unwrap();
    file.set_len(3).unwrap();
    file.set_len(5).unwrap();
    let mut buffer = [1; 8];
    assert_eq!(read_full_at(&*file, &mut buffer, 0).unwrap(), 5);
    assert_eq!(&buffer[..5], b"abc\0\0");
}

#[test]
fn a_lock_excludes_other_descriptors_until_its_own_is_dropped() {
    let dir = folder();
    let path = dir.path().join("lock");
    let first = open(&path, Access::OpenOrCreate).unwrap();
    let second = open(&path, Access::OpenOrCreate).unwrap();
    assert!(first.try_lock().unwrap());
    assert!(!second.try_lock().unwrap());
    drop(first);
    assert!(second.try_lock().unwrap());
}

#[test]
fn listing_names_files_folders_and_links() {
    let dir = folder();
    write_all_at(&*open(&dir.path().join("a.seg"), Access::CreateNew).unwrap(), b"12345", 0).unwrap();
    FileDisk.create_dir(&dir.path().join("inner")).unwrap();
    assert_eq!(FileDisk.create_dir(&dir.path().join("inner")).unwrap_err().kind(), io::ErrorKind::AlreadyExists);
    let mut entries = FileDisk.list(dir.path()).unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> = entries.iter().map(|entry| (entry.name.as_str(), entry.kind)).collect();
    assert_eq!(found, [("a.seg", EntryKind::File), ("inner", EntryKind::Dir)]);
    assert_eq!(entries[0].len, 5);
    assert_eq!(FileDisk.kind(&dir.path().join("inner")).unwrap(), EntryKind::Dir);
    assert_eq!(FileDisk.kind(&dir.path().join("none")).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[cfg(unix)]
#[test]
fn links_are_followed_and_a_link_to_nowhere_is_other() {
    let dir = folder();
    write_all_at(&*open(&dir.path().join("a"), Access::CreateNew).unwrap(), b"12345", 0).unwrap();
    std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("b")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("gone"), dir.path().join("c")).unwrap();
    let mut entries = FileDisk.list(dir.path()).unwrap();
    entries.sort_by(|a, b| a.name.cmp(&b.name));
    let found: Vec<_> = entries.iter().map(|entry| (entry.kind, entry.len)).collect();
    assert_eq!(found, [(EntryKind::File, 5), (EntryKind::File, 5), (EntryKind::Other, 0)]);
}

#[test]
fn rename_keeps_identity_and_remove_takes_the_name() {
    let dir = folder();
    let (from, to) = (dir.path().join("a"), dir.path().join("b"));
    let file = open(&from, Access::CreateNew).unwrap();
    let other = open(&dir.path().join("c"), Access::CreateNew).unwrap();
    FileDisk.rename(&from, &to).unwrap();
    FileDisk.sync_dir(dir.path()).unwrap();
    assert_eq!(open_error(&from, Access::Read).kind(), io::ErrorKind::NotFound);
    assert_eq!(open(&to, Access::Read).unwrap().identity().unwrap(), file.identity().unwrap());
    #[cfg(unix)]
    assert_ne!(other.identity().unwrap(), file.identity().unwrap());
    drop(other);
    FileDisk.remove(&to).unwrap();
    assert_eq!(FileDisk.remove(&to).unwrap_err().kind(), io::ErrorKind::NotFound);
}

#[test]
fn the_volume_of_a_folder_has_free_space() {
    let dir = folder();
    let volume = FileDisk.volume(dir.path()).unwrap();
    assert!(volume.free > 0);
    assert!(FileDisk.volume(&dir.path().join("none")).is_err());
}
