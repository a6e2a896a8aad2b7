//! The Merkle tree over the leaves, in the shape of RFC 6962, kept as its peaks; and the head that commits to it.
//!
//! A tree of n leaves is the row of perfect subtrees that n's binary digits name, largest first: its *peaks*.
//! Every node is hashed once: those over appended leaves only in [`Subtrees`], a whole batch sixteen at a time,
//! because the nodes of one frame would leave half of each kernel call idle; then the few that join them to the peaks.

use super::many::{self, BLOCK, Input, LANES};
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
    ///
    /// For one frame alone; frames of a batch share a [`Subtrees`] and [`Peaks::advance`].
    pub fn extend(&mut self, keys: &Keys, leaves: &[Hash], nodes: &mut Vec<Hash>) {
        let mut subtrees = Subtrees::new();
        subtrees.build(keys, self.size, leaves);
        self.advance(keys, &subtrees, leaves.len() as u64, nodes);
    }

    /// Appends the next `count` leaves of those that `subtrees` was built from, and pushes nodes\[size before, size
    /// after) onto `nodes`. Panics when it does not hold them.
    pub fn advance(&mut self, keys: &Keys, subtrees: &Subtrees, count: u64, nodes: &mut Vec<Hash>) {
        let start = nodes.len();
        subtrees.nodes(self.size, self.size + count, nodes);
        self.join_with(keys, count, &nodes[start..], |span, from| subtrees.node(span, from));
    }

    /// Appends `count` leaves that are known by their `nodes` only, nodes\[size before, size after).
    pub fn join(&mut self, keys: &Keys, count: u64, nodes: &[Hash]) {
        self.join_with(keys, count, nodes, |_, _| None);
    }

    fn join_with(&mut self, keys: &Keys, count: u64, nodes: &[Hash], known: impl Fn(u64, u64) -> Option<Hash>) {
        let end = self.size + count;
        for &node in nodes {
            let mut span = span(self.size, end);
            let mut hash = node;
            // Where the size has this bit, the last peak is the left sibling.
            while self.size & span != 0
                && let Some(left) = self.hashes.pop()
            {
                self.size -= span;
                span *= 2;
                hash = known(span, self.size).unwrap_or_else(|| parent(keys, &left, &hash));
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
    many::lone_block(keys.platform, &keys.head, &block)
}

/// Pushes nodes\[first, first + leaves.len()) onto `nodes`. Needs no peaks, so a single frame can be checked against
/// its seal.
pub fn range_nodes(keys: &Keys, first: u64, leaves: &[Hash], nodes: &mut Vec<Hash>) {
    let mut subtrees = Subtrees::new();
    subtrees.build(keys, first, leaves);
    subtrees.nodes(first, first + leaves.len() as u64, nodes);
}

/// Every aligned subtree over a run of leaves, row by row. Keep it: building again reuses its memory.
#[derive(Debug, Clone, Default)]
pub struct Subtrees {
    /// Row k holds the roots of subtrees with 2^k leaves.
    rows: Vec<Row>,
    hashes: Vec<Hash>,
}

#[derive(Debug, Clone, Copy)]
struct Row {
    /// Number of the row's first node, counted in the whole tree's row.
    first: u64,
    /// Where it starts in the hashes.
    start: usize,
    len: usize,
}

impl Subtrees {
    /// Over no leaves.
    pub fn new() -> Self {
        Self::default()
    }

    /// Heap memory that it keeps for the next, bytes; its rows are few.
    pub fn bytes(&self) -> usize {
        size_of::<Hash>() * self.hashes.capacity()
    }

    /// Hashes all subtrees over `leaves`, whose offsets run from `first`.
    pub fn build(&mut self, keys: &Keys, first: u64, leaves: &[Hash]) {
        self.rows.clear();
        self.hashes.clear();
        self.hashes.extend_from_slice(leaves);
        let mut row = Row { first, start: 0, len: leaves.len() };
        loop {
            self.rows.push(row);
            // A right child without its sibling waits for no one here: its parent is not over these leaves only.
            let skipped = (row.first % 2) as usize;
            let pairs = row.len.saturating_sub(skipped) / 2;
            if pairs == 0 {
                return;
            }
            let next = Row { first: row.first.div_ceil(2), start: self.hashes.len(), len: pairs };
            self.hashes.resize(next.start + pairs, [0; 32]);
            let (below, above) = self.hashes.split_at_mut(next.start);
            parents(keys, &below[row.start + skipped..][..pairs * 2], above);
            row = next;
        }
    }

    /// Pushes nodes\[a, b) onto `nodes`: the roots of the largest aligned subtrees that cover exactly these leaves,
    /// left to right. Panics when not all of them are among the leaves that this was built from.
    pub fn nodes(&self, mut a: u64, b: u64, nodes: &mut Vec<Hash>) {
        while a < b {
            let span = span(a, b);
            let node = self.node(span, a);
            assert!(node.is_some(), "the leaves {a} to {b} are not among those hashed");
            nodes.extend(node);
            a += span;
        }
    }

    /// The root over the `span` leaves from `from`, where it is over these leaves only.
    fn node(&self, span: u64, from: u64) -> Option<Hash> {
        let row = self.rows.get(span.ilog2() as usize)?;
        let index = usize::try_from((from / span).checked_sub(row.first)?).ok()?;
        (index < row.len).then(|| self.hashes[row.start + index])
    }
}

/// Hashes each pair of `children` into its parent.
fn parents(keys: &Keys, children: &[Hash], out: &mut [Hash]) {
    if let ([left, right], [out]) = (children, &mut *out) {
        *out = parent(keys, left, right);
        return;
    }
    let mut lanes = [0; many::scratch_len(1)];
    for (children, out) in children.chunks(LANES * 2).zip(out.chunks_mut(LANES)) {
        lanes[..size_of_val(children)].copy_from_slice(children.as_flattened());
        many::hash_lanes(keys.platform, &keys.node, Input::Whole, 1, &lanes, out);
    }
}

/// Leaves under the first node of nodes\[a, b): the largest power of two that `a` is a multiple of and that fits.
fn span(a: u64, b: u64) -> u64 {
    let fits = 1 << (b - a).ilog2();
    if a == 0 { fits } else { fits.min(a & a.wrapping_neg()) }
}

fn parent(keys: &Keys, left: &Hash, right: &Hash) -> Hash {
    let mut block = [0; BLOCK];
    block[..32].copy_from_slice(left);
    block[32..].copy_from_slice(right);
    many::lone_block(keys.platform, &keys.node, &block)
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
    #[should_panic(expected = "not among those hashed")]
    fn leaves_that_were_not_hashed_are_refused() {
        let keys = Keys::new(&[6; 32], None);
        let mut subtrees = Subtrees::new();
        subtrees.build(&keys, 0, &leaves(5));
        Peaks::new().advance(&keys, &subtrees, 6, &mut Vec::new());
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
            // The second half of the steps are frames of one batch.
            let (mut subtrees, mut batched) = (Subtrees::new(), false);
            let mut from = 0;
            for (index, &step) in steps.iter().enumerate() {
                let mut nodes = Vec::new();
                if index >= steps.len() / 2 {
                    if !batched {
                        subtrees.build(&keys, from as u64, &all[from..]);
                        batched = true;
                    }
                    peaks.advance(&keys, &subtrees, step as u64, &mut nodes);
                } else {
                    peaks.extend(&keys, &all[from..from + step], &mut nodes);
                }
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
