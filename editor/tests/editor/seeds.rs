//! Seeds: what becomes of them from run to run, and which one a run took.

use darkroom_editor::session::{News, Outlook, Ticket, Told};
use egui::{Key, pos2};

use crate::room::{CTRL, Room, workflow};

fn page(seed: &str) -> Room {
    let nodes = format!(r#""page": (type: "page", seed: {seed}), "press": (type: "press", text: (from: "page"))"#);
    let mut room = Room::new(&workflow(&nodes, r#""page": (at: (0, 0)), "press": (at: (400, 0))"#));
    room.look(pos2(260.0, 200.0), 1.0);
    room
}

fn seed(room: &Room) -> String {
    room.field("page", "seed").expect("it stands there")
}

/// Chooses what becomes of the seed.
fn choose(room: &mut Room, now: &str, mode: &str) {
    room.click_on(&format!("seed is {now}"));
    room.click_on(mode);
}

/// Asks for a run that begins at once, and returns the seed that it takes.
fn run(room: &mut Room) -> String {
    room.key(CTRL, Key::Enter);
    let ticket = Ticket(room.desk().runs.len() as u64);
    room.tell(News::Run { ticket, told: Told::Planned(Outlook::default()) });
    let taken = room.desk().runs.last().expect("it was asked for").1.graph.nodes["page"].fields["seed"].clone();
    room.tell(News::Ended { ticket, ended: Ok((0.1, 0)) });
    match taken {
        darkroom_core::graph::Field::Literal(literal) => literal.to_string(),
        darkroom_core::graph::Field::Link(_) => panic!("it is no wire"),
    }
}

#[test]
fn a_seed_is_left_to_chance_and_the_one_that_a_run_took_is_shown_and_kept() {
    let mut room = page("7");
    choose(&mut room, "fixed", "random");
    assert_eq!(seed(&room), "\"random\"");
    assert!(!room.sees("keep this seed"), "nothing has run");
    room.desk.borrow_mut().draws.extend([18_446_744_073_709_551_557, 4]);
    assert_eq!(run(&mut room), "18446744073709551557");
    assert!(room.sees("the last run drew 18446744073709551557"));
    assert_eq!(seed(&room), "\"random\"", "the next run draws another one");
    assert_eq!(run(&mut room), "4");
    room.click_on("keep this seed");
    assert_eq!(seed(&room), "4");
    assert!(room.sees("seed is fixed"));
    assert_eq!((run(&mut room), run(&mut room)), ("4".to_owned(), "4".to_owned()));
}

#[test]
fn a_seed_that_is_fixed_again_is_the_one_that_was_seen() {
    let mut room = page("\"random\"");
    room.desk.borrow_mut().draws.push_back(99);
    run(&mut room);
    choose(&mut room, "random", "fixed");
    assert_eq!(seed(&room), "99");
}

#[test]
fn a_seed_counts_up_and_down_with_every_run() {
    let mut room = page("7");
    choose(&mut room, "fixed", "count up");
    assert_eq!(seed(&room), "7", "what stands there is what the next run takes");
    assert_eq!((run(&mut room), run(&mut room)), ("7".to_owned(), "8".to_owned()));
    assert_eq!(seed(&room), "9");
    choose(&mut room, "count up", "count down");
    assert_eq!((run(&mut room), run(&mut room)), ("9".to_owned(), "8".to_owned()));
    assert_eq!(seed(&room), "7");
}

#[test]
fn runs_that_wait_behind_one_another_take_one_seed_each() {
    let mut room = page("7");
    choose(&mut room, "fixed", "count up");
    for _ in 0..3 {
        room.key(CTRL, Key::Enter);
    }
    let seeds: Vec<_> =
        room.desk().runs.iter().map(|(_, ask)| format!("{:?}", ask.graph.nodes["page"].fields["seed"])).collect();
    assert!(seeds[0].contains('7') && seeds[1].contains('8') && seeds[2].contains('9'), "{seeds:?}");
}

#[test]
fn all_counting_in_a_row_is_one_step_back() {
    let mut room = page("7");
    choose(&mut room, "fixed", "count up");
    for _ in 0..3 {
        run(&mut room);
    }
    assert_eq!(room.steps(), ["change `seed`", "count seeds"]);
    room.key(CTRL, Key::Z);
    assert_eq!(seed(&room), "7");
    assert!(room.sees("seed is count up"));
    room.key(CTRL, Key::Z);
    assert!(room.sees("seed is fixed"));
}

#[test]
fn what_becomes_of_a_seed_is_kept_in_the_file() {
    let mut room = page("7");
    choose(&mut room, "fixed", "count up");
    let text = room.tab().document.text();
    assert!(text.contains(r#"counts: {"seed": up}"#), "{text}");
    let mut room = Room::new(Box::leak(text.into_boxed_str()));
    room.look(pos2(260.0, 200.0), 1.0);
    assert!(room.sees("seed is count up"));
}

#[test]
fn a_seed_that_counts_is_left_alone_where_its_node_takes_no_part() {
    let mut room = page("7");
    choose(&mut room, "fixed", "count up");
    room.click(room.head("page"));
    room.key(crate::room::NONE, Key::M);
    run(&mut room);
    assert_eq!(seed(&room), "7");
}
