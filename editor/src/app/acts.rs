//! What each command does.

use std::collections::HashSet;
use std::path::PathBuf;

use darkroom_core::graph::Mode;
use darkroom_core::plan::Wish;
use egui::Context;

use super::browser::Purpose;
use super::files::Over;
use super::palette::Palette;
use super::{App, Dialog, Tab};
use crate::canvas::{Drop, Selection};
use crate::command::Command;
use crate::document::{Document, Edit, Frame, FrameId, Node, NodeId, Outside, Pasted, Point, Wire, copy, paste};
use crate::session::Closing;

/// Tells whether a command asks for something that is typed.
fn asks(command: Command) -> bool {
    use Command::{
        AddNode, Close, Find, MakeSubgraph, NameSubgraph, Open, Palette, Rename, Save, SaveAs, Settings, Templates,
    };
    matches!(
        command,
        AddNode
            | Close
            | Find
            | MakeSubgraph
            | NameSubgraph
            | Open
            | Palette
            | Rename
            | Save
            | SaveAs
            | Settings
            | Templates
    )
}

impl App {
    /// Does what was asked for.
    pub(super) fn act(&mut self, ctx: &Context, command: Command) {
        if asks(command) {
            // What is typed next is meant for the question.
            ctx.memory_mut(egui::Memory::stop_text_input);
        }
        match command {
            Command::New => self.take(Document::default(), Vec::new()),
            Command::Templates => super::panels::templates::open(self, ctx),
            Command::Open => self.browse(Purpose::Open),
            Command::Save => match self.tab().document.path().map(PathBuf::from) {
                Some(path) => self.save(&path, Over::Ask),
                None => self.browse(Purpose::Save),
            },
            Command::SaveAs => self.browse(Purpose::Save),
            Command::Close => self.keeping.closing = Some(Closing::one(self.tab().id)),
            Command::Undo => self.stepped("undo", Document::undo),
            Command::Redo => self.stepped("redo", Document::redo),
            Command::Cut | Command::Copy | Command::Paste | Command::PasteWired => self.clipboard(ctx, command, ""),
            Command::Duplicate => self.duplicate(Outside::Cut),
            Command::DuplicateWired => self.duplicate(Outside::Keep),
            Command::Delete => self.delete(false),
            Command::DeleteJoin => self.delete(true),
            Command::SelectAll => {
                let tab = self.tab_mut();
                tab.view.selection.nodes = tab.sheet().nodes.keys().copied().collect();
                tab.view.selection.frames = tab.sheet().frames.keys().copied().collect();
            }
            Command::SelectLinked => self.select_linked(),
            Command::Find => self.dialog = Some(Dialog::Find { text: String::new() }),
            Command::AddNode => {
                let at = self.hand();
                self.palette = Some(Palette::nodes(at, None));
            }
            Command::Rename => self.rename(),
            Command::Mute => self.mode("mute", Mode::Muted),
            Command::Bypass => self.mode("bypass", Mode::Bypassed),
            Command::Collapse => self.each("collapse", |id, node| Edit::Collapse(id, !node.collapsed)),
            Command::Pin => self.each("pin", |id, node| Edit::Pin(id, !node.pinned)),
            Command::Colour => match self.tab().view.selection.is_empty() {
                true => self.say("choose what is to be coloured first"),
                false => self.palette = Some(Palette::colours()),
            },
            Command::Frame => self.frame(),
            Command::Note => self.note(),
            Command::MakeSubgraph => self.make_subgraph(),
            Command::EnterSubgraph => self.enter_chosen(),
            Command::LeaveSubgraph => {
                if !self.leave_level() {
                    self.say("this is the graph itself");
                }
            }
            Command::Unpack => self.unpack(),
            Command::MakeOwn => self.make_own(),
            Command::NameSubgraph => self.name_subgraph(),
            Command::ForgetUnused => self.forget_unused(),
            Command::Arrange => self.arrange(),
            Command::Align => self.align(),
            Command::FitAll => self.fit(false),
            Command::FitSelection => self.fit(true),
            Command::ZoomOne => {
                let camera = &mut self.tab_mut().view.camera;
                camera.fly(camera.centre, 1.0);
            }
            Command::Run => self.run(Wish::default()),
            Command::RunFresh => self.run(Wish { fresh: true, ..Wish::default() }),
            Command::RunTo => match self.tab().wish_to() {
                Some(wish) => self.run(wish),
                None => self.say("choose the node to run to first"),
            },
            Command::Stop => {
                let tickets: Vec<_> = self.tab().runs.iter().map(|run| run.ticket).collect();
                tickets.into_iter().for_each(|ticket| self.backend.cancel(ticket));
            }
            Command::Palette => self.palette = Some(Palette::commands()),
            Command::Theme => self.change_look(ctx),
            Command::Settings => self.page = Some(super::panels::settings::Page::default()),
            Command::Larger => ctx.set_zoom_factor((ctx.zoom_factor() + 0.1).min(2.5)),
            Command::Smaller => ctx.set_zoom_factor((ctx.zoom_factor() - 0.1).max(0.6)),
        }
        ctx.request_repaint();
    }

