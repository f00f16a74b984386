//! What must hold of files in the window, whatever is drawn.

use std::fs;
use std::path::PathBuf;
use std::sync::Arc;

use darkroom_core::fault::Faults;
use darkroom_core::registry::Registry;
use egui::Context;

use super::*;
use crate::app::Options;
use crate::app::panels::{Pane, Turn};
use crate::document::{Frame, FrameId};
use crate::session::{Ask, Backend, Closing, Disk, News, Place, Spare, Ticket};

/// Plans nothing and runs nothing.
struct Nobody(Registry);

impl Backend for Nobody {
    fn registry(&self) -> &Registry {
        &self.0
    }

    fn foresee(&mut self, _: Ask) {}

    fn run(&mut self, _: Ask, _: Place) -> Ticket {
        Ticket(0)
    }

    fn hasten(&mut self, _: Ticket) {}
    fn models(&mut self, _: DocumentId, _: Option<&Path>) {}

    fn can_pull(&self, _: &str) -> bool {
        false
    }

    fn pull(&mut self, _: &str) -> Ticket {
        Ticket(0)
    }

    fn cancel(&mut self, _: Ticket) {}

    fn take_stock(&mut self) {}

    fn let_go(&mut self, _: Spare) {}

    fn check(&mut self, _: &Ask) -> Result<(), Faults> {
        Ok(())
    }

    fn news(&mut self) -> Vec<News> {
        Vec::new()
    }

    fn memory(&self) -> (u64, u64) {
        (1, 0)
    }
}

/// A window over a folder.
struct Room {
    home: tempfile::TempDir,
    ctx: Context,
    app: App,
}

fn window(home: &Path, files: &[&str]) -> App {
    let options = Options {
        files: files.iter().map(|file| home.join(file)).collect(),
        template: "(darkroom: 1, nodes: {})",
        templates: &[],
        screenshot: None,
        size: None,
        run: false,
        disk: Disk { state: Some(home.join("state")), ..Disk::default() },
    };
    App::with_backend(options, Box::new(Nobody(Registry::new())))
}

impl Room {
    fn new(files: &[&str]) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        for file in files {
            let text = "// Mine.\n(darkroom: 1, nodes: {\"a\": (type: \"of_tomorrow\")})\n";
            fs::write(home.path().join(file), text).expect("writable");
        }
        let app = window(home.path(), files);
        Self { home, ctx: Context::default(), app }
    }

    fn path(&self, name: &str) -> PathBuf {
        self.home.path().canonicalize().expect("it is there").join(name)
    }

    /// Shows frames, and returns whether the window was told to close.
    fn frames(&mut self, with: &[egui::Event]) -> bool {
        let mut closes = false;
        for number in 0..4 {
            let input = egui::RawInput {
                screen_rect: Some(Rect::from_min_size(Pos2::ZERO, vec2(1000.0, 700.0))),
                events: if number == 0 { with.to_vec() } else { Vec::new() },
                ..egui::RawInput::default()
            };
            let output = self.ctx.run_ui(input, |ui| self.app.show(ui));
            let commands = output.viewport_output.values().flat_map(|viewport| &viewport.commands);
            closes |= commands.into_iter().any(|command| *command == egui::ViewportCommand::Close);
        }
        closes
    }

    fn change(&mut self) {
        let document = &mut self.app.tab_mut().document;
        let id = FrameId(document.number());
        document.edit(Edit::Frame(id, Frame::default())).expect("it can be made");
    }

    /// Gives an answer to the question that is open.
    fn answer(&mut self, choice: usize) -> bool {
        let dialog = self.app.dialog.take().expect("a question is open");
        crate::app::panels::dialogs::answer(&mut self.app, &self.ctx, dialog, choice);
        self.frames(&[])
    }

    fn says(&self) -> String {
        self.app.notices.iter().map(|(text, _)| format!("{text}\n")).collect()
    }
}

fn asked(room: &Room) -> Option<DocumentId> {
    match &room.app.dialog {
        Some(Dialog::Close { tab }) => Some(*tab),
        _ => None,
    }
}

#[test]
fn all_changed_tabs_are_asked_about_and_none_is_lost_before_the_last_answer() {
    let mut room = Room::new(&["a.ron", "b.ron"]);
    for index in [0, 1] {
        room.app.active = index;
        room.change();
    }
    let ids: Vec<_> = room.app.tabs.iter().map(|tab| tab.id).collect();
    room.app.close_window(&room.ctx.clone());
    assert!(!room.frames(&[]));
    assert_eq!(asked(&room), Some(ids[0]));
    assert!(!room.answer(1));
    assert_eq!(asked(&room), Some(ids[1]));
    // The second answer takes the first one back.
    let escape = egui::Event::Key {
        key: egui::Key::Escape,
        physical_key: None,
        pressed: true,
        repeat: false,
        modifiers: egui::Modifiers::NONE,
    };
    assert!(!room.frames(&[escape]));
    assert_eq!((room.app.tabs.len(), room.app.dialog.is_none()), (2, true));
    assert!(room.app.tabs.iter().all(|tab| tab.document.is_changed()));
    room.app.close_window(&room.ctx.clone());
    room.frames(&[]);
    assert!(!room.answer(1));
    assert!(room.answer(2), "all have answered");
    assert!(fs::read_to_string(room.path("b.ron")).expect("readable").contains("layout"));
    assert!(!fs::read_to_string(room.path("a.ron")).expect("readable").contains("layout"));
    assert_eq!(fs::read_dir(room.path("state/recovery")).expect("it is there").count(), 1);
}

