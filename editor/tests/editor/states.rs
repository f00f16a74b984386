//! Pictures of the window in its main states. `UPDATE_SNAPSHOTS=true cargo test -p darkroom-editor` makes them anew; look
//! at each that changed before it is kept.

use egui::vec2;
use egui_kittest::SnapshotOptions;

use crate::room::{Room, workflow};

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
