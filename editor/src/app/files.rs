//! Files: what is opened, dropped, saved and closed, and what is remembered so that nothing is lost.

use std::collections::VecDeque;
use std::path::{Path, PathBuf};
use std::time::Instant;

use darkroom_core::fault::Fault;
use darkroom_core::literal::Literal;
use egui::{Context, Pos2, Rect, pos2, vec2};

use super::browser::{Browser, Purpose};
use super::panels::{Shown, Side};
use super::tab::{Line, Weight};
use super::{App, Dialog, Tab};
use crate::document::{Document, Edit, Node, NodeId, Point};
use crate::session::{Closing, Disk, DocumentId, Journal, Left, Look, Settings, Sight, Sort, sort_of};

/// What the window keeps of files.
#[derive(Default)]
pub struct Keeping {
    /// What is known of the disk.
    pub disk: Disk,
    /// What is remembered from one time to the next.
    pub settings: Settings,
    /// What was written of that last, and when.
    written: Option<(Settings, Instant)>,
    journal: Option<Journal>,
    /// A close that is under way.
    pub closing: Option<Closing>,
    /// Whether the window closes, all having been asked.
    leaving: bool,
    /// Files that nobody has looked at yet.
    pub arrivals: VecDeque<PathBuf>,
    /// Whether it was told that something cannot be written.
    told: bool,
    /// Whether the looks that are remembered were put on.
    dressed: bool,
}

impl Keeping {
    /// Begins with what is known of the disk.
    pub fn new(disk: Disk) -> Self {
        Self { disk, ..Self::default() }
    }
}

/// What to do about a file that is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// Ask.
    Ask,
    /// Replace it.
    Replace,
}

/// Room around a node that is put down, in points.
const ROOM: f32 = 16.0;

/// A fault in one sentence, with its way out.
fn words(fault: &Fault) -> String {
    let hint = fault.hint.as_ref().map(|hint| format!(" ({hint})")).unwrap_or_default();
    format!("{}{hint}", fault.message)
}

impl App {
    /// Reads what is remembered, and opens what an earlier window left unsaved.
    pub(super) fn recollect(&mut self) {
        let Some(state) = self.keeping.disk.state.clone() else { return };
        let (settings, fault) = Settings::read(&state);
        self.side = Side { shown: Shown::named(settings.panel.as_deref()), log: settings.log };
        self.keeping.settings = settings.clone();
        self.keeping.written = Some((settings, Instant::now()));
        if let Some(fault) = fault {
            self.say(words(&fault));
        }
        match Journal::begin(&state.join("recovery")) {
            Ok((journal, left)) => {
                self.keeping.journal = Some(journal);
                self.recover(&left);
            }
            Err(fault) => self.say(format!("there will be no recovery files: {}", words(&fault))),
        }
    }

    fn recover(&mut self, left: &[Left]) {
        for each in left {
            match Document::recover(&each.text, each.home.as_deref()) {
                Ok(opened) => {
                    self.take(opened.document, opened.warnings);
                    let tab = self.tabs.last_mut().expect("it was put there");
                    tab.recovered = true;
                    if let Some(journal) = &mut self.keeping.journal {
                        journal.adopt(tab.id, &tab.document, each, Instant::now());
                    }
                }
                Err(_) => self.say(format!("a recovery file cannot be read and is kept: {}", each.file.display())),
            }
        }
        match left.len() {
            0 => (),
            1 => self.say("a document that was not saved is back: save it, or close it"),
            count => self.say(format!("{count} documents that were not saved are back: save them, or close them")),
        }
    }

    /// Opens whatever a file is.
    pub(super) fn open(&mut self, path: &Path) {
        match sort_of(path) {
            Sort::Workflow | Sort::Other => self.open_workflow(path),
            Sort::Picture => {
                let workflow = (self.keeping.disk.workflow_of)(path);
                self.dialog = Some(Dialog::Picture { path: path.to_owned(), workflow });
            }
            Sort::Model => self.add_file("load_model", "source", path),
            Sort::Folder => self.dialog = Some(Dialog::Files(Browser::open(path))),
        }
    }

