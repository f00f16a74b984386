//! What lies below the roots, for those who know a content and not its name.

use std::fs;
use std::path::{Path, PathBuf};

use super::content::Content;

/// How many folders deep is looked.
const MAX_DEPTH: usize = 8;
/// After so many entries a root is too large to be looked through.
const MAX_ENTRIES: usize = 100_000;

/// Lists what below a root could have a content, by size alone: files of its length, or folders where it is several files.
/// Links are not followed, and what begins with a dot is not looked at.
pub(super) fn below(root: &Path, content: &Content) -> Vec<PathBuf> {
    let (mut found, mut folders, mut seen) = (Vec::new(), vec![(root.to_owned(), 0)], 0);
    while let Some((folder, depth)) = folders.pop() {
        for entry in fs::read_dir(&folder).into_iter().flatten().flatten() {
            seen += 1;
            if seen > MAX_ENTRIES {
                return found;
            }
            let is_hidden = entry.file_name().as_encoded_bytes().starts_with(b".");
            // The metadata of an entry is that of a link, not of what it leads to.
            let Some(about) = entry.metadata().ok().filter(|_| !is_hidden) else { continue };
            if about.is_dir() {
                if depth < MAX_DEPTH {
                    folders.push((entry.path(), depth + 1));
                }
                if content.files > 1 {
                    found.push(entry.path());
                }
            } else if about.is_file() && content.files == 1 && about.len() == content.bytes {
                found.push(entry.path());
            }
        }
    }
    found.sort();
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files::content::Sha256;

    #[test]
    fn files_of_the_length_and_folders_are_found_and_nothing_that_leads_out() {
        let home = tempfile::tempdir().expect("a folder");
        let root = home.path().join("root");
        for (name, bytes) in [("a/b.bin", "four"), ("c.bin", "five!"), (".hidden/d.bin", "four")] {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("a folder")).expect("a folder");
            fs::write(path, bytes).expect("a file");
        }
        #[cfg(unix)]
        {
            fs::write(home.path().join("out.bin"), "four").expect("a file");
            std::os::unix::fs::symlink(home.path().join("out.bin"), root.join("link.bin")).expect("a link");
            std::os::unix::fs::symlink(&root, root.join("a/circle")).expect("a link");
        }
        let content = |files| Content { sha256: Sha256::of_bytes(b"four"), bytes: 4, files };
        assert_eq!(below(&root, &content(1)), [root.join("a/b.bin")]);
        assert_eq!(below(&root, &content(2)), [root.join("a")]);
        assert_eq!(below(&home.path().join("nowhere"), &content(1)), Vec::<PathBuf>::new());
    }
}
