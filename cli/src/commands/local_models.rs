//! The part of `darkroom models ls` that lies in the user's own folders: each model with what it is, from its header, and
//! the hash of its content.

use darkroom_core::fault::Faults;
use darkroom_core::files::{Content, Files, Piece};
use darkroom_hub::fault::bytes_for_people;
use darkroom_hub::library::{Item, Kind};
use serde_json::{Value, json};

use crate::about::About;
use crate::desk::Desk;
use crate::folders::Folders;
use crate::{compose, shelves};

/// A model of the user's own.
pub struct Local {
    item: Item,
    /// What is known of it, or why nothing is.
    about: Result<(About, Content), String>,
}

/// Describes all models of the library. The first time, each is read whole for its hash.
///
/// # Errors
/// A fault of a folder, or of a list of folders.
pub fn local(folders: &Folders, desk: &Desk) -> Result<Vec<Local>, Faults> {
    let items = shelves::library(folders)?.list().map_err(|fault| shelves::library_fault(&fault))?;
    let files = Files::default().with_memo(folders.digests());
    let all = items.into_iter().map(|item| Local { about: about(&item, &files), item }).collect();
    if let Err(fault) = files.save_memo() {
        desk.warn(&format!("the hashes are not remembered: {fault}"));
    }
    Ok(all)
}

/// Says what a model is, and has its hash and its files, as a lock has them.
fn about(item: &Item, files: &Files) -> Result<(About, Content), String> {
    let about = About::of(&item.path)?;
    let pieces =
        if item.kind == Kind::Diffusers { compose::pieces(&item.path) } else { Ok(Piece::alone(item.path.clone())) };
    let content = pieces.and_then(|pieces| files.content(&pieces)).map_err(|fault| fault.to_string())?;
    Ok((about, content))
}

impl Local {
    /// Returns one line for a person. The hash begins as those that sites of models show.
    pub fn line(&self) -> String {
        let name = format!("{}/{}", self.item.kind, self.item.name);
        let size = bytes_for_people(self.item.bytes);
        let (about, content) = match &self.about {
            Ok(known) => known,
            Err(fault) => return format!("{size:>10}  {name}  ({fault})"),
        };
        let [family, precision] = [&about.family, &about.precision].map(|told| told.as_deref().unwrap_or("unknown"));
        let role = about.role();
        let hash = &content.sha256.to_string()[..10];
        let files = if content.files == 1 { String::new() } else { format!("  {} files", content.files) };
        format!("{size:>10}  {name}  {role}  {family}  {precision}  {hash}{files}")
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.item.bytes
    }

    /// Returns all that is known, for programs.
    pub fn json(&self) -> Value {
        let about = self.about.as_ref().ok().map(|(about, _)| about);
        let content = self.about.as_ref().ok().map(|(_, content)| content);
        json!({
            "name": self.item.name,
            "kind": self.item.kind.to_string(),
            "path": self.item.path.to_string_lossy(),
            "bytes": self.item.bytes,
            "role": about.map_or(self.item.kind.to_string(), About::role),
            "family": about.and_then(|about| about.family.clone()),
            "precision": about.and_then(|about| about.precision.clone()),
            "sha256": content.map(|content| content.sha256.to_string()),
            "files": content.map(|content| content.files),
            "fault": self.about.as_ref().err(),
        })
    }
}
