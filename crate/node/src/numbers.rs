//! Numbers that cross the boundary: JS has doubles, the engine has integers.

use varve_core::error::{Error, Result};

/// Largest integer that a double holds with all its neighbours: `Number.MAX_SAFE_INTEGER`.
const SAFE_MAX: f64 = 9_007_199_254_740_991.0;

/// A safe integer of at least 0, or `VARVE_INVALID`: nothing is rounded or cut.
///
/// The message does not show the value: lib/ has checked before and shows it, and writing out doubles takes 17 kB of code.
pub fn integer(name: &str, value: f64) -> Result<u64> {
    if value.fract() == 0.0 && (0.0..=SAFE_MAX).contains(&value) {
        return Ok(value as u64);
    }
    Err(Error::Invalid(format!("{name} must be an integer from 0 to {}", SAFE_MAX as u64)))
}

/// An integer of at most 32 bits.
pub fn integer_u32(name: &str, value: f64) -> Result<u32> {
    let value = integer(name, value)?;
    u32::try_from(value).map_err(|_| Error::Invalid(format!("{name} must be at most {}, got {value}", u32::MAX)))
}

/// For JS. Offsets, positions and counters stay far below 2^53.
pub fn number(value: u64) -> f64 {
    value as f64
}
