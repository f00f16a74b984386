//! What is in a repository at a commit: asked of the hub, and remembered, so that what is missing can be told without it.

use std::fs;

use serde_json::{Value, json};
use ureq::http::Method;

use crate::address::{Address, is_commit, is_path};
use crate::cache::{Folder, write_whole};
use crate::fault::HubFault;
use crate::hash::is_hash;
use crate::http::{Answer, Client, Failure, Question, encoded, header};
use crate::progress::Watch;
use crate::retry::Attempts;

/// The longest answer that is read, in bytes.
const LONGEST: u64 = 64 << 20;

/// A file of the hub.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Remote {
    pub path: String,
    /// Size in bytes, if the hub tells.
    pub size: Option<u64>,
    /// SHA-256 of a large file, git's SHA-1 of a small one, if the hub tells.
    pub hash: Option<String>,
}

/// The files of a repository at a commit, sorted by path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Listing {
    pub commit: String,
    pub files: Vec<Remote>,
}

impl Listing {
    /// Asks the hub.
    pub fn ask(client: &Client, address: &Address, watch: &dyn Watch) -> Result<Self, HubFault> {
        let revision = encoded(address.revision());
        // The revision is one part of the path, whatever slashes it holds.
        let repo = address.repo();
        let from = client.address(&format!("api/models/{repo}/revision"), &format!("/{revision}?blobs=true"))?;
        let mut attempts = Attempts::new(&client.tuning.retry, 0);
        let listing = client.patiently(repo, watch, &mut attempts, |_| {
            let question = Question { what: repo, repo, method: Method::GET, from: &from, headers: Vec::new() };
            let text = client.text(client.ask(&question)?, LONGEST)?;
            let value =
                serde_json::from_slice(&text).map_err(|_| Failure::passing("the answer was cut, or is no JSON"))?;
            let odd = |what: &str| HubFault::Answer { what: what.to_owned(), url: from.path().to_owned() };
            Ok(Self::from_hub(&value).map_err(odd)?)
        });
        Ok(listing?)
    }

    fn from_hub(value: &Value) -> Result<Self, &'static str> {
        let commit = value["sha"].as_str().filter(|commit| is_commit(commit)).ok_or("without a commit")?;
        let siblings = value["siblings"].as_array().ok_or("without files")?;
        let files = siblings.iter().map(|file| {
            let path = file["rfilename"].as_str().filter(|path| is_path(path));
            let large = &file["lfs"];
            let hash = large["sha256"].as_str().or_else(|| file["blobId"].as_str().filter(|_| large.is_null()));
            Ok(Remote {
                path: path.ok_or("a file that lies outside of the repository")?.to_owned(),
                size: large["size"].as_u64().or_else(|| file["size"].as_u64()),
                hash: hash.filter(|hash| is_hash(hash)).map(str::to_owned),
            })
        });
        let mut files = files.collect::<Result<Vec<_>, _>>()?;
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { commit: commit.to_owned(), files })
    }

    /// Remembers the listing beside the files.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn store(&self, folder: &Folder) -> Result<(), HubFault> {
        let file = |Remote { path, size, hash }: &Remote| json!({"path": path, "size": size, "hash": hash});
        let files: Vec<_> = self.files.iter().map(file).collect();
        let text = json!({"commit": self.commit, "files": files}).to_string();
        write_whole(&folder.listing(&self.commit), text.as_bytes())
    }

    /// Returns what was remembered of a commit; a note that cannot be read is as good as none.
    pub fn load(folder: &Folder, commit: &str) -> Option<Self> {
        let value: Value = serde_json::from_slice(&fs::read(folder.listing(commit)).ok()?).ok()?;
        let file = |file: &Value| {
            let hash = file["hash"].as_str().filter(|hash| is_hash(hash)).map(str::to_owned);
            let path = file["path"].as_str().filter(|path| is_path(path))?.to_owned();
            Some(Remote { path, size: file["size"].as_u64(), hash })
        };
        let files = value["files"].as_array()?.iter().map(file).collect::<Option<_>>()?;
        Some(Self { commit: commit.to_owned(), files })
    }

    pub fn find(&self, path: &str) -> Option<&Remote> {
        self.files.iter().find(|file| file.path == path)
    }
}

