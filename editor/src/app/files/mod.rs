//! Files: what is opened, dropped, saved and closed.

mod fields;
mod keep;
mod pasted;

use std::path::Path;

use darkroom_core::fault::Fault;
use darkroom_core::literal::Literal;
use egui::{Pos2, Rect, pos2, vec2};

use crate::app::Weight;
use crate::app::browser::{Browser, Purpose};
use crate::app::{App, Dialog};
use crate::document::{Document, Edit, Node, NodeId, Point};
use crate::session::{DocumentId, Sort, sort_of};

pub use fields::noun;
pub use keep::Keeping;

/// What to do about a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Ask.
    Ask,
    /// Replace it.
    Replace,
}

/// Room around a node that is put down, in points.
const ROOM: f32 = 16.0;

/// A fault in one sentence, with its way out.
pub(in crate::app) fn words(fault: &Fault) -> String {
    let hint = fault.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}{hint}", fault.message)
}

impl App {
    /// Opens whatever a file is.
    pub(in crate::app) fn open(&mut self, path: &Path) {
        match sort_of(path) {
            Sort::Workflow | Sort::Other => self.open_workflow(path),
            Sort::Picture => {
                let workflow = (self.keeping.disk.workflow_of)(path);
                self.dialog = Some(Dialog::Picture { path: path.to_owned(), workflow });
            }
            Sort::Model => self.add_file("load_model", "source", path),
            Sort::Folder => self.dialog = Some(Dialog::Files(Browser::open(path))),
        }
    }

    fn open_workflow(&mut self, path: &Path) {
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(index) = self.tabs.iter().position(|tab| tab.document.path() == Some(&full)) {
            self.active = index;
            return;
        }
        match Document::open(&full) {
            Ok(opened) => {
                self.take(opened.document, opened.warnings);
                self.keeping.settings.opened(&full);
            }
            Err(faults) => {
                if !full.exists() {
                    self.keeping.settings.gone(&full);
                }
                let first = faults.0.first().map(ToString::to_string).unwrap_or_default();
                self.say(first);
            }
        }
    }

    /// Looks at the next file that came, unless a question is open.
    pub(in crate::app) fn arrive(&mut self) {
        while self.dialog.is_none() {
            let Some(path) = self.keeping.arrivals.pop_front() else { return };
            self.open(&path);
        }
    }

    /// Opens the workflow of a picture in a tab of its own.
    pub(in crate::app) fn restore(&mut self, path: &Path, workflow: Result<(String, Vec<String>), Fault>) {
        let read = workflow.and_then(|(text, warnings)| {
            let opened = Document::read(&text, None);
            let first = |faults: darkroom_core::fault::Faults| faults.0.into_iter().next().map(|each| each.fault);
            let opened = opened.map_err(|faults| first(faults).unwrap_or_else(|| Fault::graph("it is empty")))?;
            Ok((opened, warnings))
        });
        match read {
            Ok((mut opened, warnings)) => {
                opened.warnings.extend(warnings);
                self.take(opened.document, opened.warnings);
                self.say(format!("this made {}", path.display()));
            }
            Err(fault) => self.say(words(&fault)),
        }
    }

    /// Adds a node that reads a file.
    pub(in crate::app) fn add_file(&mut self, kind: &str, input: &str, path: &Path) {
        if self.backend.registry().get(kind).is_none() {
            self.say(format!("there is no node `{kind}` to read `{}` with", path.display()));
            return;
        }
        let (name, outside) = self.keeping.disk.name_for(self.tab().document.path(), path);
        let at = self.free_place();
        let tab = self.tab_mut();
        let id = NodeId(tab.document.number());
        let node = Node {
            name: tab.sheet().free_name(kind),
            kind: kind.to_owned(),
            at: Point::new(at.x as i32, at.y as i32),
            ..Node::default()
        };
        let value = Edit::Set(id, input.to_owned(), Some(Literal::Text(name)));
        if self.step("use a file", vec![Edit::Add(id, node), value]) {
            self.tab_mut().view.selection = crate::canvas::Selection::node(id);
        }
        if let Some(sentence) = outside {
            self.say(sentence);
        }
    }

