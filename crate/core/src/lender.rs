//! Working memory that few use at a time, lent by the process to all of its logs.
//!
//! Invariant: one exists for each borrower that there ever was at the same moment, and [`KEPT_MAX`] of them stay.

use parking_lot::Mutex;

/// As many as engine threads of a small machine: more are made when they are wanted, and dropped again.
const KEPT_MAX: usize = 8;

/// Lends what was given back last, whose memory is warm.
pub struct Lender<T> {
    free: Mutex<Vec<Box<T>>>,
}

impl<T: Default> Lender<T> {
    /// Has nothing yet.
    pub const fn new() -> Self {
        Self { free: Mutex::new(Vec::new()) }
    }

    /// Runs `work` on one of them, as whoever had it before left it. It is lost where `work` panics.
    pub fn lend<R>(&self, work: impl FnOnce(&mut T) -> R) -> R {
        let lent = self.free.lock().pop();
        let mut lent = lent.unwrap_or_default();
        let result = work(&mut lent);
        let mut free = self.free.lock();
        if free.len() < KEPT_MAX {
            free.push(lent);
        }
        result
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
    fn what_stays_is_bounded() {
        static LENDER: Lender<u8> = Lender::new();
        fn nested(depth: usize) {
            if depth > 0 {
                LENDER.lend(|_| nested(depth - 1));
            }
        }
        nested(3 * KEPT_MAX);
        assert_eq!(LENDER.free.lock().len(), KEPT_MAX);
    }
}
