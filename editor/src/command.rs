//! Commands: everything that menus, keys and the palette can do, in one list.

use egui::{Key, Modifiers};

/// Something a person can ask for; [`COMMANDS`] says in words what each is.
#[expect(missing_docs, reason = "their titles stand in the list")]
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Command {
    New,
    Templates,
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
    AddLora,
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
    MakeSubgraph,
    EnterSubgraph,
    LeaveSubgraph,
    Unpack,
    MakeOwn,
    NameSubgraph,
    ForgetUnused,
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
    RunFront,
    RunTo,
    RunFresh,
    RunChanged,
    Stop,
    ClearQueue,
    StopAll,
    Palette,
    ShowResults,
    ShowForm,
    ShowRuns,
    ShowMemory,
    ShowSteps,
    ShowFaults,
    ShowLog,
    Theme,
    Settings,
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
    /// Its keys, as long as nobody has chosen others.
    pub keys: &'static [(Modifiers, Key)],
}

impl About {
    /// Returns the name by which files know it: `RunFresh` is `run_fresh`.
    pub fn name(&self) -> String {
        let mut name = String::new();
        for letter in format!("{:?}", self.command).chars() {
            if letter.is_uppercase() && !name.is_empty() {
                name.push('_');
            }
            name.extend(letter.to_lowercase());
        }
        name
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
        Templates "Templates…" [CTRL_SHIFT N];
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
        AddLora "Add LoRA…";
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
        MakeSubgraph "Make a sub-graph" [CTRL_SHIFT E];
        EnterSubgraph "Enter the sub-graph" [CTRL_ALT E];
        LeaveSubgraph "Leave the sub-graph";
        Unpack "Unpack the sub-graph" [CTRL_SHIFT U];
        MakeOwn "Give it a sub-graph of its own";
        NameSubgraph "Rename the sub-graph…";
        ForgetUnused "Forget unused sub-graphs";
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
        Settings "Settings…" [CTRL Comma];
        Palette "Command palette…" [CTRL K, CTRL_SHIFT P];
        ShowResults "Panel of results";
        ShowForm "Panel of the form";
        ShowRuns "Panel of runs";
        ShowMemory "Panel of memory";
        ShowSteps "Panel of steps";
        ShowFaults "Panel of faults";
        ShowLog "Panel of the log" [CTRL Backtick];
    }
    Run {
        Run "Run" [CTRL Enter];
        RunFront "Run before others" [CTRL_SHIFT Enter];
        RunTo "Run to what is chosen" [SHIFT Enter];
        RunFresh "Run everything anew" [ALT Enter];
        RunChanged "Run whenever it changes";
        Stop "Stop" [CTRL_ALT Enter];
        ClearQueue "Clear what waits" [CTRL_SHIFT Backspace];
        StopAll "Stop all, and clear what waits";
    }
}

impl Command {
    /// Returns what is known of it.
    pub fn about(self) -> &'static About {
        COMMANDS.iter().find(|about| about.command == self).expect("every command is in the list")
    }
}
