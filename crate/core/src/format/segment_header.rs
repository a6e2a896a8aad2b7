//! The segment header at the start of page 0.

use super::bytes::{Put, Reader};
use super::{FORMAT_VERSION, SEGMENT_HEADER_MAX, SUITE};

const MAGIC: [u8; 8] = *b"varveSEG";
const FIXED_LEN: usize = 176;
/// Behind magic, version, suite, seal mode, features and number.
const ID_AT: usize = 24;
const SEAL_LEN: usize = 16;
const CRC_LEN: usize = 4;
/// Bit 15 of an extension's type: who does not know it must refuse the file.
const EXTENSION_CRITICAL: u16 = 1 << 15;

/// What a segment says of itself and of everything before it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SegmentHeader {
    /// True when seals are keyed with a secret.
    pub secret: bool,
    /// Unknown features that a reader may ignore.
    pub optional_features: u32,
    /// Number of this segment, from 1.
    pub segment: u32,
    /// The log's id.
    pub id: [u8; 32],
    /// Random for this segment: no frame of another one passes here.
    pub nonce: [u8; 16],
    /// The nonce of the next segment: with it, frames behind a damaged header can still be told from garbage.
    pub next_nonce: [u8; 16],
    /// Offset of the first record.
    pub first_offset: u64,
    /// Time of the last record before this segment, milliseconds.
    pub last_time: u64,
    /// Where the frames of the segment before end; 0 in the first.
    pub predecessor_end: u64,
    /// First offset that was not pruned.
    pub kept_from: u64,
    /// Epoch of the keys.
    pub epoch: u32,
    /// Proof of the right secret.
    pub key_check: [u8; 16],
    /// Head at `first_offset`.
    pub head: [u8; 32],
    /// Peaks at `first_offset`.
    pub peaks: Vec<[u8; 32]>,
    /// Name of the log's encoding.
    pub encoding: String,
    /// Type and value; none is written so far.
    pub extensions: Vec<(u16, Vec<u8>)>,
    /// Seal over all bytes before it.
    pub seal: [u8; 16],
}

/// Why a header cannot be used.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeaderError {
    /// Not a header, or a damaged one.
    Damaged(&'static str),
    /// A sound header of something newer.
    Newer(String),
}

impl SegmentHeader {
    /// The bytes that the seal covers.
    pub fn sealed_bytes(&self) -> Vec<u8> {
        let extensions_len: usize = self.extensions.iter().map(|(_, value)| 4 + value.len()).sum();
        let mut out = Vec::with_capacity(512);
        out.put(&MAGIC).put_u16(FORMAT_VERSION).put_u8(SUITE).put_u8(u8::from(self.secret));
        out.put_u32(0).put_u32(self.optional_features).put_u32(self.segment);
        out.put(&self.id).put(&self.nonce).put(&self.next_nonce);
        out.put_u64(self.first_offset).put_u64(self.last_time).put_u64(self.predecessor_end).put_u64(self.kept_from);
        out.put_u32(self.epoch);
        // All three are bounded by the sizes of page 0; `parse` refuses what does not add up.
        out.put_u8(self.peaks.len() as u8).put_u8(self.encoding.len() as u8).put_u16(extensions_len as u16);
        out.put(&self.key_check).put(&self.head);
        debug_assert_eq!(out.len(), FIXED_LEN);
        for peak in &self.peaks {
            out.put(peak);
        }
        out.put(self.encoding.as_bytes());
        for (kind, value) in &self.extensions {
            out.put_u16(*kind).put_u16(value.len() as u16).put(value);
        }
        out
    }

    /// Header bytes, ready for position 0.
    pub fn encode(&self) -> Vec<u8> {
        let mut out = self.sealed_bytes();
        out.put(&self.seal);
        let crc = crc32c::crc32c(&out);
        out.put_u32(crc);
        debug_assert!(out.len() <= SEGMENT_HEADER_MAX);
        out
    }