    /// Finds room for a node where the hand is, or below.
    fn free_place(&mut self) -> Pos2 {
        let hand = self.hand() - vec2(0.0, 16.0);
        let App { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let nodes: Vec<_> = tab.sheet().nodes.iter().map(|(id, node)| (*id, node.at)).collect();
        let taken: Vec<_> = tab.with_view(&**backend, |view, state| {
            let rect = |(id, at): (NodeId, Point)| {
                Rect::from_min_size(pos2(at.x as f32, at.y as f32), state.size(view, id)).expand(ROOM)
            };
            nodes.into_iter().map(rect).collect()
        });
        let mut at = self.keeping.settings.habits.snapped(hand);
        let new = |at: Pos2| Rect::from_min_size(at, vec2(crate::theme::NODE_WIDTH, 100.0));
        while let Some(rect) = taken.iter().find(|rect| rect.intersects(new(at))) {
            at.y = (rect.bottom() / crate::theme::GRID).floor() * crate::theme::GRID + crate::theme::GRID;
        }
        at
    }

    /// Shows the browser, in the document's folder.
    pub(in crate::app) fn browse(&mut self, purpose: Purpose) {
        let path = self.tab().document.path().map(Path::to_owned);
        let recent = self.keeping.settings.recent.first().cloned();
        let near = path.as_deref().or(recent.as_deref()).and_then(Path::parent).map(Path::to_owned);
        let folder = near.filter(|near| near.is_dir()).or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        let name = path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        self.dialog = Some(Dialog::Files(match purpose {
            Purpose::Open | Purpose::Field { .. } => Browser::open(&folder),
            Purpose::Save => Browser::save(&folder, name.as_deref().unwrap_or("untitled.ron")),
        }));
    }

    /// Goes on with a file that was picked.
    pub(in crate::app) fn with_file(&mut self, path: &Path, purpose: Purpose) {
        match purpose {
            Purpose::Open => self.open(path),
            Purpose::Field { node, input, .. } => self.take_file(node, input, path),
            Purpose::Save => {
                let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                self.save(&full, Over::Ask);
            }
        }
    }

    /// Saves the document in front. A file that holds something else is not replaced unasked.
    pub(in crate::app) fn save(&mut self, path: &Path, over: Over) {
        let tab = &mut self.tabs[self.active];
        if over == Over::Ask && tab.document.would_overwrite(path) {
            self.dialog = Some(Dialog::Overwrite { tab: tab.id, path: path.to_owned() });
            return;
        }
        match tab.document.save(path) {
            Ok(()) => {
                tab.recovered = false;
                tab.ask_again();
                if let Some(state) = &self.keeping.disk.state {
                    tab.past.move_to(&state.join("runs"), path);
                }
                self.keeping.settings.opened(path);
                let id = self.tab().id;
                self.forget(id);
                self.say(format!("saved {}", path.display()));
            }
            Err(fault) => {
                // Whatever waited for this must not go on as if it were saved.
                self.keeping.closing = None;
                let text = format!("not saved: {}", words(&fault));
                tab.note(Weight::Error, None, text.clone());
                self.say(text);
            }
        }
    }

    pub(in crate::app) fn index(&self, id: DocumentId) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.id == id)
    }

    pub(in crate::app) fn drop_tab(&mut self, index: usize) {
        for run in &self.tabs[index].runs {
            self.backend.cancel(run.ticket);
        }
        self.look_back(index);
        let tab = self.tabs.remove(index);
        self.forget(tab.id);
        if self.tabs.is_empty() {
            self.take(Document::default(), Vec::new());
        }
        self.active = self.active.min(self.tabs.len() - 1);
    }
}

#[cfg(test)]
mod tests;
