//! Names of results. A name is the BLAKE3 hash of a canonical encoding, cut to 128 bits: equal recipes have equal
//! names on every machine, and no two different ones are expected to meet.
//!
//! The encoding writes a tag before every piece, and a length where the tag does not say it, so that no two different
//! sequences of pieces give the same bytes. A test pins it by a literal: changing it renames every result on every disk.

use std::fmt;

use serde::{Deserialize, Serialize};

/// The name of a result: of its bytes where those are cheap to hash, else of the recipe that makes it.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Fingerprint([u8; 16]);

impl Fingerprint {
    /// Hashes raw bytes, as the content of a file.
    pub fn of_bytes(bytes: &[u8]) -> Self {
        Self::cut(blake3::hash(bytes))
    }

    /// Cuts a finished BLAKE3 hash down to a name.
    pub fn cut(hash: blake3::Hash) -> Self {
        let mut short = [0; 16];
        short.copy_from_slice(&hash.as_bytes()[..16]);
        Self(short)
    }

    /// Reads the 32 hexadecimal digits that `Display` writes.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 32 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 16];
        for (byte, pair) in bytes.iter_mut().zip(text.as_bytes().chunks(2)) {
            *byte = u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok()?;
        }
        Some(Self(bytes))
    }

    /// Returns the sixteen bytes of the name.
    pub fn as_bytes(&self) -> &[u8; 16] {
        &self.0
    }

    /// Returns the name of the `index`-th output of the recipe that has this name.
    pub fn output(self, index: usize) -> Self {
        Hasher::new("output").fingerprint(self).integer(index as i128).finish()
    }
}

impl fmt::Display for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for Fingerprint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl Serialize for Fingerprint {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Fingerprint {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_hex(&text).ok_or_else(|| serde::de::Error::custom("a name is 32 hexadecimal digits"))
    }
}

/// Writes the canonical encoding of a recipe and hashes it.
///
/// Pieces gather in a buffer that is hashed once: BLAKE3 over a few hundred bytes costs less than feeding it in crumbs.
pub struct Hasher(Vec<u8>);

impl Hasher {
    /// Starts a name of the given domain; equal pieces in different domains have different names.
    pub fn new(domain: &str) -> Self {
        Self(Vec::with_capacity(256)).text(domain)
    }

    /// Adds a text.
    #[must_use]
    pub fn text(self, text: &str) -> Self {
        self.sized(b't', text.as_bytes())
    }

    /// Adds bytes.
    #[must_use]
    pub fn bytes(self, bytes: &[u8]) -> Self {
        self.sized(b'b', bytes)
    }

    /// Adds a whole number.
    #[must_use]
    pub fn integer(self, number: i128) -> Self {
        self.piece(b'i', &number.to_le_bytes())
    }

    /// Adds a number; the two zeros are one number.
    #[must_use]
    pub fn number(self, number: f64) -> Self {
        let number = if number == 0.0 { 0.0 } else { number };
        self.piece(b'f', &number.to_bits().to_le_bytes())
    }

    /// Adds a truth value.
    #[must_use]
    pub fn boolean(self, truth: bool) -> Self {
        self.piece(b'?', &[u8::from(truth)])
    }

    /// Adds a name.
    #[must_use]
    pub fn fingerprint(self, name: Fingerprint) -> Self {
        self.piece(b'n', &name.0)
    }

    /// Finishes the name.
    pub fn finish(self) -> Fingerprint {
        Fingerprint::of_bytes(&self.0)
    }

    /// A piece of a length that its tag does not tell: seven bits a byte, the lowest first. Few bytes are few blocks to
    /// hash, and hashing is most of what a plan does.
    fn sized(mut self, tag: u8, bytes: &[u8]) -> Self {
        self.0.push(tag);
        let mut length = bytes.len();
        while length >= 0x80 {
            self.0.push(length as u8 | 0x80);
            length >>= 7;
        }
        self.0.push(length as u8);
        self.0.extend_from_slice(bytes);
        self
    }

    fn piece(mut self, tag: u8, bytes: &[u8]) -> Self {
        self.0.push(tag);
        self.0.extend_from_slice(bytes);
        self
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn the_encoding_is_pinned() {
        let name = Hasher::new("pin").text("a").integer(-1).number(0.5).boolean(true).bytes(&[0]).finish();
        assert_eq!(name.to_string(), "bcac391ebb5c9610551e1c618b8c3154");
    }

    #[test]
    fn pieces_do_not_run_into_each_other() {
        assert_ne!(Hasher::new("d").text("ab").text("c").finish(), Hasher::new("d").text("a").text("bc").finish());
        assert_ne!(Hasher::new("d").text("").finish(), Hasher::new("d").finish());
    }

    proptest! {
        #[test]
        fn what_is_taken_apart_differently_is_named_differently(text in "[a-c]{0,300}", at in any::<prop::sample::Index>()) {
            let (left, right) = text.split_at(at.index(text.len() + 1));
            let name = Hasher::new("d").text(left).text(right).finish();
            prop_assert_eq!(name == Hasher::new("d").text(&text).text("").finish(), right.is_empty());
            prop_assert_ne!(name, Hasher::new("d").text(&text).finish());
            prop_assert_ne!(name, Hasher::new("d").bytes(left.as_bytes()).bytes(right.as_bytes()).finish());
        }
    }

    #[test]
    fn hexadecimal_reads_back() {
        let name = Fingerprint::of_bytes(b"x");
        assert_eq!(Fingerprint::from_hex(&name.to_string()), Some(name));
        assert_eq!(Fingerprint::from_hex("é"), None);
    }

    #[test]
    fn the_two_zeros_are_one_number() {
        assert_eq!(Hasher::new("d").number(0.0).finish(), Hasher::new("d").number(-0.0).finish());
    }
}
