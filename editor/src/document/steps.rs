//! The document: a sheet, its file, and the steps that lead back and forth.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::graph::{self, Graph};

use super::edit::{Edit, Refused};
use super::sheet::{NodeId, Sheet};

/// So many steps can be undone.
const MOST_STEPS: usize = 500;

/// A sheet with its history.
#[derive(Debug, Clone)]
pub struct Document {
    sheet: Arc<Sheet>,
    undo: Vec<Step>,
    redo: Vec<Step>,
    /// The step under way: its name, what it may be joined with, and the sheet before it.
    open: Option<Step>,
    next: u64,
    revision: u64,
    file: Saved,
}

/// What leads back or forth: the sheet on the other side.
#[derive(Debug, Clone)]
struct Step {
    name: String,
    /// Steps with the same key, one right after another, are one.
    key: Option<String>,
    sheet: Arc<Sheet>,
}

/// What the file holds.
#[derive(Debug, Clone, Default)]
struct Saved {
    path: Option<PathBuf>,
    sheet: Arc<Sheet>,
    /// The bytes that were read or written; none for a new document, and none that are of an older format.
    text: Option<String>,
    /// What the file held when it was last read or written here; none if nobody knows.
    held: Option<String>,
}

/// What a file of a document would hold, to be written out elsewhere.
#[derive(Debug, Clone)]
pub struct Draft {
    preamble: String,
    sheet: Arc<Sheet>,
}

impl Draft {
    /// Writes it out.
    pub fn text(&self) -> String {
        self.preamble.clone() + &graph::write(&self.sheet.graph())
    }
}

/// A document that was read, and what a person should know of it.
#[derive(Debug)]
pub struct Opened {
    /// The document.
    pub document: Document,
    /// Sentences.
    pub warnings: Vec<String>,
}

impl Default for Document {
    fn default() -> Self {
        Self::of(&Graph::default()).document
    }
}

impl Document {
    /// Makes a document of a graph that no file holds yet.
    pub fn of(graph: &Graph) -> Opened {
        let mut next = 0;
        let number = || {
            next += 1;
            next
        };
        let (sheet, wrong) = Sheet::of(graph, number);
        let sheet = Arc::new(sheet);
        let file = Saved::default();
        let document = Self { sheet, undo: Vec::new(), redo: Vec::new(), open: None, next, revision: 0, file };
        let warning = |wrong| {
            format!(
                "the section `layout` cannot be read ({wrong}): nodes stand where they find room, and the section \
                 stays as it is; take it out of the file to lay the graph out anew"
            )
        };
        Opened { document, warnings: wrong.map(warning).into_iter().collect() }
    }

    /// Reads a workflow.
    ///
    /// # Errors
    /// All that is wrong with the text, with lines and columns.
    pub fn read(text: &str, path: Option<&Path>) -> Result<Opened, Faults> {
        let loaded = graph::read(text)?;
        let mut opened = Self::of(&loaded.graph);
        let document = &mut opened.document;
        // What was migrated, or written by hand, is written in our form once something changes.
        document.file = Saved {
            path: path.map(Path::to_owned),
            sheet: Arc::clone(&document.sheet),
            text: Some(text.to_owned()).filter(|_| loaded.migrated_from.is_none()),
            held: path.map(|_| text.to_owned()),
        };
        if let Some(format) = loaded.migrated_from {
            opened.warnings.push(format!("this file is of the older format {format}; saving brings it up to date"));
        }
        Ok(opened)
    }

    /// Reads what was not saved of a document, which counts as changed, whatever its file holds.
    ///
    /// # Errors
    /// All that is wrong with the text.
    pub fn recover(text: &str, path: Option<&Path>) -> Result<Opened, Faults> {
        let mut opened = Self::read(text, path)?;
        opened.document.file.sheet = Arc::default();
        opened.document.file.held = None;
        Ok(opened)
    }

