//! Contents: what a file parameter means, whatever the files are called and wherever they lie. A lock holds on to one.

use std::fmt;
use std::path::PathBuf;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use sha2::Digest as _;

/// SHA-256 of a file: the name that the hub and other tools give a model.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Sha256([u8; 32]);

/// A file that a parameter means, and the part that it plays in it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Piece {
    /// The part, as the name of a component; empty for a file that is all there is.
    pub role: String,
    /// Where it lies.
    pub path: PathBuf,
}

impl Piece {
    /// Makes the one piece of a parameter that means a single file.
    pub fn alone(path: PathBuf) -> Vec<Self> {
        vec![Self { role: String::new(), path }]
    }
}

/// What a parameter means.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Content {
    /// Of a single file, its hash. Of several, that of the lines `hash  role` (each ended by a line feed), sorted: what the
    /// files are called within their parts does not matter.
    pub sha256: Sha256,
    /// Bytes of all files.
    pub bytes: u64,
    /// How many files there are.
    pub files: usize,
}

impl Sha256 {
    /// Hashes bytes.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self(sha2::Sha256::digest(bytes).into())
    }

    pub(super) fn finish(hasher: sha2::Sha256) -> Self {
        Self(hasher.finalize().into())
    }

    /// Reads the 64 hexadecimal digits that `Display` writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
            return None;
        }
        let mut bytes = [0; 32];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Sha256 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Sha256 {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sha256 {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a SHA-256 is 64 hexadecimal digits"))
    }
}

/// Puts the contents of several files together.
pub(super) fn together(pieces: &[(Sha256, String)]) -> Sha256 {
    let mut lines: Vec<_> = pieces.iter().map(|(sha256, role)| format!("{sha256}  {role}\n")).collect();
    lines.sort();
    Sha256::of_bytes(lines.concat().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_hash_is_written_as_sha256sum_writes_it() {
        let hello = Sha256::of_bytes(b"hello\n");
        assert_eq!(hello.to_string(), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
        assert_eq!(Sha256::from_hex(&hello.to_string()), Some(hello));
        for wrong in ["", "58", &"g".repeat(64), &"+f".repeat(32), &"é".repeat(32)] {
            assert_eq!(Sha256::from_hex(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn several_files_are_their_parts_and_contents_in_any_order() {
        let [a, b] = [b"a", b"b"].map(|bytes| Sha256::of_bytes(bytes));
        let of = |parts: [(Sha256, &str); 2]| together(&parts.map(|(hash, role)| (hash, role.to_owned())));
        let both = of([(a, "unet"), (b, "vae")]);
        assert_eq!(both, of([(b, "vae"), (a, "unet")]));
        assert_ne!(both, of([(b, "unet"), (a, "vae")]), "each plays its part");
        // The hash of b begins with 3e, that of a with ca.
        assert_eq!(both, Sha256::of_bytes(format!("{b}  vae\n{a}  unet\n").as_bytes()));
    }
}
