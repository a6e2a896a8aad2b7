//! Walking a segment's file front to back: frame after frame, or looking for frames behind damage.
//!
//! Invariant: a length is believed only in a header whose check holds, and a failed read is never taken for the end.

use std::path::Path;

use crate::disk::{self, DiskFile};
use crate::error::{Error, Result};
use crate::format::{FRAME_ALIGN, FRAME_HEADER_LEN, FrameHeader, Position};
use crate::planted::{Bug, planted};

const WINDOW_LEN: usize = 1 << 20;

/// A file read through a moving window. A read error is an error, never an end.
pub struct Window<'f> {
    file: &'f dyn DiskFile,
    path: &'f Path,
    start: u64,
    bytes: Vec<u8>,
    end: u64,
}

impl<'f> Window<'f> {
    /// Reads `file` up to `end` at most, which must not lie behind the file's end.
    pub fn new(file: &'f dyn DiskFile, path: &'f Path, end: u64) -> Self {
        Self { file, path, start: 0, bytes: Vec::new(), end }
    }

    /// Where reading stops.
    pub fn end(&self) -> u64 {
        self.end
    }

    /// The bytes at `position`, `len` of them or what is left before the end.
    pub fn at(&mut self, position: u64, len: usize) -> Result<&[u8]> {
        let left = usize::try_from(self.end.saturating_sub(position)).unwrap_or(usize::MAX);
        let len = len.min(left);
        let inside = position >= self.start && position + len as u64 <= self.start + self.bytes.len() as u64;
        if !inside {
            let want = len.max(WINDOW_LEN).min(left);
            self.bytes.resize(want, 0);
            self.start = position;
            let mut got = disk::read_full_at(self.file, &mut self.bytes, position);
            if planted(Bug::ReadErrorAsEnd) {
                got = got.or(Ok(0));
            }
            let got = got.map_err(|error| Error::io("read", self.path, error))?;
            self.bytes.truncate(got);
        }
        let from = (position - self.start) as usize;
        let to = (from + len).min(self.bytes.len());
        Ok(&self.bytes[from.min(to)..to])
    }

    /// True when everything from `position` to the end is zero; else the first byte that is not.
    pub fn first_nonzero(&mut self, mut position: u64) -> Result<Option<u64>> {
        while position < self.end {
            let bytes = self.at(position, WINDOW_LEN)?;
            if bytes.is_empty() {
                break;
            }
            if let Some(at) = bytes.iter().position(|&b| b != 0) {
                return Ok(Some(position + at as u64));
            }
            position += bytes.len() as u64;
        }
        Ok(None)
    }
}

/// What stands at a position.
pub enum Step {
    /// A frame whose header check holds and which lies inside the file.
    Frame(FrameHeader),
    /// The end of the window.
    End,
    /// Anything else, zeros included.
    NoFrame,
    /// A frame header that is sound, of a frame that the file cuts short.
    CutShort(FrameHeader),
}

/// Looks at one position; the frame's bytes are then read with [`Window::at`].
pub fn step(window: &mut Window<'_>, frame_key: &[u8; 32], position: u64) -> Result<Step> {
    if position >= window.end() {
        return Ok(Step::End);
    }
    let bytes = window.at(position, FRAME_HEADER_LEN)?;
    let Some(header) = FrameHeader::parse(bytes, frame_key, position) else {
        return Ok(Step::NoFrame);
    };
    // The length is believed only after the header's check, and never beyond the file.
    if position + header.frame_len() > window.end() {
        return Ok(Step::CutShort(header));
    }
    Ok(Step::Frame(header))
}

/// The first frame at or behind `position`, before the window's end.
pub fn next_frame(window: &mut Window<'_>, key: &[u8; 32], mut position: u64) -> Result<Option<(u64, FrameHeader)>> {
    let end = window.end();
    while position < end {
        let bytes = window.at(position, WINDOW_LEN)?;
        let mut at = 0;
        while let Some(here) = bytes.get(at..at + FRAME_HEADER_LEN) {
            let header = FrameHeader::parse(here, key, position + at as u64);
            if let Some(header) = header.filter(|h| position + at as u64 + h.frame_len() <= end) {
                return Ok(Some((position + at as u64, header)));
            }
            at += FRAME_ALIGN as usize;
        }
        if at == 0 {
            break;
        }
        position += at as u64;
    }
    Ok(None)
}

/// The highest `durable_to` that any valid frame header at or after `position` states: evidence of what was durable
/// that survives damage before it.
pub fn later_evidence(window: &mut Window<'_>, frame_key: &[u8; 32], position: u64) -> Result<Position> {
    let mut evidence = Position::default();
    each_step(window, position, FRAME_ALIGN as usize, FRAME_HEADER_LEN, |bytes, at| {
        let mut header = FrameHeader::parse(bytes, frame_key, at);
        if planted(Bug::ImitationBelieved) && bytes.starts_with(b"vfrm") {
            header = FrameHeader::fields(bytes);
        }
        if let Some(header) = header {
            evidence = evidence.max(header.durable_to);
        }
    })?;
    Ok(evidence)
}

/// Shows `look` the `len` bytes at `position` and at every multiple of `step` behind it, to the window's end.
pub fn each_step(
    window: &mut Window<'_>,
    mut position: u64,
    step: usize,
    len: usize,
    mut look: impl FnMut(&[u8], u64),
) -> Result<()> {
    while position < window.end() {
        let bytes = window.at(position, WINDOW_LEN)?;
        // What straddles the window's end is looked at in the next round.
        let mut at = 0;
        while let Some(here) = bytes.get(at..at + len) {
            look(here, position + at as u64);
            at += step;
        }
        if at == 0 {
            break;
        }
        position += at as u64;
    }
    Ok(())
}
