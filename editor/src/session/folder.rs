//! A folder that is looked through with keys: what is in it, and what becomes of what is typed.

use std::path::{MAIN_SEPARATOR, Path, PathBuf, is_separator};

use darkroom_core::fault::Fault;

use super::arrivals::{Sort, sort_by_name};

/// A folder, what is in it, and what is typed.
#[derive(Debug, Clone)]
pub struct Folder {
    /// Where it is.
    pub path: PathBuf,
    /// What is typed: the beginning of a name, or a path.
    pub typed: String,
    /// What can be chosen of it now: folders first, by name.
    pub entries: Vec<Entry>,
    /// Which of them is chosen.
    pub chosen: Option<usize>,
    /// Why it cannot be read.
    pub fault: Option<Fault>,
    /// Whether only what holds the typed text is shown.
    pub narrows: bool,
    all: Vec<Entry>,
    wanted: fn(Sort) -> bool,
}

/// Something in a folder.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Entry {
    /// Its name.
    pub name: String,
    /// What it is, by its name.
    pub sort: Sort,
}

impl Folder {
    /// Looks into a folder for what is wanted; other folders are shown always.
    pub fn open(path: &Path, wanted: fn(Sort) -> bool) -> Self {
        let mut folder = Self {
            path: PathBuf::new(),
            typed: String::new(),
            entries: Vec::new(),
            chosen: None,
            fault: None,
            narrows: true,
            all: Vec::new(),
            wanted,
        };
        folder.go(path);
        folder
    }

    /// Goes to another folder.
    pub fn go(&mut self, path: &Path) {
        self.path = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        self.all = Vec::new();
        self.fault = None;
        match list(&self.path) {
            Ok(all) => self.all = all,
            Err(fault) => self.fault = Some(fault),
        }
        // A name to save under goes along to the other folder.
        if self.narrows {
            self.typed.clear();
        }
        self.narrow();
    }

    /// Goes one folder up.
    pub fn up(&mut self) {
        if let Some(parent) = self.path.parent().map(Path::to_owned) {
            let from = self.path.file_name().map(|name| name.to_string_lossy().into_owned());
            self.go(&parent);
            self.chosen = self.entries.iter().position(|entry| Some(&entry.name) == from.as_ref());
        }
    }

    /// Takes in what was typed: a path to a folder, ended by a separator, leads there at once.
    pub fn type_text(&mut self, typed: &str) {
        typed.clone_into(&mut self.typed);
        if let Some(end) = typed.rfind(is_separator) {
            let folder = self.meant(&typed[..=end]);
            if folder.is_dir() {
                let rest = typed[end + 1..].to_owned();
                self.go(&folder);
                self.typed = rest;
            }
        }
        self.narrow();
    }

    /// Completes what is typed as far as there is one way to go on.
    pub fn complete(&mut self) {
        let begun = |entry: &&Entry| entry.name.starts_with(&self.typed);
        let mut names = self.all.iter().filter(begun).filter(|entry| self.shows(entry));
        let Some(first) = names.next() else { return };
        let (mut common, mut only) = (first.name.as_str(), true);
        for entry in names {
            let shared = common.chars().zip(entry.name.chars()).take_while(|(a, b)| a == b);
            common = &common[..shared.map(|(a, _)| a.len_utf8()).sum()];
            only = false;
        }
        let mut text = common.to_owned();
        if only && first.sort == Sort::Folder {
            text.push(MAIN_SEPARATOR);
        }
        self.type_text(&text);
    }

    /// Chooses the entry so many places further.
    pub fn step(&mut self, by: i64) {
        let Some(last) = self.entries.len().checked_sub(1).map(|last| last as i64) else { return };
        let from = self.chosen.map_or(if by > 0 { -1 } else { last + 1 }, |chosen| chosen as i64);
        self.chosen = usize::try_from((from + by).clamp(0, last)).ok();
    }

    /// Returns the path that is meant: what is chosen, or else what is typed.
    pub fn picked(&self) -> Option<PathBuf> {
        if let Some(entry) = self.chosen.and_then(|index| self.entries.get(index)) {
            return Some(self.path.join(&entry.name));
        }
        let typed = self.typed.trim();
        (!typed.is_empty()).then(|| self.meant(typed))
    }

    /// The path that a text means here: `~` is the user's own folder.
    fn meant(&self, typed: &str) -> PathBuf {
        let own = typed.strip_prefix('~').filter(|rest| rest.is_empty() || rest.starts_with(is_separator));
        match (own, std::env::home_dir()) {
            (Some(rest), Some(home)) => home.join(rest.trim_start_matches(is_separator)),
            _ => self.path.join(typed),
        }
    }

