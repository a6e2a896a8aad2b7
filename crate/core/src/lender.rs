//! Working memory that few use at a time, lent by the process to all of its logs.
//!
//! Invariant: one exists for each borrower that there ever was at the same moment, and of those [`KEPT_MAX`] stay, and no
//! more than [`KEPT_BYTES_MAX`] in all: one huge batch must not hold its memory for ever.

use parking_lot::Mutex;

/// As many as engine threads of a small machine: more are made when they are wanted, and dropped again.
const KEPT_MAX: usize = 8;
/// Heap memory of all that stay, bytes.
const KEPT_BYTES_MAX: usize = 16 << 20;
/// Heap memory of one that stays, bytes. A part of 16 B records is the largest that comes again and again, and its hashes
/// take 6 MiB; what is larger is rare, and has so much work to do that new memory is little beside it.
const KEPT_BYTES_EACH_MAX: usize = 8 << 20;

/// What can be lent.
pub trait Lendable: Default {
    /// Heap memory that it holds and that grows with what it is used for, bytes.
    fn bytes(&self) -> usize;
}

/// Lends what was given back last, whose memory is warm.
pub struct Lender<T> {
    /// Each with its bytes.
    free: Mutex<Vec<(usize, Box<T>)>>,
}

impl<T: Lendable> Lender<T> {
    /// Has nothing yet.
    pub const fn new() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }

    /// Runs `work` on one of them, as whoever had it before left it. It is lost where `work` panics.
    pub fn lend<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let lent = self.free.lock().pop();
        let mut lent = lent.map_or_else(Box::default, |(_, lent)| lent);
        let result = work(&mut lent);
        self.take_back(lent);
        result
    }

    fn take_back(&self, lent: Box<T>) {
        let bytes = lent.bytes();
        if bytes > KEPT_BYTES_EACH_MAX {
            return;
        }
        let mut free = self.free.lock();
        let bytes_before: usize = free.iter().map(|(bytes, _)| bytes).sum();
        if free.len() < KEPT_MAX && bytes_before + bytes <= KEPT_BYTES_MAX {
            free.push((bytes, lent));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    impl Lendable for Vec<u8> {
        fn bytes(&self) -> usize {
            self.capacity()
        }
    }

    /// The bytes of those that are free after so many borrowers at once, each of which needed `bytes`.
    fn kept(lender: &Lender<Vec<u8>>, borrowers: usize, bytes: usize) -> Vec<usize> {
        fn nested(lender: &Lender<Vec<u8>>, depth: usize, bytes: usize) {
            if depth > 0 {
                lender.lend(|lent| {
                    lent.reserve_exact(bytes);
                    nested(lender, depth - 1, bytes);
                });
            }
        }
        nested(lender, borrowers, bytes);
        lender.free.lock().iter().map(|(bytes, _)| *bytes).collect()
    }

    #[test]
    fn what_was_given_back_is_lent_again_and_nobody_shares() {
        static LENDER: Lender<Vec<u8>> = Lender::new();
        LENDER.lend(|outer| {
            outer.push(1);
            LENDER.lend(|inner| {
                assert!(inner.is_empty());
                inner.push(2);
            });
        });
        LENDER.lend(|again| {
            assert_eq!(*again, [1]);
            LENDER.lend(|other| assert_eq!(*other, [2]));
        });
    }

    #[test]
    fn few_stay() {
        assert_eq!(kept(&Lender::new(), 3 * KEPT_MAX, 1), [1; KEPT_MAX]);
    }

    #[test]
    fn those_that_stay_are_bounded_in_all() {
        let bytes = KEPT_BYTES_MAX / 3;
        assert_eq!(kept(&Lender::new(), KEPT_MAX, bytes), [bytes; 3]);
    }

    #[test]
    fn one_that_has_grown_too_large_goes_and_the_next_begins_anew() {
        let lender = Lender::new();
        assert_eq!(kept(&lender, 1, KEPT_BYTES_EACH_MAX + 1), [0; 0]);
        assert_eq!(kept(&lender, 1, KEPT_BYTES_EACH_MAX), [KEPT_BYTES_EACH_MAX]);
        assert_eq!(kept(&lender, 1, KEPT_BYTES_EACH_MAX + 1), [0; 0]);
    }
}
