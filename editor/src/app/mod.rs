//! The window: tabs of documents, panels around the canvas, and what commands do.

mod acts;
mod browser;
mod facts;
mod files;
mod gallery;
mod lay;
mod levels;
mod models;
mod palette;
mod panels;
mod prompts;
mod queue;
mod recall;
mod running;
mod seeds;
mod shelf;
mod shot;
mod stack;
mod tab;
mod times;

use std::collections::VecDeque;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use darkroom_core::fault::{Fault, FaultKind, Faults};
use darkroom_core::plan::Wish;
use darkroom_core::residency::gibibytes;
use eframe::CreationContext;
use egui::{Context, Ui};

use crate::canvas::{self, Action, Drop, View};
use crate::command::Command;
use crate::document::{Document, Edit};
use crate::fields;
use crate::habits::Habits;
use crate::keymap::Keymap;
use crate::session::{Backend, Disk, DocumentId, News, PastRuns, Place, Sort, Ticket, Told, sort_of};
use crate::theme::Theme;
use palette::Palette;
pub use panels::templates::Template;
pub use running::{Line, Made, Origin, Run, Weight};
pub use tab::Tab;

/// Makes a backend, once there is a window to be woken.
pub type MakeBackend = Box<dyn FnOnce(Box<dyn Fn() + Send + Sync>) -> Box<dyn Backend>>;

/// What the window is opened with.
pub struct Options {
    /// Files to open.
    pub files: Vec<PathBuf>,
    /// What is opened where no file is given.
    pub template: &'static str,
    /// Workflows to begin with.
    pub templates: &'static [Template],
    /// Where to write a picture of the window, and then to close it.
    pub screenshot: Option<PathBuf>,
    /// Width and height of the window in points.
    pub size: Option<(f32, f32)>,
    /// Whether to run what is opened at once.
    pub run: bool,
    /// What it is told of the disk.
    pub disk: Disk,
}

/// The window.
pub struct App {
    backend: Box<dyn Backend>,
    templates: &'static [Template],
    tabs: Vec<Tab>,
    active: usize,
    next: u64,
    palette: Option<Palette>,
    dialog: Option<Dialog>,
    /// Sentences for the person, with the time until which they are shown.
    notices: Vec<(String, f64)>,
    /// How runs are asked for.
    queue: queue::Queue,
    /// Pictures that were read.
    shelf: shelf::Shelf,
    /// Which pictures are shown.
    gallery: gallery::Gallery,
    /// What sits in memory and on disk, when that was last asked.
    stock: panels::Stock,
    /// Which lines of the log are shown.
    sieve: panels::Sieve,
    tiles: panels::Tiles,
    keymap: Keymap,
    /// The window of settings, while it is open.
    page: Option<panels::settings::Page>,
    /// A picture that is looked at large.
    large: Option<gallery::Large>,
    screenshot: Option<shot::Shot>,
    keeping: files::Keeping,
    models: models::Models,
    /// What the window is closed with, for whoever opened it.
    ended: Ended,
}

/// What a window is closed with: a fault, if it could not do what it was opened for.
pub(crate) type Ended = Arc<Mutex<Option<Fault>>>;

/// A question that must be answered first.
enum Dialog {
    /// Where to read from, or to write to.
    Files(browser::Browser),
    /// Whether to replace a file that holds something else.
    Overwrite { tab: DocumentId, path: PathBuf },
    /// What to do with a picture; the workflow that made it, or why there is none.
    Picture { path: PathBuf, workflow: Result<(String, Vec<String>), Fault> },
    /// What to call the definition of a sub-graph.
    NameSubgraph { name: String, text: String },
    /// What to search for.
    Find { text: String },
    /// Which workflow to begin with.
    Templates(Vec<panels::templates::Card>),
    /// Whether to throw changes away.
    Close { tab: DocumentId },
    /// Whether to move pictures to the bin.
    Delete { paths: Vec<PathBuf> },
}

impl App {
    /// Makes the window.
    pub fn new(cc: &CreationContext<'_>, options: Options, make: MakeBackend) -> Self {
        Theme::install(&cc.egui_ctx);
        cc.egui_ctx.options_mut(|options| options.zoom_with_keyboard = false);
        let ctx = cc.egui_ctx.clone();
        Self::with_backend(options, make(Box::new(move || ctx.request_repaint())))
    }