    /// Asks what to call what is chosen.
    fn rename(&mut self) {
        let Tab { view, .. } = self.tab();
        let sheet = self.tab().sheet();
        let node = view.selection.nodes.iter().min().and_then(|id| Some((*id, sheet.nodes.get(id)?)));
        match (node, view.selection.frames.iter().min()) {
            (Some((node, entry)), _) => self.dialog = Some(Dialog::Rename { node, title: entry.label().to_owned() }),
            (None, Some(frame)) => self.write(*frame),
            (None, None) => self.say("choose what is to be renamed first"),
        }
    }

    /// Asks what to write in a frame or note.
    pub(super) fn write(&mut self, id: FrameId) {
        let frame = self.tab().sheet().frames.get(&id);
        self.dialog =
            frame.map(|frame| Dialog::Write { frame: id, title: frame.title.clone(), text: frame.text.clone() });
    }

    /// Writes in a frame or note.
    pub(super) fn written(&mut self, id: FrameId, title: String, text: String) {
        if let Some(frame) = self.tab().sheet().frames.get(&id).cloned() {
            let name = if text.is_empty() { "rename a frame" } else { "write a note" };
            self.step(name, vec![Edit::Frame(id, Frame { title, text, ..frame })]);
        }
    }

    /// Draws a wire, or says why it cannot be.
    pub(super) fn draw(&mut self, drop: Drop, from: Option<(NodeId, String)>) {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        // It may have been let go before anyone could ask.
        let words = match tab.refusal.take().filter(|(of, _)| *of == drop) {
            Some((_, words)) => words,
            None => tab.refuse(&mut **backend, &drop),
        };
        if let Some(words) = words {
            self.say(words);
            return;
        }
        let name = if from.is_some() { "move a wire" } else { "draw a wire" };
        let mut edits: Vec<_> = from.map(|(node, input)| Edit::Disconnect(node, input)).into_iter().collect();
        let Drop { from, output, to, input } = drop;
        edits.push(Edit::Connect(to, input, Wire { node: from, output, bends: Vec::new() }));
        self.step(name, edits);
    }

    /// Where the hand is, or else the middle of the view.
    pub(super) fn hand(&self) -> egui::Pos2 {
        let view = &self.tab().view;
        view.pointer.unwrap_or(view.camera.centre)
    }

    fn stepped(&mut self, word: &str, step: impl Fn(&mut Document) -> Option<String>) {
        let done = step(&mut self.tab_mut().document);
        self.say(match done {
            Some(name) => format!("{word}: {name}"),
            None => format!("nothing to {word}"),
        });
    }

    pub(super) fn run(&mut self, wish: Wish) {
        let tab = &mut self.tabs[self.active];
        if let Some(located) =
            tab.faults.iter().find(|located| located.fault.kind == darkroom_core::fault::FaultKind::Graph)
        {
            let text = format!("this cannot run yet: {}", located.fault.message);
            self.say(text);
            return;
        }
        tab.run(&mut *self.backend, wish);
    }

