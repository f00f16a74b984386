//! Commands: everything that menus, keys and the palette can do, in one list.

use egui::{Event, Key, KeyboardShortcut, Modifiers};

/// Something a person can ask for; [`COMMANDS`] says in words what each is.
#[expect(missing_docs, reason = "their titles stand in the list")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    New,
    Open,
    Save,
    SaveAs,
    Close,
    Undo,
    Redo,
    Cut,
    Copy,
    Paste,
    PasteWired,
    Duplicate,
    DuplicateWired,
    Delete,
    DeleteJoin,
    SelectAll,
    SelectLinked,
    AddNode,
    Rename,
    Mute,
    Bypass,
    Collapse,
    Pin,
    Frame,
    Note,
    Arrange,
    Align,
    FitAll,
    FitSelection,
    ZoomOne,
    Find,
    Run,
    RunFresh,
    RunTo,
    Stop,
    Palette,
    Theme,
    Larger,
    Smaller,
}

/// Where a command stands in the menus.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Menu {
    /// Files.
    File,
    /// Changes.
    Edit,
    /// What is chosen.
    Node,
    /// What is seen.
    View,
    /// Runs.
    Run,
}

/// What is known of a command.
pub struct About {
    /// The command.
    pub command: Command,
    /// What a person reads.
    pub title: &'static str,
    /// Where it stands.
    pub menu: Menu,
    /// Its keys; the first is shown.
    pub keys: &'static [(Modifiers, Key)],
}

impl About {
    /// Returns the keys that are shown.
    pub fn shown_keys(&self, ctx: &egui::Context) -> String {
        self.keys
            .first()
            .map(|(with, key)| ctx.format_shortcut(&KeyboardShortcut::new(*with, *key)))
            .unwrap_or_default()
    }

    /// Tells whether a key of it is a plain letter or sign, which belongs to whatever is typed in.
    pub fn is_plain(with: Modifiers) -> bool {
        !with.command && !with.ctrl && !with.alt
    }
}

const NONE: Modifiers = Modifiers::NONE;
const CTRL: Modifiers = Modifiers::COMMAND;
const SHIFT: Modifiers = Modifiers::SHIFT;
const ALT: Modifiers = Modifiers::ALT;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
const CTRL_ALT: Modifiers = Modifiers::COMMAND.plus(Modifiers::ALT);

macro_rules! commands {
    ($($menu:ident { $($command:ident $title:literal $([$($with:ident $key:ident),*])?;)* })*) => {
        /// All commands, in the order of the menus.
        pub const COMMANDS: &[About] = &[$($(About {
            command: Command::$command,
            title: $title,
            menu: Menu::$menu,
            keys: &[$($(($with, Key::$key)),*)?],
        }),*),*];
    };
}

commands! {
    File {
        New "New" [CTRL N];
        Open "Open…" [CTRL O];
        Save "Save" [CTRL S];
        SaveAs "Save as…" [CTRL_SHIFT S];
        Close "Close" [CTRL W];
    }
    Edit {
        Undo "Undo" [CTRL Z];
        Redo "Redo" [CTRL_SHIFT Z, CTRL Y];
        Cut "Cut" [CTRL X];
        Copy "Copy" [CTRL C];
        Paste "Paste" [CTRL V];
        PasteWired "Paste with wires" [CTRL_SHIFT V];
        Duplicate "Duplicate" [CTRL D];
        DuplicateWired "Duplicate with wires" [CTRL_SHIFT D];
        Delete "Delete" [NONE Delete, NONE Backspace];
        DeleteJoin "Delete and join wires" [CTRL Delete];
        SelectAll "Select all" [CTRL A];
        SelectLinked "Select what feeds it" [NONE L];
        Find "Find…" [CTRL F];
    }
    Node {
        AddNode "Add node…" [NONE Tab, SHIFT A];
        Rename "Rename" [NONE F2];
        Mute "Mute" [NONE M, CTRL M];
        Bypass "Bypass" [CTRL B];
        Collapse "Collapse" [NONE H, ALT C];
        Pin "Pin" [NONE P];
        Frame "Frame" [CTRL G];
        Note "Note" [NONE N];
        Arrange "Lay out" [CTRL_SHIFT L];
        Align "Align left" [SHIFT L];
    }
    View {
        FitAll "Show all" [NONE Home];
        FitSelection "Show what is chosen" [NONE Period];
        ZoomOne "Zoom 100 %" [CTRL Num1];
        Larger "Larger interface" [CTRL Plus, CTRL Equals];
        Smaller "Smaller interface" [CTRL Minus];
        Theme "Dark or light";
        Palette "Command palette…" [CTRL K, CTRL_SHIFT P];
    }
    Run {
        Run "Run" [CTRL Enter];
        RunTo "Run to what is chosen" [SHIFT Enter];
        RunFresh "Run everything anew" [CTRL_SHIFT Enter];
        Stop "Stop" [CTRL_ALT Enter];
    }
}

impl Command {
    /// Returns what is known of it.
    pub fn about(self) -> &'static About {
        COMMANDS.iter().find(|about| about.command == self).expect("every command is in the list")
    }

    /// Takes the command whose keys were pressed out of the input. Plain letters are left to whoever is typed in.
    pub fn pressed(ctx: &egui::Context) -> Option<Self> {
        let typing = ctx.egui_wants_keyboard_input();
        let free = |with: Modifiers, key: Key| {
            let editing =
                matches!(key, Key::A | Key::C | Key::V | Key::X | Key::Z | Key::Y | Key::Delete | Key::Backspace);
            !typing || (!About::is_plain(with) && !editing)
        };
        ctx.input_mut(|input| {
            COMMANDS.iter().find_map(|about| {
                let hit = about.keys.iter().find_map(|(with, key)| {
                    // As they were when the key went down: a quick hand has let go of Ctrl within the same frame.
                    let is_it = |event: &Event| matches!(event, Event::Key { key: down, pressed: true, modifiers, .. } if down == key && modifiers.matches_exact(*with));
                    if free(*with, *key) { input.events.iter().position(is_it) } else { None }
                })?;
                input.events.remove(hit);
                Some(about.command)
            })
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_key_that_is_let_go_within_a_frame_is_heard() {
        let ctx = egui::Context::default();
        let key =
            |pressed, modifiers| Event::Key { key: Key::F, physical_key: None, pressed, repeat: false, modifiers };
        let ctrl = Modifiers { ctrl: true, command: true, ..Modifiers::NONE };
        // The hand is off the keys when the frame begins.
        let events = vec![key(true, ctrl), key(false, ctrl), key(false, Modifiers::NONE)];
        let mut heard = None;
        let input = egui::RawInput { events, ..egui::RawInput::default() };
        drop(ctx.run_ui(input, |ui| heard = heard.or(Command::pressed(ui.ctx()))));
        assert_eq!(heard, Some(Command::Find));
    }

    #[test]
    fn no_two_commands_have_the_same_keys() {
        let mut seen = HashSet::new();
        for about in COMMANDS {
            for (with, key) in about.keys {
                assert!(seen.insert((format!("{with:?}"), *key)), "{:?} {with:?} {key:?}", about.command);
            }
        }
    }
}
