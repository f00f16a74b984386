//! The palette: a field to type in, and what it finds: nodes, commands, colours, or models.

mod find;

use darkroom_core::graph::Subgraph;
use darkroom_core::spec::{FileSort, Spec};
use egui::text::{LayoutJob, TextFormat};
use egui::{Align2, Area, Context, Id, Key, Modifiers, Order, Pos2, ScrollArea, TextEdit, Ui, vec2};

pub use find::score;

use super::App;
use crate::canvas::Loose;
use crate::command::Command;
use crate::document::{Edit, Node, NodeId, Point, Wire};
use crate::fields::{signs, small_button};
use crate::theme::Theme;

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
    /// Models, for a field.
    Models { node: NodeId, input: &'static str, sort: FileSort },
}

/// Something that was found.
struct Found {
    title: String,
    /// Which of its letters were typed.
    marks: Vec<usize>,
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
    /// A model by its name.
    Model(String),
}

/// Width of a list.
const LIST: f32 = 400.0;

/// What stands in the menu of a node.
const NODE_MENU: [Command; 21] = [
    Command::RunTo,
    Command::Rename,
    Command::Remark,
    Command::Duplicate,
    Command::DuplicateWired,
    Command::Copy,
    Command::Mute,
    Command::Bypass,
    Command::Collapse,
    Command::Compact,
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

    /// Searches for a model, for a field.
    pub fn models(node: NodeId, input: &'static str, sort: FileSort) -> Self {
        Self { what: What::Models { node, input, sort }, text: String::new(), chosen: 0, fresh: true }
    }
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
        // Wires that are held where they begin ask for no node.
        Loose::Bundle { .. } => None,
    }
}

impl App {
    /// Shows the palette, and does what is picked in it.
    pub(super) fn palette(&mut self, ctx: &Context) {
        let Some(mut palette) = self.palette.take() else { return };
        let found = self.found(&palette, ctx);
        let aside = self.beside(&palette);
        let picked = show(ctx, &mut palette, &found, aside.as_deref(), self);
        match picked {
            Picked::Nothing => self.palette = Some(palette),
            Picked::Away => (),
            Picked::One(index) => match (found[index].pick.clone(), &palette.what) {
                (Pick::Node(kind), What::Nodes { at, loose }) => self.add(kind, *at, loose.as_ref()),
                (Pick::Node(_), _) => (),
                (Pick::Colour(name), _) => self.colour(name),
                (Pick::Command(command), _) => self.act(ctx, command),
                (Pick::Model(name), What::Models { node, input, .. }) => self.name_model(*node, input, name),
                (Pick::Model(_), _) => (),
            },
            Picked::Favour(kind) => {
                self.keeping.settings.favour(kind);
                // Whoever pressed that goes on typing.
                self.palette = Some(Palette { fresh: true, ..palette });
            }
            Picked::Refresh => {
                self.list_models();
                self.palette = Some(Palette { fresh: true, ..palette });
            }
            Picked::Browse => {
                if let What::Models { node, input, .. } = palette.what {
                    self.browse_for(node, input);
                }
            }
        }
    }