    /// What is chosen, as text.
    fn chosen_text(&self) -> Option<String> {
        let tab = self.tab();
        let chosen = &tab.view.selection;
        (!chosen.is_empty()).then(|| copy(tab.document.sheet(), tab.level(), &chosen.nodes, &chosen.frames))
    }

    /// Copies, cuts and pastes.
    pub(super) fn clipboard(&mut self, ctx: &Context, command: Command, text: &str) {
        match command {
            Command::Copy | Command::Cut => {
                if let Some(text) = self.chosen_text() {
                    ctx.copy_text(text);
                    if command == Command::Cut {
                        self.delete(false);
                    }
                }
            }
            _ if text.is_empty() => ctx.send_viewport_cmd(egui::ViewportCommand::RequestPaste),
            _ => {
                let outside = if command == Command::PasteWired { Outside::Keep } else { Outside::Cut };
                let at = self.hand();
                self.paste_text(text, Some(Point::new(at.x as i32, at.y as i32)), outside, Point::default());
            }
        }
    }

    /// Adds what was copied, at a place or so far from where it was.
    pub(super) fn paste_text(&mut self, text: &str, corner: Option<Point>, outside: Outside, by: Point) {
        let tab = self.tab_mut();
        let sheet = std::sync::Arc::clone(tab.document.sheet());
        let level = tab.level().map(str::to_owned);
        let pasted = paste(&sheet, level.as_deref(), text, corner, outside, || tab.document.number());
        let Ok(Pasted { mut edits, nodes, frames }) = pasted else {
            self.say("what is on the clipboard is no part of a workflow");
            return;
        };
        for edit in &mut edits {
            let edit = match edit {
                Edit::Within(_, inner) => &mut **inner,
                other => other,
            };
            match edit {
                Edit::Add(_, node) => node.at = node.at.moved(by),
                Edit::Frame(_, frame) => frame.at = frame.at.moved(by),
                Edit::Connect(_, _, wire) => wire.bends.iter_mut().for_each(|bend| *bend = bend.moved(by)),
                _ => (),
            }
        }
        if self.step("paste", edits) {
            let selection = &mut self.tab_mut().view.selection;
            selection.nodes = nodes.into_iter().collect();
            selection.frames = frames.into_iter().collect();
        }
    }

    fn duplicate(&mut self, outside: Outside) {
        if let Some(text) = self.chosen_text() {
            self.paste_text(&text, None, outside, Point::new(32, 32));
        }
    }

    fn delete(&mut self, joined: bool) {
        let tab = self.tab();
        let sheet = tab.sheet();
        let chosen = &tab.view.selection;
        let mut edits = Vec::new();
        if joined {
            for (to, input, wire) in
                sheet.wires().filter(|(to, _, wire)| chosen.nodes.contains(&wire.node) && !chosen.nodes.contains(to))
            {
                edits.extend(self.around(wire.node, &chosen.nodes, to, input));
            }
        }
        edits.extend(chosen.nodes.iter().map(|id| Edit::Remove(*id)));
        edits.extend(chosen.frames.iter().map(|id| Edit::RemoveFrame(*id)));
        let name = if joined { "delete and join" } else { "delete" };
        self.step(name, edits);
    }

    /// The wire that leads around nodes that go: from what fed them, if that is of the kind that is wanted.
    fn around(&self, from: NodeId, gone: &HashSet<NodeId>, to: NodeId, input: &str) -> Option<Edit> {
        let sheet = self.tab().sheet();
        let spec = |id: NodeId| Some(self.tab().registry(&*self.backend).get(&sheet.nodes.get(&id)?.kind)?.spec());
        let wanted = spec(to)?.input(input)?.1.kind;
        let mut node = from;
        loop {
            let own = spec(node)?;
            let before = sheet
                .nodes
                .get(&node)?
                .wires()
                .find(|(name, _)| own.input(name).is_some_and(|(_, input)| wanted.accepts(input.kind)));
            let (_, wire) = before?;
            if !gone.contains(&wire.node) {
                return Some(Edit::Connect(to, input.to_owned(), wire.clone()));
            }
            node = wire.node;
        }
    }

