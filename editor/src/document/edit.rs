//! Edits: everything that can be done to a sheet, as data.

use std::sync::Arc;

use darkroom_core::files::Content;
use darkroom_core::graph::Mode;
use darkroom_core::literal::Literal;
use indexmap::IndexMap;

use super::definition::Definition;
use super::sheet::{Count, Field, Frame, FrameId, Node, NodeId, Point, Sheet, Wire};

/// A change of a sheet.
#[derive(Debug, Clone, PartialEq)]
#[expect(clippy::large_enum_variant, reason = "of edits that come in numbers most are new nodes")]
pub enum Edit {
    /// A new node, under a number that is new.
    Add(NodeId, Node),
    /// A node goes, and with it the wires that begin there.
    Remove(NodeId),
    /// A plain value for an input; `None` gives it back to its default.
    Set(NodeId, String, Option<Literal>),
    /// A wire to an input, in place of what stood there.
    Connect(NodeId, String, Wire),
    /// The wire at an input goes.
    Disconnect(NodeId, String),
    /// Other points for the wire at an input to pass through.
    Bend(NodeId, String, Vec<Point>),
    /// Another place.
    Move(NodeId, Point),
    /// Another name in the file.
    Rename(NodeId, String),
    /// Another type: that of another definition.
    Kind(NodeId, String),
    /// Another title, or none.
    Title(NodeId, Option<String>),
    /// Another remark, or none.
    Note(NodeId, Option<String>),
    /// Whether it takes part.
    Mode(NodeId, Mode),
    /// Whether only its head is shown.
    Collapse(NodeId, bool),
    /// Whether sockets without wires and parameters at their defaults are hidden.
    Compact(NodeId, bool),
    /// A height of the picture in points, or the one that follows from the picture.
    Picture(NodeId, Option<u32>),
    /// Whether it stays where it is.
    Pin(NodeId, bool),
    /// The name of a colour, or none.
    Colour(NodeId, Option<String>),
    /// Which way the seed at an input goes on after each run, if it does.
    Count(NodeId, String, Option<Count>),
    /// A width in points, or the usual one.
    Width(NodeId, Option<u32>),
    /// A new frame or note, or another state of one.
    Frame(FrameId, Frame),
    /// A frame or note goes; what is inside stays.
    RemoveFrame(FrameId),
    /// Another text for a section of the file that the editor carries along; `None` takes it out.
    Section(String, Option<String>),
    /// Other contents that inputs must have.
    Lock(IndexMap<String, Content>),
    /// A change of the document's own sheet, whatever level is in front.
    Whole(Box<Edit>),
    /// A change of the sheet inside of a definition.
    Within(String, Box<Edit>),
    /// A new definition, or another state of one.
    Define(String, Arc<Definition>),
    /// A definition that nothing stands for goes.
    Forget(String),
    /// Another name for a definition; whatever stands for it follows.
    NameDefinition(String, String),
}

/// Why an edit cannot be made: one sentence for a person. The sheet is as it was.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused(pub String);

impl std::fmt::Display for Refused {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

pub(super) fn refused<T>(sentence: impl Into<String>) -> Result<T, Refused> {
    Err(Refused(sentence.into()))
}

impl Sheet {
    /// Makes a change.
    ///
    /// # Errors
    /// Why it cannot be made.
    pub fn apply(&mut self, edit: Edit) -> Result<(), Refused> {
        match edit {
            Edit::Add(id, node) => self.add(id, node)?,
            Edit::Remove(id) => self.remove(id)?,
            Edit::Set(id, input, literal) => match literal {
                Some(literal) => drop(self.node(id)?.fields.insert(input, Field::Literal(literal))),
                None => drop(self.node(id)?.fields.shift_remove(&input)),
            },
            Edit::Connect(id, input, wire) => self.connect(id, input, wire)?,
            Edit::Disconnect(id, input) => {
                let node = self.node(id)?;
                if !matches!(node.fields.get(&input), Some(Field::Wire(_) | Field::Lost(_))) {
                    return refused(format!("no wire ends at `{input}`"));
                }
                node.fields.shift_remove(&input);
            }
            Edit::Bend(id, input, bends) => match self.node(id)?.fields.get_mut(&input) {
                Some(Field::Wire(wire)) => {
                    wire.bends = bends;
                    self.laid_out = true;
                }
                _ => return refused(format!("no wire ends at `{input}`")),
            },
            Edit::Move(id, at) => {
                self.node(id)?.at = at;
                self.laid_out = true;
            }
            Edit::Rename(id, name) => self.rename(id, &name)?,
            Edit::Kind(id, kind) => {
                self.check_kind(None, &kind)?;
                self.node(id)?.kind = kind;
            }
            Edit::Title(id, title) => self.node(id)?.title = title.filter(|title| !title.trim().is_empty()),
            Edit::Note(id, note) => self.node(id)?.note = note.filter(|note| !note.trim().is_empty()),
            Edit::Mode(id, mode) => self.node(id)?.mode = mode,
            Edit::Collapse(id, collapsed) => self.look(id, |node| node.collapsed = collapsed)?,
            Edit::Compact(id, compact) => self.look(id, |node| node.compact = compact)?,
            Edit::Picture(id, height) => self.look(id, |node| node.picture = height)?,
            Edit::Pin(id, pinned) => self.look(id, |node| node.pinned = pinned)?,
            Edit::Colour(id, colour) => self.look(id, |node| node.colour = colour)?,
            Edit::Count(id, input, count) => self.look(id, |node| match count {
                Some(count) => drop(node.counts.insert(input, count)),
                None => drop(node.counts.shift_remove(&input)),
            })?,
            Edit::Width(id, width) => self.look(id, |node| node.width = width)?,
            Edit::Frame(id, frame) => {
                self.frames.insert(id, frame);
                self.laid_out = true;
            }
            Edit::RemoveFrame(id) => match self.frames.shift_remove(&id) {
                Some(_) => (),
                None => return refused("this frame is gone"),
            },
            Edit::Section(name, text) => match text {
                Some(text) => drop(self.sections.insert(name, text)),
                None => drop(self.sections.shift_remove(&name)),
            },
            Edit::Lock(lock) => self.lock = lock,
            Edit::Whole(edit) => self.apply(*edit)?,
            Edit::Within(name, edit) => self.within(&name, *edit)?,
            Edit::Define(name, definition) => self.define(&name, &definition)?,
            Edit::Forget(name) => self.forget(&name)?,
            Edit::NameDefinition(before, name) => self.name_definition(&before, &name)?,
        }
        Ok(())
    }