    /// Opens a file.
    ///
    /// # Errors
    /// All that is wrong with the file.
    pub fn open(path: &Path) -> Result<Opened, Faults> {
        Self::read(&graph::file::read_text(path)?, Some(path)).map_err(|faults| faults.in_file(path))
    }

    /// Returns what it holds now.
    pub fn sheet(&self) -> &Arc<Sheet> {
        &self.sheet
    }

    /// Returns a number that rises with every change of the sheet.
    pub fn revision(&self) -> u64 {
        self.revision
    }

    /// Returns the file that it was read from or saved to last.
    pub fn path(&self) -> Option<&Path> {
        self.file.path.as_deref()
    }

    /// Tells whether it differs from its file.
    pub fn is_changed(&self) -> bool {
        !Arc::ptr_eq(&self.sheet, &self.file.sheet) && *self.sheet != *self.file.sheet
    }

    /// Returns a number that no node and no frame ever had.
    pub fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    /// Gives the nodes of a level that nobody has laid out their places. This is no step.
    pub fn place(&mut self, level: Option<&str>, places: impl IntoIterator<Item = (NodeId, super::Point)>) {
        let saved = Arc::ptr_eq(&self.sheet, &self.file.sheet);
        let sheet = Arc::make_mut(&mut self.sheet);
        let sheet = match level {
            None => sheet,
            Some(name) => match sheet.definitions.get_mut(name) {
                Some(definition) => Arc::make_mut(&mut Arc::make_mut(definition).sheet),
                None => return,
            },
        };
        for (id, at) in places {
            if let Some(node) = sheet.nodes.get_mut(&id) {
                Arc::make_mut(node).at = at;
            }
        }
        if saved {
            self.file.sheet = Arc::clone(&self.sheet);
        }
        self.revision += 1;
    }

    /// Begins a step; one that is open is ended first.
    pub fn begin(&mut self, name: impl Into<String>) {
        self.begin_joined(name, None);
    }

    /// Begins a step that is one with the step before it if that has the same key, as keystrokes in one field.
    pub fn begin_joined(&mut self, name: impl Into<String>, key: Option<String>) {
        self.commit();
        self.open = Some(Step { name: name.into(), key, sheet: Arc::clone(&self.sheet) });
    }

    /// Makes a change inside of the open step; without one, it is a step of its own.
    ///
    /// # Errors
    /// Why it cannot be made; the sheet is as it was.
    pub fn edit(&mut self, edit: Edit) -> Result<(), Refused> {
        let alone = self.open.is_none();
        if alone {
            self.begin("edit");
        }
        let mut sheet = Arc::clone(&self.sheet);
        let done = Arc::make_mut(&mut sheet).apply(edit);
        if done.is_ok() {
            self.sheet = sheet;
            self.revision += 1;
        }
        if alone {
            self.commit();
        }
        done
    }

    /// Makes changes as one step: all of them or none.
    ///
    /// # Errors
    /// Why one of them cannot be made.
    pub fn step(&mut self, name: impl Into<String>, edits: impl IntoIterator<Item = Edit>) -> Result<(), Refused> {
        self.step_joined(name, None, edits)
    }

    /// Makes changes as one step, which is one with the step before it if that has the same key.
    ///
    /// # Errors
    /// Why one of them cannot be made.
    pub fn step_joined(
        &mut self,
        name: impl Into<String>,
        key: Option<String>,
        edits: impl IntoIterator<Item = Edit>,
    ) -> Result<(), Refused> {
        self.begin_joined(name, key);
        for edit in edits {
            if let Err(refused) = self.edit(edit) {
                self.abort();
                return Err(refused);
            }
        }
        self.commit();
        Ok(())
    }

    /// Ends the open step. One that changed nothing leaves no trace.
    pub fn commit(&mut self) {
        let Some(step) = self.open.take() else { return };
        if Arc::ptr_eq(&step.sheet, &self.sheet) || *step.sheet == *self.sheet {
            self.sheet = step.sheet;
            return;
        }
        self.redo.clear();
        let joins = step.key.is_some() && self.undo.last().is_some_and(|last| last.key == step.key);
        if !joins {
            self.undo.push(step);
        }
        if self.undo.len() > MOST_STEPS {
            self.undo.remove(0);
        }
    }