/// Returns the address of a file at a revision.
pub(crate) fn address_of(client: &Client, repo: &str, revision: &str, path: &str) -> Result<ureq::http::Uri, HubFault> {
    let path: Vec<_> = path.split('/').map(encoded).collect();
    client.address(&format!("{repo}/resolve"), &format!("/{}/{}", encoded(revision), path.join("/")))
}

/// Asks the hub about one file: its commit, size and hash.
pub(crate) fn ask_file(
    client: &Client,
    address: &Address,
    (revision, path): (&str, &str),
    watch: &dyn Watch,
) -> Result<(String, Remote), HubFault> {
    let (repo, from) = (address.repo(), address_of(client, address.repo(), revision, path)?);
    let mut attempts = Attempts::new(&client.tuning.retry, 1);
    let asked = client.patiently(path, watch, &mut attempts, |_| {
        client.ask(&Question { what: path, repo, method: Method::HEAD, from: &from, headers: Vec::new() })
    });
    let answer = asked?;
    let odd = |what: &str| HubFault::Answer { what: what.to_owned(), url: from.path().to_owned() };
    let commit = header(answer.response.headers(), "x-repo-commit").filter(|commit| is_commit(commit));
    let commit =
        commit.or_else(|| is_commit(revision).then(|| revision.to_owned())).ok_or_else(|| odd("without a commit"))?;
    let remote = about(&answer, path);
    if remote.hash.is_none() {
        return Err(odd("without a hash that the file could be checked by"));
    }
    Ok((commit, remote))
}

/// Reads the headers that the hub adds for a file. Its own length is that of the redirect, if there is one.
fn about(Answer { response, .. }: &Answer, path: &str) -> Remote {
    let headers = response.headers();
    let hash = header(headers, "x-linked-etag").or_else(|| header(headers, "etag"));
    let hash = hash.map(|tag| tag.trim_start_matches("W/").trim_matches('"').to_owned());
    let length = || header(headers, "content-length").filter(|_| response.status().is_success());
    let size = header(headers, "x-linked-size").or_else(length).and_then(|size| size.parse().ok());
    Remote { path: path.to_owned(), size, hash: hash.filter(|hash| is_hash(hash)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(files: &Value) -> Value {
        json!({"sha": "a".repeat(40), "siblings": files})
    }

    #[test]
    fn a_large_file_is_named_by_its_sha256_a_small_one_by_git() {
        let (small, pointer, large) = ("b".repeat(40), "c".repeat(40), "d".repeat(64));
        let listing = Listing::from_hub(&answer(&json!([
            {"rfilename": "z.safetensors", "size": 9, "blobId": pointer, "lfs": {"sha256": large, "size": 9, "pointerSize": 1}},
            {"rfilename": "a.json", "size": 3, "blobId": small},
            {"rfilename": "n.json"},
        ])));
        let listing = listing.expect("a listing");
        let seen: Vec<_> =
            listing.files.iter().map(|file| (file.path.as_str(), file.size, file.hash.clone())).collect();
        assert_eq!(
            seen,
            [("a.json", Some(3), Some(small)), ("n.json", None, None), ("z.safetensors", Some(9), Some(large))]
        );
    }

    #[test]
    fn what_leads_out_of_the_repository_is_refused() {
        for path in ["../x", "/etc/passwd", "a/../../x", "a\\b", ""] {
            assert!(Listing::from_hub(&answer(&json!([{"rfilename": path}]))).is_err(), "{path}");
        }
        assert!(Listing::from_hub(&json!({"sha": "../x", "siblings": []})).is_err());
    }

    #[test]
    fn a_listing_is_remembered() {
        let home = tempfile::tempdir().expect("a folder");
        let folder = Folder::named(home.path(), "models--o--n");
        let file = Remote { path: "a/b.json".to_owned(), size: Some(3), hash: Some("b".repeat(40)) };
        let listing = Listing { commit: "a".repeat(40), files: vec![file] };
        listing.store(&folder).expect("written");
        assert_eq!(Listing::load(&folder, &listing.commit), Some(listing.clone()));
        fs::write(folder.listing(&listing.commit), "{").expect("written");
        assert_eq!(Listing::load(&folder, &listing.commit), None);
    }
}
