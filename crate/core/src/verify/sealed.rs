//! The end of a sealed segment: footer and index against what the walk found.

use super::index::IndexReader;
use super::report::Problems;
use super::stretch::Source;
use crate::error::{Damage, Result, hex};
use crate::format::{EPOCH, FOOTER_LEN, FRAMES_START, Footer};
use crate::hash::{self, Hash, Keys};

/// What a walk over a whole segment found.
pub struct Walked {
    /// Number of frames.
    pub frames: u32,
    /// End of the frames.
    pub end: u64,
    /// Offset of the first record.
    pub first_offset: u64,
    /// Offset after the last record.
    pub end_offset: u64,
    /// Time of the first record, or of the last before.
    pub first_time: u64,
    /// Time of the last record.
    pub last_time: u64,
    /// Head at `end_offset`.
    pub head: Hash,
}

/// The footer that ends a file of `len` bytes, whatever it states.
pub fn read_footer(source: &Source, len: u64) -> Result<Option<Footer>> {
    let Some(position) = len.checked_sub(FOOTER_LEN as u64).filter(|&position| position >= FRAMES_START) else {
        return Ok(None);
    };
    let mut bytes = [0; FOOTER_LEN];
    let got = source.read(&mut bytes, position)?;
    Ok(Footer::parse(&bytes[..got], &source.frame_key, len))
}

/// Compares a footer with its own seal.
pub fn check_by_itself(source: &Source, footer: &Footer, keys: &Keys, problems: &mut Problems) {
    let damage = |what: &str| Damage::new(what, &source.path).at(footer.position());
    let seal = hash::footer_seal(keys, footer.epoch, footer.first_offset, footer.end_offset, &footer.head);
    if !hash::same(&seal, &footer.seal) {
        let damage = damage("the footer's seal does not recompute");
        problems.corrupt(damage.versus("the seal of its summary", hex(&footer.seal)));
    }
    if footer.epoch != EPOCH {
        problems.corrupt(damage("the footer's key epoch is unknown").versus(EPOCH, footer.epoch));
    }
    if footer.segment != source.number {
        problems.corrupt(damage("the footer is of another segment").versus(source.number, footer.segment));
    }
}

/// Compares the index with the footer's checksum.
pub fn index_damage(source: &Source, footer: &Footer) -> Result<Option<Damage>> {
    let damage = Damage::new("the checksum of the segment's index does not hold", &source.path).at(footer.frames_end);
    Ok((!IndexReader::checksum_holds(source, footer)?).then_some(damage))
}

/// Compares a footer with a walk that lost nothing.
pub fn check_against(source: &Source, footer: &Footer, walked: &Walked, problems: &mut Problems) {
    let mut differ = |what: &str, expected: u64, found: u64| {
        if expected != found {
            let damage = Damage::new(format!("the footer states another {what}"), &source.path);
            problems.corrupt(damage.at(footer.position()).offset(walked.first_offset).versus(expected, found));
        }
    };
    differ("number of frames", u64::from(walked.frames), u64::from(footer.index_count));
    differ("end of the frames", walked.end, footer.frames_end);
    differ("first offset", walked.first_offset, footer.first_offset);
    differ("end offset", walked.end_offset, footer.end_offset);
    differ("first time", walked.first_time, footer.first_time);
    differ("last time", walked.last_time, footer.last_time);
    if walked.head != footer.head {
        let damage = Damage::new("the footer states another head", &source.path).at(footer.position());
        problems.corrupt(damage.offset(walked.end_offset).versus(hex(&walked.head), hex(&footer.head)));
    }
}