    /// Makes the window over a backend that is there.
    pub fn with_backend(mut options: Options, backend: Box<dyn Backend>) -> Self {
        if options.screenshot.is_some() {
            // Nobody sits before that window: what others left is not for it.
            options.disk.state = None;
        }
        let mut app = Self {
            backend,
            templates: options.templates,
            tabs: Vec::new(),
            active: 0,
            next: 0,
            palette: None,
            dialog: None,
            notices: Vec::new(),
            queue: queue::Queue::default(),
            shelf: shelf::Shelf::default(),
            gallery: gallery::Gallery::default(),
            stock: panels::Stock::default(),
            sieve: panels::Sieve::default(),
            tiles: panels::Tiles::default(),
            keymap: Keymap::default(),
            page: None,
            large: None,
            screenshot: options.screenshot.map(shot::Shot::new),
            keeping: files::Keeping::new(options.disk),
            models: models::Models::default(),
            ended: Ended::default(),
        };
        app.recollect();
        // Pictures and models need a graph to go to.
        let (graphs, others): (Vec<_>, Vec<_>) =
            options.files.into_iter().partition(|file| matches!(sort_of(file), Sort::Workflow | Sort::Other));
        graphs.iter().for_each(|file| app.open(file));
        app.keeping.arrivals = others.into();
        if app.tabs.is_empty() {
            let opened = Document::read(options.template, None).expect("the template is a workflow");
            app.take(opened.document, opened.warnings);
        }
        app.arrive();
        if options.run {
            app.run(&Wish::default(), Place::Back);
        }
        app
    }

    /// Lets somebody hear what the window is closed with.
    pub(crate) fn heard_by(mut self, ended: &Ended) -> Self {
        self.ended = Arc::clone(ended);
        self
    }

    /// Returns the document in front.
    pub fn tab(&self) -> &Tab {
        &self.tabs[self.active]
    }

    /// Returns the document in front, to be changed.
    pub fn tab_mut(&mut self) -> &mut Tab {
        &mut self.tabs[self.active]
    }

    /// Returns how the canvas behaves, to be changed.
    pub fn habits_mut(&mut self) -> &mut Habits {
        &mut self.keeping.settings.habits
    }

    fn take(&mut self, document: Document, warnings: Vec<String>) {
        self.next += 1;
        let mut tab = Tab::new(DocumentId(self.next), document);
        tab.status.prompts = Arc::new(self.keeping.settings.prompts.clone());
        tab.sight = tab.document.path().and_then(|path| self.keeping.settings.sight(path));
        if let (Some(state), Some(path)) = (&self.keeping.disk.state, tab.document.path()) {
            tab.past = PastRuns::open(&state.join("runs"), path);
        }
        self.tabs.push(tab);
        self.active = self.tabs.len() - 1;
        warnings.into_iter().for_each(|warning| self.say(warning));
    }

    /// Says something to the person, for a while.
    fn say(&mut self, text: impl Into<String>) {
        self.notices.push((text.into(), f64::INFINITY));
    }

    fn hear(&mut self, ctx: &Context) {
        for news in self.backend.news() {
            match news {
                News::Foreseen { document, revision, outlook } => {
                    if let Some(tab) = self.tabs.iter_mut().find(|tab| tab.id == document) {
                        tab.foreseen(revision, outlook);
                        tab.find_lacks(&*self.backend);
                    }
                }
                News::Run { ticket, told } => {
                    let anew = matches!(told, Told::Wrote { anew: true, .. });
                    let Self { tabs, backend, .. } = self;
                    let tab = tabs.iter_mut().find(|tab| tab.runs.iter().any(|run| run.ticket == ticket));
                    let left = tab.and_then(|tab| tab.told(ctx, backend.registry(), ticket, told));
                    if let Some(path) = left {
                        self.left(ctx, &path, anew);
                    }
                }
                News::Ended { ticket, ended } => self.ended(ctx, ticket, ended),
                News::Models { document, models } => self.models_listed(document, models),
                News::Pulling(pulling) => self.pulling(pulling),
                News::Pulled { ticket, ended } => self.pulled(ticket, ended),
                News::Stock(holdings) => self.stock.take(holdings),
                News::Rested { idle, bytes } => self.rested(idle, bytes),
            }
        }
        let backend = &mut *self.backend;
        for tab in &mut self.tabs {
            tab.know(backend.registry());
            tab.foresee(backend);
        }
        self.run_changed();
        self.read_pictures(ctx);
        self.entitle(ctx);
    }

    /// Lets a picture that a run left be read.
    fn left(&mut self, ctx: &Context, path: &std::path::Path, anew: bool) {
        self.shelf.begin(ctx, &self.keeping.disk.workflow_of);
        if anew {
            self.shelf.forget(path);
        }
        if let Some(folder) = self.keeping.disk.output.as_ref().filter(|_| anew) {
            self.shelf.look_again(folder);
        }
        if let Some(thumb) = self.shelf.picture(path, shelf::Size::Card) {
            self.tabs.iter_mut().for_each(|tab| tab.came(path, &Ok(thumb.clone())));
        }
    }

