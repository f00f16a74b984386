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
    SelectFed,
    AddNode,
    Rename,
    Remark,
    Mute,
    Bypass,
    Collapse,
    Compact,
    Pin,
    Colour,
    Frame,
    Note,
    Connect,
    Arrange,
    AlignLeft,
    AlignRight,
    AlignTop,
    AlignBottom,
    AlignCentre,
    AlignMiddle,
    SpreadAcross,
    SpreadDown,
    FitAll,
    FitSelection,
    ZoomOne,
    Minimap,
    Heat,
    Legend,
    Wires,
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
}

const NONE: Modifiers = Modifiers::NONE;
const CTRL: Modifiers = Modifiers::COMMAND;
const SHIFT: Modifiers = Modifiers::SHIFT;
const ALT: Modifiers = Modifiers::ALT;
const CTRL_SHIFT: Modifiers = Modifiers::COMMAND.plus(Modifiers::SHIFT);
const ALT_SHIFT: Modifiers = Modifiers::ALT.plus(Modifiers::SHIFT);
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
        SelectFed "Select what it feeds" [SHIFT L];
        Find "Find…" [CTRL F];
    }
    Node {
        AddNode "Add node…" [NONE Tab, SHIFT A];
        Rename "Rename" [NONE F2];
        Remark "Remark…" [SHIFT N];
        Mute "Mute" [NONE M, CTRL M];
        Bypass "Bypass" [CTRL B];
        Collapse "Collapse" [NONE H, ALT C];
        Compact "Hide what is unused" [CTRL H];
        Pin "Pin" [NONE P];
        Colour "Colour…" [NONE C];
        Frame "Frame" [CTRL G];
        Note "Note" [NONE N];
        Arrange "Lay out" [CTRL_SHIFT L];
        Connect "Connect what is chosen" [NONE F];
        AlignLeft "Align left" [ALT A];
        AlignRight "Align right" [ALT D];
        AlignTop "Align top" [ALT W];
        AlignBottom "Align bottom" [ALT S];
        AlignCentre "Align centres, one above another" [ALT H];
        AlignMiddle "Align centres, side by side" [ALT V];
        SpreadAcross "Spread across" [ALT_SHIFT H];
        SpreadDown "Spread down" [ALT_SHIFT V];
    }
    View {
        FitAll "Show all" [NONE Home];
        FitSelection "Show what is chosen" [NONE Period];
        ZoomOne "Zoom 100 %" [CTRL Num1];
        Minimap "Minimap" [ALT M];
        Heat "Heat: seconds, memory, off" [SHIFT H];
        Legend "Legend" [SHIFT K];
        Wires "Wires: curved, straight, square" [SHIFT W];
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

    /// Takes the command whose keys were pressed out of the input. A text that is typed in keeps all keys but those with
    /// Ctrl, and of those the ones that a text knows.
    pub fn pressed(ctx: &egui::Context) -> Option<Self> {
        const OF_TEXTS: [Key; 8] = [Key::A, Key::C, Key::V, Key::X, Key::Y, Key::Z, Key::Delete, Key::Backspace];
        let typing = ctx.text_edit_focused();
        // Tab leads on from whatever has the keys.
        let held = ctx.memory(|memory| memory.focused().is_some());
        let free = |with: Modifiers, key: Key| {
            (!typing || (with.command && !OF_TEXTS.contains(&key))) && !(held && key == Key::Tab)
        };
        ctx.input_mut(|input| {
            // As the keys were when one went down, in the order in which they did: a quick hand has let go of Ctrl, and
            // pressed the next one, within the same frame.
            let hit = input.events.iter().enumerate().find_map(|(index, event)| {
                let Event::Key { key, pressed: true, modifiers, .. } = event else { return None };
                let met =
                    |(with, of): &(Modifiers, Key)| of == key && modifiers.matches_exact(*with) && free(*with, *key);
                let about = COMMANDS.iter().find(|about| about.keys.iter().any(met))?;
                Some((index, about.command))
            });
            let (index, command) = hit?;
            input.events.remove(index);
            Some(command)
        })
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn keys_that_are_let_go_within_a_frame_are_heard_in_their_order() {
        let ctx = egui::Context::default();
        let key = |key, pressed, modifiers| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        let ctrl = Modifiers { ctrl: true, command: true, ..Modifiers::NONE };
        // The hand is off the keys when the frame begins.
        let mut events = Vec::new();
        for (of, with) in [(Key::M, NONE), (Key::A, ctrl), (Key::Z, ctrl), (Key::Z, ctrl)] {
            events.extend([key(of, true, with), key(of, false, NONE)]);
        }
        let mut heard = Vec::new();
        let input = egui::RawInput { events, ..egui::RawInput::default() };
        drop(ctx.run_ui(input, |ui| heard.extend(std::iter::from_fn(|| Command::pressed(ui.ctx())))));
        assert_eq!(heard, [Command::Mute, Command::SelectAll, Command::Undo, Command::Undo]);
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
