//! Every value of tests/vectors.txt, which the plain reference implementation printed, met by the engine.
#![allow(clippy::unwrap_used)]

use super::*;
use crate::error::hex;

/// The payloads of the reference, with their times.
fn payloads() -> [Vec<u8>; 8] {
    [
        Vec::new(),
        b"a".to_vec(),
        b"a\0".to_vec(),
        vec![b'x'; 64],
        vec![b'y'; 65],
        vec![b'z'; 1024],
        vec![b'w'; 1025],
        vec![0; 64],
    ]
}

fn id() -> [u8; 32] {
    std::array::from_fn(|i| i as u8)
}

/// All lines that the reference prints for one log, in its order.
fn lines(secret: Option<&[u8]>) -> Vec<String> {
    let keys = Keys::new(&id(), secret);
    let payloads = payloads();
    let records: Vec<_> = payloads
        .iter()
        .zip(1_700_000_000_000..)
        .map(|(payload, time)| RecordRef { payload, time, kind: 0, flags: 0 })
        .collect();
    let mut hasher = LeafHasher::new();
    let mut leaves = Vec::new();
    hasher.leaves(&keys, 0, &records, &mut leaves);
    let peaks = |size: usize| {
        let mut peaks = Peaks::new();
        peaks.extend(&keys, &leaves[..size], &mut Vec::new());
        peaks
    };
    let mut lines = vec![format!("check {}", hex(&keys.key_check()))];
    if secret.is_none() {
        let mut commitments = [[0; 32]; 8];
        hasher.commitments(&keys, &records, &mut commitments);
        assert_eq!(commitments[0], commitments[7], "an empty payload is padded to one block");
        assert_eq!(commitments[1], commitments[2], "P alone is not injective");
        lines.push(format!("P(\"\")   {}", hex(&commitments[0])));
        lines.push(format!("P(1025) {}", hex(&commitments[6])));
        // SALTED is reserved and the engine has no salted commitment: this line checks P("a") under it.
        let salt_key = blake3::derive_key("varve 2026-11-23 v1 salt", &id());
        let salted = blake3::keyed_hash(&salt_key, &[&commitments[1][..], &[7; 16], &[0; 16]].concat());
        lines.push(format!("C salted {salted}"));
        lines.push(format!("leaf 0  {}", hex(&leaves[0])));
        lines.push(format!("leaf 6  {}", hex(&leaves[6])));
        for size in [0, 1, 5, 8] {
            lines.push(format!("head {size} {}", hex(&peaks(size).head(&keys))));
        }
    }
    let seal = |a: usize, b: usize| {
        let mut nodes = Vec::new();
        range_nodes(&keys, a as u64, &leaves[a..b], &mut nodes);
        let seal = frame_seal(&keys, 0, 0, a as u64, b as u64, &peaks(b).head(&keys), &nodes);
        (hex(&seal), nodes.len())
    };
    let (all, (some, nodes)) = (seal(0, 8).0, seal(3, 7));
    lines.push(format!("seal [0,8) {all}  seal [3,7) {some} nodes {nodes}"));
    lines
}

#[test]
fn all_values_of_the_reference_are_met() {
    let mut lines = [lines(None), lines(Some(&[0x55; 32]))].concat();
    lines.push("inclusion proofs for all n < 70 ok".to_owned());
    assert_eq!(lines, include_str!("../../tests/vectors.txt").lines().collect::<Vec<_>>());
}
