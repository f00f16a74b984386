//! The palette: a field to type in, and what it finds: nodes, or commands.

use darkroom_core::graph::Subgraph;
use darkroom_core::registry::Registry;
use darkroom_core::spec::Spec;
use egui::{Align2, Area, Context, Id, Key, Modifiers, Order, Pos2, ScrollArea, TextEdit, Ui, vec2};

use super::App;
use crate::canvas::Loose;
use crate::command::{COMMANDS, Command};
use crate::document::{Edit, Node, NodeId, Point, Wire};
use crate::theme::{COLOURS, Theme};

/// What is searched for.
pub struct Palette {
    what: What,
    text: String,
    chosen: usize,
    fresh: bool,
}

enum What {
    /// Nodes, to be put at a place of the canvas.
    Nodes { at: Pos2, loose: Option<Loose> },
    /// Commands.
    Commands,
    /// What can be done with what is chosen, at a place of the window.
    Menu(Pos2),
    /// Colours for what is chosen.
    Colours,
}

/// Something that was found.
struct Found {
    title: String,
    aside: String,
    doc: String,
    score: i32,
    pick: Pick,
}

#[derive(Clone)]
enum Pick {
    Node(&'static str),
    Command(Command),
    /// A colour by its name, or none.
    Colour(Option<&'static str>),
}

/// What stands in the menu of a node.
const NODE_MENU: [Command; 19] = [
    Command::RunTo,
    Command::Rename,
    Command::Duplicate,
    Command::DuplicateWired,
    Command::Copy,
    Command::Mute,
    Command::Bypass,
    Command::Collapse,
    Command::Pin,
    Command::Colour,
    Command::Frame,
    Command::MakeSubgraph,
    Command::EnterSubgraph,
    Command::Unpack,
    Command::MakeOwn,
    Command::NameSubgraph,
    Command::SelectLinked,
    Command::DeleteJoin,
    Command::Delete,
];

/// What stands in the menu of the canvas.
const CANVAS_MENU: [Command; 7] = [
    Command::AddNode,
    Command::Paste,
    Command::PasteWired,
    Command::Note,
    Command::SelectAll,
    Command::Arrange,
    Command::FitAll,
];

/// Says which keys belong to a command.
type Keys<'a> = &'a dyn Fn(Command) -> String;

impl Palette {
    /// Searches for a node.
    pub fn nodes(at: Pos2, loose: Option<Loose>) -> Self {
        Self { what: What::Nodes { at, loose }, text: String::new(), chosen: 0, fresh: true }
    }

    /// Searches for a command.
    pub fn commands() -> Self {
        Self { what: What::Commands, text: String::new(), chosen: 0, fresh: true }
    }

    /// Searches for a colour.
    pub fn colours() -> Self {
        Self { what: What::Colours, text: String::new(), chosen: 0, fresh: true }
    }

    /// Shows a menu.
    pub fn menu(at: Pos2) -> Self {
        Self { what: What::Menu(at), text: String::new(), chosen: 0, fresh: true }
    }

    fn found(&self, keys: Keys<'_>, registry: &Registry, on_nodes: bool) -> Vec<Found> {
        let mut found: Vec<_> = match &self.what {
            What::Nodes { loose, .. } => {
                let all = registry.all().into_iter().map(|node| node.spec());
                all.filter(|spec| fastening(spec, loose.as_ref()).is_some() || loose.is_none())
                    .filter_map(|spec| {
                        let score = [
                            score(&self.text, spec.title).map(|score| score + 30),
                            score(&self.text, spec.id).map(|score| score + 20),
                            score(&self.text, spec.category),
                            within(&self.text, spec.doc),
                        ];
                        let score = score.into_iter().flatten().max()?;
                        Some(Found {
                            title: spec.title.to_owned(),
                            aside: spec.category.to_owned(),
                            doc: spec.doc.to_owned(),
                            score,
                            pick: Pick::Node(spec.id),
                        })
                    })
                    .collect()
            }
            What::Commands => self.commands_of(keys, COMMANDS.iter().map(|about| about.command)),
            What::Colours => {
                let names = COLOURS.iter().map(|(name, _)| Some(*name)).chain([None]);
                names
                    .filter_map(|name| {
                        let title = name.unwrap_or("none").to_owned();
                        let score = score(&self.text, &title)?;
                        let (aside, doc) = (String::new(), String::new());
                        Some(Found { title, aside, doc, score, pick: Pick::Colour(name) })
                    })
                    .collect()
            }
            What::Menu(_) => {
                let list: &[Command] = if on_nodes { &NODE_MENU } else { &CANVAS_MENU };
                self.commands_of(keys, list.iter().copied())
            }
        };
        if !self.text.is_empty() {
            found.sort_by_key(|found| -found.score);
        }
        found
    }

    fn commands_of(&self, keys: Keys<'_>, list: impl Iterator<Item = Command>) -> Vec<Found> {
        list.filter_map(|command| {
            let about = command.about();
            let score = score(&self.text, about.title)?;
            let aside = keys(command);
            Some(Found {
                title: about.title.to_owned(),
                aside,
                doc: String::new(),
                score,
                pick: Pick::Command(command),
            })
        })
        .collect()
    }
}

/// How well a text is met by what was typed: all letters in their order, those at beginnings of words and next to one
/// another count more. None if a letter is not there.
pub fn score(typed: &str, text: &str) -> Option<i32> {
    let mut typed = typed.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).peekable();
    let (mut sum, mut beginning, mut run, mut skipped) = (0, true, 0, 0);
    for letter in text.chars().flat_map(char::to_lowercase) {
        match typed.peek() {
            None => break,
            Some(wanted) if *wanted == letter => {
                sum += 4 + run * 3 + if beginning { 8 } else { 0 };
                run += 1;
                typed.next();
            }
            Some(_) => {
                run = 0;
                skipped += 1;
            }
        }
        beginning = !letter.is_alphanumeric();
    }
    typed.peek().is_none().then_some(sum - skipped.min(20))
}

/// What a description counts for that holds the very words that were typed: letters alone are in every sentence.
fn within(typed: &str, text: &str) -> Option<i32> {
    text.to_lowercase().contains(&typed.trim().to_lowercase()).then_some(-40)
}

/// Where a loose wire would be fastened at a node of a type: the input or output.
fn fastening(spec: &Spec, loose: Option<&Loose>) -> Option<(String, bool)> {
    match loose? {
        Loose::Output { kind, .. } => {
            let fits = |wire: bool| {
                let mut inputs = spec.inputs.iter().filter(move |input| input.param.is_none() == wire);
                inputs.find(|input| input.kind.accepts(*kind)).map(|input| (input.name.to_owned(), true))
            };
            fits(true).or_else(|| fits(false))
        }
        Loose::Input { kind, .. } => {
            let output = spec.outputs.iter().find(|output| kind.accepts(output.kind))?;
            Some((output.name.to_owned(), spec.outputs.len() > 1))
        }
    }
}

impl App {
    /// Shows the palette, and does what is picked in it.
    pub(super) fn palette(&mut self, ctx: &Context) {
        let Some(mut palette) = self.palette.take() else { return };
        let on_nodes = !self.tab().view.selection.is_empty();
        let found =
            palette.found(&|command| self.keymap.shown(command, ctx), self.tab().registry(&*self.backend), on_nodes);
        let picked = show(ctx, &mut palette, &found);
        match picked {
            Picked::Nothing => self.palette = Some(palette),
            Picked::Away => (),
            Picked::One(index) => match (found[index].pick.clone(), &palette.what) {
                (Pick::Node(kind), What::Nodes { at, loose }) => self.add(kind, *at, loose.as_ref()),
                (Pick::Node(_), _) => (),
                (Pick::Colour(name), _) => self.colour(name),
                (Pick::Command(command), _) => self.act(ctx, command),
            },
        }
    }