    /// Gives the open step up.
    pub fn abort(&mut self) {
        if let Some(step) = self.open.take() {
            self.revision += u64::from(!Arc::ptr_eq(&step.sheet, &self.sheet));
            self.sheet = step.sheet;
        }
    }

    /// Ends whatever the next step could be joined with.
    pub fn part(&mut self) {
        if let Some(last) = self.undo.last_mut() {
            last.key = None;
        }
    }

    /// Undoes the last step, or gives the open one up; returns its name.
    pub fn undo(&mut self) -> Option<String> {
        if let Some(open) = &self.open {
            let name = open.name.clone();
            self.abort();
            return Some(name);
        }
        let step = self.undo.pop()?;
        let name = step.name.clone();
        self.redo.push(Step { sheet: Arc::clone(&self.sheet), key: None, ..step.clone() });
        self.sheet = step.sheet;
        self.revision += 1;
        self.part();
        Some(name)
    }

    /// Makes the last undone step again; returns its name.
    pub fn redo(&mut self) -> Option<String> {
        self.commit();
        let step = self.redo.pop()?;
        let name = step.name.clone();
        self.undo.push(Step { sheet: Arc::clone(&self.sheet), ..step.clone() });
        self.sheet = step.sheet;
        self.revision += 1;
        Some(name)
    }

    /// Returns the names of the steps that can be undone, the oldest first, and of those that can be made again, the next
    /// first.
    pub fn steps(&self) -> (Vec<&str>, Vec<&str>) {
        let undo = self.undo.iter().map(|step| step.name.as_str());
        (undo.collect(), self.redo.iter().rev().map(|step| step.name.as_str()).collect())
    }

    /// Returns what a file of it holds: the very bytes that were read, as long as nothing changed.
    pub fn text(&self) -> String {
        match &self.file.text {
            Some(text) if !self.is_changed() => text.clone(),
            Some(text) => preamble(text).to_owned() + &graph::write(&self.sheet.graph()),
            None => graph::write(&self.sheet.graph()),
        }
    }

    /// Returns what its file would hold, to be written out by somebody else.
    pub fn draft(&self) -> Draft {
        let preamble = self.file.text.as_deref().map(preamble).unwrap_or_default().to_owned();
        Draft { preamble, sheet: Arc::clone(&self.sheet) }
    }

    /// Tells whether a save would replace something that this document neither read nor wrote.
    pub fn would_overwrite(&self, path: &Path) -> bool {
        match std::fs::read(path) {
            Ok(bytes) => {
                let known = self.file.held.as_deref().filter(|_| self.path() == Some(path));
                known.map(str::as_bytes) != Some(&bytes) && bytes != self.text().as_bytes()
            }
            Err(error) => error.kind() != std::io::ErrorKind::NotFound,
        }
    }

    /// Saves it: the file is the old or the new one, never half.
    ///
    /// # Errors
    /// A fault of the file; the document stays as it is, and counts as changed.
    pub fn save(&mut self, path: &Path) -> Result<(), Fault> {
        self.commit();
        let text = self.text();
        graph::file::write_text(&text, path)?;
        self.file = Saved {
            path: Some(path.to_owned()),
            sheet: Arc::clone(&self.sheet),
            text: Some(text.clone()),
            held: Some(text),
        };
        self.part();
        Ok(())
    }
}

/// Returns the comments at the head of a file, which no edit touches.
pub fn preamble(text: &str) -> &str {
    let mut end = 0;
    for line in text.split_inclusive('\n') {
        let bare = line.trim();
        if !bare.is_empty() && !bare.starts_with("//") {
            break;
        }
        end += line.len();
    }
    &text[..end]
}
