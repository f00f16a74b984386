//! Addresses: `hub://owner/name`, with `@revision` and `/path/in/repo` where wanted.

use std::fmt;
use std::str::FromStr;

use hf_hub::{Repo, RepoType};

use crate::fault::HubFault;

/// The revision that is meant when none is named.
const MAIN: &str = "main";

/// The longest owner/name that the hub gives out.
const LONGEST_NAME: usize = 96;

/// A repository of the hub at a revision, or one file of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Address {
    repo: String,
    revision: String,
    file: Option<String>,
}

impl Address {
    /// Returns `owner/name`.
    pub fn repo(&self) -> &str {
        &self.repo
    }

    /// Returns the branch, tag or commit; `main` if none was named.
    pub fn revision(&self) -> &str {
        &self.revision
    }

    /// Returns the one file that is meant, if it is one.
    pub fn file(&self) -> Option<&str> {
        self.file.as_deref()
    }

    /// Tells whether the revision is a commit, which never changes.
    pub fn is_pinned(&self) -> bool {
        is_commit(&self.revision)
    }

    pub(crate) fn as_repo(&self) -> Repo {
        Repo::with_revision(self.repo.clone(), RepoType::Model, self.revision.clone())
    }
}

/// Tells whether a revision is a whole commit name.
pub(crate) fn is_commit(revision: &str) -> bool {
    revision.len() == 40 && revision.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

impl FromStr for Address {
    type Err = HubFault;

    fn from_str(given: &str) -> Result<Self, HubFault> {
        let wrong = |why| HubFault::Address { given: given.to_owned(), why };
        let rest = given.strip_prefix("hub://").ok_or_else(|| wrong("it does not begin with hub://"))?;
        let (owner, rest) = rest.split_once('/').ok_or_else(|| wrong("it names no owner"))?;
        let (name, file) = match rest.split_once('/') {
            Some((name, file)) => (name, Some(file)),
            None => (rest, None),
        };
        let (name, revision) = match name.split_once('@') {
            // A slash in the name of a branch, as in refs/pr/1, is written %2F.
            Some((name, revision)) => (name, revision.replace("%2F", "/").replace("%2f", "/")),
            None => (name, MAIN.to_owned()),
        };
        if !is_name(owner) || !is_name(name) || owner.len() + name.len() >= LONGEST_NAME {
            return Err(wrong("owner and name are letters, digits, `-`, `_` and `.`"));
        }
        if !is_path(&revision) || revision.contains([' ', '~', '^', ':', '?', '*', '[', '#', '%']) {
            return Err(wrong("the revision is no branch, tag or commit"));
        }
        if let Some(file) = file
            && !is_path(file)
        {
            return Err(wrong("the path does not stay inside the repository"));
        }
        Ok(Self { repo: format!("{owner}/{name}"), revision, file: file.map(str::to_owned) })
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "hub://{}", self.repo)?;
        if self.revision != MAIN {
            write!(f, "@{}", self.revision.replace('/', "%2F"))?;
        }
        self.file.iter().try_for_each(|file| write!(f, "/{file}"))
    }
}

/// A name on the hub. Two hyphens in a row, and dots at an end, would make two names one in the cache.
fn is_name(text: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.".contains(&byte);
    let ends = ['-', '.'];
    !text.is_empty()
        && text.bytes().all(plain)
        && !text.contains("--")
        && !text.contains("..")
        && !text.starts_with(ends)
        && !text.ends_with(ends)
}

/// Tells whether a path of the hub stays inside the folder that it is taken relative to, on every system.
pub(crate) fn is_path(text: &str) -> bool {
    let part = |part: &str| !part.is_empty() && part != "." && part != "..";
    text.split('/').all(part) && !text.chars().any(|letter| letter.is_control() || letter == '\\' || letter == ':')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_names_repository_revision_and_file() {
        let read = |text: &str| text.parse::<Address>().expect("an address");
        let plain = read("hub://stabilityai/sdxl-turbo");
        assert_eq!((plain.repo(), plain.revision(), plain.file()), ("stabilityai/sdxl-turbo", "main", None));
        let full = read("hub://o/n.x@refs%2Fpr%2F1/unet/a b.safetensors");
        assert_eq!((full.revision(), full.file()), ("refs/pr/1", Some("unet/a b.safetensors")));
        for text in ["hub://o/n", "hub://o/n@fp16", "hub://o/n@refs%2Fpr%2F1/a/b.c", "hub://o/n/a"] {
            assert_eq!(read(text).to_string(), text);
        }
        assert_eq!(read("hub://o/n@main").to_string(), "hub://o/n");
        assert!(read(&format!("hub://o/n@{}", "a1".repeat(20))).is_pinned() && !full.is_pinned());
    }

    #[test]
    fn what_leads_elsewhere_is_no_address() {
        for text in [
            "",
            "o/n",
            "https://huggingface.co/o/n",
            "hub://",
            "hub://o",
            "hub://o/",
            "hub:///n",
            "hub://o/n@",
            "hub://o/n/",
            "hub://o/n/../x",
            "hub://o/n//x",
            "hub://o/n/./x",
            "hub://../n",
            "hub://o/..",
            "hub://o--p/n",
            "hub://o/n@../x",
            "hub://o/n@a b",
            "hub://o/n/a\\b",
            "hub://o/n/c:x",
            "hub://o/n/a\nb",
            "hub://-o/n",
            "hub://o/ö",
        ] {
            let fault = text.parse::<Address>().expect_err(text);
            assert!(fault.hint().is_some(), "{fault}");
        }
    }
}
