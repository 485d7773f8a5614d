//! The keys of SSH servers: what one showed, what was pinned, and what `known_hosts` says.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, STANDARD_NO_PAD};
use git2::cert::CertHostkey;
use sha2::{Digest, Sha256};

use crate::model::git_address::Address;

/// The key that a server showed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Shown {
    /// `SHA256:...`, as `ssh-keygen -l` prints it.
    pub(super) fingerprint: String,
    /// The key as `known_hosts` has it, in base64.
    key: Option<String>,
}

impl Shown {
    pub(super) fn of(key: &CertHostkey<'_>) -> Option<Self> {
        let bytes = key.hostkey();
        let hash = match (key.hash_sha256(), bytes) {
            (Some(hash), _) => hash.to_vec(),
            (None, Some(bytes)) => Sha256::digest(bytes).to_vec(),
            (None, None) => return None,
        };
        let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(hash));
        Some(Self { fingerprint, key: bytes.map(|bytes| STANDARD.encode(bytes)) })
    }
}

/// Whether a key is the one that somebody pinned: by its fingerprint, or by itself (`ssh-ed25519 AAAA...`).
pub(super) fn is(shown: &Shown, pinned: &str) -> bool {
    let pinned = pinned.trim();
    if pinned.starts_with("SHA256:") {
        return pinned.trim_end_matches('=') == shown.fingerprint;
    }
    // Type, key, comment; or the key alone.
    let mut words = pinned.split_ascii_whitespace();
    let key = words.clone().nth(1).or_else(|| words.next());
    key.is_some() && key == shown.key.as_deref()
}

/// Whether `known_hosts` has some key for this host; none where that cannot be told.
pub(super) fn is_known_to(address: &Address) -> Option<bool> {
    let home = std::env::var_os("HOME")?;
    let text = std::fs::read_to_string(std::path::Path::new(&home).join(".ssh/known_hosts")).ok()?;
    // Hashed names (`|1|...`) cannot be told from others without their key: nothing is claimed of them.
    let has_hashed = text.lines().any(|line| line.starts_with('|'));
    let name = match address.port {
        Some(port) if port != 22 => format!("[{}]:{port}", address.host),
        _ => address.host.clone(),
    };
    let names = text.lines().filter_map(|line| line.split_ascii_whitespace().next());
    let is_there = names.flat_map(|names| names.split(',')).any(|known| known.eq_ignore_ascii_case(&name));
    if is_there || !has_hashed { Some(is_there) } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pinned_key_is_a_fingerprint_or_the_key_itself() {
        let shown = Shown { fingerprint: "SHA256:abc".into(), key: Some("AAAAkey".into()) };
        for pinned in ["SHA256:abc", " SHA256:abc= ", "ssh-ed25519 AAAAkey", "ssh-ed25519 AAAAkey me@host", "AAAAkey"] {
            assert!(is(&shown, pinned), "{pinned}");
        }
        for pinned in ["SHA256:abd", "ssh-ed25519 AAAAkez", "", "ssh-ed25519"] {
            assert!(!is(&shown, pinned), "{pinned}");
        }
    }
}
