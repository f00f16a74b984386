//! What can go wrong between here and the hub, each with its sentence and the way out.

use std::io;
use std::path::{Path, PathBuf};

/// Whose fault it is; decides what a face makes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// What was asked for cannot be.
    Asked,
    /// The hub, the network, or a file.
    File,
    /// The disk has no room.
    Space,
    /// Somebody asked to stop.
    Cancelled,
}

/// A fault of the hub, of the way there, or of the cache.
#[derive(Debug, thiserror::Error)]
pub enum HubFault {
    /// The address cannot be read.
    #[error("`{given}` is no address on the hub: {why}")]
    Address {
        /// What was typed.
        given: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// A setting of the environment cannot be used.
    #[error("{name} cannot be used: {why}")]
    Setting {
        /// The variable.
        name: &'static str,
        /// What is wrong with it.
        why: String,
    },
    /// The hub wants to know who asks (401).
    #[error("the hub does not give `{what}` without a token that may read it, or it does not exist")]
    Unauthorised {
        /// The repository or file.
        what: String,
    },
    /// The hub knows who asks, and refuses (403).
    #[error("the hub refuses `{what}`: its licence is not accepted, or the token may not read it")]
    Gated {
        /// The repository or file.
        what: String,
        /// The repository's page.
        page: String,
    },
    /// There is no such thing (404).
    #[error("the hub has no {what}")]
    Missing {
        /// The repository, revision or file.
        what: String,
    },
    /// The hub answered what nobody expected.
    #[error("the hub answers {what} for `{url}`")]
    Answer {
        /// Status, or what is odd.
        what: String,
        /// Where, without its query.
        url: String,
    },
    /// A redirect that is not followed.
    #[error("a redirect is refused: {why}")]
    Redirect {
        /// Where it leads, and what is wrong with that.
        why: String,
    },
    /// Every attempt failed.
    #[error("`{what}` could not be fetched: {why}")]
    GaveUp {
        /// The file, or what was asked for.
        what: String,
        /// The last failure, and how often.
        why: String,
    },
    /// The bytes are not those that the hub names.
    #[error("`{file}` arrived damaged twice: its hash is {found}, the hub names {wanted}")]
    Damaged {
        /// The file.
        file: String,
        /// What arrived.
        found: String,
        /// What was promised.
        wanted: String,
    },
    /// The server sends another number of bytes than the hub names, also on a second try.
    #[error("`{file}` is {found} bytes long on the server, the hub names {wanted}")]
    Length {
        /// The file.
        file: String,
        /// What the server says.
        found: u64,
        /// What the hub says.
        wanted: u64,
    },
    /// Nothing of the repository looks like a model.
    #[error("`{repo}` {why}")]
    NoModel {
        /// The repository.
        repo: String,
        /// What it lacks.
        why: String,
    },
    /// The network may not be used, and the cache does not hold everything.
    #[error("{}", offline_message(.address, .missing))]
    Offline {
        /// What was asked for.
        address: String,
        /// What the cache lacks: name and, where it is known, size in bytes. Empty if nothing of it was ever seen.
        missing: Vec<(String, Option<u64>)>,
        /// Why the network was not used.
        why: Offline,
    },
    /// The disk has not enough room.
    #[error("`{}` has {} free, this needs {} and {} to spare", .folder.display(), bytes_for_people(*.free), bytes_for_people(*.needed), bytes_for_people(*.spare))]
    Space {
        /// Where the cache is.
        folder: PathBuf,
        /// Free bytes.
        free: u64,
        /// Bytes still to fetch.
        needed: u64,
        /// Bytes that are left alone.
        spare: u64,
    },
    /// A file or folder of the cache.
    #[error("cannot {doing} `{}`: {}", .path.display(), words_of(.error))]
    Io {
        /// What was tried.
        doing: &'static str,
        /// Where.
        path: PathBuf,
        /// What the system said.
        error: io::Error,
    },
    /// Another process is at work on it.
    #[error("`{what}` is being fetched by another process, lock `{}`", .lock.display())]
    Busy {
        /// What was asked for.
        what: String,
        /// The lock that it holds.
        lock: PathBuf,
    },
    /// Somebody asked to stop.
    #[error("stopped on request")]
    Cancelled,
}

/// Why the network was not used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Offline {
    /// The environment forbids it.
    Forbidden,
    /// Only the cache was asked.
    NotAsked,
}