    fn ended(&mut self, ctx: &Context, ticket: Ticket, ended: Result<(f64, u64), Faults>) {
        let first = ended.as_ref().err().and_then(|faults| faults.0.first()).map(|located| located.fault.clone());
        let seconds = ended.as_ref().map_or(0.0, |(seconds, _)| *seconds);
        let Some(tab) = self.of(ticket) else { return };
        let title = tab.title();
        let began = tab.runs.iter().any(|run| run.ticket == ticket && run.began.is_some());
        tab.ended(ticket, ended);
        self.stock.ask_again();
        match first {
            None => self.call(ctx, &title, Ok(seconds)),
            Some(fault) if began => {
                if fault.kind != FaultKind::Cancelled {
                    self.tiles.ask(panels::Pane::Faults, panels::Turn::Show);
                }
                self.call(ctx, &title, Err(fault.message.clone()));
                self.say(fault.message);
            }
            // A run that never began was taken out on request.
            Some(_) => (),
        }
    }

    fn rested(&mut self, idle: Duration, bytes: u64) {
        self.stock.ask_again();
        // Where nothing was loaded there is nothing to tell.
        if bytes > 0 {
            let (bytes, idle) = (gibibytes(bytes), idle.as_secs());
            let text =
                format!("nothing ran for {idle} s: {bytes} of weights were let go, to be loaded again when needed");
            self.tab_mut().log.push(Line::new(Weight::Note, None, text));
        }
    }

    fn of(&mut self, ticket: Ticket) -> Option<&mut Tab> {
        self.tabs.iter_mut().find(|tab| tab.runs.iter().any(|run| run.ticket == ticket))
    }

    /// Draws all of it.
    pub fn show(&mut self, ui: &mut Ui) {
        let ctx = ui.ctx().clone();
        self.hear(&ctx);
        self.keys(&ctx);
        panels::show(self, ui);
        self.palette(&ctx);
        panels::settings(self, &ctx);
        panels::dialogs(self, &ctx);
        panels::large(self, &ctx);
        panels::notices(self, &ctx);
        self.remember(&ctx);
    }

    fn keys(&mut self, ctx: &Context) {
        // egui hands the clipboard over as events of their own.
        let typing = ctx.text_edit_focused() || self.palette.is_some() || self.dialog.is_some() || self.large.is_some();
        let (mut clipboard, mut picture) = (None, None);
        ctx.input(|input| {
            for event in &input.events {
                match event {
                    egui::Event::Copy if !typing => clipboard = Some((Command::Copy, String::new())),
                    egui::Event::Cut if !typing => clipboard = Some((Command::Cut, String::new())),
                    egui::Event::Paste(text) if !typing => {
                        let wired = input.modifiers.shift;
                        let command = if wired { Command::PasteWired } else { Command::Paste };
                        clipboard = Some((command, text.clone()));
                    }
                    egui::Event::PasteImage(image) if !typing => picture = Some(Arc::clone(image)),
                    _ => (),
                }
            }
        });
        if let Some(picture) = picture {
            self.paste_picture(&picture);
        }
        if let Some((command, text)) = clipboard {
            // Another command may have been given the key for it.
            match (command, self.keymap.of_stroke(egui::Modifiers::COMMAND, egui::Key::X)) {
                (Command::Cut, Some(other)) => self.act(ctx, other),
                (Command::Cut, None) => (),
                _ => self.clipboard(ctx, command, &text),
            }
        }
        let dropped = ctx.input(|input| input.raw.dropped_files.clone());
        let mut dropped: VecDeque<_> = dropped.iter().map(|file| file.path().to_owned()).collect();
        let field = fields::under_pointer(ctx).filter(|_| self.dialog.is_none() && self.palette.is_none());
        if let Some((field, file)) = field.and_then(|field| Some((field, dropped.pop_front()?))) {
            fields::give(ctx, field, &file);
        }
        self.keeping.arrivals.extend(dropped);
        self.arrive();
        let hears = self.page.as_ref().is_some_and(|page| page.hears.is_some());
        // A picture that is looked at large has keys of its own.
        let mut blocked = self.palette.is_some() || self.dialog.is_some() || self.large.is_some() || hears;
        if !hears && ctx.input(|input| input.key_pressed(egui::Key::Escape)) {
            self.escape(ctx);
            self.page = self.page.take().filter(|_| self.palette.is_some() || self.dialog.is_some());
            let asked = self.palette.take().is_some() | self.dialog.take().is_some();
            self.keeping.closing = None;
            if !asked {
                self.large = None;
            }
        }
        // What is pressed after a command that asks something is meant for the question.
        while !blocked && let Some(command) = self.keymap.pressed(ctx) {
            self.act(ctx, command);
            blocked = self.palette.is_some() || self.dialog.is_some() || self.tab().view.is_writing();
        }
        if ctx.input(|input| input.viewport().close_requested()) {
            self.close_window(ctx);
        }
        self.go_on_closing(ctx);
    }

