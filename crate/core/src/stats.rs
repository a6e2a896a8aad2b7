//! Counters of an open log, cheap enough to be always on.

use std::ops::RangeInclusive;
use std::time::Duration;

/// What a log has done since it was opened.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Stats {
    /// Records written.
    pub records: u64,
    /// Payload bytes of those records.
    pub payload_bytes: u64,
    /// Bytes of the frames that hold them.
    pub stored_bytes: u64,
    /// Records in each group; a group is covered by one sync by default, so this counts groups too.
    pub group_records: Distribution,
    /// How long syncs of data took, whole microseconds.
    pub sync_micros: Distribution,
}

impl Stats {
    /// Groups written.
    pub fn groups(&self) -> u64 {
        self.group_records.count
    }
}

/// How values are spread.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Distribution {
    /// How many there were.
    pub count: u64,
    /// All together.
    pub sum: u64,
    /// Median, at most 6 % too high.
    pub p50: u64,
    /// 99th percentile, at most 6 % too high.
    pub p99: u64,
    /// Largest.
    pub max: u64,
    /// How many were at most so large: bounds double (each is a power of two, less one), counts grow.
    pub buckets: Vec<Bucket>,
}

/// One step of a cumulative histogram.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bucket {
    /// Upper bound, inclusive.
    pub at_most: u64,
    /// Values up to it.
    pub count: u64,
}

/// The counters as they grow.
pub struct Counters {
    /// Records written.
    pub records: u64,
    /// Payload bytes of those records.
    pub payload_bytes: u64,
    /// Bytes of the frames that hold them.
    pub stored_bytes: u64,
    /// Records in each group.
    pub group_records: Histogram,
    /// How long syncs took.
    pub sync_micros: Histogram,
}

impl Default for Counters {
    fn default() -> Self {
        Self {
            records: 0,
            payload_bytes: 0,
            stored_bytes: 0,
            group_records: Histogram::new(0..=20), // 1 record to 1 M
            sync_micros: Histogram::new(4..=24),   // 15 µs to 17 s
        }
    }
}

impl Counters {
    /// A snapshot.
    pub fn stats(&self) -> Stats {
        Stats {
            records: self.records,
            payload_bytes: self.payload_bytes,
            stored_bytes: self.stored_bytes,
            group_records: self.group_records.distribution(),
            sync_micros: self.sync_micros.distribution(),
        }
    }
}

/// Sixteen linear steps per power of two: at most 6 % off, 2 KiB in all.
const STEPS: u32 = 16;
const BUCKETS: usize = 29 * STEPS as usize;

/// Counts values by size.
pub struct Histogram {
    buckets: Box<[u32; BUCKETS]>,
    count: u64,
    sum: u64,
    max: u64,
    /// Powers of two at which the reported buckets end.
    ends: RangeInclusive<u32>,
}

impl Histogram {
    /// Empty; it reports buckets that end below these powers of two.
    pub fn new(ends: RangeInclusive<u32>) -> Self {
        Self { buckets: Box::new([0; BUCKETS]), count: 0, sum: 0, max: 0, ends }
    }

    /// Counts one value.
    pub fn record(&mut self, value: u64) {
        self.count += 1;
        self.sum = self.sum.saturating_add(value);
        self.max = self.max.max(value);
        let bucket = bucket_of(value);
        self.buckets[bucket] = self.buckets[bucket].saturating_add(1);
    }

    /// Counts one duration, in whole microseconds.
    pub fn record_micros(&mut self, duration: Duration) {
        self.record(u64::try_from(duration.as_micros()).unwrap_or(u64::MAX));
    }

    /// How the values are spread.
    pub fn distribution(&self) -> Distribution {
        let [p50, p99] = [50, 99].map(|percent| self.quantile(percent));
        Distribution { count: self.count, sum: self.sum, p50, p99, max: self.max, buckets: self.cumulative() }
    }

    fn quantile(&self, percent: u64) -> u64 {
        let wanted = (self.count * percent).div_ceil(100);
        let mut seen = 0;
        for (bucket, &count) in self.buckets.iter().enumerate() {
            seen += u64::from(count);
            if count > 0 && seen >= wanted {
                return upper_end(bucket).min(self.max);
            }
        }
        0
    }

    fn cumulative(&self) -> Vec<Bucket> {
        let mut counts = self.buckets.iter().enumerate().peekable();
        let mut count = 0;
        let until = |power: u32| {
            let at_most = (1 << power) - 1;
            while let Some((_, &more)) = counts.next_if(|&(bucket, _)| upper_end(bucket) <= at_most) {
                count += u64::from(more);
            }
            Bucket { at_most, count }
        };
        self.ends.clone().map(until).collect()
    }
}

fn bucket_of(value: u64) -> usize {
    let value = value.min(u64::from(u32::MAX)) as u32;
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
        let mut histogram = Histogram::new(4..=24);
        for micros in 1..=1000 {
            histogram.record_micros(Duration::from_micros(micros));
        }
        let Distribution { count, sum, p50, p99, max, .. } = histogram.distribution();
        assert_eq!((count, sum, max), (1000, 500_500, 1000));
        assert!((500..=540).contains(&p50), "{p50}");
        assert!((990..=1000).contains(&p99), "{p99}");
    }

    #[test]
    fn nothing_recorded_is_all_zero() {
        let Distribution { count, sum, p50, p99, max, buckets } = Histogram::new(0..=20).distribution();
        assert_eq!((count, sum, p50, p99, max), (0, 0, 0, 0, 0));
        assert!(buckets.iter().all(|bucket| bucket.count == 0));
        assert_eq!(buckets.len(), 21);
    }

    #[test]
    fn reported_buckets_count_exactly_the_values_up_to_their_bound() {
        let values: Vec<u64> = (0..200).chain((0..40).map(|power| 1 << power)).chain([4_095, 4_096, 4_097]).collect();
        let mut histogram = Histogram::new(0..=24);
        for &value in &values {
            histogram.record(value);
        }
        for Bucket { at_most, count } in histogram.distribution().buckets {
            let wanted = values.iter().filter(|&&value| value <= at_most).count() as u64;
            assert_eq!(count, wanted, "{at_most}");
        }
    }
}
