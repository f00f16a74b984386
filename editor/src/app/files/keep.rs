//! What is kept so that nothing is lost: recovery files, settings, and a close that asks first.

use std::collections::VecDeque;
use std::path::PathBuf;
use std::time::Instant;

use egui::Context;

use super::words;
use crate::app::panels::Tiles;
use crate::app::{App, Dialog};
use crate::document::Document;
use crate::keymap::Keymap;
use crate::session::{Closing, Disk, DocumentId, Journal, Left, Look, Settings, Sight, Stars};

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

impl App {
    /// Reads what is remembered, and opens what an earlier window left unsaved.
    pub(in crate::app) fn recollect(&mut self) {
        let Some(state) = self.keeping.disk.state.clone() else { return };
        let (settings, fault) = Settings::read(&state);
        self.gallery.stars = Stars::open(Some(&state));
        self.tiles = Tiles::read(&settings.panels);
        self.keeping.settings = settings.clone();
        self.keeping.written = Some((settings, Instant::now()));
        if let Some(fault) = fault {
            self.say(words(&fault));
        }
        let (keymap, wrong) = Keymap::read(&state);
        self.keymap = keymap;
        wrong.into_iter().for_each(|words| self.say(words));
        match Journal::begin(&state.join("recovery")) {
            Ok((journal, left)) => {
                self.keeping.journal = Some(journal);
                self.recover(&left);
            }
            Err(fault) => self.say(format!("there will be no recovery files: {}", words(&fault))),
        }
    }

    fn recover(&mut self, left: &[Left]) {
        let mut back = 0;
        for each in left {
            if each.is_saved() {
                let _ = std::fs::remove_file(&each.file);
                continue;
            }
            match Document::recover(&each.text, each.home.as_deref()) {
                Ok(opened) => {
                    self.take(opened.document, opened.warnings);
                    let tab = self.tabs.last_mut().expect("it was put there");
                    tab.recovered = true;
                    back += 1;
                    if let Some(journal) = &mut self.keeping.journal {
                        journal.adopt(tab.id, &tab.document, each, Instant::now());
                    }
                }
                Err(_) => self.say(format!("a recovery file cannot be read and is kept: {}", each.file.display())),
            }
        }
        match back {
            0 => (),
            1 => self.say("a document that was not saved is back: save it, or close it"),
            count => self.say(format!("{count} documents that were not saved are back: save them, or close them")),
        }
    }

    pub(super) fn forget(&mut self, id: DocumentId) {
        if let Some(journal) = &mut self.keeping.journal {
            journal.forget(id);
        }
    }

    /// Asks about the next document that changed, or closes what is to be closed.
    pub(in crate::app) fn go_on_closing(&mut self, ctx: &Context) {
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
    pub(in crate::app) fn close_window(&mut self, ctx: &Context) {
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

    /// Takes note of what is seen of a file.
    pub(super) fn look_back(&mut self, index: usize) {
        let (document, view) = (&self.tabs[index].document, self.tabs[index].outermost());
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
    pub(in crate::app) fn remember(&mut self, ctx: &Context) {
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
        if let Some(text) = self.tiles.text() {
            settings.panels = text;
        }
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
    fn dress(&mut self, ctx: &Context) {
        self.wear(ctx, self.keeping.settings.look);
        ctx.set_zoom_factor(self.keeping.settings.scale);
    }

    /// Puts on a look; without one, the system's.
    pub(in crate::app) fn wear(&mut self, ctx: &Context, look: Option<Look>) {
        self.keeping.settings.look = look;
        ctx.set_theme(match look {
            Some(Look::Dark) => egui::ThemePreference::Dark,
            Some(Look::Light) => egui::ThemePreference::Light,
            None => egui::ThemePreference::System,
        });
    }

    /// Changes between dark and light.
    pub(in crate::app) fn change_look(&mut self, ctx: &Context) {
        let other = if ctx.theme() == egui::Theme::Dark { Look::Light } else { Look::Dark };
        self.wear(ctx, Some(other));
    }

    /// Writes the keys, which were changed.
    pub(in crate::app) fn keep_keys(&mut self) {
        let done = self.keeping.disk.state.as_ref().map(|state| self.keymap.write(state));
        if let Some(Err(fault)) = done {
            self.say(format!("the keys cannot be written: {}", words(&fault)));
        }
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
