//! The keys of one log, derived once from its id and, where there is one, its secret.
//!
//! Keys of the hash tree depend on the id alone, so anyone with the files can recompute every head. The seal's key
//! also depends on the secret: whoever lacks it cannot forge a frame.

use blake3::platform::Platform;

use super::many::Key;

/// Key derivation; the date is part of the format and never changes.
macro_rules! derive {
    ($purpose:literal, $material:expr) => {
        blake3::derive_key(concat!("varve 2026-11-23 v1 ", $purpose), $material)
    };
}

/// All keys of a log, and the kernel that this CPU hashes fastest with.
#[derive(Clone)]
pub struct Keys {
    id: [u8; 32],
    secret: bool,
    /// R in docs/FORMAT.md: what the seal's key and the check come from.
    seal_root: [u8; 32],
    pub(super) platform: Platform,
    pub(super) payload: Key,
    pub(super) leaf: Key,
    pub(super) node: Key,
    pub(super) head: Key,
    pub(super) seal: Key,
}

impl Keys {
    /// Derives the keys of the log with this id. `secret` is 32 to 1,024 bytes (checked by `Options::check`).
    pub fn new(id: &[u8; 32], secret: Option<&[u8]>) -> Self {
        let seal_root = match secret {
            None => derive!("seal plain", id),
            Some(secret) => derive!("seal secret", &[id, secret].concat()),
        };
        Self {
            id: *id,
            secret: secret.is_some(),
            platform: Platform::detect(),
            payload: Key::new(derive!("payload", id)),
            leaf: Key::new(derive!("leaf", id)),
            node: Key::new(derive!("node", id)),
            head: Key::new(derive!("head", id)),
            seal: Key::new(derive!("seal", &seal_root)),
            seal_root,
        }
    }

    /// The log's id.
    pub fn id(&self) -> &[u8; 32] {
        &self.id
    }

    /// Whether a secret keys the seals.
    pub fn is_secret(&self) -> bool {
        self.secret
    }

    /// What a segment header states, so that a wrong secret is told apart from damage. It gives nothing away.
    pub fn key_check(&self) -> [u8; 16] {
        super::seal::first_half(&derive!("check", &self.seal_root))
    }

    /// The key of the 8-byte checks of all frame headers in the segment with this nonce.
    pub fn frame_key(&self, nonce: &[u8; 16]) -> [u8; 32] {
        let mut material = [0; 48];
        material[..32].copy_from_slice(&self.id);
        material[32..].copy_from_slice(nonce);
        derive!("frame", &material)
    }
}

impl std::fmt::Debug for Keys {
    /// Names the log and hides every key: the seal's comes from the secret.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keys")
            .field("id", &crate::error::hex(&self.id))
            .field("secret", &self.secret)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_no_key() {
        let keys = Keys::new(&[1; 32], Some(&[0xab; 32]));
        let shown = format!("{keys:?}");
        assert_eq!(shown, format!("Keys {{ id: {:?}, secret: true, .. }}", "01".repeat(32)));
    }

    #[test]
    fn secret_changes_seal_and_check_and_nothing_else() {
        let (plain, secret) = (Keys::new(&[1; 32], None), Keys::new(&[1; 32], Some(&[2; 32])));
        assert_ne!(plain.key_check(), secret.key_check());
        assert_ne!(plain.seal.bytes, secret.seal.bytes);
        for (a, b) in [(&plain.payload, &secret.payload), (&plain.leaf, &secret.leaf), (&plain.node, &secret.node)] {
            assert_eq!(a.bytes, b.bytes);
        }
        assert_eq!(plain.head.bytes, secret.head.bytes);
        assert_eq!(plain.frame_key(&[3; 16]), secret.frame_key(&[3; 16]));
    }

    #[test]
    fn frame_key_depends_on_log_and_segment() {
        let keys = Keys::new(&[1; 32], None);
        assert_ne!(keys.frame_key(&[3; 16]), keys.frame_key(&[4; 16]));
        assert_ne!(keys.frame_key(&[3; 16]), Keys::new(&[2; 32], None).frame_key(&[3; 16]));
    }
}
