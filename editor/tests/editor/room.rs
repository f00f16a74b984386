//! A room with a window in it: a hand, a keyboard, and a backend that answers what it is told to.
//!
//! Every event is a frame of its own, as long as nothing else is said. Places are those of the window; [`Room::on`]
//! leads there from the canvas.

use std::cell::{Ref, RefCell};
use std::path::{Path, PathBuf};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use darkroom_core::cache::Cache;
use darkroom_core::engine::Engine;
use darkroom_core::files::Files;
use darkroom_core::history::History;
use darkroom_core::host::Host;
use darkroom_core::registry::Registry;
use darkroom_core::residency::Ledger;
use darkroom_core::testing::toys;
use darkroom_editor::app::Tab;
use darkroom_editor::document::{Node, NodeId, Sheet};
use darkroom_editor::session::{Backend, Disk, Local, News};
use darkroom_editor::theme::Theme;
use darkroom_editor::{App, Options, Template};
use egui::accesskit::Role;
use egui::{Event, Key, Modifiers, MouseWheelUnit, PointerButton, Pos2, Rect, Vec2, pos2, vec2};
use egui_kittest::Harness;
use egui_kittest::kittest::{NodeT as _, Queryable as _};
use tempfile::TempDir;

use crate::desk::{Desk, Fake, Glaze, LoadImage, Loader, Page};
use crate::raster::Raster;

/// What this window has to begin with.
const TEMPLATES: &[Template] = &[
    Template {
        name: "ink",
        text: "// Loud words.\n(darkroom: 1, nodes: {\"loud\": (type: \"shout\", text: \"ink\")})",
        picture: None,
    },
    Template {
        name: "leaf",
        text: "(darkroom: 1, nodes: {\"a\": (type: \"grow\"), \"b\": (type: \"grow\", on: (from: \"a\"))})",
        picture: None,
    },
];

/// Ctrl, as a keyboard of Linux says it.
pub const CTRL: Modifiers = Modifiers { ctrl: true, command: true, ..Modifiers::NONE };
/// Ctrl and Shift.
pub const CTRL_SHIFT: Modifiers = Modifiers { ctrl: true, command: true, shift: true, ..Modifiers::NONE };
/// Shift.
pub const SHIFT: Modifiers = Modifiers::SHIFT;
/// Alt.
pub const ALT: Modifiers = Modifiers::ALT;
/// Nothing held.
pub const NONE: Modifiers = Modifiers::NONE;

/// A window, and who sits before it.
pub struct Room {
    /// The window.
    pub harness: Harness<'static, App>,
    /// The desk of a backend that is played.
    pub desk: Rc<RefCell<Desk>>,
    keys: Modifiers,
    at: Pos2,
    /// The folder that it is over.
    pub home: TempDir,
}

/// Writes a workflow of nodes, and where they are.
pub fn workflow(nodes: &str, places: &str) -> String {
    format!("(darkroom: 1, nodes: {{{nodes}}}, layout: (nodes: {{{places}}}))")
}

/// The nodes there are.
fn registry() -> Registry {
    toys().with::<Page>().with::<Loader>().with::<Glaze>().with::<LoadImage>()
}

impl Room {
    /// Opens a workflow before a backend that is played.
    pub fn new(text: &str) -> Self {
        Self::over(text, |home| {
            let root = home.to_owned();
            Disk { roots: Box::new(move |_| vec![root.clone()]), ..Disk::default() }
        })
    }

    /// Opens a workflow over a folder, of which the window is told something.
    pub fn over(text: &str, disk: impl FnOnce(&Path) -> Disk) -> Self {
        let home = tempfile::tempdir().expect("there is room for a folder");
        let disk = disk(home.path());
        let desk = Rc::new(RefCell::new(Desk::default()));
        let backend = Fake { registry: registry(), desk: Rc::clone(&desk) };
        Self::with(text, Box::new(backend), (desk, disk), home)
    }

    /// Opens a workflow before an engine.
    pub fn local(text: &str) -> Self {
        Self::local_that(text, |local| local)
    }

    /// Opens a workflow before an engine that lets go of what is loaded as soon as nothing runs.
    pub fn local_that_rests(text: &str) -> Self {
        Self::local_that(text, |local| local.keeping_loaded(Duration::ZERO))
    }

