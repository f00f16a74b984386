//! What sits in memory and on disk, and what can be let go of.

use darkroom_core::cache::Tier;
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::residency::PartId;
use darkroom_editor::session::{Held, Holding, News, Seat, Spare};
use egui::Key;

use crate::room::{CTRL, Room, workflow};
use crate::runs::{text, until};

fn holding(what: Held, title: &str, bytes: u64, used: bool) -> Holding {
    Holding { what, title: title.to_owned(), bytes, seconds: None, used }
}

fn name(id: u8) -> Fingerprint {
    Fingerprint::of_bytes(&[id])
}

#[test]
fn what_sits_where_is_told_and_let_go_of_unless_a_run_uses_it() {
    let mut room = Room::new(&text());
    assert_eq!(room.desk().stock, 0, "nobody has asked");
    room.click_on("memory");
    assert_eq!(room.desk().stock, 1);
    let (unet, vae) = (Held::Weights(PartId(name(1))), Held::Weights(PartId(name(2))));
    room.tell(News::Stock(vec![
        holding(unet, "unet", 3 << 30, true),
        holding(vae, "vae", 1 << 20, false),
        holding(Held::Result(name(3), Tier::Memory), "denoise", 2 << 20, false),
        holding(Held::Result(name(4), Tier::Disk), "encode_prompt", 5 << 10, false),
    ]));
    assert!(room.reads("3.0 GiB") && room.reads("in use"));
    assert!(!room.sees("free unet"));
    room.click_on("free vae");
    room.click_on("free all results in memory");
    room.click_on("free encode_prompt");
    let disk = Spare::One(Held::Result(name(4), Tier::Disk));
    assert_eq!(room.desk().spared, [Spare::One(vae), Spare::All(Seat::Memory), disk]);
}

#[test]
fn nothing_is_taken_from_a_run_that_uses_it() {
    let mut room = Room::local(&workflow(
        r#""ink": (type: "ink", colour: "red"), "leaf": (type: "grow"), "stamp": (type: "stamp", ink: (from: "ink"), leaf: (from: "leaf")),
           "slow": (type: "linger", steps: 100000, pause: 5), "sprout": (type: "sprout", leaf: (from: "slow")),
           "press": (type: "press", text: (from: "stamp.caption")), "other": (type: "press", text: (from: "sprout"), name: "other.txt")"#,
        r#""ink": (at: (0, 0)), "leaf": (at: (0, 160)), "stamp": (at: (300, 0)), "press": (at: (600, 0)), "slow": (at: (0, 400)), "sprout": (at: (300, 400)), "other": (at: (600, 400))"#,
    ));
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.frame([]);
    // The first part alone is made, and kept.
    room.click(room.head("stamp"));
    room.key(crate::room::SHIFT, Key::Enter);
    until(&mut room, "it is made", |room| room.tab().past.runs().len() == 1);
    room.click_on("memory");
    until(&mut room, "it is told", |room| room.sees("free stamp") && room.sees("free red ink"));
    room.key(CTRL, Key::Enter);
    let begun = |room: &Room| room.tab().running().is_some_and(|run| run.nodes.contains(&"slow".to_owned()));
    until(&mut room, "it runs", begun);
    // The list is of before; whoever lets go knows better.
    room.click_on("free all results in memory");
    until(&mut room, "it is told", |room| !room.sees("free stamp"));
    assert!(room.reads("stamp") && room.reads("in use"));
    room.key(egui::Modifiers { alt: true, ..CTRL }, Key::Enter);
    until(&mut room, "it has stopped", |room| room.tab().runs.is_empty() && room.sees("free stamp"));
    room.click_on("free all results in memory");
    until(&mut room, "it is gone", |room| !room.sees("free stamp"));
    room.click_on("free red ink");
    until(&mut room, "it is gone", |room| !room.sees("free red ink"));
}

/// A leaf that is stamped with an ink, which has to be loaded.
fn stamped() -> String {
    workflow(
        r#""ink": (type: "ink", colour: "red"), "leaf": (type: "grow"), "stamp": (type: "stamp", ink: (from: "ink"), leaf: (from: "leaf")),
           "press": (type: "press", text: (from: "stamp.caption"))"#,
        r#""ink": (at: (0, 0)), "leaf": (at: (0, 160)), "stamp": (at: (300, 0)), "press": (at: (600, 0))"#,
    )
}

fn runs_once(mut room: Room) -> Room {
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.frame([]);
    room.key(CTRL, Key::Enter);
    until(&mut room, "it is made", |room| room.tab().past.runs().len() == 1 && room.tab().runs.is_empty());
    room
}

#[test]
fn weights_are_let_go_of_once_nothing_runs_and_results_stay() {
    let mut room = runs_once(Room::local_that_rests(&stamped()));
    let told = |room: &Room| room.tab().log.iter().any(|line| line.text.starts_with("nothing ran for 0 s: "));
    until(&mut room, "it is told", told);
    assert!(
        room.tab().log.iter().any(|line| line.text.ends_with("of weights were let go, to be loaded again when needed"))
    );
    room.click_on("memory");
    until(&mut room, "what is left is told", |room| room.sees("free stamp"));
    assert!(!room.sees("free red ink"));
}

#[test]
fn weights_stay_for_the_next_run_as_long_as_one_may_come() {
    let mut room = runs_once(Room::local(&stamped()));
    room.click_on("memory");
    until(&mut room, "what is left is told", |room| room.sees("free stamp"));
    assert!(room.sees("free red ink"));
    assert!(!room.tab().log.iter().any(|line| line.text.starts_with("nothing ran")));
}
