//! The log: what is shown of it, and the report.

use darkroom_editor::session::{News, Ticket, Told};
use egui::{Key, OutputCommand};

use crate::room::{CTRL, Room};
use crate::runs::text;

fn told() -> Room {
    let mut room = Room::new(&text());
    room.key(CTRL, Key::Enter);
    let warn = |node: Option<&str>, text: &str| Told::Warning { node: node.map(str::to_owned), text: text.to_owned() };
    let read = Told::Reading { path: "/models/big.safetensors".into(), done: 9, of: 9 };
    for told in [warn(Some("shout"), "it is loud"), warn(None, "the disk is full"), read] {
        room.tell(News::Run { ticket: Ticket(1), told });
    }
    room.tell(News::Ended { ticket: Ticket(1), ended: Err(darkroom_core::fault::Fault::file("it tore").into()) });
    room.wait(400);
    room.click_words("log (4)");
    room
}

#[test]
fn the_log_is_filtered_by_weight_and_by_words() {
    let mut room = told();
    assert!(room.reads("shout: it is loud") && room.reads("big.safetensors") && room.reads("it tore"));
    room.click_on("show warnings");
    assert!(!room.reads("it is loud") && room.reads("it tore"));
    room.click_on("show warnings");
    let field = room.text_field("filter the log").center();
    room.click(field);
    room.type_in("SHOUT");
    assert!(room.reads("it is loud") && !room.reads("the disk is full") && !room.reads("it tore"));
}

#[test]
fn a_report_tells_program_machine_workflow_and_all_lines() {
    let mut room = told();
    room.tap("Copy report");
    let copied = room.commands().into_iter().find_map(|command| match command {
        OutputCommand::CopyText(text) => Some(text),
        _ => None,
    });
    let report = copied.expect("it is on the clipboard");
    for words in [
        "darkroom 0.",
        std::env::consts::OS,
        "workflow untitled, 3 nodes",
        "warning: shout: it is loud",
        "error: it tore",
    ] {
        assert!(report.contains(words), "{words} is not in\n{report}");
    }
}

#[test]
fn a_key_opens_the_log_and_closes_it() {
    let mut room = Room::new(&text());
    room.key(CTRL, Key::Backtick);
    assert!(room.sees("filter the log"));
    room.key(CTRL, Key::Backtick);
    assert!(!room.sees("filter the log"));
}

#[test]
fn the_log_is_cleared() {
    let mut room = told();
    room.click_on("Clear");
    assert!(room.tab().log.is_empty() && !room.reads("it is loud"));
}
