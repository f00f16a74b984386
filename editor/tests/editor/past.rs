//! Runs that are over: what is told of them, what has changed since, and the way back.

use std::sync::Arc;

use darkroom_core::fault::{Fault, Faults};
use darkroom_editor::session::{Disk, News, Outcome, Ticket, Told};
use egui::Key;

use crate::room::{CTRL, NONE, Room, workflow};
use crate::runs::until;

fn grows() -> String {
    workflow(
        r#""grow": (type: "grow", seed: 5), "rest": (type: "word")"#,
        r#""grow": (at: (0, 0)), "rest": (at: (300, 0))"#,
    )
}

/// Lets a run begin and end.
fn run(room: &mut Room, ended: Result<(f64, u64), Faults>) {
    room.key(CTRL, Key::Enter);
    let ticket = Ticket(room.desk().runs.len() as u64);
    let graph = Arc::clone(&room.tab().runs[0].graph);
    room.tell(News::Run { ticket, told: Told::Began { graph } });
    room.tell(News::Ended { ticket, ended });
}

#[test]
fn a_run_that_is_over_tells_what_has_changed_since_and_brings_its_graph_back() {
    let mut room = Room::new(&grows());
    room.click_on("runs");
    run(&mut room, Ok((12.0, 0)));
    assert!(room.reads("#1") && room.reads("12 s"));
    room.click(room.head("rest"));
    room.key(NONE, Key::Delete);
    room.click(room.head("grow"));
    room.key(NONE, Key::M);
    room.click_words("#1");
    assert!(room.reads("− rest") && room.reads("grow active → muted"));
    run(&mut room, Err(Faults::from(Fault::memory("the tray is full"))));
    room.click_words("#2");
    assert!(room.reads("changed since then: nothing") && room.reads("changed for this run:"));
    assert!(room.reads("the tray is full"));
    room.click_words("#2");
    room.click_words("Bring this graph back");
    assert_eq!(room.sheet().nodes.len(), 2);
    assert!(room.tab().past.runs().is_empty(), "it is a document of its own");
}

#[test]
fn runs_outlive_the_window() {
    let home = tempfile::tempdir().expect("a folder");
    let file = home.path().canonicalize().expect("it is there").join("mine.ron");
    std::fs::write(&file, grows()).expect("writable");
    let open = || {
        let state = Some(home.path().join("state"));
        let mut room = Room::over(&grows(), |_| Disk { state, ..Disk::default() });
        room.key(CTRL, Key::O);
        room.type_in(&file.display().to_string());
        room.key(NONE, Key::Enter);
        assert_eq!(room.tab().document.path(), Some(&*file));
        room
    };
    let mut room = open();
    run(&mut room, Ok((3.0, 0)));
    run(&mut room, Err(Faults::from(Fault::cancelled())));
    drop(room);
    let room = open();
    let outcomes: Vec<_> = room.tab().past.runs().iter().map(|run| run.outcome.clone()).collect();
    assert_eq!(outcomes, [Outcome::Done, Outcome::Stopped]);
    assert_eq!(*room.tab().past.runs()[0].graph, room.sheet().graph());
}

#[test]
fn the_graph_of_a_run_has_the_seed_that_was_drawn() {
    let mut room = Room::local(&workflow(
        r#""grow": (type: "grow", seed: "random"), "sprout": (type: "sprout", leaf: (from: "grow")), "press": (type: "press", text: (from: "sprout"))"#,
        r#""grow": (at: (0, 0)), "sprout": (at: (300, 0)), "press": (at: (600, 0))"#,
    ));
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.frame([]);
    room.key(CTRL, Key::Enter);
    until(&mut room, "it is over", |room| !room.tab().past.runs().is_empty());
    let run = &room.tab().past.runs()[0];
    assert_eq!(run.outcome, Outcome::Done);
    let seed = run.graph.nodes["grow"].fields.get("seed");
    assert_eq!(seed, Some(&darkroom_core::graph::Field::Literal(77_u64.into())));
}
