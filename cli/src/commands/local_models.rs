//! The part of `darkroom models ls` that lies in the user's own folders: each model with what it is, from its header, and
//! the hash of its content.

use std::path::Path;

use darkroom_core::fault::Faults;
use darkroom_core::files::Files;
use darkroom_hub::fault::bytes_for_people;
use darkroom_hub::library::{Item, Kind};
use darkroom_models::checkpoint::describe;
use darkroom_models::folder::{Component, ModelFolder};
use darkroom_models::weights::Options;
use serde_json::{Value, json};

use crate::desk::Desk;
use crate::folders::Folders;
use crate::shelves;

/// What a model is.
#[derive(Debug, Default)]
struct About {
    role: String,
    family: Option<String>,
    precision: Option<String>,
    hash: Option<String>,
    /// Why nothing is known of it.
    fault: Option<String>,
}

/// A model of the user's own.
pub struct Local {
    item: Item,
    about: About,
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

fn about(item: &Item, files: &Files) -> About {
    let told = if item.kind == Kind::Diffusers { of_folder(&item.path) } else { of_file(&item.path, files) };
    told.unwrap_or_else(|fault| About { role: item.kind.to_string(), fault: Some(fault), ..About::default() })
}

fn of_file(path: &Path, files: &Files) -> Result<About, String> {
    let found = describe(path).map_err(|error| error.to_string())?;
    let hash = files.digest(path).map_err(|fault| fault.to_string())?;
    Ok(About {
        role: found.role.to_string(),
        family: found.family.map(|family| family.to_string()),
        precision: found.precision,
        hash: Some(hash.to_string()),
        fault: None,
    })
}

/// A folder has a hash for each of its files, and no one hash.
fn of_folder(path: &Path) -> Result<About, String> {
    let folder = ModelFolder::open(path).map_err(|error| error.to_string())?;
    let weights = folder.weights(Component::UNet, Options::default()).map_err(|error| error.to_string())?;
    Ok(About {
        role: "folder".to_owned(),
        family: Some(folder.family().to_string()),
        precision: weights.formats().into_iter().next().map(|(format, _)| format),
        ..About::default()
    })
}

impl Local {
    /// Returns one line for a person.
    pub fn line(&self) -> String {
        let About { role, family, precision, hash, fault } = &self.about;
        let name = format!("{}/{}", self.item.kind, self.item.name);
        let size = bytes_for_people(self.item.bytes);
        if let Some(fault) = fault {
            return format!("{size:>10}  {name}  ({fault})");
        }
        let dash = || "-".to_owned();
        let (family, precision) = (family.clone().unwrap_or_else(dash), precision.clone().unwrap_or_else(dash));
        let hash = hash.as_ref().map_or_else(dash, |hash| hash.chars().take(10).collect());
        format!("{size:>10}  {name}  {role}  {family}  {precision}  {hash}")
    }

    /// Returns its size in bytes.
    pub fn bytes(&self) -> u64 {
        self.item.bytes
    }

    /// Returns all that is known, for programs.
    pub fn json(&self) -> Value {
        let About { role, family, precision, hash, fault } = &self.about;
        json!({
            "name": self.item.name,
            "kind": self.item.kind.to_string(),
            "path": self.item.path.to_string_lossy(),
            "bytes": self.item.bytes,
            "role": role,
            "family": family,
            "precision": precision,
            "hash": hash,
            "fault": fault,
        })
    }
}
