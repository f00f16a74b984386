//! Pictures of the window in its main states. `UPDATE_SNAPSHOTS=true cargo test -p darkroom-editor` makes them anew; look
//! at each that changed before it is kept.

use darkroom_core::fault::{Fault, Faults, Located};
use darkroom_editor::session::{Fate, News, NodeOutlook, Outlook, Ticket, Told};
use egui::{Key, vec2};
use egui_kittest::SnapshotOptions;

use crate::room::{CTRL, NONE, Room, workflow};

/// So many points of a picture may differ: arithmetic on another processor may round another way.
const FEW: usize = 40;

/// Compares what is seen with the picture of that name.
fn picture(room: &mut Room, name: &str) {
    let options = SnapshotOptions::new().max_failed_pixels(FEW).output_path("tests/snapshots");
    room.harness.snapshot_options(name, &options);
}

/// A word, a shout of it, and a page, in a window of a handy size.
fn room() -> Room {
    let mut room = Room::new(&workflow(
        r#""word": (type: "word", text: "ink"), "shout": (type: "shout", text: (from: "word")), "press": (type: "press", text: (from: "shout"))"#,
        r#""word": (at: (0, 0)), "shout": (at: (300, 0)), "press": (at: (600, 0))"#,
    ));
    room.harness.set_size(vec2(1000.0, 620.0));
    room.settle();
    room
}

#[test]
fn a_graph_lies_open() {
    picture(&mut room(), "open");
}

#[test]
fn the_same_in_light_colours() {
    let mut room = room();
    room.harness.ctx.set_theme(egui::Theme::Light);
    room.settle();
    picture(&mut room, "light");
}

#[test]
fn nothing_is_there_yet() {
    let mut room = Room::new("(darkroom: 1, nodes: {})");
    room.harness.set_size(vec2(1000.0, 620.0));
    room.settle();
    picture(&mut room, "empty");
}

#[test]
fn the_palette_is_open() {
    let mut room = room();
    room.move_to(room.on(200.0, 300.0));
    room.key(NONE, Key::Tab);
    room.type_in("sh");
    picture(&mut room, "palette");
}

#[test]
fn a_run_is_under_way() {
    let mut room = room();
    room.key(CTRL, Key::Enter);
    let nodes = ["word", "shout", "press"].map(|name| NodeOutlook {
        name: name.to_owned(),
        fate: Fate::Runs,
        why: String::new(),
        types: Vec::new(),
        seconds: Some(2.0),
        bytes: 0,
    });
    let planned = Outlook { nodes: nodes.to_vec(), runs: 3, of: 3, seconds: Some(6.0), ..Outlook::default() };
    for told in [
        Told::Planned(planned),
        Told::Started { node: "shout".to_owned() },
        Told::Progress { node: "shout".to_owned(), done: 1, of: 2 },
    ] {
        room.tell(News::Run { ticket: Ticket(1), told });
    }
    picture(&mut room, "running");
}

#[test]
fn something_is_wrong() {
    let mut room = room();
    let mut faults = Faults::default();
    let fault = Fault::graph("`loudness` is too loud").hint("choose a quieter one");
    faults.push(Located::at_node(fault, "shout", "shout").input("loudness"));
    let (document, revision) = room.desk().foreseen.last().map(|ask| (ask.document, ask.revision)).expect("it asked");
    room.tell(News::Foreseen { document, revision, outlook: Err(faults) });
    room.click(room.sentence("1 fault"));
    room.wait(20);
    picture(&mut room, "fault");
}

#[test]
fn the_graph_is_seen_from_afar() {
    let mut room = room();
    room.look(egui::pos2(400.0, 100.0), 0.35);
    picture(&mut room, "afar");
}
