//! What windows remember from one time to the next: recent files, looks, what was seen of each file.

use std::fs;
use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;
use darkroom_core::files::write_aside;
use serde::{Deserialize, Serialize};

use crate::habits::Habits;

/// So many files are remembered as recent.
pub const MOST_RECENT: usize = 12;
/// So many files' views are remembered.
const MOST_VIEWS: usize = 200;
/// So many types of nodes are remembered as used.
const MOST_USED: usize = 6;
/// So many prompts are remembered.
const MOST_PROMPTS: usize = 100;
/// Bytes of the longest prompt that is remembered.
const LONGEST_PROMPT: usize = 10_000;
/// The file's name in the state folder.
const FILE: &str = "editor.ron";

/// What is remembered. Values that are missing in the file, or unknown here, do no harm.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Settings {
    /// Files that were opened or saved, the last one first.
    pub recent: Vec<PathBuf>,
    /// Dark or light; none if nobody has chosen.
    pub look: Option<Look>,
    /// How much larger than usual everything is.
    pub scale: f32,
    /// Where the panels lie, as the window writes it; empty if nobody has moved any.
    pub panels: String,
    /// Edge of the gallery's pictures in points.
    pub thumbnail: f32,
    /// How the canvas behaves.
    pub habits: Habits,
    /// What was seen of files, the last one first.
    pub views: Vec<(PathBuf, Sight)>,
    /// Types of nodes that stand first in lists.
    pub favourites: Vec<String>,
    /// Types of nodes that were added, the last one first.
    pub used: Vec<String>,
    /// Texts of several lines that were run, the last one first.
    pub prompts: Vec<String>,
}

/// Dark or light.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Look {
    /// Light on dark.
    Dark,
    /// Dark on light.
    Light,
}

/// What was seen of a canvas.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Sight {
    /// The point of the canvas in the middle.
    pub centre: (f32, f32),
    /// Points of the window for each point of the canvas.
    pub zoom: f32,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            recent: Vec::new(),
            look: None,
            scale: 1.0,
            panels: String::new(),
            thumbnail: 120.0,
            habits: Habits::default(),
            views: Vec::new(),
            favourites: Vec::new(),
            used: Vec::new(),
            prompts: Vec::new(),
        }
    }
}

impl Settings {
    /// Reads what is remembered in a folder. What is damaged is put aside and told, once; what is not there is new.
    pub fn read(folder: &Path) -> (Self, Option<Fault>) {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Self::default(), None),
            Err(error) => return (Self::default(), Some(Self::damaged(&path, &error.to_string()))),
        };
        match ron::from_str::<Self>(&text) {
            Ok(settings) => (settings.sound(), None),
            Err(error) => (Self::default(), Some(Self::damaged(&path, &error.to_string()))),
        }
    }

    fn damaged(path: &Path, why: &str) -> Fault {
        let aside = path.with_extension("damaged.ron");
        let kept = fs::rename(path, &aside).is_ok();
        let fault = Fault::file(format!("the editor's settings cannot be read and begin anew: {why}"));
        if kept { fault.hint(format!("the old ones are kept as {}", aside.display())) } else { fault }
    }

    /// Brings numbers that nobody could work with back to where one can.
    fn sound(mut self) -> Self {
        let usable = |value: f32| value.is_finite();
        self.scale = if usable(self.scale) { self.scale.clamp(0.6, 2.5) } else { 1.0 };
        self.thumbnail = if usable(self.thumbnail) { self.thumbnail.clamp(64.0, 384.0) } else { 120.0 };
        self.views.retain(|(_, sight)| {
            let Sight { centre: (x, y), zoom } = *sight;
            [x, y, zoom].into_iter().all(usable) && (0.05..=3.0).contains(&zoom)
        });
        self.recent.truncate(MOST_RECENT);
        self
    }

    /// Writes them, with the files that other windows have added meanwhile behind ours.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn write(&self, folder: &Path) -> Result<(), Fault> {
        let mut all = self.clone();
        // What others left damaged is told by whoever reads it next.
        let others = fs::read_to_string(folder.join(FILE)).ok().and_then(|text| ron::from_str::<Self>(&text).ok());
        if let Some(others) = others {
            let new = |path: &PathBuf| !self.recent.contains(path);
            all.recent.extend(others.recent.into_iter().filter(new));
            all.recent.truncate(MOST_RECENT);
            let new = |(path, _): &(PathBuf, Sight)| !self.views.iter().any(|(own, _)| own == path);
            all.views.extend(others.views.into_iter().filter(new));
            all.views.truncate(MOST_VIEWS);
        }
        // A path that is no text cannot be written.
        all.recent.retain(|path| path.to_str().is_some());
        all.views.retain(|(path, _)| path.to_str().is_some());
        let pretty = ron::ser::PrettyConfig::new().depth_limit(2);
        let text = ron::ser::to_string_pretty(&all, pretty)
            .map_err(|error| Fault::bug(format!("the editor's settings cannot be written: {error}")))?;
        write_aside(&folder.join(FILE), text.as_bytes())
    }

    /// Takes note of a file that was opened or saved.
    pub fn opened(&mut self, path: &Path) {
        self.recent.retain(|known| known != path);
        self.recent.insert(0, path.to_owned());
        self.recent.truncate(MOST_RECENT);
    }

    /// Makes a type of node a favourite, or no favourite any more.
    pub fn favour(&mut self, kind: &str) {
        match self.favourites.iter().position(|known| known == kind) {
            Some(index) => drop(self.favourites.remove(index)),
            None => self.favourites.push(kind.to_owned()),
        }
    }

    /// Takes note of a node that was added.
    pub fn added(&mut self, kind: &str) {
        to_front(&mut self.used, kind, MOST_USED);
    }

    /// Takes note of a prompt that was run.
    pub fn prompted(&mut self, text: &str) {
        if !text.trim().is_empty() && text.len() <= LONGEST_PROMPT {
            to_front(&mut self.prompts, text, MOST_PROMPTS);
        }
    }

    /// Forgets a file that is no more.
    pub fn gone(&mut self, path: &Path) {
        self.recent.retain(|known| known != path);
    }

    /// Takes note of what is seen of a file.
    pub fn seen(&mut self, path: &Path, sight: Sight) {
        self.views.retain(|(known, _)| known != path);
        self.views.insert(0, (path.to_owned(), sight));
        self.views.truncate(MOST_VIEWS);
    }

    /// Returns what was last seen of a file.
    pub fn sight(&self, path: &Path) -> Option<Sight> {
        self.views.iter().find(|(known, _)| known == path).map(|(_, sight)| *sight)
    }
}