    fn local_that(text: &str, does: impl FnOnce(Local) -> Local) -> Self {
        let home = tempfile::tempdir().expect("there is room for a folder");
        let at = home.path().to_owned();
        std::fs::create_dir_all(at.join("in")).expect("there is room for a folder");
        let ledger = Ledger::new(1 << 20);
        let open = move |_: Option<&Path>, ledger: &Arc<Ledger>| {
            let files = Files::new(vec![at.join("in")], at.join("out")).with_memo(at.join("digests.json"));
            let history = History::open(&at.join("state"), Path::new("workflow.ron"));
            let host = Host::new(files).with_numerics("toy");
            Ok(Engine::new(registry(), host, Cache::in_memory(1 << 20), Arc::clone(ledger), history))
        };
        let backend = does(Local::new(registry(), ledger, Box::new(open), || (), || 77));
        Self::with(text, Box::new(backend), (Rc::default(), Disk::default()), home)
    }

    fn with(text: &str, backend: Box<dyn Backend>, (desk, disk): (Rc<RefCell<Desk>>, Disk), home: TempDir) -> Self {
        let template = Box::leak(text.to_owned().into_boxed_str());
        let options = Options {
            files: Vec::new(),
            template,
            templates: TEMPLATES,
            screenshot: None,
            size: None,
            run: false,
            disk,
        };
        let app = App::with_backend(options, backend);
        let builder = Harness::builder()
            .with_size(vec2(1400.0, 1000.0))
            .with_step_dt(1.0 / 60.0)
            .with_max_steps(60)
            .renderer(Raster::default());
        let builder = builder.with_context_setup(|ctx| {
            Theme::install(ctx);
            ctx.options_mut(|options| options.zoom_with_keyboard = false);
        });
        let harness = builder.build_ui_state(|ui, app: &mut App| app.show(ui), app);
        let mut room = Self { harness, desk, keys: NONE, at: pos2(2.0, 2.0), home };
        room.look(pos2(300.0, 250.0), 1.0);
        room
    }

    /// Puts the camera over a point of the canvas.
    pub fn look(&mut self, centre: Pos2, zoom: f32) {
        let camera = &mut self.harness.state_mut().tab_mut().view.camera;
        camera.fly(centre, zoom);
        camera.land();
        self.settle();
    }

    /// Lets frames pass until nothing moves any more.
    pub fn settle(&mut self) {
        match self.tab().runs.is_empty() {
            true => drop(self.harness.run()),
            // A run that plans shows that it does.
            false => self.wait(4),
        }
    }

    /// Lets so many frames pass.
    pub fn wait(&mut self, frames: usize) {
        self.harness.run_steps(frames);
    }

    /// Lets one frame see these events.
    pub fn frame(&mut self, events: impl IntoIterator<Item = Event>) {
        self.harness.input_mut().events.extend(events);
        self.harness.step();
    }

    /// Holds keys down, for all that follows.
    pub fn hold(&mut self, keys: Modifiers) {
        self.keys = keys;
        self.frame([Event::ModifiersChanged(keys)]);
    }

    /// Moves the hand.
    pub fn move_to(&mut self, at: Pos2) {
        self.at = at;
        self.frame([Event::PointerMoved(at)]);
    }

    fn button(&mut self, button: PointerButton, pressed: bool) {
        let (pos, modifiers) = (self.at, self.keys);
        self.frame([Event::PointerButton { pos, button, pressed, modifiers }]);
    }

    /// Presses the left button.
    pub fn press(&mut self) {
        self.button(PointerButton::Primary, true);
    }

    /// Lets the left button go.
    pub fn release(&mut self) {
        self.button(PointerButton::Primary, false);
        self.settle();
    }

    /// Clicks once, long after whatever was before.
    pub fn click(&mut self, at: Pos2) {
        self.wait(30);
        self.move_to(at);
        self.press();
        self.release();
    }

    /// Clicks with the right button.
    pub fn click_right(&mut self, at: Pos2) {
        self.wait(30);
        self.move_to(at);
        self.button(PointerButton::Secondary, true);
        self.button(PointerButton::Secondary, false);
        self.settle();
    }

    /// Clicks while keys are held.
    pub fn click_with(&mut self, keys: Modifiers, at: Pos2) {
        self.hold(keys);
        self.click(at);
        self.hold(NONE);
    }

    /// Clicks twice.
    pub fn click_twice(&mut self, at: Pos2) {
        self.wait(30);
        self.move_to(at);
        for _ in 0..2 {
            self.press();
            self.button(PointerButton::Primary, false);
        }
        self.settle();
    }