    fn open_workflow(&mut self, path: &Path) {
        let full = path.canonicalize().unwrap_or_else(|_| path.to_owned());
        if let Some(index) = self.tabs.iter().position(|tab| tab.document.path() == Some(&full)) {
            self.active = index;
            return;
        }
        match Document::open(&full) {
            Ok(opened) => {
                self.take(opened.document, opened.warnings);
                self.keeping.settings.opened(&full);
            }
            Err(faults) => {
                if !full.exists() {
                    self.keeping.settings.gone(&full);
                }
                let first = faults.0.first().map(ToString::to_string).unwrap_or_default();
                self.say(first);
            }
        }
    }

    /// Looks at the next file that came, unless a question is open.
    pub(super) fn arrive(&mut self) {
        while self.dialog.is_none() {
            let Some(path) = self.keeping.arrivals.pop_front() else { return };
            self.open(&path);
        }
    }

    /// Opens the workflow of a picture in a tab of its own.
    pub(super) fn restore(&mut self, path: &Path, workflow: Result<(String, Vec<String>), Fault>) {
        let read = workflow.and_then(|(text, warnings)| {
            let opened = Document::read(&text, None);
            let first = |faults: darkroom_core::fault::Faults| faults.0.into_iter().next().map(|each| each.fault);
            let opened = opened.map_err(|faults| first(faults).unwrap_or_else(|| Fault::graph("it is empty")))?;
            Ok((opened, warnings))
        });
        match read {
            Ok((mut opened, warnings)) => {
                opened.warnings.extend(warnings);
                self.take(opened.document, opened.warnings);
                self.say(format!("this made {}", path.display()));
            }
            Err(fault) => self.say(words(&fault)),
        }
    }

    /// Adds a node that reads a file.
    pub(super) fn add_file(&mut self, kind: &str, input: &str, path: &Path) {
        if self.backend.registry().get(kind).is_none() {
            self.say(format!("there is no node `{kind}` to read `{}` with", path.display()));
            return;
        }
        let (name, outside) = self.keeping.disk.name_for(self.tab().document.path(), path);
        let at = self.free_place();
        let tab = self.tab_mut();
        let id = NodeId(tab.document.number());
        let node = Node {
            name: tab.document.sheet().free_name(kind),
            kind: kind.to_owned(),
            at: Point::new(at.x as i32, at.y as i32),
            ..Node::default()
        };
        let value = Edit::Set(id, input.to_owned(), Some(Literal::Text(name)));
        if self.step("use a file", vec![Edit::Add(id, node), value]) {
            self.tab_mut().view.selection = crate::canvas::Selection::node(id);
        }
        if let Some(sentence) = outside {
            self.say(sentence);
        }
    }