fn to_front(all: &mut Vec<String>, one: &str, most: usize) {
    all.retain(|known| known != one);
    all.insert(0, one.to_owned());
    all.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_again() {
        let home = tempfile::tempdir().expect("a folder");
        let mut settings = Settings { look: Some(Look::Light), scale: 1.25, ..Settings::default() };
        settings.opened(Path::new("/a/b.ron"));
        settings.seen(Path::new("/a/b.ron"), Sight { centre: (1.5, -20.0), zoom: 0.5 });
        settings.write(home.path()).expect("it can be written");
        assert_eq!(Settings::read(home.path()), (settings, None));
    }

    #[test]
    fn damaged_settings_begin_anew_and_are_told_once() {
        let home = tempfile::tempdir().expect("a folder");
        fs::write(home.path().join(FILE), "(recent: [").expect("writable");
        let (settings, fault) = Settings::read(home.path());
        assert_eq!(settings, Settings::default());
        assert!(fault.expect("it is told").hint.expect("they are kept").contains("damaged"));
        assert_eq!(Settings::read(home.path()), (Settings::default(), None));
    }

    #[test]
    fn numbers_that_nobody_can_work_with_are_left_out() {
        let home = tempfile::tempdir().expect("a folder");
        let text = "(scale: 1e30, views: [(\"/a\", (centre: (NaN, 0.0), zoom: 1.0)), (\"/b\", (centre: (0.0, 0.0), zoom: 0.0))], of_tomorrow: 3)";
        fs::write(home.path().join(FILE), text).expect("writable");
        let (settings, fault) = Settings::read(home.path());
        assert_eq!((settings.scale, settings.views.len(), fault), (2.5, 0, None));
    }

    #[test]
    fn the_last_file_comes_first_and_old_ones_go() {
        let mut settings = Settings::default();
        for number in 0..20 {
            settings.opened(&PathBuf::from(format!("/{number}")));
        }
        settings.opened(Path::new("/15"));
        assert_eq!(settings.recent.len(), MOST_RECENT);
        assert_eq!(settings.recent[..2], [PathBuf::from("/15"), PathBuf::from("/19")]);
    }

    #[test]
    fn two_windows_remember_the_files_of_both() {
        let home = tempfile::tempdir().expect("a folder");
        let (mut one, mut two) = (Settings::default(), Settings::default());
        one.opened(Path::new("/one"));
        two.opened(Path::new("/two"));
        one.write(home.path()).expect("it can be written");
        two.write(home.path()).expect("it can be written");
        assert_eq!(Settings::read(home.path()).0.recent, [PathBuf::from("/two"), PathBuf::from("/one")]);
    }
}
