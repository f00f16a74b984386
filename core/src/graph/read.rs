//! A text to a graph, with everything that is wrong with it at once.

use std::borrow::Cow;

use indexmap::IndexMap;
use indexmap::map::Entry as Slot;

use crate::fault::{Fault, Faults, Located, Position, Within};
use crate::graph::field::{Node, link, mode_of, shortened, text, whole_number};
use crate::graph::file::{FORMAT, Loaded};
use crate::graph::lock;
use crate::graph::migrate::{MIGRATIONS, Migration, read_older};
use crate::graph::places::Places;
use crate::graph::source::{Entry, Shape, Source};
use crate::graph::subgraph::Subgraphs;
use crate::graph::too_large::{self, OnTooLarge};
use crate::graph::{Graph, Link, NodeEntry};

/// The longest id, in bytes.
const LONGEST_ID: usize = 128;

/// Faults that are reported in full; after a hundred, nobody reads on.
const MOST_FAULTS: usize = 100;

pub(super) type Entries<'t> = IndexMap<Cow<'t, str>, Entry<'t>>;

/// Nodes by their ids.
pub(super) type Nodes = IndexMap<String, NodeEntry>;

/// Reads a workflow.
///
/// # Errors
/// Everything that is wrong with the text, each with its line and column.
pub fn read(text: &str) -> Result<Loaded, Faults> {
    read_with(text, MIGRATIONS)
}

/// Reads a workflow of this format or of one that the migrations lead away from.
pub(super) fn read_with(text: &str, migrations: &[Migration]) -> Result<Loaded, Faults> {
    let mut reader = Reader::new(text);
    let sections = reader.source.sections()?;
    let start = reader.source.position(0);
    let sections = reader.unique(sections, |name| format!("the section `{}`", shortened(name)));
    let oldest = FORMAT - migrations.len() as u32;
    let format = reader.format(&sections, start, oldest)?;
    if format < FORMAT {
        reader.finish()?;
        let sections = sections.into_iter().map(|(name, entry)| (name.into_owned(), entry.value.to_owned()));
        return read_older(format, sections.collect(), &migrations[(format - oldest) as usize..]);
    }
    reader.graph(sections);
    let (graph, places) = reader.finish()?;
    Ok(Loaded { graph, places, migrated_from: None })
}

/// Returns the format that a text says it has.
pub(super) fn format_of(text: &str) -> Option<u32> {
    let reader = Reader::new(text);
    let sections = reader.source.sections().ok()?;
    let entry = sections.iter().find(|section| section.name == "darkroom")?;
    whole_number(entry.value)?.try_into().ok()
}

/// A text that is being read.
pub(super) struct Reader<'t> {
    pub source: Source<'t>,
    graph: Graph,
    places: Places,
    faults: Faults,
    /// The definition that is being read, if one is.
    pub within: Option<String>,
}

