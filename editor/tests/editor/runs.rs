//! Runs and faults: what is asked of the backend, and how its answers are shown.

use std::time::{Duration, Instant};

use darkroom_core::fault::{Fault, Faults, Located};
use darkroom_core::plan::Goal;
use darkroom_editor::session::{Fate, News, NodeOutlook, Outlook, Place, Told};
use darkroom_editor::status::State;
use egui::{Key, pos2};
use egui_kittest::kittest::{NodeT as _, Queryable as _};

use crate::room::{ALT, CTRL, CTRL_SHIFT, NONE, Room, SHIFT, workflow};

pub fn text() -> String {
    workflow(
        r#""word": (type: "word", text: "ink"), "shout": (type: "shout", text: (from: "word")), "press": (type: "press", text: (from: "shout"))"#,
        r#""word": (at: (0, 0)), "shout": (at: (300, 0)), "press": (at: (600, 0))"#,
    )
}

fn faults(node: &str, kind: &str, input: &str, message: &str) -> Faults {
    let mut faults = Faults::default();
    faults.push(Located::at_node(Fault::graph(message).hint("fill it"), node, kind).input(input));
    faults
}

pub fn outlook(nodes: &[(&str, Fate)]) -> Outlook {
    let node = |(name, fate): &(&str, Fate)| NodeOutlook {
        name: (*name).to_owned(),
        fate: *fate,
        why: String::new(),
        types: Vec::new(),
        seconds: None,
        bytes: 0,
    };
    let runs = nodes.iter().filter(|(_, fate)| *fate == Fate::Runs).count();
    Outlook { nodes: nodes.iter().map(node).collect(), runs, of: nodes.len(), ..Outlook::default() }
}

/// Answers the newest question.
pub fn answer(room: &mut Room, outlook: Result<Outlook, Faults>) {
    let (document, revision) = room.desk().foreseen.last().map(|ask| (ask.document, ask.revision)).expect("it asked");
    room.tell(News::Foreseen { document, revision, outlook });
}

/// Waits until something holds.
pub fn until(room: &mut Room, what: &str, holds: impl Fn(&Room) -> bool) {
    let begun = Instant::now();
    while !holds(room) {
        if begun.elapsed() > Duration::from_secs(20) {
            let log: Vec<_> = room.tab().log.iter().map(|line| &line.text).collect();
            let runs: Vec<_> = room.tab().runs.iter().map(|run| (run.ticket, &run.nodes)).collect();
            panic!("it never came to this: {what}; runs: {runs:?}; log: {log:?}");
        }
        std::thread::sleep(Duration::from_millis(5));
        room.wait(1);
    }
}

fn state(room: &Room, name: &str) -> State {
    room.tab().status.of(room.id(name)).map_or(State::Unknown, |status| status.state)
}

#[test]
fn every_edit_is_asked_about_once() {
    let mut room = Room::new(&text());
    let before = room.desk().foreseen.len();
    room.wait(10);
    assert_eq!(room.desk().foreseen.len(), before);
    room.click(room.head("shout"));
    room.key(NONE, Key::M);
    assert_eq!(room.desk().foreseen.len(), before + 1);
}

#[test]
fn runs_are_asked_for_by_keys() {
    let mut room = Room::new(&text());
    room.key(CTRL, Key::Enter);
    room.click(room.head("shout"));
    room.key(SHIFT, Key::Enter);
    room.key(CTRL_SHIFT, Key::Enter);
    room.key(ALT, Key::Enter);
    let wishes: Vec<_> = room.desk().runs.iter().map(|(_, ask)| ask.wish.clone()).collect();
    assert_eq!(wishes.len(), 4);
    assert!(matches!(&wishes[1].goal, Goal::Node(name) if name == "shout"));
    assert!(!wishes[0].fresh && wishes[3].fresh);
    assert_eq!(room.desk().places, [Place::Back, Place::Back, Place::Front, Place::Back]);
}

#[test]
fn a_plan_is_shown_before_the_run() {
    let mut room = Room::new(&text());
    answer(&mut room, Ok(outlook(&[("shout", Fate::Runs), ("press", Fate::Runs)])));
    assert_eq!((state(&room, "shout"), state(&room, "word")), (State::Dirty, State::Unknown));
    assert!(room.reads("2 of 2 will run"));
}

