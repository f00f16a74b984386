//! What each command does.

use std::collections::HashSet;
use std::path::PathBuf;

use darkroom_core::graph::Mode;
use darkroom_core::plan::Wish;
use egui::Context;

use super::browser::Purpose;
use super::files::Over;
use super::lay::Along;
use super::palette::Palette;
use super::panels::{Pane, Turn};
use super::{App, Dialog, Tab};
use crate::canvas::{Drop, Selection, Words};
use crate::command::Command;
use crate::document::{Document, Edit, Frame, FrameId, Node, NodeId, Outside, Pasted, Point, Wire, copy, paste};
use crate::habits::Habits;
use crate::session::{Closing, Place};

/// Tells whether a command asks for something that is typed.
fn asks(command: Command) -> bool {
    use Command::{
        AddLora, AddNode, Close, Find, MakeSubgraph, NameSubgraph, Open, Palette, Remark, Rename, Save, SaveAs,
        Settings, Templates,
    };
    matches!(
        command,
        AddLora
            | AddNode
            | Close
            | Find
            | MakeSubgraph
            | NameSubgraph
            | Open
            | Palette
            | Remark
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
            Command::SelectLinked => self.select_before(),
            Command::SelectFed => self.select_behind(),
            Command::Find => self.dialog = Some(Dialog::Find { text: String::new() }),
            Command::AddLora => self.add_lora_to_chosen(),
            Command::AddNode => {
                let at = self.hand();
                self.palette = Some(Palette::nodes(at, None));
            }
            Command::Rename => self.rename(),
            Command::Remark => self.remark(),
            Command::Mute => self.mode("mute", Mode::Muted),
            Command::Bypass => self.mode("bypass", Mode::Bypassed),
            Command::Collapse => self.collapse(),
            Command::Compact => self.compact(),
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
            Command::Connect => self.connect(),
            Command::AlignLeft
            | Command::AlignRight
            | Command::AlignTop
            | Command::AlignBottom
            | Command::AlignCentre
            | Command::AlignMiddle => self.align(command),
            Command::SpreadAcross => self.spread(Along::Across),
            Command::SpreadDown => self.spread(Along::Down),
            Command::FitAll => self.fit(false),
            Command::FitSelection => self.fit(true),
            Command::ZoomOne => {
                let camera = &mut self.tab_mut().view.camera;
                camera.fly(camera.centre, 1.0);
            }
            Command::Heat => {
                let heat = &mut self.tab_mut().view.heat;
                *heat = heat.next();
            }
            Command::Minimap => self.habit(|habits| habits.minimap = !habits.minimap),
            Command::Wires => {
                self.habit(|habits| habits.wires = habits.wires.next());
                self.say(format!("wires run {}", self.keeping.settings.habits.wires.words()));
            }
            Command::Legend => self.habit(|habits| habits.legend = !habits.legend),
            Command::Run => self.run(&Wish::default(), Place::Back),
            Command::RunFront => self.run(&Wish::default(), Place::Front),
            Command::RunFresh => self.run(&Wish { fresh: true, ..Wish::default() }, Place::Back),
            Command::RunTo => match self.tab().wish_to() {
                Some(wish) => self.run(&wish, Place::Back),
                None => self.say("choose the node to run to first"),
            },
            Command::RunChanged => self.turn_live(),
            Command::Stop => self.stop(),
            Command::ClearQueue => self.clear_queue(),
            Command::StopAll => self.stop_all(),
            Command::Palette => self.palette = Some(Palette::commands()),
            Command::ShowResults => self.tiles.ask(Pane::Results, Turn::Toggle),
            Command::ShowForm => self.tiles.ask(Pane::Form, Turn::Toggle),
            Command::ShowRuns => self.tiles.ask(Pane::Runs, Turn::Toggle),
            Command::ShowMemory => self.tiles.ask(Pane::Memory, Turn::Toggle),
            Command::ShowSteps => self.tiles.ask(Pane::Steps, Turn::Toggle),
            Command::ShowFaults => self.tiles.ask(Pane::Faults, Turn::Toggle),
            Command::ShowLog => self.tiles.ask(Pane::Log, Turn::Toggle),
            Command::Theme => self.change_look(ctx),
            Command::Settings => self.page = Some(super::panels::settings::Page::default()),
            Command::Larger => ctx.set_zoom_factor((ctx.zoom_factor() + 0.1).min(2.5)),
            Command::Smaller => ctx.set_zoom_factor((ctx.zoom_factor() - 0.1).max(0.6)),
        }
        ctx.request_repaint();
    }

    fn habit(&mut self, change: impl FnOnce(&mut Habits)) {
        change(&mut self.keeping.settings.habits);
    }

    /// Lets what is chosen be called something else, where it stands.
    fn rename(&mut self) {
        let Tab { view, .. } = self.tab();
        let sheet = self.tab().sheet();
        let note = |id: &FrameId| sheet.frames.get(id).is_some_and(|frame| !frame.text.is_empty());
        let words = match (view.selection.nodes.iter().min(), view.selection.frames.iter().min()) {
            (Some(node), _) => Words::Title(*node),
            (None, Some(frame)) if note(frame) => Words::Note(*frame),
            (None, Some(frame)) => Words::Head(*frame),
            (None, None) => return self.say("choose what is to be renamed first"),
        };
        self.write(words);
    }

    /// Lets something be remarked about the node that is chosen.
    fn remark(&mut self) {
        match self.tab().view.selection.nodes.iter().min() {
            Some(node) => self.write(Words::Remark(*node)),
            None => self.say("choose the node to be remarked about first"),
        }
    }

    fn write(&mut self, words: Words) {
        let Self { tabs, active, backend, .. } = self;
        tabs[*active].with_view(&**backend, |view, state| state.write(view, words));
    }

    /// Shows heads only of what is chosen; or all of it, if that is so already.
    fn collapse(&mut self) {
        let Tab { view, .. } = self.tab();
        let sheet = self.tab().sheet();
        let chosen = &view.selection;
        let nodes = || sheet.nodes.iter().filter(|(id, _)| chosen.nodes.contains(id));
        let frames = || sheet.frames.iter().filter(|(id, _)| chosen.frames.contains(id));
        let open = nodes().any(|(_, node)| !node.collapsed) || frames().any(|(_, frame)| !frame.collapsed);
        let mut edits: Vec<_> = nodes().map(|(id, _)| Edit::Collapse(*id, open)).collect();
        edits.extend(frames().map(|(id, frame)| Edit::Frame(*id, Frame { collapsed: open, ..frame.clone() })));
        self.step(if open { "collapse" } else { "open" }, edits);
    }

    /// Hides what is unused of the nodes that are chosen; or shows it, if that is so already.
    fn compact(&mut self) {
        let tab = self.tab();
        let Tab { view, .. } = tab;
        let mut nodes = tab.sheet().nodes.iter().filter(|(id, _)| view.selection.nodes.contains(id));
        let hide = nodes.any(|(_, node)| !node.compact);
        let name = if hide { "hide what is unused" } else { "show what is unused" };
        self.each(name, |id, _| Edit::Compact(id, hide));
    }

    /// Draws wires, or says why they cannot be.
    pub(super) fn draw(&mut self, drops: Vec<Drop>, from: Option<(NodeId, String)>) {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        // They may have been let go before anyone could ask.
        let words = match tab.refusal.take().filter(|(of, _)| *of == drops) {
            Some((_, words)) => words,
            None => tab.refuse(&mut **backend, &drops),
        };
        if let Some(words) = words {
            self.say(words);
            return;
        }
        let name = match (&from, drops.len()) {
            (Some(_), _) => "move a wire".to_owned(),
            (None, 1) => "draw a wire".to_owned(),
            (None, count) => format!("move {count} wires"),
        };
        let mut edits: Vec<_> = from.map(|(node, input)| Edit::Disconnect(node, input)).into_iter().collect();
        for Drop { from, output, to, input } in drops {
            edits.push(Edit::Connect(to, input, Wire { node: from, output, bends: Vec::new() }));
        }
        self.step(&name, edits);
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

    /// Gives nodes another part to take, or their usual one back. If frames are chosen it is all that is inside, alike.
    fn mode(&mut self, name: &str, mode: Mode) {
        let Tab { view, .. } = self.tab();
        let sheet = self.tab().sheet();
        let frames = view.selection.frames.iter().filter_map(|id| sheet.frames.get(id));
        let inside: HashSet<_> = frames.flat_map(|frame| sheet.inside(frame)).collect();
        if inside.is_empty() {
            return self.each(name, |id, node| Edit::Mode(id, if node.mode == mode { Mode::Active } else { mode }));
        }
        let all: HashSet<_> = inside.union(&view.selection.nodes).copied().collect();
        let there = all.iter().all(|id| sheet.nodes.get(id).is_some_and(|node| node.mode == mode));
        let edits = all.into_iter().map(|id| Edit::Mode(id, if there { Mode::Active } else { mode })).collect();
        self.step(name, edits);
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
            ..Frame::default()
        };
        let id = FrameId(self.tab_mut().document.number());
        if self.step("add a note", vec![Edit::Frame(id, frame)]) {
            self.tab_mut().view.selection = Selection::frame(id);
        }
    }

    pub(super) fn fit(&mut self, chosen: bool) {
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let what = tab.view.selection.clone();
        let what = (chosen && !what.is_empty()).then_some(what);
        tab.with_view(&**backend, |view, state| state.fit(view, what.as_ref()));
    }
}
