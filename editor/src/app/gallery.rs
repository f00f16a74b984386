//! The gallery: which pictures are shown, which of them are chosen, and what can be done with them.

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use darkroom_core::graph::{Faces, Graph};
use egui::{Context, Vec2};

use super::facts::{Facts, facts};
use super::recall::Recall;
use super::shelf::{Read, to_bin};
use super::times::seconds_of;
use super::{App, Dialog};
use crate::document::Document;
use crate::session::{DocumentId, Stars};

/// So many files are asked at a time what they tell.
const ASKED: usize = 200;

/// Which pictures are shown.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Scope {
    /// Those of the document in front.
    #[default]
    Tab,
    /// Those of all documents.
    All,
    /// Those of the output folder, of earlier times too.
    Folder,
}

/// The gallery.
#[derive(Default)]
pub struct Gallery {
    /// Which pictures are shown.
    pub scope: Scope,
    /// Only those that tell of this.
    pub filter: String,
    /// Only those with a star.
    pub starred: bool,
    /// Pictures that are chosen, the first one first.
    pub chosen: Vec<PathBuf>,
    /// Pictures with a star.
    pub stars: Stars,
    /// Whose pixels are awaited, to be copied.
    copied: Option<PathBuf>,
    /// What each picture tells, in small letters.
    words: HashMap<PathBuf, String>,
    shown: Option<(Key, Arc<Vec<PathBuf>>)>,
}

/// What a list of pictures hangs on.
type Key = (Scope, String, bool, DocumentId, usize, u64);

/// A picture that is looked at large.
#[derive(Debug, Clone, PartialEq)]
pub struct Large {
    /// The picture.
    pub path: PathBuf,
    /// The one that it is compared with.
    pub second: Option<PathBuf>,
    /// How they are compared.
    pub way: Way,
    /// How far it was moved.
    pub by: Vec2,
    /// How much larger it is, as a power of e.
    pub zoom: f32,
    /// Where the line between the two is, as a share of the width.
    pub split: f32,
}

/// How two pictures are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// A line that can be moved divides them.
    Line,
    /// They lie side by side.
    Beside,
    /// The second is seen while the hand is on the first.
    Hover,
}

impl Way {
    /// All of them, with their names.
    pub const ALL: [(Self, &str); 3] = [(Self::Line, "slider"), (Self::Beside, "side by side"), (Self::Hover, "hover")];
}

impl Large {
    /// Looks at a picture.
    pub fn new(path: PathBuf) -> Self {
        Self { path, second: None, way: Way::Line, by: Vec2::ZERO, zoom: 0.0, split: 0.5 }
    }
}

/// What can be done with a picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Deed {
    /// Look at it large.
    Enlarge,
    /// Bring something back from it.
    Recall(Recall),
    /// Open its graph in a tab.
    Graph,
    /// Give it a star, or take it away.
    Star,
    /// Copy the picture.
    Copy,
    /// Copy its path.
    Path,
    /// Show its folder.
    Folder,
    /// Move it to the bin.
    Delete,
}

impl Gallery {
    /// Chooses a picture: alone, or besides one other.
    pub fn choose(&mut self, path: &Path, besides: bool) {
        let had = self.chosen.iter().position(|chosen| chosen == path);
        match (besides, had) {
            (true, Some(index)) => drop(self.chosen.remove(index)),
            (true, None) => {
                self.chosen.truncate(1);
                self.chosen.push(path.to_owned());
            }
            (false, _) => self.chosen = vec![path.to_owned()],
        }
    }
}

impl App {
    /// Returns the graph that made a picture, as far as it is known.
    pub(super) fn graph_of(&mut self, path: &Path) -> Option<Arc<Graph>> {
        let made = self.tabs.iter().flat_map(|tab| &tab.made).find(|made| made.path == path);
        match made {
            Some(made) => Some(Arc::clone(&made.graph)),
            None => self.shelf.about(path)?.graph.clone(),
        }
    }

    /// Returns what is known of how a picture was made.
    pub(super) fn facts_of(&mut self, path: &Path) -> Option<Facts> {
        let graph = self.graph_of(path)?;
        Some(facts(&graph, &Faces::of(&graph, self.backend.registry()).registry))
    }

    /// Returns the seconds of the run that made a picture, if it is remembered.
    pub(super) fn seconds_of(&self, path: &Path) -> Option<f64> {
        let made = self.tabs.iter().flat_map(|tab| &tab.made).find(|made| made.path == path);
        let past = || {
            let runs = self.tabs.iter().flat_map(|tab| tab.past.runs());
            // The first run that had it is the one that made it.
            runs.filter(|run| run.pictures.iter().any(|picture| picture == path)).min_by_key(|run| run.at)
        };
        made.and_then(|made| made.seconds).or_else(|| Some(past()?.seconds))
    }

    /// Returns when a picture was made, in seconds since 1970.
    pub(super) fn time_of(&mut self, path: &Path) -> Option<u64> {
        self.shelf.about(path)?.at.map(seconds_of)
    }