impl<'t> Reader<'t> {
    fn new(text: &'t str) -> Self {
        // Some editors put a byte order mark before everything.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        Self {
            source: Source::new(text),
            graph: Graph::default(),
            places: Places::default(),
            faults: Faults::default(),
            within: None,
        }
    }

    fn finish(&mut self) -> Result<(Graph, Places), Faults> {
        let mut faults = std::mem::take(&mut self.faults);
        faults.0.sort_by_key(|located| located.place.position);
        let more = faults.0.len().saturating_sub(MOST_FAULTS);
        if more > 0 {
            faults.0.truncate(MOST_FAULTS);
            faults.push(Fault::file(format!("and {more} more faults")));
        }
        faults.or((std::mem::take(&mut self.graph), std::mem::take(&mut self.places)))
    }

    /// Notes a fault.
    pub fn refuse(&mut self, fault: impl Into<Located>, at: Position) {
        let mut located = fault.into().position(Some(at));
        located.place.within = self.within.clone().map(|definition| Within { definition, node: None });
        self.faults.push(located);
    }

    /// Notes faults that have their lines and columns.
    pub fn pass_on(&mut self, faults: Faults) {
        self.faults.0.extend(faults.0);
    }

    /// Keeps the first of entries with the same name and names both places of the others.
    pub fn unique(&mut self, entries: Vec<Entry<'t>>, what: impl Fn(&str) -> String) -> Entries<'t> {
        let mut unique = Entries::with_capacity(entries.len());
        for entry in entries {
            match unique.entry(entry.name.clone()) {
                Slot::Vacant(slot) => {
                    slot.insert(entry);
                }
                Slot::Occupied(first) => {
                    let message =
                        format!("{} stands at {} and again at {}", what(&entry.name), first.get().at, entry.at);
                    let fault = Fault::file(message).hint("remove one of the two, or give it another name");
                    self.refuse(fault, entry.at);
                }
            }
        }
        unique
    }

    fn format(&self, sections: &Entries<'t>, start: Position, oldest: u32) -> Result<u32, Faults> {
        let Some(entry) = sections.get("darkroom") else {
            return Err(Located::from(
                Fault::file("this is not a darkroom workflow: it does not name its format")
                    .hint(format!("begin the file with `(darkroom: {FORMAT}, nodes: {{`")),
            )
            .position(Some(start))
            .into());
        };
        let refuse = |fault: Fault| Err(Located::from(fault).position(Some(self.source.place(entry.value))).into());
        let hint = format!("write `darkroom: {FORMAT}` if the file is of the present format");
        match whole_number(entry.value) {
            Some(format) if format > i128::from(FORMAT) => refuse(
                Fault::file(format!("made by a newer darkroom (format {format}; this one reads up to {FORMAT})"))
                    .hint("update darkroom, then open the file again"),
            ),
            Some(format) if format >= i128::from(oldest) => {
                Ok(u32::try_from(format).expect("it is no greater than the present format"))
            }
            Some(format) if format >= 0 => {
                refuse(Fault::file(format!("format {format} is unknown; the oldest is {oldest}")).hint(hint))
            }
            _ => refuse(Fault::file(format!("`{}` is not the number of a format", shortened(entry.value))).hint(hint)),
        }
    }

    fn graph(&mut self, mut sections: Entries<'t>) {
        match sections.shift_remove("nodes") {
            Some(section) => (self.graph.nodes, self.places) = self.nodes(&section),
            None => {
                let fault = Fault::file("there is no `nodes` section");
                self.refuse(fault.hint("write `nodes: {\"name\": (type: \"…\")}`"), self.source.position(0));
            }
        }
        if let Some(section) = sections.shift_remove("lock") {
            self.lock(&section);
        }
        if let Some(section) = sections.shift_remove("subgraphs") {
            let Subgraphs { subgraphs, places } = self.subgraphs(&section);
            self.graph.subgraphs = subgraphs;
            places.into_iter().for_each(|(name, place)| self.places.add_definition(&name, place));
        }
        if let Some(entry) = sections.get(too_large::KEY)
            && OnTooLarge::read(entry.value).is_none()
        {
            let fault =
                Fault::file(format!("`on_too_large` must be `fail` or `clamp`, not `{}`", shortened(entry.value)));
            let hint = "`clamp` lowers sizes with which the run cannot fit into memory; without the key it fails";
            self.refuse(fault.hint(hint), self.source.place(entry.value));
        }
        sections.shift_remove("darkroom");
        self.graph.sections =
            sections.into_iter().map(|(name, entry)| (name.into_owned(), entry.value.to_owned())).collect();
    }

    /// Reads the entries of a map, or says that it is none.
    pub fn map(&mut self, section: &Entry<'t>, form: &str) -> Vec<Entry<'t>> {
        match self.source.entries(section.value, Shape::Map) {
            Some(Ok(entries)) => return entries,
            Some(Err(faults)) => self.pass_on(faults),
            None => {
                let fault = Fault::file(format!("the section `{}` is not a map", section.name));
                self.refuse(
                    fault.hint(format!("write `{}: {{{form}}}`", section.name)),
                    self.source.place(section.value),
                );
            }
        }
        Vec::new()
    }

    /// Reads nodes, and where they stand.
    pub fn nodes(&mut self, section: &Entry<'t>) -> (Nodes, Places) {
        let (mut nodes, mut places) = (Nodes::new(), Places::default());
        let entries = self.map(section, "\"name\": (type: \"…\")");
        let entries = self.unique(entries, |id| format!("`{}`", shortened(id)));
        nodes.reserve(entries.len());
        for (id, entry) in entries {
            if let Some(reason) = refused_id(&id) {
                let fault = Fault::file(format!("`{}` cannot be the id of a node: {reason}", shortened(&id)));
                self.refuse(fault.hint("choose a short id of letters, digits, `_` and `-`"), entry.at);
            } else if let Some(node) = self.node(&id, &entry, &mut places) {
                nodes.insert(id.into_owned(), node);
            }
        }
        (nodes, places)
    }

    fn node(&mut self, id: &str, entry: &Entry<'t>, all: &mut Places) -> Option<NodeEntry> {
        let fields = match self.source.entries(entry.value, Shape::Structure) {
            Some(Ok(fields)) => fields,
            Some(Err(faults)) => {
                self.pass_on(faults);
                return None;
            }
            None => {
                let fault =
                    Fault::file(format!("`{id}` is not a node")).hint(format!("write `\"{id}\": (type: \"…\")`"));
                self.refuse(fault, self.source.place(entry.value));
                return None;
            }
        };
        let mut fields = self.unique(fields, |name| format!("`{}` of `{id}`", shortened(name)));
        let places = fields.iter().map(|(name, entry)| (name.clone().into_owned(), entry.at)).collect();
        let kind = self.kind(id, entry, fields.shift_remove("type").as_ref())?;
        let (version, mode) = (fields.shift_remove("version"), fields.shift_remove("mode"));
        let (title, note) = (fields.shift_remove("title"), fields.shift_remove("note"));
        let mut at = Node { reader: self, id, kind: &kind };
        let mut node = NodeEntry {
            version: at.part(version, "a whole number from 0", |value| whole_number(value)?.try_into().ok()),
            mode: at.part(mode, "`muted` or `bypassed`", mode_of).unwrap_or_default(),
            title: at.part(title, "a text", text),
            note: at.part(note, "a text", text),
            ..NodeEntry::default()
        };
        for (name, entry) in fields {
            let Some(field) = at.field(&entry) else { continue };
            node.fields.insert(name.into_owned(), field);
        }
        all.add_node(id, entry.at, places);
        node.kind = kind;
        Some(node)
    }

    fn kind(&mut self, id: &str, node: &Entry<'t>, kind: Option<&Entry<'t>>) -> Option<String> {
        let at = kind.map_or(node.at, |kind| self.source.place(kind.value));
        let read = kind.and_then(|kind| text(kind.value)).filter(|kind| !kind.is_empty());
        if read.is_none() {
            let wrong = if kind.is_some() { "is not the name of one" } else { "is missing" };
            let fault = Fault::file(format!("the type of `{id}` {wrong}"));
            self.refuse(fault.hint("write `type: \"…\"`; `darkroom nodes` lists the types"), at);
        }
        read
    }

    fn lock(&mut self, section: &Entry<'t>) {
        let entries = self.map(section, "\"node.input\": (sha256: \"…\", bytes: …)");
        let entries = self.unique(entries, |input| format!("the lock of `{}`", shortened(input)));
        for (input, entry) in entries {
            match (lock::content(&self.source, entry.value), link(&input)) {
                (Some(content), Some(Link { output: Some(_), .. })) => {
                    self.graph.lock.insert(input.into_owned(), content);
                }
                (Some(_), _) => {
                    let fault = Fault::file(format!("`{}` names no input", shortened(&input)));
                    self.refuse(fault.hint("write `\"node.input\"`"), entry.at);
                }
                (None, _) => {
                    let fault = Fault::file(format!("the lock of `{}` is no content", shortened(&input)));
                    let hint =
                        "write `(sha256: \"64 hexadecimal digits\", bytes: 1234)`, or let `darkroom lock` write it";
                    self.refuse(fault.hint(hint), self.source.place(entry.value));
                }
            }
        }
    }
}

/// Says why a text cannot be the id of a node.
pub fn refused_id(id: &str) -> Option<&'static str> {
    match id {
        "" => Some("it is empty"),
        _ if id.len() > LONGEST_ID => Some("it is longer than 128 bytes"),
        _ if id.contains('.') => Some("a `.` separates node and output in wires"),
        _ if id.contains(char::is_control) => Some("it holds control characters"),
        _ => None,
    }
}
