//! Forging parts of a segment, checksums and seals included, in a log without a secret.

use super::*;

/// A segment's bytes with everything that is needed to forge parts of it.
pub struct Forge {
    dir: PathBuf,
    name: String,
    pub bytes: Vec<u8>,
    pub keys: Keys,
    pub header: SegmentHeader,
    pub key: [u8; 32],
}

impl Forge {
    pub fn open(dir: &Path, number: u32) -> Self {
        let bytes = std::fs::read(dir.join(name(number))).unwrap();
        let header = SegmentHeader::parse(&bytes[..4096]).unwrap();
        let keys = Keys::new(&header.id, None);
        let key = keys.frame_key(&header.nonce);
        Self { dir: dir.to_owned(), name: name(number), bytes, keys, header, key }
    }
    pub fn save(&self) {
        std::fs::write(self.dir.join(&self.name), &self.bytes).unwrap();
    }
    pub fn frames(&self) -> Vec<(u64, FrameHeader)> {
        let mut frames = Vec::new();
        let mut at = FRAMES_START;
        while let Some(header) = self.bytes.get(at as usize..).and_then(|b| FrameHeader::parse(b, &self.key, at)) {
            frames.push((at, header.clone()));
            at += header.frame_len();
        }
        frames
    }
    pub fn footer(&self) -> Option<Footer> {
        let at = self.bytes.len() - FOOTER_LEN;
        Footer::parse(&self.bytes[at..], &self.key, self.bytes.len() as u64)
    }
    pub fn set_header(&mut self, change: impl Fn(&mut SegmentHeader)) {
        let mut header = self.header.clone();
        change(&mut header);
        let (first, kept) = (header.first_offset, header.kept_from);
        let sealed = header.sealed_bytes();
        header.seal = hash::header_seal(&self.keys, header.epoch, first, kept, &header.head, &sealed);
        let bytes = header.encode();
        self.bytes[..SLOTS[0] as usize].fill(0);
        self.bytes[..bytes.len()].copy_from_slice(&bytes);
        self.save();
    }
    pub fn set_frame(&mut self, at: u64, change: impl Fn(&mut FrameHeader)) {
        let mut header = FrameHeader::parse(&self.bytes[at as usize..], &self.key, at).unwrap();
        change(&mut header);
        let bytes = header.encode(&self.key, at);
        self.bytes[at as usize..at as usize + FRAME_HEADER_LEN].copy_from_slice(&bytes);
        self.save();
    }
    pub fn set_footer(&mut self, change: impl Fn(&mut Footer)) {
        let mut footer = self.footer().unwrap();
        change(&mut footer);
        let bytes = footer.encode(&self.key);
        let at = self.bytes.len() - FOOTER_LEN;
        self.bytes[at..].copy_from_slice(&bytes);
        self.save();
    }
    pub fn set_entry(&mut self, entry: usize, change: impl Fn(&mut IndexEntry)) {
        let footer = self.footer().unwrap();
        let range = footer.frames_end as usize..footer.position() as usize;
        let mut entries: Vec<_> = IndexEntry::parse_each(&self.bytes[range.clone()]).collect();
        change(&mut entries[entry]);
        let index = IndexEntry::encode_all(&entries);
        self.bytes[range].copy_from_slice(&index);
        self.set_footer(|footer| footer.index_crc = crc32c::crc32c(&index));
    }
}
