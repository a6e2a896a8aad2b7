//! What is hashed, framed and compressed: audit events as bench/events.mjs makes them, and plain payloads.

#![allow(dead_code, reason = "each benchmark uses some")]

use varve_core::hash::RecordRef;

/// Bytes of an event.
pub const EVENT_BYTES: usize = 256;

const ACTIONS: [&str; 7] =
    ["invoice.read", "invoice.update", "user.login", "user.invite", "key.rotate", "report.export", "role.grant"];
const WORDS: &str = "account amount changed by owner after review of the quarterly limit request approved for customer in \
                     region with note pending second check";

/// JSON of 256 B each.
pub fn events(count: usize) -> Vec<Vec<u8>> {
    let words: Vec<&str> = WORDS.split(' ').collect();
    let mut state = 20_261_123_u64;
    let mut below = |limit: usize| {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (state >> 33) as usize % limit
    };
    let event = |index: usize| {
        let mut hex = |digits| (0..digits).map(|_| char::from(b"0123456789abcdef"[below(16)])).collect::<String>();
        let (id, object) = (hex(16), hex(10));
        let millis = index * 37 + below(30);
        let head = format!(
            r#"{{"id":"{id}","at":"2026-11-23T{:02}:{:02}:{:02}.{:03}Z","actor":"user-{}","ip":"10.{}.{}.{}","action":"{}","object":"inv_{object}","ok":{},"ms":{},"detail":""#,
            millis / 3_600_000 % 24,
            millis / 60_000 % 60,
            millis / 1_000 % 60,
            millis % 1_000,
            below(5_000),
            below(4),
            below(256),
            below(256),
            ACTIONS[below(ACTIONS.len())],
            below(20) > 0,
            below(400),
        );
        let mut event = head.into_bytes();
        while event.len() < EVENT_BYTES - 2 {
            event.extend_from_slice(words[below(words.len())].as_bytes());
            event.push(b' ');
        }
        event.truncate(EVENT_BYTES - 2);
        event.extend_from_slice(b"\"}");
        event
    };
    (0..count).map(event).collect()
}

/// Bytes of one length.
pub fn payloads(len: usize, count: usize) -> Vec<Vec<u8>> {
    (0..count).map(|i| (0..len).map(|j| (i * 7 + j) as u8).collect()).collect()
}

/// Eight records a millisecond.
pub fn records(payloads: &[Vec<u8>]) -> Vec<RecordRef<'_>> {
    let time = |i: usize| 1_700_000_000_000 + i as u64 / 8;
    payloads.iter().enumerate().map(|(i, payload)| RecordRef { payload, time: time(i), kind: 0, flags: 0 }).collect()
}
