//! What one core compresses with lz4_flex, in bodies of 16 KiB as varve's frames have, or of the size of one payload:
//! nothing is hashed, framed, copied or written.

use lz4_flex::block::{compress_into, get_maximum_output_size};

use crate::Outcome;
use crate::arguments::{Arguments, EVENT_BYTES};
use crate::report::{Report, timed};

/// `events`, `body` (bytes), `records`: records a second.
pub fn run(arguments: &Arguments) -> Outcome<Report> {
    let events = arguments.events()?;
    let records: u64 = arguments.number("records")?;
    let body: usize = arguments.number::<usize>("body")?.min(events.len());
    let mut out = vec![0; get_maximum_output_size(body)];
    let mut stored = 0;
    let mut compress = |records: u64| {
        let mut left = records as usize * EVENT_BYTES;
        while left > 0 {
            for body in events.chunks(body) {
                let body = &body[..body.len().min(left)];
                stored += compress_into(body, &mut out).map_or(0, |len| len);
                left -= body.len();
                if left == 0 {
                    break;
                }
            }
        }
    };
    compress(records / 8);
    let ((), time, cpu) = timed(|| compress(records));
    let share = stored as f64 / ((records + records / 8) as usize * EVENT_BYTES) as f64;
    Ok(Report::new(records as f64 / time.as_secs_f64(), records, cpu).with("storedShare", share))
}
