//! Faults: what went wrong, in one sentence, with the way out, and where.
//!
//! A node or a library part returns a [`Fault`], which names the problem; whoever walks the graph adds the place and
//! makes it a [`Located`]. Both print nothing: the faces decide how a fault looks, once each.

use std::fmt;
use std::path::{Path, PathBuf};

use crate::residency::{Device, gibibytes};

/// Whose fault it is; decides the exit code of the command line.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum FaultKind {
    /// The graph asks for something impossible.
    Graph,
    /// A file is missing, unreadable, malformed, or may not be touched.
    File,
    /// Memory or disk is not enough.
    Memory,
    /// A device is gone.
    Device,
    /// Numbers left the finite range.
    Numbers,
    /// Somebody asked to stop.
    Cancelled,
    /// The program is wrong.
    Bug,
}

impl FaultKind {
    /// Returns the word that machine-readable reports use.
    pub fn word(self) -> &'static str {
        match self {
            Self::Graph => "graph",
            Self::File => "file",
            Self::Memory => "memory",
            Self::Device => "device",
            Self::Numbers => "numbers",
            Self::Cancelled => "cancelled",
            Self::Bug => "bug",
        }
    }
}

/// What the engine itself may try before it tells a fault.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Remedy {
    /// Nothing: trying again would fail again.
    #[default]
    None,
    /// To make do with less memory; with what was wanted, if that is known.
    Less(Option<Shortage>),
    /// Another device: the one that the work was on is gone.
    Elsewhere,
}

/// Memory that was asked for and not there, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shortage {
    /// Whose memory it is.
    pub on: Device,
    /// What was asked for.
    pub needs: u64,
    /// What was free.
    pub free: u64,
    /// What there is in all, free or not.
    pub of: u64,
}

impl fmt::Display for Shortage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "needs {}, {} free{}", gibibytes(self.needs), gibibytes(self.free), self.on.on())
    }
}

/// A problem and the way out of it, without its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fault {
    /// Whose fault it is.
    pub kind: FaultKind,
    /// One sentence: lower case, no full stop, the user's own names in backticks.
    pub message: String,
    /// What to do about it.
    pub hint: Option<String>,
    /// What to try before it is told.
    pub remedy: Remedy,
}

impl Fault {
    /// Makes a fault of the given kind.
    pub fn new(kind: FaultKind, message: impl Into<String>) -> Self {
        Self { kind, message: message.into(), hint: None, remedy: Remedy::None }
    }

    /// Makes a fault of the graph.
    pub fn graph(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Graph, message)
    }

    /// Makes a fault of a file.
    pub fn file(message: impl Into<String>) -> Self {
        Self::new(FaultKind::File, message)
    }

    /// Makes a fault of memory: the engine tries to make do with less before it is told.
    pub fn memory(message: impl Into<String>) -> Self {
        Self { remedy: Remedy::Less(None), ..Self::new(FaultKind::Memory, message) }
    }

    /// Makes the fault of a device that is gone, as after a reset of its driver: the engine goes on without it, if the
    /// machine allows that.
    pub fn device_lost(message: impl Into<String>) -> Self {
        Self { remedy: Remedy::Elsewhere, ..Self::new(FaultKind::Device, message) }
    }

    /// Makes a fault of numbers that are not finite.
    pub fn numbers(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Numbers, message)
    }

    /// Makes a fault of the program itself.
    pub fn bug(message: impl Into<String>) -> Self {
        Self::new(FaultKind::Bug, message).hint("please report this with the workflow file")
    }

    /// Makes the fault of a run that was asked to stop.
    pub fn cancelled() -> Self {
        Self::new(FaultKind::Cancelled, "stopped on request")
    }

    /// Makes a fault of a file from what the system said: "cannot read `x`: no such file".
    pub fn io(doing: &str, path: &Path, error: &std::io::Error) -> Self {
        let fault = Self::file(format!("cannot {doing} `{}`: {}", path.display(), describe_io(error)));
        match error.kind() {
            std::io::ErrorKind::StorageFull => {
                Self { kind: FaultKind::Memory, ..fault }.hint("free some space, or choose another folder")
            }
            std::io::ErrorKind::PermissionDenied | std::io::ErrorKind::ReadOnlyFilesystem => {
                fault.hint("check the permissions of the file and its folder")
            }
            _ => fault,
        }
    }

    /// Says how much memory was asked for, and how much there was.
    #[must_use]
    pub fn short_of(mut self, shortage: Shortage) -> Self {
        self.remedy = Remedy::Less(Some(shortage));
        self
    }

    /// Adds the way out.
    #[must_use]
    pub fn hint(mut self, hint: impl Into<String>) -> Self {
        self.hint = Some(hint.into());
        self
    }
}

