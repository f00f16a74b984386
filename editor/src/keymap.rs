//! Keys: which belong to which command, by a preset that programs of this kind are used with, and a file of one's own.
//!
//! The file, `keys.ron` in the editor's state folder, names a preset and what differs from it:
//!
//! ```ron
//! (preset: Blender, keys: {"mute": ["M", "Ctrl+M"], "pin": []})
//! ```

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::Path;

use darkroom_core::fault::Fault;
use darkroom_core::files::write_aside;
use darkroom_core::registry::nearest;
use egui::{Context, Event, Key, KeyboardShortcut, Modifiers};
use serde::{Deserialize, Serialize};

use crate::command::{COMMANDS, Command};

/// A key, and what is held with it.
pub type Stroke = (Modifiers, Key);

/// The file's name in the state folder.
const FILE: &str = "keys.ron";

/// Keys as another program has them.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub enum Preset {
    /// Our own.
    #[default]
    Darkroom,
    /// Those of ComfyUI's frontend (`src/platform/keybindings/defaults.ts`).
    ComfyUi,
    /// Those of Blender's node editor (`blender_default.py`, `km_node_editor`).
    Blender,
}

impl Preset {
    /// All of them, with what a person reads.
    pub const ALL: [(Self, &'static str); 3] =
        [(Self::Darkroom, "darkroom"), (Self::ComfyUi, "ComfyUI"), (Self::Blender, "Blender")];

    /// What differs from our own, and keys that are taken from other commands by it.
    fn differs(self) -> &'static [(Command, &'static str)] {
        match self {
            Self::Darkroom => &[],
            Self::ComfyUi => &[
                (Command::Mute, "Ctrl+M"),
                (Command::Collapse, "Alt+C"),
                (Command::Note, ""),
                (Command::Colour, ""),
                (Command::Palette, "Ctrl+Shift+P"),
            ],
            Self::Blender => &[
                (Command::AddNode, "Shift+A"),
                (Command::Delete, "X Delete"),
                (Command::DeleteJoin, "Ctrl+X Ctrl+Delete"),
                (Command::Cut, ""),
                (Command::Duplicate, "Shift+D"),
                (Command::DuplicateWired, "Ctrl+Shift+D"),
                (Command::SelectAll, "A"),
                (Command::Frame, "Ctrl+J"),
                (Command::Mute, "M"),
                (Command::Collapse, "H"),
                (Command::Palette, "F3"),
            ],
        }
    }
}

/// What the file says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
struct Written {
    preset: Preset,
    /// Keys by the names of commands.
    keys: BTreeMap<String, Vec<String>>,
}

/// Which keys belong to which command.
#[derive(Debug, Clone, PartialEq)]
pub struct Keymap {
    preset: Preset,
    keys: HashMap<Command, Vec<Stroke>>,
}

impl Default for Keymap {
    fn default() -> Self {
        Self::of(Preset::default())
    }
}

impl Keymap {
    /// Returns the keys of a preset.
    pub fn of(preset: Preset) -> Self {
        let mut keys: HashMap<_, _> = COMMANDS.iter().map(|about| (about.command, about.keys.to_vec())).collect();
        for (command, texts) in preset.differs() {
            let strokes = texts.split_whitespace().map(|text| stroke(text).expect("presets are tested"));
            keys.insert(*command, strokes.collect());
        }
        Self { preset, keys }
    }

    /// Returns the preset that it began with.
    pub fn preset(&self) -> Preset {
        self.preset
    }

    /// Reads a folder's file. What cannot be understood of it is told, and leaves the preset's keys in place.
    pub fn read(folder: &Path) -> (Self, Vec<String>) {
        let path = folder.join(FILE);
        let text = match fs::read_to_string(&path) {
            Ok(text) => text,
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => return (Self::default(), Vec::new()),
            Err(error) => return (Self::default(), vec![format!("`{}` cannot be read: {error}", path.display())]),
        };
        match ron::from_str::<Written>(&text) {
            Ok(written) => {
                let (keymap, wrong) = Self::understood(&written);
                (keymap, wrong.into_iter().map(|words| format!("`{}`: {words}", path.display())).collect())
            }
            Err(error) => {
                let words = format!("`{}` cannot be read, and the usual keys hold: {error}", path.display());
                (Self::default(), vec![words])
            }
        }
    }

