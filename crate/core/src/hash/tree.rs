//! The Merkle tree over the leaves, in the shape of RFC 6962, kept as its peaks; and the head that commits to it.
//!
//! A tree of n leaves is the row of perfect subtrees that n's binary digits name, largest first: its *peaks*.
//! Appending leaves hashes every node once: the subtrees that lie wholly in the appended range first, level by level
//! and sixteen at a time ([`range_nodes`]; a frame's seal wants them too), then the few that join them to the peaks.

use super::many::{self, BLOCK, LANES};
use super::{Hash, Keys};

/// The perfect subtrees of a tree's first `size` leaves, from the largest to the smallest.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Peaks {
    size: u64,
    hashes: Vec<Hash>,
}

impl Peaks {
    /// The empty tree.
    pub fn new() -> Self {
        Self::default()
    }

    /// Peaks as stored, largest first; none when their number does not fit the size.
    pub fn from_parts(size: u64, hashes: Vec<Hash>) -> Option<Self> {
        (hashes.len() == size.count_ones() as usize).then_some(Self { size, hashes })
    }

    /// Number of leaves.
    pub fn size(&self) -> u64 {
        self.size
    }

    /// The peaks, largest first: nodes\[0, size).
    pub fn hashes(&self) -> &[Hash] {
        &self.hashes
    }

    /// Appends leaves, and pushes nodes\[size before, size after) onto `nodes`: what the frame's seal covers.
    pub fn extend(&mut self, keys: &Keys, leaves: &[Hash], nodes: &mut Vec<Hash>) {
        let start = nodes.len();
        range_nodes(keys, self.size, leaves, nodes);
        self.join(keys, leaves.len() as u64, &nodes[start..]);
    }

    /// Appends `count` leaves that are known by their nodes\[size, size + count) only.
    fn join(&mut self, keys: &Keys, count: u64, nodes: &[Hash]) {
        let end = self.size + count;
        for &node in nodes {
            let mut span = span(self.size, end);
            let mut hash = node;
            // Where the size has this bit, the last peak is the left sibling.
            while self.size & span != 0
                && let Some(left) = self.hashes.pop()
            {
                hash = parent(keys, &left, &hash);
                self.size -= span;
                span *= 2;
            }
            self.hashes.push(hash);
            self.size += span;
        }
    }

    /// The root as in RFC 6962; zeros for the empty tree.
    pub fn root(&self, keys: &Keys) -> Hash {
        let mut peaks = self.hashes.iter().rev();
        let Some(&smallest) = peaks.next() else { return [0; 32] };
        peaks.fold(smallest, |right, left| parent(keys, left, &right))
    }

    /// `head(size)`: commits to the size and to every leaf.
    pub fn head(&self, keys: &Keys) -> Hash {
        head_of(keys, self.size, &self.root(keys))
    }
}

/// The head of a tree of this size with this root.
pub fn head_of(keys: &Keys, size: u64, root: &Hash) -> Hash {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(root);
    block[32..40].copy_from_slice(&size.to_le_bytes());
    many::lone_block(&keys.head, &block)
}

/// Pushes nodes\[first, first + leaves.len()) onto `nodes`: the roots of the largest aligned subtrees that cover
/// exactly these leaves, left to right. Needs no peaks, so a single frame can be checked against its seal.
pub fn range_nodes(keys: &Keys, first: u64, leaves: &[Hash], nodes: &mut Vec<Hash>) {
    // The places of the result first, then the level being hashed: a parent overwrites hashes that are already used.
    let begin = nodes.len();
    let count = node_count(first, first + leaves.len() as u64);
    let work = begin + count;
    nodes.resize(work + leaves.len() / 2, [0; 32]);
    let (done, work) = nodes[begin..].split_at_mut(count);
    let (mut left, mut right) = (0, count);

    let mut level = Level { first, len: leaves.len(), at: 0 };
    let mut lanes = [0; many::scratch_len(1)];
    let mut source = Some(leaves);
    while level.len > 0 {
        let row = source.unwrap_or(work);
        if level.first % 2 == 1 {
            done[left] = row[level.at];
            left += 1;
            level = Level { first: level.first + 1, len: level.len - 1, at: level.at + 1 };
        }
        if level.len % 2 == 1 {
            right -= 1;
            done[right] = row[level.at + level.len - 1];
            level.len -= 1;
        }
        let pairs = level.len / 2;
        let mut hashed = 0;
        while hashed < pairs {
            let now = LANES.min(pairs - hashed);
            let row = source.unwrap_or(work);
            let children = &row[level.at + hashed * 2..][..now * 2];
            lanes[..now * BLOCK].copy_from_slice(children.as_flattened());
            many::hash_lanes(keys.platform, &keys.node, 1, &lanes, &mut work[hashed..hashed + now]);
            hashed += now;
        }
        level = Level { first: level.first / 2, len: pairs, at: 0 };
        source = None;
    }
    nodes.truncate(begin + count);
}

