//! Names of blobs: the SHA-256 of a large file, or the SHA-1 that git gives a small one.

use std::fmt::Write as _;
use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use crate::fault::HubFault;
use crate::stop::Stop;

/// Bytes that are read at once.
const PIECE: usize = 1 << 20;

/// Tells whether a text is a hash that a blob may be named by.
pub(crate) fn is_hash(text: &str) -> bool {
    matches!(text.len(), 40 | 64) && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Works out the hash of a file, of the kind of `like`.
///
/// # Errors
/// A fault of the file, or the stop.
pub(crate) fn of_file(path: &Path, like: &str, stop: &Stop) -> Result<String, HubFault> {
    let mut file = File::open(path).map_err(HubFault::io("read", path))?;
    let bytes = file.metadata().map_err(HubFault::io("read", path))?.len();
    let mut hasher = Hasher::like(like, bytes);
    let mut piece = vec![0; PIECE];
    loop {
        stop.check()?;
        let read = file.read(&mut piece).map_err(HubFault::io("read", path))?;
        if read == 0 {
            return Ok(hasher.finish());
        }
        hasher.update(&piece[..read]);
    }
}

enum Hasher {
    Sha256(Sha256),
    Git(Sha1),
}

impl Hasher {
    fn like(name: &str, bytes: u64) -> Self {
        if name.len() == 64 {
            return Self::Sha256(Sha256::new());
        }
        // Git puts kind and length in front (Git Internals, "Object Storage").
        Self::Git(Sha1::new_with_prefix(format!("blob {bytes}\0")))
    }

    fn update(&mut self, bytes: &[u8]) {
        match self {
            Self::Sha256(hasher) => hasher.update(bytes),
            Self::Git(hasher) => hasher.update(bytes),
        }
    }

    fn finish(self) -> String {
        match self {
            Self::Sha256(hasher) => hex(&hasher.finalize()),
            Self::Git(hasher) => hex(&hasher.finalize()),
        }
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::new(), |mut text, byte| {
        write!(text, "{byte:02x}").expect("a text takes everything");
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_blob_is_named_as_git_and_sha256sum_name_it() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("hello");
        std::fs::write(&path, "hello\n").expect("written");
        let name = |like: &str| of_file(&path, like, &Stop::default()).expect("read");
        // `printf 'hello\n' | git hash-object --stdin` and `sha256sum`.
        assert_eq!(name(&"0".repeat(40)), "ce013625030ba8dba906f756967f9e9ca394464a");
        assert_eq!(name(&"0".repeat(64)), "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03");
    }

    #[test]
    fn only_a_hash_names_a_blob() {
        assert!(is_hash(&"a0".repeat(20)) && is_hash(&"f9".repeat(32)));
        for bad in ["", "../../etc", &"A0".repeat(20), &"a0".repeat(16), &"g0".repeat(32)] {
            assert!(!is_hash(bad), "{bad}");
        }
    }
}
