//! The part of `darkroom models ls` that lies in the user's own folders: each model with what it is, from its header, and
//! the hash of its content.

use std::path::Path;

use darkroom_core::fault::Faults;
use darkroom_core::files::{Content, Files, Piece};
use darkroom_hub::fault::bytes_for_people;
use darkroom_hub::library::{Item, Kind};
use darkroom_models::checkpoint::describe;
use darkroom_models::folder::{Component, ModelFolder};
use darkroom_models::weights::Options;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::folders::Folders;
use crate::{compose, shelves};

/// What a model is.
#[derive(Debug)]
struct About {
    role: String,
    /// What it goes with.
    family: Option<String>,
    precision: Option<String>,
    /// Its hash and its files, as a lock has them.
    content: Content,
}

/// A model of the user's own.
pub struct Local {
    item: Item,
    /// What is known of it, or why nothing is.
    about: Result<About, String>,
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

fn about(item: &Item, files: &Files) -> Result<About, String> {
    if item.kind == Kind::Diffusers { of_folder(&item.path, files) } else { of_file(&item.path, files) }
}

fn of_file(path: &Path, files: &Files) -> Result<About, String> {
    let found = describe(path).map_err(|error| error.to_string())?;
    let content = files.content(&Piece::alone(path.to_owned())).map_err(|fault| fault.to_string())?;
    Ok(About { role: found.role.to_string(), family: found.kin, precision: found.precision, content })
}

fn of_folder(path: &Path, files: &Files) -> Result<About, String> {
    let folder = ModelFolder::open(path).map_err(|error| error.to_string())?;
    let weights = folder.weights(Component::UNet, Options::default()).map_err(|error| error.to_string())?;
    let content = compose::pieces(path).and_then(|pieces| files.content(&pieces)).map_err(|fault| fault.to_string())?;
    Ok(About {
        role: "folder".to_owned(),
        family: Some(folder.family().to_string()),
        precision: weights.formats().into_iter().next().map(|(format, _)| format),
        content,
    })
}

impl Local {
    /// Returns one line for a person. The hash begins as those that sites of models show.
    pub fn line(&self) -> String {
        let name = format!("{}/{}", self.item.kind, self.item.name);
        let size = bytes_for_people(self.item.bytes);
        let About { role, family, precision, content } = match &self.about {
            Ok(about) => about,
            Err(fault) => return format!("{size:>10}  {name}  ({fault})"),
        };
        let [family, precision] = [family, precision].map(|told| told.as_deref().unwrap_or("unknown"));
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
        let about = self.about.as_ref().ok();
        json!({
            "name": self.item.name,
            "kind": self.item.kind.to_string(),
            "path": self.item.path.to_string_lossy(),
            "bytes": self.item.bytes,
            "role": about.map_or(self.item.kind.to_string(), |about| about.role.clone()),
            "family": about.and_then(|about| about.family.clone()),
            "precision": about.and_then(|about| about.precision.clone()),
            "sha256": about.map(|about| about.content.sha256.to_string()),
            "files": about.map(|about| about.content.files),
            "fault": self.about.as_ref().err(),
        })
    }
}