#[test]
fn a_tab_without_a_file_is_saved_under_a_name_and_then_closed() {
    let mut room = Room::new(&[]);
    room.change();
    room.app.close_window(&room.ctx.clone());
    room.frames(&[]);
    assert!(!room.answer(2));
    assert!(matches!(room.app.dialog, Some(Dialog::Files(_))));
    room.app.dialog = None;
    let path = room.path("new.ron");
    room.app.with_file(&path, Purpose::Save);
    assert!(room.frames(&[]), "it goes on closing");
    assert!(path.exists());
}

#[test]
fn a_file_that_holds_something_else_is_not_replaced_unasked() {
    let mut room = Room::new(&["a.ron", "b.ron"]);
    room.app.active = 0;
    room.change();
    let (own, other) = (room.path("a.ron"), room.path("b.ron"));
    let before = fs::read_to_string(&other).expect("readable");
    room.app.with_file(&other, Purpose::Save);
    assert!(matches!(room.app.dialog, Some(Dialog::Overwrite { .. })));
    assert_eq!(fs::read_to_string(&other).expect("readable"), before);
    room.answer(1);
    assert_ne!(fs::read_to_string(&other).expect("readable"), before);
    room.change();
    fs::write(&other, "(darkroom: 1, nodes: {}) // by another hand").expect("writable");
    room.app.save(&other, Over::Ask);
    assert!(matches!(room.app.dialog, Some(Dialog::Overwrite { .. })));
    room.app.dialog = None;
    room.app.save(&room.path("c.ron"), Over::Ask);
    assert!(room.app.dialog.is_none() && room.path("c.ron").exists());
    assert_eq!(fs::read_to_string(own).expect("readable"), before);
}

#[test]
fn what_cannot_be_saved_stays_changed_and_says_why() {
    let mut room = Room::new(&["a.ron"]);
    room.change();
    let below = room.path("a.ron").join("below.ron");
    room.app.keeping.closing = Some(Closing::all());
    room.app.save(&below, Over::Replace);
    assert!(room.app.tab().document.is_changed());
    assert!(room.says().contains("not saved: cannot"), "{}", room.says());
    assert!(!room.frames(&[]), "it does not go on closing");
}

#[test]
fn what_a_window_left_is_back_in_tabs_of_its_own() {
    let mut room = Room::new(&["a.ron"]);
    room.change();
    room.frames(&[]);
    let text = room.app.tab().document.text();
    // The window is gone without a word.
    let Room { home, app, .. } = room;
    drop(app);
    let app = window(home.path(), &[]);
    assert_eq!(app.tabs.len(), 1);
    assert_eq!(app.tab().title(), "a (recovered) •");
    assert_eq!(app.tab().document.text(), text);
    let mut room = Room { ctx: Context::default(), home, app };
    assert!(room.says().contains("a document that was not saved is back"));
    room.frames(&[]);
    let path = room.path("a.ron");
    room.app.save(&path, Over::Ask);
    assert!(matches!(room.app.dialog, Some(Dialog::Overwrite { .. })));
    room.answer(1);
    assert_eq!(room.app.tab().title(), "a");
    drop(room.app);
    assert_eq!(window(room.home.path(), &[]).tab().title(), "untitled");
}

#[test]
fn recent_files_looks_and_views_are_remembered() {
    let mut room = Room::new(&["a.ron"]);
    room.frames(&[]);
    room.app.tab_mut().view.camera.centre = pos2(40.0, -7.0);
    room.app.tab_mut().view.camera.zoom = 0.5;
    room.app.tiles.ask(Pane::Steps, Turn::Show);
    room.frames(&[]);
    assert!(room.app.tiles.is_seen(Pane::Steps) && !room.app.tiles.is_seen(Pane::Results));
    room.app.change_look(&room.ctx.clone());
    let theme = room.ctx.theme();
    room.ctx.set_zoom_factor(1.25);
    room.frames(&[]);
    room.app.close_window(&room.ctx.clone());
    let Room { home, app, .. } = room;
    drop(app);
    let app = window(home.path(), &["a.ron"]);
    let mut room = Room { ctx: Context::default(), home, app };
    room.frames(&[]);
    let camera = room.app.tab().view.camera;
    assert_eq!((camera.centre, camera.zoom), (pos2(40.0, -7.0), 0.5));
    assert_eq!((room.ctx.theme(), room.ctx.zoom_factor()), (theme, 1.25));
    assert!(room.app.tiles.is_seen(Pane::Steps) && !room.app.tiles.is_seen(Pane::Results));
    assert_eq!(room.app.keeping.settings.recent, [room.path("a.ron")]);
}

