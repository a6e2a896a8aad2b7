//! Where workers run while more of them have work than there are processors.
//!
//! Invariant: as many workers are kept off one processor as off another, give or take one, and none is kept off while
//! few have work: then the kernel knows best.

/// How many workers are kept off each processor. Changed under the pool's lock.
#[derive(Default)]
pub struct Crowd {
    kept_off: Box<[usize]>,
}

impl Crowd {
    /// Of no workers.
    pub fn new(processors: usize) -> Self {
        Self { kept_off: vec![0; processors].into() }
    }

    /// Whether so many running workers are a crowd. One log alone, at its fastest, is none.
    pub fn is(&self, running: usize) -> bool {
        self.kept_off.len() > 1 && running > self.kept_off.len() + 1
    }

    /// One more worker of a crowd: the number of the processor that it is kept off.
    pub fn join(&mut self) -> usize {
        let least = (0..self.kept_off.len()).min_by_key(|&at| self.kept_off[at]).unwrap_or(0);
        self.kept_off[least] += 1;
        least
    }

    /// That worker runs where it likes again.
    pub fn leave(&mut self, at: usize) {
        self.kept_off[at] -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_crowd_is_spread_evenly_whoever_comes_and_goes() {
        let mut crowd = Crowd::new(2);
        assert_eq!([0, 3, 4, 6].map(|running| crowd.is(running)), [false, false, true, true]);
        assert_eq!([(); 5].map(|()| crowd.join()), [0, 1, 0, 1, 0]);
        crowd.leave(1);
        crowd.leave(1);
        assert_eq!([(); 3].map(|()| crowd.join()), [1, 1, 1]);
    }

    #[test]
    fn on_one_processor_nobody_is_kept_off_it() {
        assert!(!Crowd::new(1).is(100));
    }
}
