//! What the device takes at the end of a file: blocks of one size, each written and synced before the next, with
//! `O_DIRECT` or through the page cache.

use std::fs::{File, OpenOptions};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::time::Duration;

use rustix::fs::OFlags;

use crate::Outcome;
use crate::arguments::{Arguments, EVENT_BYTES};
use crate::report::{Report, timed};

const ALIGN: usize = 4096;

/// `file`, `events`, `block` (bytes), `bytes` in all, `way` (`direct`, `buffered`, `fastest`): bytes a second.
pub fn run(arguments: &Arguments) -> Outcome<Report> {
    let path = arguments.path("file")?;
    let block = arguments.number::<usize>("block")?.next_multiple_of(ALIGN);
    let blocks = arguments.number::<usize>("bytes")?.div_ceil(block);
    let data = aligned(&arguments.events()?, block);
    let data = &data.0[data.1..data.1 + block];
    let append = |direct: bool| -> Outcome<_> {
        let mut options = OpenOptions::new();
        options.create(true).truncate(false).write(true);
        if direct {
            options.custom_flags(OFlags::DIRECT.bits() as i32);
        }
        let file = options.open(path)?;
        append(&file, data, blocks)
    };
    let way = arguments.text("way")?;
    let bytes = (block * blocks) as f64;
    let (time, cpu) = match way {
        "direct" => append(true)?,
        "buffered" => append(false)?,
        _ => append(true).and_then(|direct| Ok(direct.min(append(false)?)))?,
    };
    let records = (block * blocks / EVENT_BYTES) as u64;
    Ok(Report::new(bytes / time.as_secs_f64(), records, cpu))
}

fn append(file: &File, data: &[u8], blocks: usize) -> Outcome<(Duration, Duration)> {
    let mut end = (file.metadata()?.len() as usize).next_multiple_of(ALIGN) as u64;
    let (outcome, time, cpu) = timed(|| -> std::io::Result<()> {
        for _ in 0..blocks {
            file.write_all_at(data, end)?;
            file.sync_data()?;
            end += data.len() as u64;
        }
        Ok(())
    });
    outcome?;
    Ok((time, cpu))
}

/// Events over and over in memory that `O_DIRECT` accepts: the buffer, and where in it they begin.
fn aligned(events: &[u8], len: usize) -> (Vec<u8>, usize) {
    let mut buffer = vec![0; len + ALIGN];
    let start = buffer.as_ptr().align_offset(ALIGN);
    for (target, event) in buffer[start..start + len].iter_mut().zip(events.iter().cycle()) {
        *target = *event;
    }
    (buffer, start)
}
