//! Threads that write and sync over many files, each at its end: the floor under many open logs. Every thread has its
//! share of the files and goes round them, as a pool does whose logs are served in turn.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::FileExt;
use std::thread;

use crate::Outcome;
use crate::arguments::Arguments;
use crate::report::{Report, timed};

/// `dir`, `files`, `threads`, `bytes` of one append, `appends` to each file: appends a second.
pub fn run(arguments: &Arguments) -> Outcome<Report> {
    let dir = arguments.path("dir")?;
    let count: usize = arguments.number("files")?;
    let threads: usize = arguments.number("threads")?;
    let appends: usize = arguments.number("appends")?;
    let data = vec![b'v'; arguments.number("bytes")?];
    std::fs::create_dir_all(dir)?;
    let open = |index: usize| -> std::io::Result<(File, u64)> {
        let file = OpenOptions::new().create(true).truncate(false).write(true).open(dir.join(index.to_string()))?;
        let end = file.metadata()?.len();
        Ok((file, end))
    };
    let mut shares: Vec<Vec<(File, u64)>> = (0..threads).map(|_| Vec::new()).collect();
    for index in 0..count {
        shares[index % threads].push(open(index)?);
    }
    let (outcome, time, cpu) = timed(|| {
        thread::scope(|scope| {
            let data = &data;
            let running: Vec<_> =
                shares.into_iter().map(|share| scope.spawn(move || append(share, data, appends))).collect();
            running.into_iter().try_for_each(|thread| match thread.join() {
                Ok(outcome) => outcome,
                Err(_) => Err(std::io::Error::other("a thread panicked")),
            })
        })
    });
    outcome?;
    let records = (count * appends) as u64;
    Ok(Report::new(records as f64 / time.as_secs_f64(), records, cpu))
}

fn append(mut files: Vec<(File, u64)>, data: &[u8], appends: usize) -> std::io::Result<()> {
    for _ in 0..appends {
        for (file, end) in &mut files {
            file.write_all_at(data, *end)?;
            file.sync_data()?;
            *end += data.len() as u64;
        }
    }
    Ok(())
}