    /// Returns the pictures that are shown, in their order.
    pub(super) fn pictures(&mut self) -> Arc<Vec<PathBuf>> {
        let gallery = &self.gallery;
        let made = self.tabs.iter().map(|tab| tab.made.len()).sum();
        let filter = gallery.filter.trim().to_lowercase();
        let key = (gallery.scope, filter, gallery.starred, self.tab().id, made, self.shelf.generation());
        if let Some((known, list)) = &self.gallery.shown
            && *known == key
        {
            return Arc::clone(list);
        }
        let mut all: Vec<_> = match key.0 {
            Scope::Tab => self.tab().made.iter().rev().map(|made| made.path.clone()).collect(),
            Scope::All => {
                self.tabs.iter().flat_map(|tab| tab.made.iter().rev().map(|made| made.path.clone())).collect()
            }
            Scope::Folder => {
                let found = self.keeping.disk.output.as_ref().and_then(|folder| self.shelf.listing(folder));
                found.map(|found| found.iter().map(|found| found.path.clone()).collect()).unwrap_or_default()
            }
        };
        if key.2 {
            all.retain(|path| self.gallery.stars.has(path));
        }
        if !key.1.is_empty() {
            let mut unknown = 0;
            all.retain(|path| self.tells(path, &key.1, &mut unknown));
        }
        let list = Arc::new(all);
        self.gallery.shown = Some((key, Arc::clone(&list)));
        list
    }

    /// Tells whether a picture tells of something; one of which nothing is known yet is asked.
    fn tells(&mut self, path: &Path, of: &str, unknown: &mut usize) -> bool {
        if path.file_name().is_some_and(|name| name.to_string_lossy().to_lowercase().contains(of)) {
            return true;
        }
        if let Some(words) = self.gallery.words.get(path) {
            return words.contains(of);
        }
        *unknown += 1;
        if *unknown > ASKED {
            return false;
        }
        let Some(Facts { prompts, seeds, models }) = self.facts_of(path) else { return false };
        let words = [prompts, seeds, models].concat().join("\n").to_lowercase();
        let tells = words.contains(of);
        self.gallery.words.insert(path.to_owned(), words);
        tells
    }

    /// Takes in what the shelf has read.
    pub(super) fn read_pictures(&mut self, ctx: &Context) {
        self.shelf.begin(ctx, &self.keeping.disk.workflow_of);
        for read in self.shelf.take(ctx) {
            match read {
                Read::Picture(path, super::shelf::Size::Card, thumb) => {
                    self.tabs.iter_mut().for_each(|tab| tab.came(&path, &thumb));
                }
                Read::Pixels(path, image) if self.gallery.copied.as_ref() == Some(&path) => {
                    self.gallery.copied = None;
                    match image {
                        Ok(image) => {
                            ctx.copy_image(image);
                            self.say("the picture is on the clipboard");
                        }
                        Err(fault) => self.say(fault.message),
                    }
                }
                Read::Picture(..) | Read::Pixels(..) | Read::News => (),
            }
        }
    }

    /// Does something with a picture.
    pub(super) fn deed(&mut self, ctx: &Context, path: &Path, deed: Deed) {
        match deed {
            Deed::Enlarge => self.large = Some(Large::new(path.to_owned())),
            Deed::Recall(what) => match self.graph_of(path) {
                Some(graph) => self.recall(&graph, what),
                None => self.say("this picture does not say how it was made"),
            },
            Deed::Graph => match self.graph_of(path) {
                Some(graph) => {
                    let opened = Document::of(&graph);
                    self.take(opened.document, opened.warnings);
                    self.large = None;
                }
                None => self.say("this picture does not say how it was made"),
            },
            Deed::Star => {
                if let Err(fault) = self.gallery.stars.turn(path) {
                    self.say(fault.message);
                }
                self.gallery.shown = None;
            }
            Deed::Copy => {
                self.gallery.copied = Some(path.to_owned());
                self.shelf.pixels(path);
            }
            Deed::Path => {
                ctx.copy_text(path.display().to_string());
                self.say("its path is on the clipboard");
            }
            Deed::Folder => {
                let folder = path.parent().unwrap_or(path);
                if let Err(fault) = (self.keeping.disk.show_folder)(folder) {
                    self.say(fault.message);
                }
            }
            Deed::Delete => self.dialog = Some(Dialog::Delete { paths: vec![path.to_owned()] }),
        }
        ctx.request_repaint();
    }

    /// Moves pictures to the bin.
    pub(super) fn delete_pictures(&mut self, paths: &[PathBuf]) {
        for path in paths {
            match to_bin(path) {
                Ok(bin) => {
                    self.forget_picture(path);
                    self.say(format!("moved to {}", bin.display()));
                }
                Err(fault) => self.say(fault.message),
            }
        }
    }

    fn forget_picture(&mut self, path: &Path) {
        let list = self.pictures();
        let next = list
            .iter()
            .position(|each| each == path)
            .and_then(|index| list.get(index + 1).or_else(|| list.get(index.checked_sub(1)?)).cloned());
        self.tabs.iter_mut().for_each(|tab| tab.made.retain(|made| made.path != path));
        self.shelf.forget(path);
        self.gallery.chosen.retain(|chosen| chosen != path);
        if let Some(large) = self.large.take() {
            let kept = if large.path == path { next.map(Large::new) } else { Some(large) };
            self.large =
                kept.map(|large| Large { second: large.second.clone().filter(|second| second != path), ..large });
        }
    }
}