    /// Puts a node down, and fastens a loose wire to it.
    fn add(&mut self, kind: &'static str, at: Pos2, loose: Option<&Loose>) {
        let Some(spec) = self.tab().registry(&*self.backend).get(kind).map(|node| node.spec().clone()) else { return };
        let tab = self.tab_mut();
        let id = NodeId(tab.document.number());
        let name = tab.sheet().free_name(Subgraph::of_kind(kind).unwrap_or(kind));
        // A wire that looks for an output finds it at the right edge.
        let left = matches!(loose, Some(Loose::Input { .. }));
        let at = if left { at - vec2(crate::theme::NODE_WIDTH, 0.0) } else { at };
        let at = crate::canvas::snapped(at, crate::theme::GRID);
        let node =
            Node { name, kind: kind.to_owned(), at: Point::new(at.x as i32, at.y as i32 - 16), ..Node::default() };
        let mut edits = vec![Edit::Add(id, node)];
        match (loose, fastening(&spec, loose)) {
            (Some(Loose::Output { node, output, .. }), Some((input, _))) => {
                edits.push(Edit::Connect(id, input, Wire { node: *node, output: output.clone(), bends: Vec::new() }));
            }
            (Some(Loose::Input { node, input, .. }), Some((output, several))) => {
                let output = several.then_some(output);
                edits.push(Edit::Connect(*node, input.clone(), Wire { node: id, output, bends: Vec::new() }));
            }
            _ => (),
        }
        if self.step("add a node", edits) {
            let selection = &mut self.tab_mut().view.selection;
            selection.clear();
            selection.nodes.insert(id);
        }
    }
}

enum Picked {
    Nothing,
    Away,
    One(usize),
}

/// Shows the palette, and says what was picked.
fn show(ctx: &Context, palette: &mut Palette, found: &[Found]) -> Picked {
    let (moved, entered) = keys(ctx);
    let last = found.len().saturating_sub(1);
    palette.chosen = (palette.chosen.min(last) as i64 + moved).clamp(0, last as i64) as usize;
    if entered && !found.is_empty() {
        return Picked::One(palette.chosen);
    }
    let is_menu = matches!(palette.what, What::Menu(_));
    let area = Area::new(Id::unique("palette")).order(Order::Foreground);
    let area = match palette.what {
        What::Menu(at) => area.fixed_pos(at),
        _ => area.anchor(Align2::CENTER_TOP, vec2(0.0, 84.0)),
    };
    let (width, margin) = if is_menu { (240.0, 4.0) } else { (440.0, 10.0) };
    let shown = area.show(ctx, |ui| {
        let inside = egui::Frame::popup(ui.style()).inner_margin(margin).show(ui, |ui| {
            ui.set_width(width);
            if !is_menu {
                search(ui, palette);
            }
            let picked = list(ui, palette.chosen, found, moved != 0);
            manual(ui, found.get(palette.chosen));
            picked
        });
        inside.inner
    });
    let outside = ctx.input(|input| {
        input.pointer.any_pressed() && input.pointer.interact_pos().is_some_and(|at| !shown.response.rect.contains(at))
    });
    // The press that called it does not send it away.
    let fresh = std::mem::take(&mut palette.fresh);
    match shown.inner {
        Some(index) => Picked::One(index),
        None if outside && !fresh => Picked::Away,
        None => Picked::Nothing,
    }
}

/// Takes out of the input how far the mark goes down, and whether what is marked is picked.
fn keys(ctx: &Context) -> (i64, bool) {
    ctx.input_mut(|input| {
        let mut pressed = |key| input.consume_key(Modifiers::NONE, key);
        let moved = i64::from(pressed(Key::ArrowDown)) - i64::from(pressed(Key::ArrowUp));
        (moved, pressed(Key::Enter))
    })
}

/// The field to type in.
fn search(ui: &mut Ui, palette: &mut Palette) {
    let hint = match &palette.what {
        What::Nodes { loose: Some(_), .. } => "a node for this wire",
        What::Nodes { .. } => "search nodes",
        What::Colours => "search colours",
        _ => "search commands",
    };
    let edit = TextEdit::singleline(&mut palette.text).hint_text(hint).desired_width(f32::INFINITY);
    let response = ui.add(edit.margin(vec2(8.0, 6.0)));
    ui.ctx().accesskit_node_builder(response.id, |node| node.set_label("search"));
    if palette.fresh {
        response.request_focus();
    }
    if response.changed() {
        palette.chosen = 0;
    }
    ui.add_space(2.0);
}

/// What was found, and which of it was pressed.
fn list(ui: &mut Ui, marked: usize, found: &[Found], moved: bool) -> Option<usize> {
    let mut picked = None;
    let size = vec2(ui.available_width() - 16.0, 24.0);
    ScrollArea::vertical().max_height(340.0).auto_shrink([false, true]).show(ui, |ui| {
        for (index, each) in found.iter().enumerate() {
            let aside = egui::RichText::new(&each.aside).weak().size(11.0);
            let button = egui::Button::selectable(index == marked, each.title.as_str()).right_text(aside);
            let response = ui.add(button.min_size(size));
            if index == marked && moved {
                response.scroll_to_me(None);
            }
            if response.clicked() {
                picked = Some(index);
            }
        }
        if found.is_empty() {
            ui.weak("nothing of that name");
        }
    });
    picked
}

/// The first words of the manual of what is marked.
fn manual(ui: &mut Ui, marked: Option<&Found>) {
    let Some(each) = marked.filter(|each| !each.doc.is_empty()) else { return };
    ui.separator();
    let first = each.doc.split("\n\n").next().unwrap_or_default();
    ui.label(egui::RichText::new(first).color(Theme::current(ui.ctx()).weak).size(12.0));
}

#[cfg(test)]
mod tests {
    use super::score;

    #[test]
    fn beginnings_of_words_count_more_than_letters_on_the_way() {
        assert!(score("vd", "VAE decode") > score("vd", "Save a video"));
        assert!(score("ups", "Upscale") > score("ups", "Two pictures side by side"));
        assert_eq!(score("xyz", "Upscale"), None);
        assert!(score("", "Upscale").is_some());
    }
}