    fn canvas(&mut self, ui: &mut Ui) {
        let hears = self.palette.is_none() && self.dialog.is_none() && self.large.is_none() && self.page.is_none();
        let Self { tabs, active, backend, keeping, .. } = self;
        let habits = keeping.settings.habits;
        let tab = &mut tabs[*active];
        tab.habits = habits;
        tab.view.view = Some(ui.available_rect_before_wrap());
        tab.lay_out(&**backend);
        let room = ui.available_rect_before_wrap();
        let sheet = Arc::clone(tab.sheet());
        let mut state = std::mem::take(&mut tab.view);
        let actions = {
            // Whether a wire may be drawn is asked of the backend, which the view must not hold beside the registry.
            let asked = std::cell::RefCell::new(None::<Vec<Drop>>);
            let known = tab.refusal.clone();
            let refuse = |drops: &[Drop]| {
                asked.replace(Some(drops.to_vec()));
                known.as_ref().filter(|(of, _)| of == drops).and_then(|(_, words)| words.clone())
            };
            let view = View {
                id: tab.canvas_id(),
                sheet: &sheet,
                registry: tab.registry(&**backend),
                status: &tab.shown(),
                refuse: &refuse,
                habits,
                hears,
            };
            let actions = canvas::show(ui, &view, &mut state);
            let asked = asked.into_inner();
            if let Some(drops) = asked.filter(|drops| tab.refusal.as_ref().is_none_or(|(of, _)| of != drops)) {
                let words = tab.refuse(&mut **backend, &drops);
                tab.refusal = Some((drops, words));
                ui.ctx().request_repaint();
            }
            actions
        };
        tab.view = state;
        self.crumbs(ui, room);
        for action in actions {
            self.do_action(ui.ctx(), action);
        }
    }

    /// Escape leaves the level in front, if it means nothing else.
    fn escape(&mut self, ctx: &Context) {
        let asked = self.palette.is_some() || self.dialog.is_some() || self.large.is_some() || self.page.is_some();
        let held = ctx.text_edit_focused() || egui::Popup::is_any_open(ctx) || self.tab().view.is_busy();
        if !asked && !held && self.keeping.closing.is_none() && self.leave_level() {
            ctx.request_repaint();
        }
    }

    fn do_action(&mut self, ctx: &Context, action: Action) {
        let tab = &mut self.tabs[self.active];
        match action {
            Action::Step { name, key, edits } => {
                tab.refusal = None;
                let edits: Vec<_> = edits.into_iter().map(|edit| tab.housed(edit)).collect();
                let done = tab.document.step_joined(name, key, edits);
                tab.know(self.backend.registry());
                if let Err(refused) = done {
                    self.say(refused.0);
                }
            }
            Action::Part => tab.document.part(),
            Action::Palette { at, loose } => self.palette = Some(Palette::nodes(at, loose)),
            Action::Enter(node) => drop(tab.enter(node)),
            Action::Offer { node, side, end } => self.offer(node, side, &end),
            Action::Draw { drops, from } => self.draw(drops, from),
            Action::Enlarge(node) => {
                let name = tab.sheet().nodes.get(&node).map(|node| format!("{}{}", tab.way(), node.name));
                let is_it = |made: &&Made| {
                    name.as_ref().is_some_and(|name| {
                        made.node.strip_prefix(&**name).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'))
                    })
                };
                let made = tab.made.iter().rev().find(is_it);
                self.large = made.map(|made| gallery::Large::new(made.path.clone()));
            }
            Action::Menu(at) => self.palette = Some(Palette::menu(at)),
            Action::Copied { nodes, frames, by } => {
                let text = crate::document::copy(tab.document.sheet(), tab.level(), &nodes, &frames);
                self.paste_text(&text, None, crate::document::Outside::Keep, by);
            }
            Action::Field { node, input, request } => self.field_asks(node, input, request),
            Action::Say(text) => self.say(text),
        }
        ctx.request_repaint();
    }

    /// Makes edits as one step, and says why not if they cannot be made.
    fn step(&mut self, name: &str, edits: Vec<Edit>) -> bool {
        if edits.is_empty() {
            return false;
        }
        let Self { tabs, active, backend, .. } = self;
        let tab = &mut tabs[*active];
        let edits: Vec<_> = edits.into_iter().map(|edit| tab.housed(edit)).collect();
        let done = tab.document.step(name, edits);
        tab.know(backend.registry());
        let ok = done.is_ok();
        if let Err(refused) = done {
            self.say(refused.0);
        }
        ok
    }
}

impl eframe::App for App {
    fn ui(&mut self, ui: &mut Ui, _: &mut eframe::Frame) {
        self.show(ui);
        self.shoot(&ui.ctx().clone());
    }
}