    /// Drags with the left button, and does not let go.
    pub fn pull(&mut self, from: Pos2, to: Pos2) {
        self.pull_with(PointerButton::Primary, from, to);
    }

    fn pull_with(&mut self, button: PointerButton, from: Pos2, to: Pos2) {
        self.wait(30);
        self.move_to(from);
        self.button(button, true);
        for share in [0.1, 0.4, 0.7, 1.0] {
            self.move_to(from + (to - from) * share);
        }
        self.wait(2);
    }

    /// Drags with the left button.
    pub fn drag(&mut self, from: Pos2, to: Pos2) {
        self.pull(from, to);
        self.release();
    }

    /// Drags with a button.
    pub fn drag_with(&mut self, button: PointerButton, from: Pos2, to: Pos2) {
        self.pull_with(button, from, to);
        self.button(button, false);
        self.settle();
    }

    /// Turns the wheel; up is forward.
    pub fn wheel(&mut self, lines: f32) {
        let modifiers = self.keys;
        self.frame([Event::MouseWheel {
            unit: MouseWheelUnit::Line,
            delta: vec2(0.0, lines),
            phase: egui::TouchPhase::Move,
            modifiers,
            source: egui::MouseWheelSource::Unknown,
        }]);
        self.wait(40);
        self.settle();
    }

    fn key_event(key: Key, pressed: bool, modifiers: Modifiers) -> Event {
        Event::Key { key, physical_key: None, pressed, repeat: false, modifiers }
    }

    /// Presses a key, and says no letter.
    pub fn key(&mut self, keys: Modifiers, key: Key) {
        self.hold(keys);
        self.frame([Self::key_event(key, true, keys)]);
        self.frame([Self::key_event(key, false, keys)]);
        self.hold(NONE);
        self.settle();
    }

    /// Holds a key down.
    pub fn key_down(&mut self, key: Key) {
        self.frame([Self::key_event(key, true, NONE)]);
    }

    /// Types a letter as a keyboard does: the key and its letter come together.
    pub fn letter(&mut self, letter: char) {
        let keys = if letter.is_ascii_uppercase() { SHIFT } else { NONE };
        let name = if letter == ' ' { "Space".to_owned() } else { letter.to_ascii_uppercase().to_string() };
        let mut events = vec![Event::ModifiersChanged(keys)];
        let key = Key::from_name(&name);
        events.extend(key.map(|key| Self::key_event(key, true, keys)));
        events.push(Event::Text(letter.to_string()));
        self.frame(events);
        let mut events: Vec<_> = key.map(|key| Self::key_event(key, false, keys)).into_iter().collect();
        events.push(Event::ModifiersChanged(NONE));
        self.frame(events);
    }

    /// Types.
    pub fn type_in(&mut self, text: &str) {
        text.chars().for_each(|letter| self.letter(letter));
        self.settle();
    }

    /// Pastes what lies on the clipboard.
    pub fn paste(&mut self, text: &str) {
        self.frame([Event::Paste(text.to_owned())]);
        self.settle();
    }

    /// Copies or cuts, and returns what lies on the clipboard then.
    pub fn copy(&mut self, event: Event) -> Option<String> {
        self.frame([event]);
        let found = self.harness.output().platform_output.commands.iter().find_map(|command| match command {
            egui::OutputCommand::CopyText(text) => Some(text.clone()),
            _ => None,
        });
        self.settle();
        found
    }

    /// Returns what is open in front.
    pub fn tab(&self) -> &Tab {
        self.harness.state().tab()
    }

    /// Returns the sheet in front.
    pub fn sheet(&self) -> Arc<Sheet> {
        Arc::clone(self.tab().document.sheet())
    }

    /// Finds a node by its name in the file.
    pub fn id(&self, name: &str) -> NodeId {
        self.sheet().named(name).unwrap_or_else(|| panic!("there is no `{name}`"))
    }

    /// Finds a node by its name in the file.
    pub fn node(&self, name: &str) -> Arc<Node> {
        Arc::clone(&self.sheet().nodes[&self.id(name)])
    }

    /// Returns where a node is on the canvas.
    pub fn place(&self, name: &str) -> (i32, i32) {
        let at = self.node(name).at;
        (at.x, at.y)
    }