    fn shows(&self, entry: &Entry) -> bool {
        // Names that begin with a point are shown to those who ask for them.
        let hidden = entry.name.starts_with('.') && !self.typed.starts_with('.');
        !hidden && (entry.sort == Sort::Folder || (self.wanted)(entry.sort))
    }

    fn narrow(&mut self) {
        let typed = self.typed.to_lowercase();
        let met = |entry: &&Entry| !self.narrows || entry.name.to_lowercase().contains(&typed);
        self.entries = self.all.iter().filter(met).filter(|entry| self.shows(entry)).cloned().collect();
        self.chosen = None;
    }
}

fn list(path: &Path) -> Result<Vec<Entry>, Fault> {
    let entries = std::fs::read_dir(path).map_err(|error| Fault::io("read", path, &error))?;
    let entry = |path: PathBuf| {
        let name = path.file_name()?.to_str()?.to_owned();
        Some(Entry { name, sort: if path.is_dir() { Sort::Folder } else { sort_by_name(&path) } })
    };
    let mut all: Vec<_> = entries.filter_map(|each| entry(each.ok()?.path())).collect();
    all.sort_by_key(|entry| (entry.sort != Sort::Folder, entry.name.to_lowercase(), entry.name.clone()));
    Ok(all)
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn room() -> (tempfile::TempDir, Folder) {
        let home = tempfile::tempdir().expect("a folder");
        fs::create_dir_all(home.path().join("graphs/deep")).expect("a folder");
        for name in ["lake.ron", "Landscape.ron", "a.png", "notes.txt", ".hidden.ron", "graphs/x.ron"] {
            fs::write(home.path().join(name), "").expect("writable");
        }
        let folder = Folder::open(home.path(), |sort| sort == Sort::Workflow);
        (home, folder)
    }

    fn names(folder: &Folder) -> Vec<&str> {
        folder.entries.iter().map(|entry| entry.name.as_str()).collect()
    }

    #[test]
    fn folders_come_first_and_only_what_is_wanted_is_shown() {
        let (_home, mut folder) = room();
        assert_eq!(names(&folder), ["graphs", "lake.ron", "Landscape.ron"]);
        folder.type_text("la");
        assert_eq!(names(&folder), ["lake.ron", "Landscape.ron"]);
        folder.type_text(".");
        assert!(names(&folder).contains(&".hidden.ron"));
    }

    #[test]
    fn a_typed_path_leads_into_its_folder() {
        let (home, mut folder) = room();
        folder.type_text("graphs/x");
        assert_eq!((folder.path.clone(), folder.typed.as_str()), (root(&home).join("graphs"), "x"));
        folder.type_text("../la");
        assert_eq!((folder.path.clone(), folder.typed.as_str()), (root(&home), "la"));
        folder.type_text("/nowhere at all/x");
        assert_eq!(folder.picked(), Some(PathBuf::from("/nowhere at all/x")));
        folder.type_text(&format!("{}/graphs/", home.path().display()));
        assert_eq!(names(&folder), ["deep", "x.ron"]);
    }

    fn root(home: &tempfile::TempDir) -> PathBuf {
        home.path().canonicalize().expect("it is there")
    }

    #[test]
    fn what_is_typed_is_completed_as_far_as_there_is_one_way() {
        let (home, mut folder) = room();
        folder.type_text("gr");
        folder.complete();
        assert_eq!(folder.path, root(&home).join("graphs"));
        folder.type_text("x");
        folder.complete();
        assert_eq!(folder.typed, "x.ron");
        folder.type_text("nothing");
        folder.complete();
        assert_eq!(folder.typed, "nothing");
    }

    #[test]
    fn keys_choose_and_lead_up() {
        let (home, mut folder) = room();
        folder.step(1);
        folder.step(1);
        assert_eq!(folder.picked(), Some(root(&home).join("lake.ron")));
        folder.step(9);
        assert_eq!(folder.chosen, Some(2));
        folder.type_text("graphs/");
        folder.up();
        assert_eq!((folder.path.clone(), folder.chosen), (root(&home), Some(0)));
    }

    #[test]
    fn a_folder_that_cannot_be_read_says_why() {
        let (home, mut folder) = room();
        folder.go(&home.path().join("nowhere"));
        assert!(folder.fault.is_some() && folder.entries.is_empty());
        folder.step(1);
        assert_eq!((folder.chosen, folder.picked()), (None, None));
    }
}