    /// Finds room for a node where the hand is, or below.
    fn free_place(&mut self) -> Pos2 {
        let hand = self.hand() - vec2(0.0, 16.0);
        let App { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let nodes: Vec<_> = tab.document.sheet().nodes.iter().map(|(id, node)| (*id, node.at)).collect();
        let taken: Vec<_> = tab.with_view(&**backend, |view, state| {
            let rect = |(id, at): (NodeId, Point)| {
                Rect::from_min_size(pos2(at.x as f32, at.y as f32), state.size(view, id)).expand(ROOM)
            };
            nodes.into_iter().map(rect).collect()
        });
        let mut at = crate::canvas::snapped(hand, crate::theme::GRID);
        let new = |at: Pos2| Rect::from_min_size(at, vec2(crate::theme::NODE_WIDTH, 100.0));
        while let Some(rect) = taken.iter().find(|rect| rect.intersects(new(at))) {
            at.y = (rect.bottom() / crate::theme::GRID).floor() * crate::theme::GRID + crate::theme::GRID;
        }
        at
    }

    /// Shows the browser, in the document's folder.
    pub(super) fn browse(&mut self, purpose: Purpose) {
        let path = self.tab().document.path().map(Path::to_owned);
        let recent = self.keeping.settings.recent.first().cloned();
        let near = path.as_deref().or(recent.as_deref()).and_then(Path::parent).map(Path::to_owned);
        let folder = near.filter(|near| near.is_dir()).or_else(|| std::env::current_dir().ok()).unwrap_or_default();
        let name = path.as_deref().and_then(Path::file_name).map(|name| name.to_string_lossy().into_owned());
        self.dialog = Some(Dialog::Files(match purpose {
            Purpose::Open => Browser::open(&folder),
            Purpose::Save => Browser::save(&folder, name.as_deref().unwrap_or("untitled.ron")),
        }));
    }

    /// Goes on with a file that was picked.
    pub(super) fn with_file(&mut self, path: &Path, purpose: Purpose) {
        match purpose {
            Purpose::Open => self.open(path),
            Purpose::Save => {
                let full = std::path::absolute(path).unwrap_or_else(|_| path.to_owned());
                self.save(&full, Over::Ask);
            }
        }
    }

    /// Saves the document in front. A file that holds something else is not replaced unasked.
    pub(super) fn save(&mut self, path: &Path, over: Over) {
        let tab = &mut self.tabs[self.active];
        if over == Over::Ask && tab.document.would_overwrite(path) {
            self.dialog = Some(Dialog::Overwrite { tab: tab.id, path: path.to_owned() });
            return;
        }
        match tab.document.save(path) {
            Ok(()) => {
                tab.recovered = false;
                tab.ask_again();
                self.keeping.settings.opened(path);
                let id = self.tab().id;
                self.forget(id);
                self.say(format!("saved {}", path.display()));
            }
            Err(fault) => {
                // Whatever waited for this must not go on as if it were saved.
                self.keeping.closing = None;
                let text = format!("not saved: {}", words(&fault));
                tab.log.push(Line { weight: Weight::Error, node: None, text: text.clone() });
                self.say(text);
            }
        }
    }

    fn forget(&mut self, id: DocumentId) {
        if let Some(journal) = &mut self.keeping.journal {
            journal.forget(id);
        }
    }

    /// Asks about the next document that changed, or closes what is to be closed.
    pub(super) fn go_on_closing(&mut self, ctx: &Context) {
        let Some(closing) = self.keeping.closing.as_ref().filter(|_| self.dialog.is_none()) else { return };
        let changed = self.tabs.iter().filter(|tab| tab.document.is_changed()).map(|tab| tab.id);
        match (closing.next(changed), closing.only()) {
            (Some(tab), _) => {
                self.active = self.index(tab).unwrap_or(self.active);
                self.dialog = Some(Dialog::Close { tab });
            }
            (None, Some(only)) => {
                self.keeping.closing = None;
                if let Some(index) = self.index(only) {
                    self.drop_tab(index);
                }
            }
            (None, None) => {
                self.leave();
                ctx.send_viewport_cmd(egui::ViewportCommand::Close);
            }
        }
        ctx.request_repaint();
    }

    /// Hears that the window is to be closed.
    pub(super) fn close_window(&mut self, ctx: &Context) {
        if self.keeping.leaving || self.screenshot.is_some() {
            return;
        }
        if !self.tabs.iter().any(|tab| tab.document.is_changed()) {
            self.leave();
            return;
        }
        ctx.send_viewport_cmd(egui::ViewportCommand::CancelClose);
        self.dialog = None;
        self.keeping.closing = Some(Closing::all());
    }

    pub(super) fn index(&self, id: DocumentId) -> Option<usize> {
        self.tabs.iter().position(|tab| tab.id == id)
    }

    pub(super) fn drop_tab(&mut self, index: usize) {
        for run in &self.tabs[index].runs {
            self.backend.cancel(run.ticket);
        }
        self.look_back(index);
        let tab = self.tabs.remove(index);
        self.forget(tab.id);
        if self.tabs.is_empty() {
            self.take(Document::default(), Vec::new());
        }
        self.active = self.active.min(self.tabs.len() - 1);
    }

    /// Takes note of what is seen of a file.
    fn look_back(&mut self, index: usize) {
        let Tab { document, view, .. } = &self.tabs[index];
        if let Some(path) = document.path().filter(|_| view.view.is_some()) {
            let camera = view.camera;
            let sight = Sight { centre: (camera.centre.x, camera.centre.y), zoom: camera.zoom };
            self.keeping.settings.seen(path, sight);
        }
    }

    /// Ends on purpose: all documents are saved, or given up.
    fn leave(&mut self) {
        self.keeping.leaving = true;
        (0..self.tabs.len()).for_each(|index| self.look_back(index));
        self.tabs.iter().map(|tab| tab.id).collect::<Vec<_>>().into_iter().for_each(|id| self.forget(id));
        self.keeping.journal = None;
        self.write_settings();
    }

    /// Writes what must not be lost, where it is time to.
    pub(super) fn remember(&mut self, ctx: &Context) {
        if self.keeping.disk.state.is_none() {
            return;
        }
        let now = Instant::now();
        if let Some(journal) = &mut self.keeping.journal {
            let waits = self.tabs.iter().filter_map(|tab| journal.keep(tab.id, &tab.document, now));
            if let Some(wait) = waits.min() {
                ctx.request_repaint_after(wait);
            }
            let fault = journal.fault().filter(|_| !std::mem::replace(&mut self.keeping.told, true));
            if let Some(fault) = fault {
                self.say(format!("the recovery file cannot be written: {}", words(&fault)));
            }
        }
        if !std::mem::replace(&mut self.keeping.dressed, true) {
            self.dress(ctx);
            return;
        }
        let settings = &mut self.keeping.settings;
        settings.panel = self.side.shown.name().map(str::to_owned);
        settings.log = self.side.log;
        settings.scale = ctx.zoom_factor();
        let Some((written, at)) = &self.keeping.written else { return };
        if *written != *settings {
            match crate::session::PAUSE.checked_sub(now.saturating_duration_since(*at)) {
                Some(wait) if !wait.is_zero() => ctx.request_repaint_after(wait),
                _ => self.write_settings(),
            }
        }
    }

    /// Puts on the looks that are remembered.
    fn dress(&self, ctx: &Context) {
        let settings = &self.keeping.settings;
        if let Some(look) = settings.look {
            ctx.set_theme(if look == Look::Dark { egui::Theme::Dark } else { egui::Theme::Light });
        }
        ctx.set_zoom_factor(settings.scale);
    }

    /// Changes between dark and light.
    pub(super) fn change_look(&mut self, ctx: &Context) {
        let (theme, look) = match ctx.theme() {
            egui::Theme::Dark => (egui::Theme::Light, Look::Light),
            egui::Theme::Light => (egui::Theme::Dark, Look::Dark),
        };
        ctx.set_theme(theme);
        self.keeping.settings.look = Some(look);
    }

    fn write_settings(&mut self) {
        let Some(state) = self.keeping.disk.state.clone() else { return };
        let settings = self.keeping.settings.clone();
        let done = settings.write(&state);
        self.keeping.written = Some((settings, Instant::now()));
        if let Err(fault) = done
            && !std::mem::replace(&mut self.keeping.told, true)
        {
            self.say(format!("the settings cannot be written: {}", words(&fault)));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use darkroom_core::fault::Faults;
    use darkroom_core::registry::Registry;

    use super::*;
    use crate::app::Options;
    use crate::document::{Frame, FrameId};
    use crate::session::{Ask, Backend, News, Ticket};

    /// Plans nothing and runs nothing.
    struct Nobody(Registry);

    impl Backend for Nobody {
        fn registry(&self) -> &Registry {
            &self.0
        }

        fn foresee(&mut self, _: Ask) {}

        fn run(&mut self, _: Ask) -> Ticket {
            Ticket(0)
        }

        fn cancel(&mut self, _: Ticket) {}

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
            crate::app::panels::answer(&mut self.app, &self.ctx, dialog, choice);
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
        room.app.side.shown = Shown::History;
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
        assert!(room.app.side.shown == Shown::History);
        assert_eq!(room.app.keeping.settings.recent, [room.path("a.ron")]);
    }

    #[test]
    fn a_picture_is_asked_about_and_opens_its_workflow() {
        let mut room = Room::new(&[]);
        let picture = room.path("p.png");
        fs::write(&picture, b"\x89PNG\r\n\x1a\n").expect("writable");
        let workflow = "(darkroom: 1, nodes: {\"of_the_picture\": (type: \"x\")})".to_owned();
        room.app.keeping.disk.workflow_of = Box::new(move |_| Ok((workflow.clone(), vec!["but".to_owned()])));
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
}
