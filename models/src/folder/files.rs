//! Which files make up a model, and where its components lie.

use std::path::{Path, PathBuf};

use super::Component;
use crate::{Error, Result, paths, sdxl::config::ModelIndex, weights::find};

/// A file that the model depends on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Its path below the model's folder, with `/` between the parts.
    pub name: String,
    /// Where it is opened.
    pub path: PathBuf,
    /// Its size.
    pub bytes: u64,
}

/// Returns the components of an index and their folders.
///
/// Published refiners call their only encoder the second; some mirrors keep it in the folder of the first. What it is
/// shows in its class.
pub fn components(index: &ModelIndex) -> Vec<(Component, String)> {
    let has = |component: Component| index.components.contains_key(component.name());
    let class = index.components.get(Component::TextEncoder.name());
    let moved = !has(Component::TextEncoder2) && class.is_some_and(|class| class == "CLIPTextModelWithProjection");
    let role = |component| match component {
        Component::TextEncoder if moved => Component::TextEncoder2,
        Component::Tokenizer if moved => Component::Tokenizer2,
        same => same,
    };
    let there = Component::ALL.into_iter().filter(|component| has(*component));
    there.map(|component| (role(component), component.name().to_owned())).collect()
}

pub fn folder_of(components: &[(Component, String)], wanted: Component) -> Option<&str> {
    components.iter().find(|(component, _)| *component == wanted).map(|(_, folder)| folder.as_str())
}

/// Lists the files of all components; everything that is missing is one error.
pub fn list(root: &Path, components: &[(Component, String)]) -> Result<Vec<File>> {
    let (mut missing, mut faults) = (Vec::new(), Vec::new());
    for needed in [Component::UNet, Component::Vae, Component::Scheduler] {
        if folder_of(components, needed).is_none() {
            missing.push(format!("`{needed}` (not in model_index.json)"));
        }
    }
    let mut found = vec![root.join("model_index.json")];
    for (component, folder) in components {
        let at = root.join(folder);
        if !at.is_dir() {
            missing.push(format!("`{folder}`"));
            continue;
        }
        for (name, optional) in component.small_files() {
            match at.join(name) {
                path if path.is_file() => found.push(path),
                _ if *optional => (),
                _ => missing.push(format!("`{folder}/{name}`")),
            }
        }
        if component.has_weights() {
            match find::in_folder(&at) {
                Ok(weights) => {
                    found.extend(weights.index.map(|index| index.path));
                    found.extend(weights.files);
                }
                Err(fault) => faults.push(fault),
            }
        }
    }
    if !missing.is_empty() {
        let what = format!("the model is not complete, it lacks {}", missing.join(", "));
        return Err(Error::format(root, what).with_hint("download the missing files into the folder"));
    }
    if let Some(fault) = faults.into_iter().next() {
        return Err(fault);
    }
    let mut files = found.into_iter().map(|path| File::find(root, path)).collect::<Result<Vec<_>>>()?;
    files.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(files)
}

impl File {
    fn find(root: &Path, path: PathBuf) -> Result<Self> {
        let real = paths::inside(root, &path)?;
        let bytes = std::fs::metadata(&real).map_err(|fault| Error::io(&path, fault))?.len();
        let below = path.strip_prefix(root).expect("files are listed below the root");
        let name = below.iter().map(|part| part.to_string_lossy()).collect::<Vec<_>>().join("/");
        Ok(Self { name, path, bytes })
    }
}
