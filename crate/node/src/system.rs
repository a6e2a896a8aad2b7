//! System errors as Node shows them: name, negative number and text.

use std::io::{Error, ErrorKind};

/// A system error for JS; `name` is missing where Node has none either.
pub struct SystemError {
    pub name: Option<&'static str>,
    pub errno: i32,
    pub text: String,
}

struct Row {
    name: &'static str,
    number: i32,
    text: &'static str,
    kind: Option<ErrorKind>,
}

/// Rows: Node's name, rustix's name, libuv's number on Windows, libuv's text, the standard library's kind if it has one.
macro_rules! table {
    (@kind) => { None };
    (@kind $kind:ident) => { Some(ErrorKind::$kind) };
    ($($name:literal $unix:ident $windows:literal $text:literal $($kind:ident)?;)*) => {
        const TABLE: &[Row] = &[$(Row {
            name: $name,
            #[cfg(unix)]
            number: rustix::io::Errno::$unix.raw_os_error(),
            #[cfg(not(unix))]
            number: $windows,
            text: $text,
            kind: table!(@kind $($kind)?),
        }),*];
    };
}

table! {
    "EIO" IO 4070 "i/o error";
    "EACCES" ACCESS 4092 "permission denied" PermissionDenied;
    "EPERM" PERM 4048 "operation not permitted";
    "ENOENT" NOENT 4058 "no such file or directory" NotFound;
    "EEXIST" EXIST 4075 "file already exists" AlreadyExists;
    "ENOTDIR" NOTDIR 4052 "not a directory" NotADirectory;
    "EISDIR" ISDIR 4068 "illegal operation on a directory" IsADirectory;
    "ENOTEMPTY" NOTEMPTY 4051 "directory not empty" DirectoryNotEmpty;
    "ENOSPC" NOSPC 4055 "no space left on device" StorageFull;
    "EDQUOT" DQUOT 4055 "disk quota exceeded" QuotaExceeded;
    "EFBIG" FBIG 4036 "file too large" FileTooLarge;
    "EROFS" ROFS 4043 "read-only file system" ReadOnlyFilesystem;
    "EMFILE" MFILE 4066 "too many open files";
    "ENFILE" NFILE 4061 "file table overflow";
    "EBUSY" BUSY 4082 "resource busy or locked" ResourceBusy;
    "ETXTBSY" TXTBSY 4038 "text file is busy" ExecutableFileBusy;
    "EINTR" INTR 4072 "interrupted system call" Interrupted;
    "EAGAIN" AGAIN 4088 "resource temporarily unavailable" WouldBlock;
    "EINVAL" INVAL 4071 "invalid argument" InvalidInput;
    "EBADF" BADF 4083 "bad file descriptor";
    "ENAMETOOLONG" NAMETOOLONG 4064 "name too long" InvalidFilename;
    "ELOOP" LOOP 4067 "too many symbolic links encountered";
    "ENOMEM" NOMEM 4057 "not enough memory" OutOfMemory;
    "ENODEV" NODEV 4059 "no such device";
    "ENXIO" NXIO 4033 "no such device or address";
    "ESTALE" STALE 4070 "stale file handle" StaleNetworkFileHandle;
    "ENOLCK" NOLCK 4070 "no locks available";
    "ETIMEDOUT" TIMEDOUT 4039 "operation timed out" TimedOut;
    "ENOSYS" NOSYS 4054 "function not implemented";
    "ENOTSUP" OPNOTSUPP 4049 "operation not supported" Unsupported;
    "EXDEV" XDEV 4037 "cross-device link not permitted" CrossesDevices;
}

/// Describes an error of the standard library. One that no system call gave (a write of zero bytes) is an `EIO`.
pub fn describe(error: &Error) -> SystemError {
    let by_number = |number: i32| TABLE.iter().find(|row| row.number == number);
    let by_kind = |kind: ErrorKind| TABLE.iter().find(|row| row.kind == Some(kind));
    let row = match error.raw_os_error() {
        // Windows numbers its errors in its own way; the kinds are the same everywhere.
        Some(number) if cfg!(unix) => match by_number(number) {
            Some(row) => row,
            None => return SystemError { name: None, errno: -number.abs(), text: words(error) },
        },
        _ => by_kind(error.kind()).unwrap_or(&TABLE[0]),
    };
    SystemError { name: Some(row.name), errno: -row.number, text: row.text.to_owned() }
}

/// The system's text without the number that the standard library adds.
fn words(error: &Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kinds_and_numbers_lead_to_names() {
        let of = |error: Error| describe(&error).name;
        assert_eq!(of(Error::from(ErrorKind::StorageFull)), Some("ENOSPC"));
        assert_eq!(of(Error::from(ErrorKind::WriteZero)), Some("EIO"));
        assert_eq!(of(Error::from(ErrorKind::NotADirectory)), Some("ENOTDIR"));
    }

    #[cfg(unix)]
    #[test]
    fn numbers_are_negative_as_in_node() {
        let full = describe(&Error::from_raw_os_error(28));
        assert_eq!((full.name, full.errno, &*full.text), (Some("ENOSPC"), -28, "no space left on device"));
        let rare = describe(&Error::from_raw_os_error(71));
        assert_eq!((rare.name, rare.errno), (None, -71));
        assert!(!rare.text.contains("os error"));
    }
}
