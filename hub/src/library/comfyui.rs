//! How ComfyUI lays models out: a folder a category below `models`, and lists of further folders in YAML
//! (`extra_model_paths.yaml.example` in its repository).

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::{Fault, Kind, Place};

/// The largest list that is read.
const MAX_LIST_BYTES: u64 = 1 << 20;

/// Returns the places below an installation, below its `models`, or below any folder with folders of these names.
pub fn places_below(root: &Path) -> Result<Vec<Place>, Fault> {
    let models = Some(root.join("models")).filter(|models| models.is_dir());
    let base = models.unwrap_or_else(|| root.to_owned());
    let listed = root.join("extra_model_paths.yaml");
    let mut places: Vec<_> = Kind::ALL.into_iter().flat_map(|kind| each(kind, &base)).collect();
    if listed.is_file() {
        places.extend(places_of_list(&listed)?);
    }
    Ok(places)
}

fn each(kind: Kind, base: &Path) -> impl Iterator<Item = Place> {
    kind.folders().iter().map(move |name| Place { kind, folder: base.join(name) })
}

/// One installation of a list: a base folder, and below it folders by category. Other fields are not ours.
type Section = BTreeMap<String, Field>;

#[derive(Deserialize)]
#[serde(untagged)]
enum Field {
    Text(String),
    /// `is_default: true` and whatever else there may come.
    Other(serde::de::IgnoredAny),
}

/// Reads a list. A relative base starts at the list's folder, a relative folder at the base.
pub fn places_of_list(path: &Path) -> Result<Vec<Place>, Fault> {
    let text = read(path)?;
    let fault = |what: String| Fault::List { path: path.to_owned(), what };
    let sections: Option<BTreeMap<String, Option<Section>>> =
        serde_saphyr::from_str(&text).map_err(|error| fault(error.to_string()))?;
    let home = path.parent().unwrap_or(Path::new("."));
    let mut places = Vec::new();
    for section in sections.unwrap_or_default().into_values().flatten() {
        let text = |name: &str| match section.get(name) {
            Some(Field::Text(text)) => Some(text.as_str()),
            _ => None,
        };
        let base = text("base_path").map_or(home.to_owned(), |base| home.join(expanded(base)));
        for kind in Kind::ALL {
            // One line a folder.
            let folders = kind.folders().iter().filter_map(|name| text(name)).flat_map(str::lines);
            let folders = folders.map(str::trim).filter(|line| !line.is_empty());
            places.extend(folders.map(|folder| Place { kind, folder: base.join(expanded(folder)) }));
        }
    }
    Ok(places)
}

fn read(path: &Path) -> Result<String, Fault> {
    let io = |source| Fault::Io { path: path.to_owned(), source };
    let mut text = String::new();
    File::open(path).map_err(io)?.take(MAX_LIST_BYTES + 1).read_to_string(&mut text).map_err(io)?;
    match text.len() as u64 > MAX_LIST_BYTES {
        true => Err(Fault::List { path: path.to_owned(), what: format!("it has more than {MAX_LIST_BYTES} bytes") }),
        false => Ok(text),
    }
}

/// Puts the user's folder in the place of `~`, as ComfyUI does.
fn expanded(path: &str) -> PathBuf {
    let home = || std::env::var_os("HOME").or_else(|| std::env::var_os("USERPROFILE")).map(PathBuf::from);
    match (path.trim().strip_prefix("~/"), path.trim()) {
        (Some(rest), _) => home().map_or_else(|| PathBuf::from(path), |home| home.join(rest)),
        (None, path) => PathBuf::from(path),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn places(text: &str) -> Result<Vec<String>, Fault> {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("extra_model_paths.yaml");
        fs::write(&path, text).expect("a file");
        let places = places_of_list(&path)?;
        let name = |place: &Place| {
            let below = place.folder.strip_prefix(home.path()).unwrap_or(&place.folder);
            format!("{}: {}", place.kind, below.display())
        };
        Ok(places.iter().map(name).collect())
    }

    #[test]
    fn a_list_names_folders_below_a_base_line_by_line() {
        let text = "\
#Rename this\n\ncomfyui:\n    base_path: comfy/\n    is_default: true\n    checkpoints: models/checkpoints/\n    clip: |
        models/clip/\n        models/text_encoders/\n    custom_nodes: nodes/
other:\n    loras: /srv/loras\nempty:\n";
        let expected = [
            "checkpoints: comfy/models/checkpoints",
            "text_encoders: comfy/models/clip",
            "text_encoders: comfy/models/text_encoders",
            "loras: /srv/loras",
        ];
        assert_eq!(places(text).expect("a list"), expected);
        assert_eq!(places("# nothing yet\n").expect("a list"), Vec::<String>::new());
    }

    #[test]
    fn what_is_no_list_is_refused_with_its_file() {
        for text in ["- a\n- b\n", "a: [1, 2]\n", "a: {b: {c", "just words", "a: &x [*x]"] {
            let fault = places(text).expect_err(text).to_string();
            assert!(fault.contains("extra_model_paths.yaml` is no list of model folders"), "{fault}");
        }
        let bomb = format!("a: &a \"x\"\nb: {{{}}}\n", "c: *a, ".repeat(200_000));
        assert!(places(&bomb).is_err());
    }
}
