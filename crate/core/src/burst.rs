//! A thread that computes for long offers its processor to others in between.
//!
//! A thread that wakes up where another one computes waits until the kernel takes the processor away: up to 1.4 ms here
//! (Linux 6.18), while another processor may idle ([`crate::place`] says why). Where there are two, compressing takes
//! both, and the event loop would wait. Where nothing is compressed, both stages often share one, and stage 2, which has
//! some microseconds of work between two waits for the device, waited for parts of stage 1 before it wrote, and the device
//! idled. Measured (4,000 × 256 B, no compression, four in flight, in turns): from Node 1.09 to 1.3 times as many records a
//! second, from Rust 1.05; stage 1 alone takes 1.05 times as long.

/// After so many bytes: 15 to 150 µs, many times what an offer costs that nobody takes.
const BYTES: usize = 64 << 10;

/// What was computed since the last offer.
#[derive(Default)]
pub struct Burst(usize);

impl Burst {
    /// So much more was done. True when it is time to offer.
    pub fn ends_with(&mut self, bytes: usize) -> bool {
        self.0 += bytes;
        let ends = self.0 >= BYTES;
        if ends {
            self.0 = 0;
        }
        ends
    }

    /// The same, and offers. Never called with a lock held that others wait for in moments.
    pub fn did(&mut self, bytes: usize) {
        if self.ends_with(bytes) {
            std::thread::yield_now();
        }
    }
}
