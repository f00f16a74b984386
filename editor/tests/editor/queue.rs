//! The queue: runs in front of others, runs that are taken out, several at a time, and runs whenever something changes.

use std::sync::Arc;

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::graph::{Field, Graph};
use darkroom_core::literal::Literal;
use darkroom_editor::session::{Fate, News, Ticket, Told};
use egui::{Key, ViewportCommand};

use crate::room::{CTRL, CTRL_SHIFT, NONE, Room, workflow};
use crate::runs::{answer, outlook, text, until};

const CTRL_ALT: egui::Modifiers = egui::Modifiers { alt: true, ..CTRL };

/// Opens the queue.
fn queue(text: &str) -> Room {
    let mut room = Room::new(text);
    room.click_on("runs");
    room
}

fn tickets(room: &Room) -> Vec<u64> {
    room.tab().runs.iter().map(|run| run.ticket.0).collect()
}

fn begin(room: &mut Room, ticket: u64) {
    let graph = Arc::clone(&room.tab().runs[0].graph);
    room.tell(News::Run { ticket: Ticket(ticket), told: Told::Began { graph } });
}

fn gone(room: &mut Room, ticket: u64) {
    room.tell(News::Ended { ticket: Ticket(ticket), ended: Err(Faults::from(Fault::cancelled())) });
}

#[test]
fn a_run_in_front_goes_before_all_that_wait_and_not_before_the_one_under_way() {
    let mut room = queue(&text());
    room.key(CTRL, Key::Enter);
    begin(&mut room, 1);
    room.key(CTRL, Key::Enter);
    room.key(CTRL, Key::Enter);
    room.key(CTRL_SHIFT, Key::Enter);
    assert_eq!(tickets(&room), [1, 4, 2, 3]);
    assert!(room.reads("3 waiting") && room.sees("stop the run of untitled"));
    room.click_on("run 3 of untitled first");
    assert_eq!(tickets(&room), [1, 3, 4, 2]);
    assert_eq!(room.desk().hastened, [Ticket(3)]);
}

#[test]
fn stop_ends_the_run_under_way_and_leaves_those_that_wait() {
    let mut room = queue(&text());
    room.key(CTRL, Key::Enter);
    begin(&mut room, 1);
    room.key(CTRL, Key::Enter);
    room.key(CTRL_ALT, Key::Enter);
    assert_eq!(room.desk().cancelled, [Ticket(1)]);
    gone(&mut room, 1);
    assert_eq!(tickets(&room), [2]);
}

#[test]
fn what_waits_is_cleared_and_the_run_under_way_goes_on() {
    let mut room = queue(&text());
    room.key(CTRL, Key::Enter);
    begin(&mut room, 1);
    room.key(CTRL, Key::Enter);
    room.key(CTRL, Key::Enter);
    room.key(CTRL_SHIFT, Key::Backspace);
    assert_eq!(room.desk().cancelled, [Ticket(2), Ticket(3)]);
    gone(&mut room, 2);
    gone(&mut room, 3);
    assert_eq!(tickets(&room), [1]);
    assert!(room.tab().past.runs().is_empty(), "what never began is no earlier run");
}

#[test]
fn a_run_that_waits_is_cancelled_by_its_button() {
    let mut room = queue(&text());
    (0..3).for_each(|_| room.key(CTRL, Key::Enter));
    begin(&mut room, 1);
    room.click_on("cancel run 2 of untitled");
    assert_eq!(room.desk().cancelled, [Ticket(3)]);
}

#[test]
fn an_engine_takes_a_waiting_run_out_at_once_and_runs_the_one_in_front_first() {
    let mut room = Room::local(&workflow(
        r#""slow": (type: "linger", steps: 100000, pause: 5), "sprout": (type: "sprout", leaf: (from: "slow")), "press": (type: "press", text: (from: "sprout"))"#,
        r#""slow": (at: (0, 0)), "sprout": (at: (300, 0)), "press": (at: (600, 0))"#,
    ));
    until(&mut room, "a plan is known", |room| room.tab().outlook.is_some());
    room.frame([]);
    room.key(CTRL, Key::Enter);
    until(&mut room, "it runs", |room| room.tab().running().is_some());
    room.key(CTRL, Key::Enter);
    room.key(CTRL, Key::Enter);
    room.key(CTRL_SHIFT, Key::Enter);
    assert_eq!(tickets(&room), [1, 4, 2, 3]);
    room.click_on("runs");
    room.click_on("cancel run 2 of untitled");
    until(&mut room, "it is out", |room| tickets(room) == [1, 4, 3]);
    assert!(room.tab().running().is_some_and(|run| run.ticket == Ticket(1)), "nobody waits for the run under way");
    room.key(CTRL_ALT, Key::Enter);
    until(&mut room, "the one in front runs", |room| room.tab().running().is_some_and(|run| run.ticket == Ticket(4)));
    assert_eq!(tickets(&room), [4, 3]);
    room.key(CTRL_SHIFT, Key::Backspace);
    room.key(CTRL_ALT, Key::Enter);
    until(&mut room, "all is over", |room| room.tab().runs.is_empty());
}

