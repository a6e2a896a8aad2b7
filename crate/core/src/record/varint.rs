//! LEB128 varints: seven bits a byte, low ones first; one form for each number.

/// Appends the shortest form.
pub(super) fn push(mut value: u64, out: &mut Vec<u8>) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

/// Takes one number off the front; none where the bytes end, go on past 64 bits or are longer than needed.
#[inline]
pub(super) fn take(bytes: &mut &[u8]) -> Option<u64> {
    match **bytes {
        [a, ref rest @ ..] if a < 0x80 => {
            *bytes = rest;
            Some(u64::from(a))
        }
        [a, b, ref rest @ ..] if b < 0x80 && b != 0 => {
            *bytes = rest;
            Some(u64::from(a & 0x7f) | u64::from(b) << 7)
        }
        _ => take_long(bytes),
    }
}

fn take_long(bytes: &mut &[u8]) -> Option<u64> {
    let mut value = 0;
    for (index, &byte) in bytes.iter().enumerate() {
        let bits = u64::from(byte & 0x7f);
        let shift = 7 * index as u32;
        // The tenth byte has room for one bit.
        if shift > 63 || bits << shift >> shift != bits {
            return None;
        }
        value |= bits << shift;
        if byte < 0x80 {
            let overlong = byte == 0 && index > 0;
            *bytes = &bytes[index + 1..];
            return (!overlong).then_some(value);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn other_forms_are_refused() {
        let cases: [&[u8]; 9] = [
            b"",
            b"\x80",
            b"\xff\xff\xff",
            b"\x80\x00",
            b"\x81\x80\x00",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x7f",
            b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00",
            b"\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x01",
        ];
        for case in cases {
            assert_eq!(take(&mut &*case), None, "{case:?}");
        }
    }

    proptest! {
        #[test]
        fn every_number_comes_back(bits in 0u32..64, value: u64, tail in proptest::collection::vec(any::<u8>(), 0..4)) {
            for value in [value >> bits, u64::MAX >> bits, 1 << bits] {
                let mut bytes = Vec::new();
                push(value, &mut bytes);
                bytes.extend(&tail);
                let mut rest = &bytes[..];
                prop_assert_eq!(take(&mut rest), Some(value));
                prop_assert_eq!(rest, &tail[..]);
            }
        }

        #[test]
        fn what_is_taken_was_pushed(bytes in proptest::collection::vec(any::<u8>(), 0..12)) {
            let mut rest = &bytes[..];
            if let Some(value) = take(&mut rest) {
                let mut again = Vec::new();
                push(value, &mut again);
                prop_assert_eq!(&again[..], &bytes[..bytes.len() - rest.len()]);
            }
        }
    }
}