    fn understood(written: &Written) -> (Self, Vec<String>) {
        let (mut keymap, mut wrong) = (Self::of(written.preset), Vec::new());
        for (name, texts) in &written.keys {
            let Some(about) = COMMANDS.iter().find(|about| about.name() == *name) else {
                let names: Vec<_> = COMMANDS.iter().map(|about| about.name()).collect();
                let hint = nearest(name, names.iter().map(String::as_str));
                let hint = hint.map(|near| format!("; did you mean `{near}`?")).unwrap_or_default();
                wrong.push(format!("there is no command `{name}`{hint}"));
                continue;
            };
            let mut strokes = Vec::new();
            for text in texts {
                match stroke(text) {
                    Some(stroke) => strokes.push(stroke),
                    None => wrong.push(format!("`{name}`: `{text}` is no key; write them as `Ctrl+Shift+E`")),
                }
            }
            keymap.keys.insert(about.command, strokes);
        }
        let chosen = |command: Command| written.keys.contains_key(&command.about().name());
        for about in COMMANDS.iter().filter(|about| chosen(about.command)) {
            for stroke in keymap.strokes(about.command).to_vec() {
                let Some(other) = keymap.taken(about.command, stroke) else { continue };
                // What was chosen goes before what is usual; of two that were chosen, the first in the menus has it.
                if chosen(other) {
                    let keys = (text(stroke), about.name(), other.about().name());
                    wrong
                        .push(format!("`{}` is given to `{}` and to `{}`, which lacks it now", keys.0, keys.1, keys.2));
                }
                keymap.keys.entry(other).or_default().retain(|own| *own != stroke);
            }
        }
        (keymap, wrong)
    }

    /// Writes a folder's file.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn write(&self, folder: &Path) -> Result<(), Fault> {
        let usual = Self::of(self.preset);
        let differs = |about: &&crate::command::About| self.strokes(about.command) != usual.strokes(about.command);
        let texts = |command| self.strokes(command).iter().map(|stroke| text(*stroke)).collect();
        let keys = COMMANDS.iter().filter(differs).map(|about| (about.name(), texts(about.command))).collect();
        let written = Written { preset: self.preset, keys };
        let text = ron::ser::to_string_pretty(&written, ron::ser::PrettyConfig::new().depth_limit(2))
            .map_err(|error| Fault::bug(format!("the keys cannot be written: {error}")))?;
        write_aside(&folder.join(FILE), text.as_bytes())
    }

    /// Returns the keys of a command; the first is shown.
    pub fn strokes(&self, command: Command) -> &[Stroke] {
        self.keys.get(&command).map_or(&[], Vec::as_slice)
    }

    /// Returns what a person reads of a command's keys.
    pub fn shown(&self, command: Command, ctx: &Context) -> String {
        let first = self.strokes(command).first();
        first.map(|(with, key)| ctx.format_shortcut(&KeyboardShortcut::new(*with, *key))).unwrap_or_default()
    }

    /// Gives a command other keys.
    pub fn set(&mut self, command: Command, strokes: Vec<Stroke>) {
        self.keys.insert(command, strokes);
    }

    /// Returns the other command that has a key.
    pub fn taken(&self, by: Command, stroke: Stroke) -> Option<Command> {
        let others = COMMANDS.iter().map(|about| about.command).filter(|other| *other != by);
        others.into_iter().find(|other| self.strokes(*other).contains(&stroke))
    }

    /// Returns the command that a key belongs to.
    pub fn of_stroke(&self, held: Modifiers, key: Key) -> Option<Command> {
        let met = |(with, of): &Stroke| *of == key && held.matches_exact(*with);
        COMMANDS.iter().map(|about| about.command).find(|command| self.strokes(*command).iter().any(met))
    }

    /// Takes the command whose keys were pressed out of the input. A text that is typed in keeps all keys but those with
    /// Ctrl, and of those the ones that a text knows.
    pub fn pressed(&self, ctx: &Context) -> Option<Command> {
        const OF_TEXTS: [Key; 8] = [Key::A, Key::C, Key::V, Key::X, Key::Y, Key::Z, Key::Delete, Key::Backspace];
        let typing = ctx.text_edit_focused();
        // Tab leads on from whatever has the keys.
        let focused = ctx.memory(|memory| memory.focused().is_some());
        let free = |held: Modifiers, key: Key| {
            (!typing || (held.command && !OF_TEXTS.contains(&key))) && !(focused && key == Key::Tab)
        };
        ctx.input_mut(|input| {
            // As the keys were when one went down, in the order in which they did: a quick hand has let go of Ctrl, and
            // pressed the next one, within the same frame.
            let hit = input.events.iter().enumerate().find_map(|(index, event)| {
                let Event::Key { key, pressed: true, modifiers, .. } = event else { return None };
                let command = Some(()).filter(|()| free(*modifiers, *key)).and(self.of_stroke(*modifiers, *key))?;
                Some((index, command))
            });
            let (index, command) = hit?;
            input.events.remove(index);
            Some(command)
        })
    }
}