#[test]
fn a_picture_is_asked_about_and_opens_its_workflow() {
    let mut room = Room::new(&[]);
    let picture = room.path("p.png");
    fs::write(&picture, b"\x89PNG\r\n\x1a\n").expect("writable");
    let workflow = "(darkroom: 1, nodes: {\"of_the_picture\": (type: \"x\")})".to_owned();
    room.app.keeping.disk.workflow_of = Arc::new(move |_| Ok((workflow.clone(), vec!["but".to_owned()])));
    room.app.keeping.arrivals.push_back(picture);
    room.frames(&[]);
    assert!(matches!(room.app.dialog, Some(Dialog::Picture { .. })));
    room.answer(2);
    assert!(room.app.tab().document.sheet().named("of_the_picture").is_some());
    assert_eq!(room.app.tab().document.path(), None);
    assert!(room.says().contains("but"));
}

/// Reads a file.
#[derive(darkroom_core::Node)]
#[node(id = "load_image", version = 1, category = "Toys", lane = "value")]
struct Reads {
    /// Which.
    #[param(default = "")]
    file: String,
}

impl darkroom_core::node::Node for Reads {
    type Output = String;

    fn run(self, _: &mut darkroom_core::context::Context<'_>) -> Result<String, Fault> {
        Ok(self.file)
    }

    fn infer(_: &darkroom_core::node::Known<'_>) -> Result<Vec<darkroom_core::types::Type>, Fault> {
        Ok(vec![darkroom_core::types::Type::of(darkroom_core::types::Kind::TEXT)])
    }
}

#[test]
fn a_picture_that_is_used_as_input_becomes_a_node_beside_the_others() {
    let mut room = Room::new(&["a.ron"]);
    room.app.backend = Box::new(Nobody(Registry::new().with::<Reads>()));
    let home = room.path("");
    room.app.keeping.disk.roots = Box::new(move |_| vec![home.clone()]);
    let far = tempfile::tempdir().expect("a folder");
    for path in [room.path("near.png"), far.path().join("far.png")] {
        fs::write(&path, b"\x89PNG\r\n\x1a\n").expect("writable");
        room.app.keeping.arrivals.push_back(path);
    }
    room.frames(&[]);
    room.answer(1);
    assert!(!room.says().contains("--allow"));
    // The next question follows.
    room.answer(1);
    assert!(room.says().contains("--allow"), "{}", room.says());
    let sheet = room.app.tab().document.sheet();
    let nodes = ["load_image", "load_image_2"].map(|name| &sheet.nodes[&sheet.named(name).expect("it is there")]);
    assert_eq!(nodes[0].literal("file"), Some(&Literal::Text("near.png".to_owned())));
    assert!((nodes[0].at.y - nodes[1].at.y).abs() >= 50, "{:?} {:?}", nodes[0].at, nodes[1].at);
    assert_eq!(room.app.tab().document.steps().0, ["use a file", "use a file"]);
}

#[test]
fn a_file_that_no_node_reads_is_told_and_changes_nothing() {
    let mut room = Room::new(&["a.ron"]);
    let model = room.path("big.safetensors");
    fs::write(&model, "").expect("writable");
    room.app.open(&model);
    assert!(room.says().contains("there is no node `load_model`"), "this registry is empty: {}", room.says());
    assert!(!room.app.tab().document.is_changed());
}

#[test]
fn a_model_that_is_opened_first_waits_for_a_graph() {
    let home = tempfile::tempdir().expect("a folder");
    for file in ["big.safetensors", "a.ron"] {
        fs::write(home.path().join(file), "(darkroom: 1, nodes: {})").expect("writable");
    }
    let app = window(home.path(), &["big.safetensors", "a.ron"]);
    assert_eq!(app.tab().title(), "a");
    assert_eq!(window(home.path(), &["big.safetensors"]).tabs.len(), 1);
}

#[test]
fn what_was_saved_before_the_window_ended_is_not_brought_back() {
    let mut room = Room::new(&["a.ron"]);
    room.change();
    room.frames(&[]);
    let text = room.app.tab().document.text();
    let Room { home, app, .. } = room;
    drop(app);
    fs::write(home.path().join("a.ron"), text).expect("writable");
    let app = window(home.path(), &[]);
    assert_eq!((app.tab().title(), app.notices.len()), ("untitled".to_owned(), 0));
    assert_eq!(fs::read_dir(home.path().join("state/recovery")).expect("it is there").count(), 2, "locks alone");
}
