//! The hashes of docs/FORMAT.md once more, slow and obvious, sharing nothing with the engine: what it acknowledges is
//! compared with heads computed here from the model's records.

pub type Hash = [u8; 32];

/// The keys of a log's tree.
#[derive(Clone)]
pub struct Reference {
    payload: [u8; 32],
    leaf: [u8; 32],
    node: [u8; 32],
    head: [u8; 32],
}

fn dk(purpose: &str, material: &[u8]) -> [u8; 32] {
    blake3::derive_key(&format!("varve 2026-11-23 v1 {purpose}"), material)
}

fn keyed(key: &[u8; 32], parts: &[&[u8]]) -> Hash {
    *blake3::keyed_hash(key, &parts.concat()).as_bytes()
}

impl Reference {
    pub fn new(id: &[u8; 32]) -> Self {
        Self { payload: dk("payload", id), leaf: dk("leaf", id), node: dk("node", id), head: dk("head", id) }
    }

    /// The leaf of one record of kind 0.
    pub fn leaf(&self, payload: &[u8], offset: u64, time: u64) -> Hash {
        let padded = payload.len().next_multiple_of(64).max(64);
        let mut bytes = payload.to_vec();
        bytes.resize(padded, 0);
        let p = keyed(&self.payload, &[&bytes]);
        let length = payload.len() as u32;
        let parts: [&[u8]; 5] = [&p, &offset.to_le_bytes(), &time.to_le_bytes(), &length.to_le_bytes(), &[0; 12]];
        keyed(&self.leaf, &parts)
    }

    /// RFC 6962, 2.1.
    fn root(&self, leaves: &[Hash]) -> Hash {
        match leaves {
            [] => [0; 32],
            [one] => *one,
            more => {
                let mut left = 1;
                while left * 2 < more.len() {
                    left *= 2;
                }
                keyed(&self.node, &[&self.root(&more[..left]), &self.root(&more[left..])])
            }
        }
    }

    /// The head that commits to these leaves.
    pub fn head(&self, leaves: &[Hash]) -> Hash {
        keyed(&self.head, &[&self.root(leaves), &(leaves.len() as u64).to_le_bytes(), &[0; 24]])
    }
}
