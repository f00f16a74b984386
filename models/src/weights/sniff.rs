//! What a file is that claims to hold weights and does not, by its first bytes.

use std::path::Path;

use crate::Error;

/// Endings under which pickles travel, in lower case.
const PICKLE_ENDINGS: [&str; 5] = ["ckpt", "pt", "pth", "bin", "pkl"];

/// Returns why a file that starts with `start` is refused, unless it may be safetensors.
pub fn refuse(path: &Path, start: &[u8]) -> Option<Error> {
    if looks_like_safetensors(start) {
        return None;
    }
    let pickle = "run no code from a model file: take the .safetensors of the same model, or convert it (docs/convert-pickles.md)";
    let (what, hint) = match start {
        [b'P', b'K', 3 | 5, 4 | 6, ..] => ("this is a zip archive as torch writes it, with a pickle inside", pickle),
        [0x80, 2..=5, ..] => ("this is a pickle", pickle),
        [b'v', b'e', b'r', b's', b'i', b'o', b'n', b' ', ..] => (
            "this is a pointer that git-lfs left in place of the file",
            "run `git lfs pull`, or download the file itself",
        ),
        [b'<', b'!' | b'?' | b'h' | b'H', ..] => ("this is a web page, not a model", "download the file again"),
        _ if is_pickle_by_name(path) => ("this is no safetensors file, and its name is that of a pickle", pickle),
        _ => return None,
    };
    Some(Error::format(path, what).with_hint(hint))
}

/// Tells whether the name ends as those of pickles do, in any letter case.
pub fn is_pickle_by_name(path: &Path) -> bool {
    let ending = path.extension().map(|ending| ending.to_ascii_lowercase());
    ending.is_some_and(|ending| PICKLE_ENDINGS.iter().any(|known| ending == *known))
}

/// A length below 4 GiB, then a brace: a header of 640 bytes starts with the same two bytes as a pickle.
fn looks_like_safetensors(start: &[u8]) -> bool {
    matches!(start, [_, _, _, _, 0, 0, 0, 0, b'{', ..])
}