#[test]
fn a_late_answer_is_left_aside() {
    let mut room = Room::new(&text());
    let (document, revision) = room.desk().foreseen.last().map(|ask| (ask.document, ask.revision)).expect("it asked");
    room.click(room.head("shout"));
    room.key(NONE, Key::M);
    room.tell(News::Foreseen { document, revision, outlook: Err(faults("shout", "shout", "text", "too loud")) });
    assert_eq!(room.tab().faults.len(), 0);
}

#[test]
fn a_fault_is_shown_at_its_field_and_its_node_and_below_and_a_click_leads_there() {
    let mut room = Room::new(&text());
    answer(&mut room, Err(faults("shout", "shout", "loudness", "`loudness` is too loud")));
    assert!(!room.reads("fill it"));
    room.click(room.sentence("1 fault"));
    assert!(room.reads("shout.loudness: `loudness` is too loud") && room.reads("fill it"));
    let status = room.tab().status.of(room.id("shout")).expect("it is known").clone();
    assert_eq!(status.faults.len(), 1);
    let said = |label: &str| room.harness.get_by_label(label).accesskit_node().data().clone();
    assert_eq!(said("loudness").invalid(), Some(egui::accesskit::Invalid::True));
    assert_eq!(said("node shout").description(), Some("`loudness` is too loud"));
    // It runs no more.
    room.key(CTRL, Key::Enter);
    assert!(room.desk().runs.is_empty());
    assert!(room.reads("this cannot run yet"));
    room.look(pos2(9000.0, 9000.0), 1.0);
    room.click(room.sentence("shout.loudness: "));
    assert_eq!(room.chosen(), ["shout"]);
    let view = room.tab().view.view.expect("it was shown");
    assert!(view.contains(room.head("shout")));
    // What is mended is no longer wrong.
    answer(&mut room, Ok(outlook(&[("shout", Fate::Runs)])));
    assert!(room.tab().faults.is_empty() && room.reads("no faults"));
}

#[test]
fn the_engine_says_what_is_wrong_and_a_wire_mends_it() {
    let mut room = Room::local(&workflow(
        r#""word": (type: "word", text: "ink"), "shout": (type: "shout"), "press": (type: "press", text: (from: "shout"))"#,
        r#""word": (at: (0, 0)), "shout": (at: (300, 0)), "press": (at: (600, 0))"#,
    ));
    until(&mut room, "a fault is known", |room| !room.tab().faults.is_empty());
    assert_eq!(room.tab().faults[0].place.input.as_deref(), Some("text"));
    room.drag(room.socket("output", "text", "word"), room.socket("input", "text", "shout"));
    until(&mut room, "a plan is known", |room| room.tab().faults.is_empty() && room.tab().outlook.is_some());
    assert_eq!(state(&room, "press"), State::Dirty);
}

#[test]
fn the_engine_refuses_a_wire_that_its_nodes_refuse() {
    let mut room = Room::local(&workflow(
        r#""red": (type: "ink", colour: "red"), "blue": (type: "ink", colour: "blue"), "leaf": (type: "grow"),
           "stamp": (type: "stamp", ink: (from: "red"), leaf: (from: "leaf")), "press": (type: "press", text: (from: "stamp.caption"))"#,
        r#""red": (at: (0, 0)), "blue": (at: (0, 160)), "leaf": (at: (0, 320)), "stamp": (at: (400, 0)), "press": (at: (400, 300))"#,
    ));
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.drag(room.socket("output", "ink", "blue"), room.socket("input", "second", "stamp"));
    assert_eq!(room.field("stamp", "second"), None);
    assert!(room.reads("take one colour"));
    room.drag(room.socket("output", "ink", "red"), room.socket("input", "second", "stamp"));
    assert_eq!(room.field("stamp", "second").as_deref(), Some("red"));
}