impl HubFault {
    pub(crate) fn io(doing: &'static str, path: &Path) -> impl FnOnce(io::Error) -> Self {
        move |error| Self::Io { doing, path: path.to_owned(), error }
    }

    /// Tells whose fault it is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Address { .. } | Self::Setting { .. } | Self::NoModel { .. } => Kind::Asked,
            Self::Space { .. } => Kind::Space,
            Self::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull => Kind::Space,
            Self::Cancelled => Kind::Cancelled,
            _ => Kind::File,
        }
    }

    /// Returns the way out.
    pub fn hint(&self) -> Option<String> {
        Some(match self {
            Self::Address { .. } => "write hub://owner/name, hub://owner/name@revision or hub://owner/name/file".into(),
            Self::Setting { name, .. } => format!("correct {name}, or unset it"),
            Self::Unauthorised { .. } => {
                "check the name; for a private or gated one, set HF_TOKEN to a token of an account that may read it"
                    .into()
            }
            Self::Gated { page, .. } => {
                format!(
                    "accept the licence on {page} with the account that HF_TOKEN belongs to, and let the token read it"
                )
            }
            Self::Missing { .. } => "check the address; names on the hub tell capital letters from small ones".into(),
            Self::Answer { .. } => "try again later; HF_ENDPOINT names another hub".into(),
            Self::Redirect { .. } => {
                "check HF_ENDPOINT and the network: something on the way answers for the hub".into()
            }
            Self::GaveUp { .. } => "run it again: what has arrived is kept".into(),
            Self::Damaged { .. } | Self::Length { .. } => {
                "something on the way changes the file; try another network, or tell the owner of the repository".into()
            }
            Self::NoModel { repo, .. } => format!("name one of its files, as hub://{repo}/file.safetensors"),
            Self::Offline { why: Offline::Forbidden, .. } => "unset HF_HUB_OFFLINE to fetch it".into(),
            Self::Offline { address, .. } => format!("fetch it with `darkroom models pull {address}`"),
            Self::Space { .. } => "free some space, or set HF_HUB_CACHE to a folder on another disk".into(),
            Self::Io { error, .. } if error.kind() == io::ErrorKind::StorageFull => {
                "free some space, or set HF_HUB_CACHE to a folder on another disk".into()
            }
            Self::Io { .. } => {
                "check the permissions of the file and its folder, or set HF_HUB_CACHE to another".into()
            }
            Self::Busy { .. } => "wait until it is through, or stop it".into(),
            Self::Cancelled => return None,
        })
    }
}

/// Writes a number of bytes as people read it: `4.3 GB`, in powers of 1000 as the hub does.
pub fn bytes_for_people(bytes: u64) -> String {
    let units = ["kB", "MB", "GB", "TB"];
    if bytes < 1000 {
        return format!("{bytes} B");
    }
    let mut value = bytes as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.95 && unit + 1 < units.len() {
        value /= 1000.0;
        unit += 1;
    }
    format!("{value:.1} {}", units[unit])
}

fn offline_message(address: &str, missing: &[(String, Option<u64>)]) -> String {
    if missing.is_empty() {
        return format!("nothing of `{address}` is in the cache");
    }
    let one = |(name, size): &(String, Option<u64>)| match size {
        Some(size) => format!("`{name}` ({})", bytes_for_people(*size)),
        None => format!("`{name}`"),
    };
    let names: Vec<_> = missing.iter().map(one).collect();
    let files = if names.len() == 1 { "file" } else { "files" };
    format!("the cache lacks {} {files} of `{address}`: {}", names.len(), names.join(", "))
}

fn words_of(error: &io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_lowercase())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_read_as_people_write_them() {
        for (bytes, text) in [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (999_949, "999.9 kB"), (999_950, "1.0 MB")]
        {
            assert_eq!(bytes_for_people(bytes), text);
        }
        assert_eq!(bytes_for_people(4_265_380_512), "4.3 GB");
        assert_eq!(bytes_for_people(u64::MAX), "18446744.1 TB");
    }

    #[test]
    fn row_56_what_is_missing_is_listed_with_sizes() {
        let missing = vec![("a.json".to_owned(), Some(12)), ("b/c.safetensors".to_owned(), None)];
        let fault = HubFault::Offline { address: "hub://o/n".into(), missing, why: Offline::Forbidden };
        assert_eq!(fault.to_string(), "the cache lacks 2 files of `hub://o/n`: `a.json` (12 B), `b/c.safetensors`");
        assert!(fault.hint().expect("one").contains("HF_HUB_OFFLINE"));
    }
}