#[test]
fn the_time_that_is_left_does_not_count_what_was_waited() {
    let mut room = queue(&text());
    room.key(CTRL, Key::Enter);
    let mut plan = outlook(&[("shout", Fate::Runs), ("press", Fate::Runs)]);
    plan.seconds = Some(40.0);
    plan.nodes[0].seconds = Some(30.0);
    plan.nodes[1].seconds = Some(10.0);
    assert!(room.tab().runs[0].left().is_none());
    room.wait(600);
    room.tell(News::Run { ticket: Ticket(1), told: Told::Planned(plan) });
    assert_eq!(room.tab().runs[0].left(), Some(40.0));
    room.tell(News::Run { ticket: Ticket(1), told: Told::Progress { node: "shout".to_owned(), done: 1, of: 2 } });
    assert_eq!(room.tab().runs[0].left(), Some(25.0));
    assert!(room.reads("38 %"));
}

#[test]
fn a_hundred_runs_of_one_graph_share_it() {
    let mut room = queue(&text());
    (0..100).for_each(|_| room.key(CTRL, Key::Enter));
    let first = Arc::clone(&room.tab().runs[0].graph);
    assert!(room.tab().runs.iter().all(|run| Arc::ptr_eq(&run.graph, &first)));
    assert!(room.reads("100 waiting"));
}

fn seed(graph: &Graph) -> Option<Literal> {
    match graph.nodes["grow"].fields.get("seed") {
        Some(Field::Literal(literal)) => Some(literal.clone()),
        _ => None,
    }
}

fn grows() -> String {
    workflow(r#""grow": (type: "grow", seed: 5)"#, r#""grow": (at: (0, 0))"#)
}

#[test]
fn several_runs_at_one_press_count_their_seeds_up_or_draw_them() {
    let mut room = queue(&grows());
    room.click_twice(room.spot("runs at one press").center());
    room.key(CTRL, Key::A);
    room.type_in("3");
    room.key(NONE, Key::Enter);
    room.key(CTRL, Key::Enter);
    let seeds = |room: &Room| room.desk().runs.iter().map(|(_, ask)| seed(&ask.graph)).collect::<Vec<_>>();
    assert_eq!(seeds(&room), [5, 6, 7].map(|seed| Some(Literal::from(seed))));
    room.click_on("seeds of several runs");
    room.click_on("seeds are drawn");
    room.key(CTRL, Key::Enter);
    assert_eq!(
        seeds(&room)[3..],
        [Some(Literal::from("random")), Some(Literal::from("random")), Some(Literal::from("random"))]
    );
}

#[test]
fn a_graph_that_changed_and_is_sound_runs_by_itself_in_place_of_the_one_that_waits() {
    let mut room = queue(&grows());
    let sound = |room: &mut Room| answer(room, Ok(outlook(&[("grow", Fate::Runs)])));
    sound(&mut room);
    room.click_on("on change");
    sound(&mut room);
    assert!(room.desk().runs.is_empty(), "nothing has changed yet");
    room.click(room.head("grow"));
    room.key(NONE, Key::M);
    assert!(room.desk().runs.is_empty(), "nobody knows yet whether it can run");
    sound(&mut room);
    assert_eq!(room.desk().runs.len(), 1);
    room.key(NONE, Key::M);
    sound(&mut room);
    assert_eq!((room.desk().runs.len(), room.desk().cancelled.clone()), (2, vec![Ticket(1)]));
    // A place changes no picture.
    room.drag(room.head("grow"), room.head("grow") + egui::vec2(120.0, 40.0));
    sound(&mut room);
    assert_eq!(room.desk().runs.len(), 2);
    room.click_on("on change");
    room.key(NONE, Key::M);
    sound(&mut room);
    assert_eq!(room.desk().runs.len(), 2);
}

#[test]
fn the_window_is_called_by_how_far_the_run_is() {
    let mut room = queue(&text());
    room.key(CTRL, Key::Enter);
    room.tell(News::Run {
        ticket: Ticket(1),
        told: Told::Planned(outlook(&[("shout", Fate::Runs), ("press", Fate::Runs)])),
    });
    let told = Told::Progress { node: "shout".to_owned(), done: 1, of: 2 };
    room.desk.borrow_mut().news.push_back(News::Run { ticket: Ticket(1), told });
    room.wait(1);
    assert!(room.window().contains(&ViewportCommand::Title("25 % — untitled — darkroom".to_owned())));
    room.desk.borrow_mut().news.push_back(News::Ended { ticket: Ticket(1), ended: Ok((1.0, 0)) });
    room.wait(1);
    assert!(room.window().contains(&ViewportCommand::Title("untitled — darkroom".to_owned())));
}

#[test]
fn a_run_that_ends_behind_other_windows_calls_for_attention() {
    let mut room = queue(&text());
    let call =
        |room: &Room| room.window().iter().any(|command| matches!(command, ViewportCommand::RequestUserAttention(_)));
    for (focused, called) in [(true, false), (false, true)] {
        room.key(CTRL, Key::Enter);
        let ticket = Ticket(room.desk().runs.len() as u64);
        room.tell(News::Run { ticket, told: Told::Planned(outlook(&[("shout", Fate::Runs)])) });
        let input = room.harness.input_mut();
        let id = input.viewport_id;
        input.viewports.get_mut(&id).expect("it is this window").focused = Some(focused);
        room.desk.borrow_mut().news.push_back(News::Ended { ticket, ended: Ok((12.0, 0)) });
        room.wait(1);
        assert_eq!(call(&room), called);
    }
    room.wait(2);
    assert!(room.reads("untitled is done, after 12 s"));
}