#[test]
fn the_engine_refuses_wires_that_are_moved_together_or_connected() {
    let mut room = Room::local(&workflow(
        r#""red": (type: "ink", colour: "red"), "dye": (type: "ink", colour: "red"), "blue": (type: "ink", colour: "blue"), "leaf": (type: "grow"),
           "stamp": (type: "stamp", ink: (from: "red"), leaf: (from: "leaf"), second: (from: "dye")),
           "press": (type: "press", text: (from: "stamp.caption"))"#,
        r#""red": (at: (0, 0)), "dye": (at: (0, 160)), "blue": (at: (0, 320)), "leaf": (at: (0, 480)), "stamp": (at: (400, 0)), "press": (at: (400, 300))"#,
    ));
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.hold(CTRL);
    room.drag(room.socket("output", "ink", "dye"), room.socket("output", "ink", "blue"));
    room.hold(NONE);
    assert_eq!(room.field("stamp", "second").as_deref(), Some("dye"));
    assert!(room.reads("take one colour"));
    room.click_with(ALT, room.socket("input", "second", "stamp"));
    room.click(room.head("blue"));
    room.click_with(SHIFT, room.head("stamp"));
    room.key(NONE, Key::F);
    assert_eq!((room.field("stamp", "second"), room.steps().len()), (None, 1));
}

#[test]
fn a_run_comes_to_its_end_and_the_next_one_takes_what_is_there() {
    let mut room = Room::local(&text());
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.frame([]);
    room.key(CTRL, Key::Enter);
    until(&mut room, "the run is over", |room| room.tab().runs.is_empty() && state(room, "press") == State::Cached);
    assert!(room.tab().log.iter().any(|line| line.text.contains("sheet.txt")));
    assert!(room.reads("everything is there"));
}

#[test]
fn a_run_that_fails_says_why_at_its_node() {
    let mut room = Room::local(&workflow(
        r#""spoil": (type: "spoil"), "sprout": (type: "sprout", leaf: (from: "spoil")), "press": (type: "press", text: (from: "sprout"))"#,
        r#""spoil": (at: (0, 0)), "sprout": (at: (300, 0)), "press": (at: (600, 0))"#,
    ));
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.frame([]);
    room.key(CTRL, Key::Enter);
    until(&mut room, "the run has failed", |room| {
        room.tab().log.iter().any(|line| line.text.contains("the tray is empty"))
    });
    // The plan that is asked for then knows nothing of it, and takes nothing of it away.
    until(&mut room, "the plan is known again", |room| room.tab().outlook.is_some() && room.tab().runs.is_empty());
    for _ in 0..50 {
        std::thread::sleep(Duration::from_millis(5));
        room.frame([]);
    }
    assert!(room.reads("the tray is empty"));
    let failed = room.id("spoil");
    let status = room.tab().status.of(failed).expect("it was run");
    assert_eq!((status.state, status.faults.len()), (State::Failed, 1));
    room.click(room.head("sprout"));
    room.key(NONE, Key::M);
    until(&mut room, "the change is planned", |room| room.tab().failures.is_empty());
}

#[test]
fn a_run_is_stopped() {
    let mut room = Room::local(&workflow(
        r#""slow": (type: "linger", steps: 100000, pause: 5), "sprout": (type: "sprout", leaf: (from: "slow")), "press": (type: "press", text: (from: "sprout"))"#,
        r#""slow": (at: (0, 0)), "sprout": (at: (300, 0)), "press": (at: (600, 0))"#,
    ));
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.frame([]);
    room.key(CTRL, Key::Enter);
    until(&mut room, "it runs", |room| matches!(state(room, "slow"), State::Running(share) if share > 0.0));
    room.key(egui::Modifiers { alt: true, ..CTRL }, Key::Enter);
    until(&mut room, "it has stopped", |room| room.tab().runs.is_empty());
    assert_eq!(state(&room, "press"), State::Dirty);
}

#[test]
fn progress_is_shown_at_the_node() {
    let mut room = Room::new(&text());
    room.key(CTRL, Key::Enter);
    let ticket = room.desk().runs[0].0;
    room.tell(News::Run { ticket, told: Told::Planned(outlook(&[("shout", Fate::Runs), ("press", Fate::Runs)])) });
    assert_eq!((state(&room, "shout"), state(&room, "press")), (State::Queued, State::Queued));
    room.tell(News::Run { ticket, told: Told::Started { node: "shout".to_owned() } });
    room.tell(News::Run { ticket, told: Told::Progress { node: "shout".to_owned(), done: 1, of: 4 } });
    assert_eq!(state(&room, "shout"), State::Running(0.25));
    room.tell(News::Ended { ticket, ended: Ok((1.0, 0)) });
    assert!(room.tab().runs.is_empty());
}