    /// Puts a node down, and fastens a loose wire to it.
    pub(super) fn add(&mut self, kind: &'static str, at: Pos2, loose: Option<&Loose>) {
        let Some(spec) = self.tab().registry(&*self.backend).get(kind).map(|node| node.spec().clone()) else { return };
        let tab = self.tab_mut();
        let id = NodeId(tab.document.number());
        let name = tab.sheet().free_name(Subgraph::of_kind(kind).unwrap_or(kind));
        // A wire that looks for an output finds it at the right edge.
        let left = matches!(loose, Some(Loose::Input { .. }));
        let at = if left { at - vec2(crate::theme::NODE_WIDTH, 0.0) } else { at };
        let at = self.keeping.settings.habits.snapped(at);
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
            self.keeping.settings.added(kind);
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
    /// Make a type of node a favourite, or no favourite any more.
    Favour(&'static str),
    /// List the models anew.
    Refresh,
    /// Look for a file instead.
    Browse,
}

/// Shows the palette, and says what was picked.
fn show(ctx: &Context, palette: &mut Palette, found: &[Found], aside: Option<&str>, app: &App) -> Picked {
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
    let (width, margin) = match palette.what {
        What::Menu(_) => (240.0, 4.0),
        What::Models { .. } => (620.0, 10.0),
        What::Nodes { .. } => (LIST + 290.0, 10.0),
        _ => (440.0, 10.0),
    };
    let shown = area.show(ctx, |ui| {
        let inside = egui::Frame::popup(ui.style()).inner_margin(margin).show(ui, |ui| {
            ui.set_width(width);
            if !is_menu {
                search(ui, palette);
            }
            let pressed = aside.and_then(|words| beside(ui, words));
            let chosen = found.get(palette.chosen);
            let spec = chosen.and_then(|found| match &found.pick {
                Pick::Node(kind) => app.tab().registry(&*app.backend).get(kind).map(|node| node.spec()),
                _ => None,
            });
            let Some(spec) = spec else {
                let picked = list(ui, palette.chosen, found, moved != 0);
                manual(ui, chosen);
                return picked.map(Picked::One).or(pressed);
            };
            let is_favourite = app.keeping.settings.favourites.iter().any(|kind| kind == spec.id);
            let shown = ui.horizontal_top(|ui| {
                let picked = ui.vertical(|ui| {
                    ui.set_width(LIST);
                    list(ui, palette.chosen, found, moved != 0)
                });
                ui.separator();
                (picked.inner.map(Picked::One), ui.vertical(|ui| manual_of(ui, spec, is_favourite)).inner)
            });
            shown.inner.0.or(shown.inner.1).or(pressed)
        });
        inside.inner
    });
    let outside = ctx.input(|input| {
        input.pointer.any_pressed() && input.pointer.interact_pos().is_some_and(|at| !shown.response.rect.contains(at))
    });
    // The press that called it does not send it away.
    let fresh = std::mem::take(&mut palette.fresh);
    match shown.inner {
        Some(picked) => picked,
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
        What::Models { .. } => "search models, or type a name",
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

/// What is said of a list of models, and what else can be done about it.
fn beside(ui: &mut Ui, words: &str) -> Option<Picked> {
    let mut pressed = None;
    ui.horizontal(|ui| {
        ui.weak(words);
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if ui.button("Browse").on_hover_text("look for a file").clicked() {
                pressed = Some(Picked::Browse);
            }
            if ui.button("Refresh").on_hover_text("look what is there now").clicked() {
                pressed = Some(Picked::Refresh);
            }
        });
    });
    pressed
}

/// A title in which the letters that were typed are marked.
fn marked_title(ui: &Ui, found: &Found, on_accent: bool) -> LayoutJob {
    let theme = Theme::current(ui.ctx());
    let font = egui::TextStyle::Button.resolve(ui.style());
    let mark = if on_accent { theme.text } else { theme.accent };
    let format = |marked: bool| TextFormat {
        color: if marked { mark } else { theme.text },
        underline: if marked { egui::Stroke::new(1.5, mark) } else { egui::Stroke::NONE },
        ..TextFormat::simple(font.clone(), theme.text)
    };
    let mut job = LayoutJob::default();
    for (index, letter) in found.title.chars().enumerate() {
        job.append(letter.encode_utf8(&mut [0; 4]), 0.0, format(found.marks.contains(&index)));
    }
    job
}

/// What was found, and which of it was pressed.
fn list(ui: &mut Ui, marked: usize, found: &[Found], moved: bool) -> Option<usize> {
    let mut picked = None;
    let size = vec2(ui.available_width() - 16.0, 24.0);
    ScrollArea::vertical().max_height(340.0).auto_shrink([false, true]).show(ui, |ui| {
        for (index, each) in found.iter().enumerate() {
            let aside = egui::RichText::new(&each.aside).weak().size(11.0);
            let title = marked_title(ui, each, index == marked);
            let button = egui::Button::selectable(index == marked, title).right_text(aside).truncate();
            let response = ui.add(button.min_size(size));
            ui.ctx().accesskit_node_builder(response.id, |node| {
                node.set_label(each.title.as_str());
                node.set_description(each.aside.as_str());
            });
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

/// The manual of a type of node; tells whether it is to be a favourite, or to be none any more.
fn manual_of(ui: &mut Ui, spec: &Spec, is_favourite: bool) -> Option<Picked> {
    let (theme, mut pressed) = (Theme::current(ui.ctx()), None);
    let small = |text: String, colour| egui::RichText::new(text).size(12.0).color(colour);
    ui.horizontal(|ui| {
        ui.strong(spec.title);
        let (star, word) = match is_favourite {
            true => (signs::star_full as fn(&egui::Painter, Pos2, egui::Color32), "no favourite any more"),
            false => (signs::star as _, "a favourite"),
        };
        ui.with_layout(egui::Layout::right_to_left(egui::Align::Center), |ui| {
            if small_button(ui, &format!("make {} {word}", spec.title), star).clicked() {
                pressed = Some(Picked::Favour(spec.id));
            }
        });
    });
    ui.label(small(spec.category.to_owned(), theme.weak));
    let first = spec.doc.split("\n\n").next().unwrap_or_default();
    ui.label(small(first.to_owned(), theme.text));
    let wires: Vec<_> = spec.inputs.iter().filter(|input| input.param.is_none()).collect();
    let fields = spec.inputs.len() - wires.len();
    if !wires.is_empty() {
        ui.label(small("takes".to_owned(), theme.weak));
    }
    for input in wires {
        let aside = if input.required { "" } else { ", if wanted" };
        ui.label(small(format!("{}: {}{aside}", input.name.replace('_', " "), input.kind), theme.kind(input.kind)));
    }
    if fields > 0 {
        ui.label(small(format!("{fields} fields"), theme.weak));
    }
    if !spec.outputs.is_empty() {
        ui.label(small("gives".to_owned(), theme.weak));
    }
    for output in &spec.outputs {
        ui.label(small(format!("{}: {}", output.name.replace('_', " "), output.kind), theme.kind(output.kind)));
    }
    pressed
}

/// The first words of the manual of what is marked.
fn manual(ui: &mut Ui, marked: Option<&Found>) {
    let Some(each) = marked.filter(|each| !each.doc.is_empty()) else { return };
    ui.separator();
    let first = each.doc.split("\n\n").next().unwrap_or_default();
    ui.label(egui::RichText::new(first).color(Theme::current(ui.ctx()).weak).size(12.0));
}
