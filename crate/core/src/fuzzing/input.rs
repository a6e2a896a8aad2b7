//! Decisions drawn from a fuzzer's bytes. An input that is used up gives zeros, so every input is a whole story.

/// A fuzzer's bytes, taken from the front.
pub(super) struct Input<'a> {
    rest: &'a [u8],
}

impl<'a> Input<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { rest: bytes }
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut out = [0; N];
        let taken = self.take(N);
        out[..taken.len()].copy_from_slice(taken);
        out
    }

    pub fn u8(&mut self) -> u8 {
        u8::from_le_bytes(self.array())
    }

    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// A number of any size: small ones, those around powers of two, and all others.
    pub fn number(&mut self) -> u64 {
        let kind = self.u8();
        let power = 1u64 << (kind % 64);
        match kind / 64 {
            0 => u64::from(self.u16()),
            1 => power,
            2 => power.wrapping_sub(1).wrapping_add(u64::from(self.u8() % 3)).wrapping_neg(),
            _ => u64::from_le_bytes(self.array()),
        }
    }

    pub fn chance(&mut self, one_of: u8) -> bool {
        self.u8().is_multiple_of(one_of)
    }

    /// A number below `bound`, which is not 0.
    pub fn below(&mut self, bound: usize) -> usize {
        usize::from(self.u16()) % bound
    }

    /// A place in `len` bytes: anywhere, or close to the start or the end.
    fn place(&mut self, len: usize) -> usize {
        let len = len.max(1);
        match self.u8() % 4 {
            0 => usize::from(self.u8()).min(len - 1),
            1 => len - 1 - usize::from(self.u8()).min(len - 1),
            _ => (usize::from(self.u16()) * 256 + usize::from(self.u8())) % len,
        }
    }

    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.rest.split_at(len.min(self.rest.len()));
        self.rest = rest;
        taken
    }

    pub fn rest(&mut self) -> &'a [u8] {
        self.take(usize::MAX)
    }

    /// Changes some bytes, as rot, a lost page or a forger does; lengths stay.
    pub fn edit(&mut self, bytes: &mut [u8]) {
        let at = self.place(bytes.len());
        let rest = bytes.get_mut(at..).unwrap_or_default();
        match self.u8() % 5 {
            0 => rest.iter_mut().take(1).for_each(|byte| *byte ^= 1 << self.rest.first().map_or(0, |bit| bit % 8)),
            1 => put(rest, &[self.u8()]),
            2 => put(rest, &self.number().to_le_bytes()),
            3 => put(rest, &self.number().to_le_bytes()[..4]),
            _ => {
                let len = usize::from(self.u8());
                put(rest, self.take(len));
            }
        }
    }

    /// Edits none or some places, and half of the time has `fix` put the checksum right again.
    pub fn edit_some(&mut self, bytes: &mut [u8], fix: impl FnOnce(&mut [u8])) {
        for _ in 0..self.below(4) {
            self.edit(bytes);
        }
        if self.chance(2) {
            fix(bytes);
        }
    }

    /// Damages a file: also pages, copies of its own bytes, and its length.
    pub fn damage(&mut self, bytes: &mut Vec<u8>) {
        let at = self.place(bytes.len()).min(bytes.len());
        match self.u8() % 8 {
            0..3 => self.edit(bytes),
            3 => bytes.truncate(at),
            4 => bytes.resize(bytes.len() + usize::from(self.u16()), 0),
            5 => {
                let len = if self.chance(2) { 4096 } else { 512 };
                bytes[at - at % len..].iter_mut().take(len).for_each(|byte| *byte = 0);
            }
            6 => {
                let from = self.place(bytes.len()).min(bytes.len()) / 64 * 64;
                let copy: Vec<u8> = bytes[from..].iter().take(64 << self.below(8)).copied().collect();
                put(&mut bytes[at / 64 * 64..], &copy);
            }
            _ => {
                let len = usize::from(self.u8());
                bytes.splice(at..at, self.take(len).iter().copied()).for_each(drop);
            }
        }
    }
}

/// Puts as much of `value` into `place` as fits.
fn put(place: &mut [u8], value: &[u8]) {
    let len = place.len().min(value.len());
    place[..len].copy_from_slice(&value[..len]);
}