/// The system's words without its error number.
fn describe_io(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_lowercase(),
        None => text,
    }
}

impl fmt::Display for Fault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.message)
    }
}

impl std::error::Error for Fault {}

/// A line and a column in a text, both counted from one, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, serde::Serialize)]
pub struct Position {
    /// Line, from 1.
    pub line: usize,
    /// Column, from 1.
    pub column: usize,
}

impl fmt::Display for Position {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}", self.line, self.column)
    }
}

/// Where a fault lies.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Place {
    /// The file.
    pub file: Option<PathBuf>,
    /// Line and column in the file.
    pub position: Option<Position>,
    /// The node's id and type; of a node inside of a sub-graph, the id is the way to it, as `portrait_1/prompt`.
    pub node: Option<(String, String)>,
    /// The definition of the sub-graph that it lies in, if it lies in one.
    pub within: Option<Within>,
    /// The input or parameter of the node.
    pub input: Option<String>,
    /// The sampler step or the like.
    pub step: Option<usize>,
}

/// A place in the definition of a sub-graph.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Within {
    /// The definition's name.
    pub definition: String,
    /// The node's id there; none if it is not about a node.
    pub node: Option<String>,
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut parts = Vec::new();
        match (&self.file, self.position) {
            (Some(file), Some(at)) => parts.push(format!("{}:{at}", file.display())),
            (Some(file), None) => parts.push(file.display().to_string()),
            (None, Some(at)) => parts.push(format!("line {}, column {}", at.line, at.column)),
            (None, None) => {}
        }
        match (&self.node, &self.within) {
            (Some((id, kind)), Some(within)) => parts.push(format!("{id} ({kind}, in `{}`)", within.definition)),
            (Some((id, kind)), None) => parts.push(format!("{id} ({kind})")),
            (None, Some(within)) => parts.push(format!("sub-graph `{}`", within.definition)),
            (None, None) => {}
        }
        if let Some(input) = &self.input {
            parts.push(input.clone());
        }
        f.write_str(&parts.join(" › "))
    }
}

/// A fault and its place.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Located {
    /// What is wrong.
    pub fault: Fault,
    /// Where it is.
    pub place: Place,
}

impl Located {
    /// Puts a fault at a node.
    pub fn at_node(fault: Fault, id: &str, kind: &str) -> Self {
        let place = Place { node: Some((id.to_owned(), kind.to_owned())), ..Place::default() };
        Self { fault, place }
    }

    /// Puts a fault at the definition of a sub-graph.
    pub fn at_definition(fault: Fault, definition: &str) -> Self {
        let within = Some(Within { definition: definition.to_owned(), node: None });
        Self { fault, place: Place { within, ..Place::default() } }
    }

    /// Names the input or parameter.
    #[must_use]
    pub fn input(mut self, input: &str) -> Self {
        self.place.input = Some(input.to_owned());
        self
    }

    /// Names the line and column.
    #[must_use]
    pub fn position(mut self, position: Option<Position>) -> Self {
        self.place.position = position;
        self
    }
}

impl From<Fault> for Located {
    fn from(fault: Fault) -> Self {
        Self { fault, place: Place::default() }
    }
}

impl fmt::Display for Located {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let place = self.place.to_string();
        if place.is_empty() { write!(f, "{}", self.fault) } else { write!(f, "{place}: {}", self.fault) }
    }
}

impl std::error::Error for Located {}

/// All that is wrong, at once.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Faults(pub Vec<Located>);

impl Faults {
    /// Adds a fault.
    pub fn push(&mut self, fault: impl Into<Located>) {
        self.0.push(fault.into());
    }

    /// Returns `value` if nothing was noted, else everything that was.
    ///
    /// # Errors
    /// The noted faults.
    pub fn or<T>(self, value: T) -> Result<T, Self> {
        if self.0.is_empty() { Ok(value) } else { Err(self) }
    }

    /// Returns the kind that decides the exit code: the first one's.
    pub fn kind(&self) -> FaultKind {
        self.0.first().map_or(FaultKind::Bug, |located| located.fault.kind)
    }

    /// Names the file in every place.
    #[must_use]
    pub fn in_file(mut self, file: &Path) -> Self {
        for located in &mut self.0 {
            located.place.file = Some(file.to_owned());
        }
        self
    }
}

impl From<Fault> for Faults {
    fn from(fault: Fault) -> Self {
        Self(vec![fault.into()])
    }
}

impl From<Located> for Faults {
    fn from(located: Located) -> Self {
        Self(vec![located])
    }
}

impl fmt::Display for Faults {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let lines: Vec<_> = self.0.iter().map(ToString::to_string).collect();
        f.write_str(&lines.join("\n"))
    }
}

impl std::error::Error for Faults {}