    fn select_linked(&mut self) {
        let tab = self.tab_mut();
        let whole = std::sync::Arc::clone(tab.document.sheet());
        let sheet = whole.level(tab.level()).unwrap_or(&whole);
        let mut open: Vec<_> = tab.view.selection.nodes.iter().copied().collect();
        while let Some(id) = open.pop() {
            let before = sheet.nodes.get(&id).into_iter().flat_map(|node| node.wires().map(|(_, wire)| wire.node));
            open.extend(before.filter(|id| tab.view.selection.nodes.insert(*id)));
        }
    }

    /// Makes an edit of every chosen node.
    fn each(&mut self, name: &str, edit: impl Fn(NodeId, &Node) -> Edit) {
        let tab = self.tab();
        let nodes = tab.sheet().nodes.iter().filter(|(id, _)| tab.view.selection.nodes.contains(id));
        let edits = nodes.map(|(id, node)| edit(*id, node)).collect();
        self.step(name, edits);
    }

    /// Gives all that is chosen a colour, or takes it away.
    pub(super) fn colour(&mut self, name: Option<&str>) {
        let colour = name.map(str::to_owned);
        let Tab { view, .. } = self.tab();
        let sheet = self.tab().sheet();
        let nodes = view.selection.nodes.iter().map(|id| Edit::Colour(*id, colour.clone()));
        let frames = view.selection.frames.iter().filter_map(|id| Some((*id, sheet.frames.get(id)?.clone())));
        let frames = frames.map(|(id, frame)| Edit::Frame(id, Frame { colour: colour.clone(), ..frame }));
        let edits = nodes.chain(frames).collect();
        self.step("colour", edits);
    }

    fn mode(&mut self, name: &str, mode: Mode) {
        self.each(name, |id, node| Edit::Mode(id, if node.mode == mode { Mode::Active } else { mode }));
    }

    fn frame(&mut self) {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let chosen = tab.view.selection.clone();
        let bounds = tab.with_view(&**backend, |view, state| state.bounds(view, Some(&chosen)));
        let Some(bounds) = bounds.filter(|_| !chosen.nodes.is_empty()) else {
            self.say("choose the nodes to be framed first");
            return;
        };
        let bounds = bounds.expand(24.0);
        let frame = Frame {
            title: "Frame".to_owned(),
            at: Point::new(bounds.left() as i32, bounds.top() as i32 - 28),
            size: (bounds.width() as u32, bounds.height() as u32 + 28),
            ..Frame::default()
        };
        let id = FrameId(tab.document.number());
        self.step("frame", vec![Edit::Frame(id, frame)]);
    }

    fn note(&mut self) {
        let at = self.hand();
        let frame = Frame {
            title: "Note".to_owned(),
            text: "double click to write".to_owned(),
            at: Point::new(at.x as i32, at.y as i32),
            size: (240, 120),
            colour: Some("amber".to_owned()),
        };
        let id = FrameId(self.tab_mut().document.number());
        if self.step("add a note", vec![Edit::Frame(id, frame)]) {
            self.tab_mut().view.selection = Selection::frame(id);
        }
    }

    fn arrange(&mut self) {
        let Self { tabs, active, backend, .. } = self;
        let places = tabs[*active].places(&**backend);
        self.step("lay out", places.into_iter().map(|(id, at)| Edit::Move(id, at)).collect());
        self.fit(false);
    }

    fn align(&mut self) {
        let tab = self.tab();
        let nodes = tab.sheet().nodes.iter().filter(|(id, _)| tab.view.selection.nodes.contains(id));
        let left = nodes.map(|(_, node)| node.at.x).min();
        if let Some(x) = left {
            self.each("align", |id, node| Edit::Move(id, Point { x, ..node.at }));
        }
    }

    fn fit(&mut self, chosen: bool) {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let what = tab.view.selection.clone();
        let what = (chosen && !what.is_empty()).then_some(what);
        tab.with_view(&**backend, |view, state| state.fit(view, what.as_ref()));
    }
}
