//! Files that are dropped on the window or opened: what they are, and what the editor must be told about them.

use std::fs::File;
use std::io::Read as _;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use darkroom_core::fault::Fault;

/// Reads the workflow that a picture carries, with what could not be carried over.
pub type WorkflowOf = dyn Fn(&Path) -> Result<(String, Vec<String>), Fault> + Send + Sync;
/// Returns the folders that a workflow may read below; those of a file that is not saved yet, for `None`.
pub type Roots = dyn Fn(Option<&Path>) -> Vec<PathBuf>;

/// Shows a folder in the system's own window for files.
pub type ShowFolder = dyn Fn(&Path) -> Result<(), Fault>;

/// What the editor is told of the disk.
pub struct Disk {
    /// The folder where windows remember things; without one, nothing is kept.
    pub state: Option<PathBuf>,
    /// The folder where pictures are left, if there is one.
    pub output: Option<PathBuf>,
    /// Reads the workflow that a picture carries; asked on a thread of its own too.
    pub workflow_of: Arc<WorkflowOf>,
    /// Shows a folder.
    pub show_folder: Box<ShowFolder>,
    /// Returns the folders that a workflow may read below.
    pub roots: Box<Roots>,
}

/// Remembers nothing and knows no pictures.
impl Default for Disk {
    fn default() -> Self {
        let unknown = |path: &Path| Err(Fault::file(format!("`{}` does not say how it was made", path.display())));
        let closed = |folder: &Path| Err(Fault::file(format!("`{}` cannot be shown here", folder.display())));
        Self {
            state: None,
            output: None,
            workflow_of: Arc::new(unknown),
            show_folder: Box::new(closed),
            roots: Box::new(|_| Vec::new()),
        }
    }
}

/// What a file is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// A folder of other files.
    Folder,
    /// A workflow, or what only reading can tell.
    Workflow,
    /// A PNG, JPEG or WebP.
    Picture,
    /// A file of weights, or a folder as diffusers saves it.
    Model,
    /// Something else.
    Other,
}

/// What a folder of a whole model has.
const PIPELINE: &str = "model_index.json";

/// Tells whether a folder is a model as diffusers saves it, or a part of one.
pub fn is_model_folder(path: &Path) -> bool {
    [PIPELINE, "config.json"].iter().any(|name| path.join(name).is_file())
}

/// Tells what a file is: pictures by their first bytes, whatever they are called, the rest by their names.
pub fn sort_of(path: &Path) -> Sort {
    if path.is_dir() {
        return if path.join(PIPELINE).is_file() { Sort::Model } else { Sort::Folder };
    }
    if is_picture(path) {
        return Sort::Picture;
    }
    sort_by_name(path)
}

/// Tells what a file is by its name alone.
pub fn sort_by_name(path: &Path) -> Sort {
    let ending = path.extension().map(|ending| ending.to_string_lossy().to_lowercase()).unwrap_or_default();
    match ending.as_str() {
        "ron" => Sort::Workflow,
        "png" | "jpg" | "jpeg" | "webp" => Sort::Picture,
        "safetensors" | "gguf" => Sort::Model,
        _ => Sort::Other,
    }
}

fn is_picture(path: &Path) -> bool {
    let mut first = [0; 12];
    // A pipe would wait for ever; what cannot be opened is told by whoever reads the file next.
    let file = path.metadata().ok().filter(std::fs::Metadata::is_file).and_then(|_| File::open(path).ok());
    let Some(count) = file.and_then(|file| file.take(first.len() as u64).read(&mut first).ok()) else { return false };
    matches!(
        &first[..count],
        [0x89, b'P', b'N', b'G', ..]
            | [0xff, 0xd8, 0xff, ..]
            | [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P']
    )
}

impl Disk {
    /// Returns what a workflow calls a file: below its own folder without that folder, so that both can be moved
    /// together. The sentence says how to allow the file, if the workflow may not read it.
    pub fn name_for(&self, workflow: Option<&Path>, file: &Path) -> (String, Option<String>) {
        let full = file.canonicalize().unwrap_or_else(|_| file.to_owned());
        let roots: Vec<_> = (self.roots)(workflow).into_iter().filter_map(|root| root.canonicalize().ok()).collect();
        let inside = roots.iter().any(|root| full.starts_with(root));
        let near = roots.first().and_then(|home| full.strip_prefix(home).ok()).unwrap_or(&full);
        let folder = full.parent().unwrap_or(&full).display();
        let words = format!(
            "`{}` lies outside the folders that workflows may read: start darkroom with --allow {folder}, or copy it \
             into the workflow's folder",
            full.display()
        );
        (near.to_string_lossy().into_owned(), (!inside).then_some(words))
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    #[test]
    fn pictures_are_known_by_their_first_bytes() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("a.ron");
        fs::write(&path, b"\x89PNG\r\n\x1a\n").expect("writable");
        assert_eq!(sort_of(&path), Sort::Picture);
        fs::write(&path, b"(darkroom: 1)").expect("writable");
        assert_eq!(sort_of(&path), Sort::Workflow);
        fs::write(home.path().join("model_index.json"), b"{}").expect("writable");
        assert_eq!(sort_of(home.path()), Sort::Model);
        assert_eq!(sort_of(&home.path().join("w.SafeTensors")), Sort::Model);
    }

    #[test]
    fn a_file_beside_the_workflow_is_called_by_its_name_and_one_far_away_says_how_to_allow_it() {
        let home = tempfile::tempdir().expect("a folder");
        let (mine, far) = (home.path().join("mine"), home.path().join("far"));
        for folder in [&mine, &far] {
            fs::create_dir(folder).expect("a folder");
            fs::write(folder.join("a.png"), "").expect("writable");
        }
        let root = mine.clone();
        let disk = Disk { roots: Box::new(move |_| vec![root.clone()]), ..Disk::default() };
        assert_eq!(disk.name_for(None, &mine.join("a.png")), ("a.png".to_owned(), None));
        let (name, words) = disk.name_for(None, &far.join("a.png"));
        let full = far.canonicalize().expect("it is there");
        assert_eq!(name, full.join("a.png").to_string_lossy());
        assert!(words.expect("it is told").contains(&format!("--allow {}", full.display())));
    }
}