/// A run of nodes of one level: the number of its first node in the whole tree, its length, and where it starts in
/// its row.
struct Level {
    first: u64,
    len: usize,
    at: usize,
}

/// Leaves under the first node of nodes\[a, b): the largest power of two that `a` is a multiple of and that fits.
fn span(a: u64, b: u64) -> u64 {
    let fits = 1 << (b - a).ilog2();
    if a == 0 { fits } else { fits.min(a & a.wrapping_neg()) }
}

/// Number of nodes in nodes\[a, b).
fn node_count(mut a: u64, b: u64) -> usize {
    let mut count = 0;
    while a < b {
        a += span(a, b);
        count += 1;
    }
    count
}

fn parent(keys: &Keys, left: &Hash, right: &Hash) -> Hash {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(left);
    block[32..].copy_from_slice(right);
    many::lone_block(&keys.node, &block)
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn leaves(count: usize) -> Vec<Hash> {
        (0..count).map(|i| *blake3::hash(&i.to_le_bytes()).as_bytes()).collect()
    }

    /// RFC 6962's definition, as in reference.py.
    fn plain_root(keys: &Keys, leaves: &[Hash]) -> Hash {
        match leaves {
            [] => [0; 32],
            [leaf] => *leaf,
            _ => {
                let (left, right) = leaves.split_at(1 << (leaves.len() - 1).ilog2());
                let children = [plain_root(keys, left), plain_root(keys, right)];
                *blake3::keyed_hash(&keys.node.bytes, children.as_flattened()).as_bytes()
            }
        }
    }

    /// `range` of reference.py.
    fn plain_range(keys: &Keys, leaves: &[Hash], mut a: usize, b: usize) -> Vec<Hash> {
        let mut out = Vec::new();
        while a < b {
            let mut k = if a == 0 { b.next_power_of_two() } else { a & a.wrapping_neg() };
            while a + k > b {
                k >>= 1;
            }
            out.push(plain_root(keys, &leaves[a..a + k]));
            a += k;
        }
        out
    }

    #[test]
    fn every_range_gives_the_nodes_of_the_reference() {
        let keys = Keys::new(&[6; 32], None);
        let leaves = leaves(75);
        for a in 0..leaves.len() {
            for b in a..=leaves.len() {
                let mut nodes = vec![[1; 32]];
                range_nodes(&keys, a as u64, &leaves[a..b], &mut nodes);
                assert_eq!(nodes[0], [1; 32]);
                assert_eq!(nodes[1..], plain_range(&keys, &leaves, a, b), "[{a}, {b})");
            }
        }
    }

    #[test]
    fn peaks_of_a_wrong_number_are_refused() {
        assert!(Peaks::from_parts(5, leaves(2)).is_some());
        assert!(Peaks::from_parts(5, leaves(1)).is_none());
        assert!(Peaks::from_parts(5, leaves(3)).is_none());
        assert_eq!(Peaks::from_parts(0, Vec::new()).unwrap(), Peaks::new());
    }

    #[test]
    fn ranges_far_into_the_log_need_no_shift_overflow() {
        let keys = Keys::new(&[6; 32], None);
        let mut nodes = Vec::new();
        range_nodes(&keys, (1 << 53) - 3, &leaves(6), &mut nodes);
        assert_eq!(nodes.len(), 4);
        let mut peaks = Peaks::from_parts((1 << 53) - 3, leaves(52)).unwrap();
        peaks.extend(&keys, &leaves(6), &mut nodes);
        assert_eq!((peaks.size(), peaks.hashes().len()), ((1 << 53) + 3, 3));
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]
        #[test]
        fn heads_do_not_depend_on_how_leaves_arrive(steps in proptest::collection::vec(0usize..90, 0..12)) {
            let keys = Keys::new(&[6; 32], None);
            let all = leaves(steps.iter().sum());
            let mut peaks = Peaks::new();
            let mut from = 0;
            for step in steps {
                let mut nodes = Vec::new();
                peaks.extend(&keys, &all[from..from + step], &mut nodes);
                prop_assert_eq!(nodes, plain_range(&keys, &all, from, from + step));
                from += step;
                prop_assert_eq!(peaks.size(), from as u64);
                prop_assert_eq!(peaks.hashes(), plain_range(&keys, &all, 0, from));
                prop_assert_eq!(peaks.root(&keys), plain_root(&keys, &all[..from]));
                let again = Peaks::from_parts(peaks.size(), peaks.hashes().to_vec());
                prop_assert_eq!(again.as_ref(), Some(&peaks));
            }
            prop_assert_eq!(peaks.head(&keys), head_of(&keys, from as u64, &plain_root(&keys, &all)));
        }
    }
}
