//! Counters of an open log, cheap enough to be always on.

use std::time::Duration;

/// What a log has done since it was opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Stats {
    /// Records written.
    pub records: u64,
    /// Groups written; each is covered by one sync by default.
    pub groups: u64,
    /// Payload bytes of those records.
    pub payload_bytes: u64,
    /// Bytes of the frames that hold them.
    pub stored_bytes: u64,
    /// How long syncs took.
    pub sync_micros: Latencies,
}

/// Latencies in microseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Latencies {
    /// Median.
    pub p50: u64,
    /// 99th percentile.
    pub p99: u64,
    /// Longest.
    pub max: u64,
}

/// The counters as they grow.
#[derive(Default)]
pub struct Counters {
    /// Records written.
    pub records: u64,
    /// Groups written.
    pub groups: u64,
    /// Payload bytes of those records.
    pub payload_bytes: u64,
    /// Bytes of the frames that hold them.
    pub stored_bytes: u64,
    /// How long syncs took.
    pub sync_micros: Histogram,
}

impl Counters {
    /// A snapshot.
    pub fn stats(&self) -> Stats {
        Stats {
            records: self.records,
            groups: self.groups,
            payload_bytes: self.payload_bytes,
            stored_bytes: self.stored_bytes,
            sync_micros: self.sync_micros.summary(),
        }
    }
}

/// Sixteen linear steps per power of two: at most 6 % off, 1 KiB in all.
const STEPS: u32 = 16;
const BUCKETS: usize = 32 * STEPS as usize;

/// Counts durations by size.
pub struct Histogram {
    buckets: Box<[u32; BUCKETS]>,
    max: u64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { buckets: Box::new([0; BUCKETS]), max: 0 }
    }
}

impl Histogram {
    /// Counts one duration.
    pub fn record(&mut self, duration: Duration) {
        let micros = u64::try_from(duration.as_micros()).unwrap_or(u64::MAX);
        self.max = self.max.max(micros);
        let bucket = bucket_of(micros);
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
    }

    /// Median, 99th percentile and maximum.
    pub fn summary(&self) -> Latencies {
        Latencies { p50: self.quantile(50), p99: self.quantile(99), max: self.max }
    }

    fn quantile(&self, percent: u64) -> u64 {
        let total: u64 = self.buckets.iter().map(|&n| u64::from(n)).sum();
        let wanted = (total * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += u64::from(count);
            if count > 0 && seen >= wanted {
                return upper_end(bucket).min(self.max);
            }
        }
        0
    }
}

fn bucket_of(micros: u64) -> usize {
    let value = micros.min(u64::from(u32::MAX)) as u32;
    if value < STEPS {
        return value as usize;
    }
    let power = value.ilog2(); // 4 to 31
    let step = (value >> (power - 4)) - STEPS;
    ((power - 3) * STEPS + step) as usize
}

fn upper_end(bucket: usize) -> u64 {
    let bucket = bucket as u64;
    let steps = u64::from(STEPS);
    if bucket < steps {
        return bucket;
    }
    let (power, step) = (bucket / steps + 3, bucket % steps);
    ((steps + step + 1) << (power - 4)) - 1
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_value_lies_in_the_bucket_that_names_it() {
        for micros in (0..5_000).chain([1 << 20, (1 << 31) + 12_345, u64::from(u32::MAX)]) {
            let bucket = bucket_of(micros);
            assert!(upper_end(bucket) >= micros, "{micros}");
            assert!(bucket == 0 || upper_end(bucket - 1) < micros, "{micros}");
        }
    }

    #[test]
    fn quantiles_are_those_of_the_values() {
        let mut histogram = Histogram::default();
        for micros in 1..=1000 {
            histogram.record(Duration::from_micros(micros));
        }
        let Latencies { p50, p99, max } = histogram.summary();
        assert!((500..=540).contains(&p50), "{p50}");
        assert!((990..=1000).contains(&p99), "{p99}");
        assert_eq!(max, 1000);
        assert_eq!(Histogram::default().summary(), Latencies::default());
    }
}