    fn node(&mut self, id: NodeId) -> Result<&mut Node, Refused> {
        self.nodes.get_mut(&id).map(Arc::make_mut).ok_or_else(|| Refused("this node is gone".to_owned()))
    }

    fn look(&mut self, id: NodeId, change: impl FnOnce(&mut Node)) -> Result<(), Refused> {
        change(self.node(id)?);
        self.laid_out = true;
        Ok(())
    }

    fn add(&mut self, id: NodeId, node: Node) -> Result<(), Refused> {
        if self.nodes.contains_key(&id) {
            return refused("this node is there already");
        }
        self.check_name(id, &node.name)?;
        self.check_kind(None, &node.kind)?;
        if let Some((input, _)) = node.wires().find(|(_, wire)| !self.nodes.contains_key(&wire.node)) {
            return refused(format!("the wire at `{input}` comes from a node that is gone"));
        }
        self.nodes.insert(id, Arc::new(node));
        self.laid_out = true;
        Ok(())
    }

    fn remove(&mut self, id: NodeId) -> Result<(), Refused> {
        let Some(gone) = self.nodes.shift_remove(&id) else { return refused("this node is gone") };
        let ends: Vec<_> =
            self.wires().filter(|(_, _, wire)| wire.node == id).map(|end| (end.0, end.1.to_owned())).collect();
        for (node, input) in ends {
            self.node(node)?.fields.shift_remove(&input);
        }
        self.lock.retain(|end, _| !is_of(end, &gone.name));
        Ok(())
    }

    fn connect(&mut self, id: NodeId, input: String, wire: Wire) -> Result<(), Refused> {
        if !self.nodes.contains_key(&wire.node) {
            return refused("the node that this wire comes from is gone");
        }
        if self.reaches(id, wire.node) {
            let (from, to) = (self.nodes[&wire.node].label(), self.nodes.get(&id).map_or("", |node| node.label()));
            return refused(match wire.node == id {
                true => format!("`{to}` cannot feed itself"),
                false => format!("`{from}` needs what `{to}` makes: the two would wait for each other"),
            });
        }
        self.node(id)?.fields.insert(input, Field::Wire(wire));
        Ok(())
    }

    fn rename(&mut self, id: NodeId, name: &str) -> Result<(), Refused> {
        self.check_name(id, name)?;
        let before = std::mem::replace(&mut self.node(id)?.name, name.to_owned());
        let renamed = |end: String| match is_of(&end, &before) {
            true => format!("{name}{}", &end[before.len()..]),
            false => end,
        };
        self.lock = std::mem::take(&mut self.lock).into_iter().map(|(end, content)| (renamed(end), content)).collect();
        Ok(())
    }

    fn check_name(&self, id: NodeId, name: &str) -> Result<(), Refused> {
        if let Some(reason) = darkroom_core::graph::refused_id(name) {
            return refused(format!("`{}` cannot be the name of a node: {reason}", name.escape_debug()));
        }
        match self.named(name).filter(|other| *other != id) {
            Some(_) => refused(format!("another node is called `{name}`")),
            None => Ok(()),
        }
    }
}

/// Tells whether a locked input is one of a node, or lies inside of it.
pub(super) fn is_of(end: &str, node: &str) -> bool {
    end.strip_prefix(node).is_some_and(|rest| rest.starts_with(['.', '/']))
}