    /// Reads a header from page 0. The seal is checked by the caller, who has the keys.
    pub fn parse(page: &[u8]) -> Result<Self, HeaderError> {
        use HeaderError::{Damaged, Newer};
        const SHORT: HeaderError = Damaged("the header is cut short");
        let mut r = Reader::new(page);
        if r.array() != Some(MAGIC) {
            return Err(Damaged("no segment header"));
        }
        // Versions may lay out the rest differently, so theirs comes before any other check.
        let version = r.u16().ok_or(SHORT)?;
        if version != FORMAT_VERSION {
            // A flipped bit must not look like a newer format: 1.x headers keep their checksum where it is, so a
            // header whose checksum holds with the version put right is a damaged one.
            return Err(if Self::crc_holds_as(page, FORMAT_VERSION) {
                Damaged("the version is damaged")
            } else {
                Newer(format!("format version {version}"))
            });
        }
        let suite = r.u8().ok_or(SHORT)?;
        let seal_mode = r.u8().ok_or(SHORT)?;
        let required = r.u32().ok_or(SHORT)?;
        let optional_features = r.u32().ok_or(SHORT)?;
        let segment = r.u32().ok_or(SHORT)?;
        let id = r.array().ok_or(SHORT)?;
        let nonce = r.array().ok_or(SHORT)?;
        let next_nonce = r.array().ok_or(SHORT)?;
        let first_offset = r.u64().ok_or(SHORT)?;
        let last_time = r.u64().ok_or(SHORT)?;
        let predecessor_end = r.u64().ok_or(SHORT)?;
        let kept_from = r.u64().ok_or(SHORT)?;
        let epoch = r.u32().ok_or(SHORT)?;
        let peak_count = usize::from(r.u8().ok_or(SHORT)?);
        let encoding_len = usize::from(r.u8().ok_or(SHORT)?);
        let extensions_len = usize::from(r.u16().ok_or(SHORT)?);
        let key_check = r.array().ok_or(SHORT)?;
        let head = r.array().ok_or(SHORT)?;
        let sealed_len = FIXED_LEN + 32 * peak_count + encoding_len + extensions_len;
        if sealed_len + SEAL_LEN + CRC_LEN > SEGMENT_HEADER_MAX {
            return Err(Damaged("the header's lengths do not fit"));
        }
        let peak_bytes = r.take(32 * peak_count).ok_or(SHORT)?;
        let encoding = r.take(encoding_len).ok_or(SHORT)?;
        let extension_bytes = r.take(extensions_len).ok_or(SHORT)?;
        let seal = r.array().ok_or(SHORT)?;
        let crc = r.u32().ok_or(SHORT)?;
        if page.get(..sealed_len + SEAL_LEN).map(crc32c::crc32c) != Some(crc) {
            return Err(Damaged("the header's checksum does not hold"));
        }
        if suite != SUITE {
            return Err(Newer(format!("hash suite {suite}")));
        }
        if seal_mode > 1 {
            return Err(Newer(format!("seal mode {seal_mode}")));
        }
        if required != 0 {
            return Err(Newer(format!("required features {required:#x}")));
        }
        if peak_count != first_offset.count_ones() as usize {
            return Err(Damaged("the header's peaks do not fit its first offset"));
        }
        if encoding.is_empty() {
            return Err(Damaged("the encoding has no name"));
        }
        let (peaks, _) = peak_bytes.as_chunks::<32>();
        let encoding = std::str::from_utf8(encoding).map_err(|_| Damaged("the encoding's name is not UTF-8"))?;
        Ok(Self {
            secret: seal_mode == 1,
            optional_features,
            segment,
            id,
            nonce,
            next_nonce,
            first_offset,
            last_time,
            predecessor_end,
            kept_from,
            epoch,
            key_check,
            head,
            peaks: peaks.to_vec(),
            encoding: encoding.to_owned(),
            extensions: Self::parse_extensions(extension_bytes)?,
            seal,
        })
    }

    /// Log id and nonce as a damaged header has them: nothing vouches for them but the frames whose checks hold with them.
    pub fn claims(page: &[u8]) -> Option<([u8; 32], [u8; 16])> {
        let mut r = Reader::new(page.get(ID_AT..)?);
        Some((r.array()?, r.array()?))
    }

    fn parse_extensions(bytes: &[u8]) -> Result<Vec<(u16, Vec<u8>)>, HeaderError> {
        const SHORT: HeaderError = HeaderError::Damaged("an extension is cut short");
        let mut r = Reader::new(bytes);
        let mut extensions = Vec::new();
        while let Some(kind) = r.u16() {
            let len = r.u16().ok_or(SHORT)?;
            let value = r.take(usize::from(len)).ok_or(SHORT)?;
            if kind & EXTENSION_CRITICAL != 0 {
                return Err(HeaderError::Newer(format!("critical extension {kind:#06x}")));
            }
            extensions.push((kind, value.to_vec()));
        }
        let used: usize = extensions.iter().map(|(_, value)| 4 + value.len()).sum();
        if used == bytes.len() { Ok(extensions) } else { Err(SHORT) }
    }

    fn crc_holds_as(page: &[u8], version: u16) -> bool {
        let mut copy = page.to_vec();
        if let Some(field) = copy.get_mut(8..10) {
            field.copy_from_slice(&version.to_le_bytes());
        }
        !matches!(Self::parse(&copy), Err(HeaderError::Damaged(_)))
    }

    /// Length of the encoded header.
    pub fn encoded_len(&self) -> usize {
        self.sealed_bytes().len() + SEAL_LEN + CRC_LEN
    }
}