    /// Writes what stands at an input: a value, or `node` or `node.output` of a wire.
    pub fn field(&self, node: &str, input: &str) -> Option<String> {
        use darkroom_editor::document::Field;
        Some(match self.node(node).fields.get(input)? {
            Field::Literal(literal) => literal.to_string(),
            Field::Lost(link) => format!("lost {link}"),
            Field::Wire(wire) => {
                let from = self.sheet().nodes[&wire.node].name.clone();
                wire.output.as_ref().map_or(from.clone(), |output| format!("{from}.{output}"))
            }
        })
    }

    /// Returns the names of the steps that can be undone.
    pub fn steps(&self) -> Vec<String> {
        self.tab().document.steps().0.into_iter().map(str::to_owned).collect()
    }

    /// Returns the names of the nodes that are chosen.
    pub fn chosen(&self) -> Vec<String> {
        let sheet = self.sheet();
        let mut names: Vec<_> = self.tab().view.selection.nodes.iter().map(|id| sheet.nodes[id].name.clone()).collect();
        names.sort();
        names
    }

    /// Leads from the canvas to the window.
    pub fn on(&self, x: f32, y: f32) -> Pos2 {
        let view = &self.tab().view;
        view.camera.transform(view.view.expect("the canvas was shown")) * pos2(x, y)
    }

    /// Returns where something lies that has a name for those who hear the screen.
    pub fn spot(&self, label: &str) -> Rect {
        self.harness.get_by_label(label).rect()
    }

    /// Tells whether something of a name is on the screen.
    pub fn sees(&self, label: &str) -> bool {
        self.harness.query_all_by_label(label).next().is_some()
    }

    /// Tells whether a sentence with these words is on the screen.
    pub fn reads(&self, words: &str) -> bool {
        self.harness.query_all_by_label_contains(words).next().is_some()
    }

    /// Returns where a sentence with these words is.
    pub fn sentence(&self, words: &str) -> Pos2 {
        self.harness.query_all_by_label_contains(words).next().expect("it is on the screen").rect().center()
    }

    /// Clicks what has a name.
    pub fn click_on(&mut self, label: &str) {
        let at = self.spot(label).center();
        self.click(at);
    }

    /// Returns where the head of a node is.
    pub fn head(&self, label: &str) -> Pos2 {
        let rect = self.spot(&format!("node {label}"));
        let zoom = self.tab().view.camera.zoom;
        rect.left_top() + vec2(60.0, 14.0) * zoom
    }

    /// Returns where a socket is.
    pub fn socket(&self, side: &str, name: &str, node: &str) -> Pos2 {
        self.spot(&format!("{side} {name} of {node}")).center()
    }

    /// Returns what stands in a field for those who hear the screen.
    pub fn value(&self, label: &str) -> Option<String> {
        self.harness.get_by_label(label).value()
    }

    /// Finds a field for text by its name, where a button or number may have the same.
    pub fn text_field(&self, label: &str) -> Rect {
        let texts = [Role::TextInput, Role::MultilineTextInput];
        let mut all = self.harness.query_all_by_label(label);
        let found = all.find(|node| texts.contains(&node.accesskit_node().role()));
        found.unwrap_or_else(|| panic!("there is no text field `{label}`")).rect()
    }

    /// Clicks what has a name, and lets no frame pass afterwards, so that all that comes of it is seen.
    pub fn tap(&mut self, label: &str) {
        let at = self.spot(label).center();
        self.wait(30);
        self.move_to(at);
        self.press();
        self.button(PointerButton::Primary, false);
    }

    /// Returns a path below the folder of this room.
    pub fn path(&self, name: &str) -> PathBuf {
        self.home.path().join(name)
    }

    /// Returns what the system was asked for in the last frame.
    pub fn commands(&self) -> Vec<egui::OutputCommand> {
        self.harness.output().platform_output.commands.clone()
    }

    /// Returns what the window was asked for in the last frame.
    pub fn window(&self) -> Vec<egui::ViewportCommand> {
        self.harness.output().viewport_output.values().flat_map(|output| output.commands.clone()).collect()
    }

    /// Returns the desk.
    pub fn desk(&self) -> Ref<'_, Desk> {
        self.desk.borrow()
    }

    /// Brings news to the window.
    pub fn tell(&mut self, news: News) {
        self.desk.borrow_mut().news.push_back(news);
        self.wait(1);
        self.settle();
    }

    /// Clicks a button with these words, which may show its keys beside them.
    pub fn click_words(&mut self, words: &str) {
        let at = self.sentence(words);
        self.click(at);
    }

    /// Moves the hand by so much.
    pub fn nudge(&mut self, by: Vec2) {
        let at = self.at + by;
        self.move_to(at);
    }
}