/// Reads a key as `Ctrl+Shift+E`.
fn stroke(text: &str) -> Option<Stroke> {
    let (held, key) = match text.rsplit_once('+') {
        Some((held, key)) => (held.split('+').collect(), key),
        None => (Vec::new(), text),
    };
    let mut with = Modifiers::NONE;
    for each in held {
        with = match each.trim() {
            "Ctrl" | "Cmd" => with.plus(Modifiers::COMMAND),
            "Shift" => with.plus(Modifiers::SHIFT),
            "Alt" => with.plus(Modifiers::ALT),
            _ => return None,
        };
    }
    Some((with, Key::from_name(key.trim())?))
}

/// Writes a key as [`stroke`] reads it.
fn text((with, key): Stroke) -> String {
    let held = [(with.command, "Ctrl+"), (with.shift, "Shift+"), (with.alt, "Alt+")];
    let held: String = held.iter().filter(|(on, _)| *on).map(|(_, word)| *word).collect();
    format!("{held}{}", key.name())
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    const CTRL: Modifiers = Modifiers::COMMAND;

    #[test]
    fn keys_that_are_let_go_within_a_frame_are_heard_in_their_order() {
        let ctx = Context::default();
        let key = |key, pressed, modifiers| Event::Key { key, physical_key: None, pressed, repeat: false, modifiers };
        let ctrl = Modifiers { ctrl: true, command: true, ..Modifiers::NONE };
        // The hand is off the keys when the frame begins.
        let mut events = Vec::new();
        for (of, with) in [(Key::M, Modifiers::NONE), (Key::A, ctrl), (Key::Z, ctrl), (Key::Z, ctrl)] {
            events.extend([key(of, true, with), key(of, false, Modifiers::NONE)]);
        }
        let mut heard = Vec::new();
        let input = egui::RawInput { events, ..egui::RawInput::default() };
        let keymap = Keymap::default();
        drop(ctx.run_ui(input, |ui| heard.extend(std::iter::from_fn(|| keymap.pressed(ui.ctx())))));
        assert_eq!(heard, [Command::Mute, Command::SelectAll, Command::Undo, Command::Undo]);
    }

    #[test]
    fn no_two_commands_have_the_same_keys_in_any_preset() {
        for (preset, name) in Preset::ALL {
            let (keymap, mut seen) = (Keymap::of(preset), HashSet::new());
            for about in COMMANDS {
                for stroke in keymap.strokes(about.command) {
                    assert!(seen.insert(text(*stroke)), "{name}: {} {}", about.name(), text(*stroke));
                }
            }
        }
    }

    #[test]
    fn every_key_is_read_as_it_is_written() {
        for about in COMMANDS {
            for each in about.keys {
                assert_eq!(stroke(&text(*each)), Some(*each), "{}", text(*each));
            }
        }
        for wrong in ["", "Ctrl", "Ctrl+", "Hyper+A", "Ctrl+Nothing"] {
            assert_eq!(stroke(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_file_says_what_differs_from_a_preset() {
        let home = tempfile::tempdir().expect("a folder");
        let mut keymap = Keymap::of(Preset::Blender);
        keymap.set(Command::Pin, Vec::new());
        keymap.set(Command::Mute, vec![(CTRL, Key::M)]);
        keymap.write(home.path()).expect("it can be written");
        assert_eq!(Keymap::read(home.path()), (keymap, Vec::new()));
        let text = fs::read_to_string(home.path().join(FILE)).expect("it is there");
        assert!(text.contains("\"mute\": [\"Ctrl+M\"]") && !text.contains("frame"), "{text}");
    }

    #[test]
    fn what_is_wrong_with_a_file_is_told_and_the_rest_holds() {
        let home = tempfile::tempdir().expect("a folder");
        let file = |text: &str| {
            fs::write(home.path().join(FILE), text).expect("writable");
            Keymap::read(home.path())
        };
        let (keymap, wrong) = file(
            r#"(keys: {"mutee": ["M"], "pin": ["Hyper+P", "Alt+P"], "save": ["Ctrl+N"], "run": ["F5"], "find": ["F5"]})"#,
        );
        assert_eq!(keymap.strokes(Command::Pin), [(Modifiers::ALT, Key::P)]);
        assert_eq!(keymap.strokes(Command::Save), [(CTRL, Key::N)]);
        assert!(keymap.strokes(Command::New).is_empty() && keymap.strokes(Command::Run).is_empty());
        for words in ["did you mean `mute`", "`Hyper+P` is no key", "`F5` is given to `find` and to `run`"] {
            assert!(wrong.iter().any(|told| told.contains(words)), "{words}: {wrong:?}");
        }
        let (keymap, wrong) = file("(keys: [");
        assert_eq!((keymap, wrong.len()), (Keymap::default(), 1));
    }
}
