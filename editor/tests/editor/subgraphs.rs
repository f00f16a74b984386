//! Sub-graphs under a hand: made of what is chosen, entered and left, offered outside, unpacked, shared and owned.

use std::collections::HashSet;
use std::time::{Duration, Instant};

use darkroom_core::graph::expand;
use darkroom_core::testing::toys;
use darkroom_editor::command::{COMMANDS, Command};
use darkroom_editor::document::{Document, fold, unfold};
use darkroom_editor::session::{News, Ticket, Told};
use darkroom_editor::status::State;
use egui::{Event, Key, Modifiers, pos2};
use proptest::prelude::*;

use crate::room::{CTRL, CTRL_SHIFT, NONE, Room, SHIFT, workflow};

const CTRL_ALT: Modifiers = Modifiers { ctrl: true, command: true, alt: true, ..Modifiers::NONE };

const ROW: &str = r#""a": (type: "grow"), "b": (type: "grow", on: (from: "a")), "c": (type: "grow", on: (from: "b")),
    "press": (type: "sprout", leaf: (from: "c"))"#;
const PLACES: &str = r#""a": (at: (0, 0)), "b": (at: (300, 0)), "c": (at: (600, 0)), "press": (at: (600, 300))"#;

/// Three leaves in a row and a text of the last.
fn row() -> Room {
    Room::new(&workflow(ROW, PLACES))
}

/// A row whose middle is a sub-graph.
fn folded() -> Room {
    let mut room = row();
    room.click(room.head("b"));
    room.key(CTRL_SHIFT, Key::E);
    room.key(NONE, Key::Enter);
    room
}

/// Does what a command does that has no keys.
fn command(room: &mut Room, command: Command) {
    let title = COMMANDS.iter().find(|about| about.command == command).expect("it is there").title;
    room.key(CTRL, Key::K);
    room.type_in(&title.to_lowercase().replace('…', ""));
    room.key(NONE, Key::Enter);
}

fn levels(room: &Room) -> Vec<String> {
    room.tab().levels.within.iter().map(|entered| entered.definition.clone()).collect()
}

/// The names of the nodes in front.
fn names(room: &Room) -> Vec<String> {
    room.tab().sheet().nodes.values().map(|node| node.name.clone()).collect()
}

#[test]
fn what_is_chosen_becomes_a_sub_graph_and_its_wires_go_through() {
    let mut room = row();
    room.click(room.head("b"));
    room.key(CTRL_SHIFT, Key::E);
    room.key(CTRL, Key::A);
    room.type_in("twig");
    room.key(NONE, Key::Enter);
    assert_eq!(room.node("group").kind, "graph:twig");
    assert_eq!(room.field("group", "on").as_deref(), Some("a"));
    assert_eq!(room.field("c", "on").as_deref(), Some("group.leaf"));
    assert_eq!(room.place("group"), (300, 0), "it stands where they stood");
    assert_eq!((room.chosen(), room.steps().len()), (vec!["group".to_owned()], 2));
    assert!(room.sees("input on of group") && room.sees("output leaf of group"));
    // One step back the old name, another one the old graph.
    let before = row().sheet();
    room.key(CTRL, Key::Z);
    room.key(CTRL, Key::Z);
    assert_eq!(room.sheet().graph(), before.graph());
}

#[test]
fn what_lies_between_refuses_to_be_left_out() {
    let mut room = row();
    room.click(room.head("a"));
    room.click_with(SHIFT, room.head("c"));
    room.key(CTRL_SHIFT, Key::E);
    assert!(room.reads("`b` lies between"));
    assert_eq!(room.sheet().nodes.len(), 4);
}

#[test]
fn a_double_click_on_its_head_enters_and_escape_leaves() {
    let mut room = folded();
    room.look(pos2(300.0, 250.0), 1.0);
    let outside = room.tab().view.camera.centre;
    room.click_twice(room.head("group"));
    assert_eq!((levels(&room), names(&room)), (vec!["group".to_owned()], vec!["b".to_owned()]));
    assert!(room.sees("node b") && !room.sees("node a") && room.sees("level group"));
    room.key(NONE, Key::Escape);
    assert!(levels(&room).is_empty() && room.sees("node a") && !room.sees("level group"));
    assert_eq!(room.tab().view.camera.centre, outside, "each level keeps its view");
    assert_eq!(room.chosen(), ["group"]);
    room.key(CTRL_ALT, Key::E);
    assert_eq!(levels(&room), ["group"]);
    room.click_on("level untitled");
    assert!(levels(&room).is_empty());
    room.click_on("enter group");
    assert_eq!(levels(&room), ["group"]);
    command(&mut room, Command::LeaveSubgraph);
    assert!(levels(&room).is_empty());
}

#[test]
fn escape_first_gives_up_what_is_held_or_asked() {
    let mut room = folded();
    room.key(CTRL_ALT, Key::E);
    room.key(CTRL, Key::K);
    room.key(NONE, Key::Escape);
    assert_eq!(levels(&room), ["group"]);
    let head = room.head("b");
    room.pull(head, head + egui::vec2(80.0, 40.0));
    room.key_down(Key::Escape);
    assert_eq!(levels(&room), ["group"]);
}

#[test]
fn a_ring_offers_a_field_outside_and_takes_it_back() {
    let mut room = folded();
    room.key(CTRL_ALT, Key::E);
    room.click_on("offer size of b outside");
    room.click_on("offer seed of b outside");
    room.key(NONE, Key::Escape);
    assert!(room.sees("input size of group") && room.sees("size"));
    let definition = room.sheet().definitions["group"].clone();
    assert_eq!(definition.inputs.keys().collect::<Vec<_>>(), ["on", "size", "seed"]);
    // What stands there outside goes with it.
    room.key(CTRL_ALT, Key::E);
    room.click_on("offer size of b outside");
    room.key(NONE, Key::Escape);
    assert!(!room.sees("input size of group"));
    assert_eq!(room.steps().last().map(String::as_str), Some("offer outside"));
}

#[test]
fn edits_inside_are_the_documents_own() {
    let mut room = folded();
    room.key(CTRL_ALT, Key::E);
    room.click(room.head("b"));
    room.key(NONE, Key::M);
    room.key(CTRL, Key::D);
    assert_eq!(names(&room), ["b", "b_2"]);
    assert_eq!(room.sheet().nodes.len(), 4);
    let text = room.tab().document.text();
    let again = Document::read(&text, None).expect("it is a workflow").document;
    assert_eq!(again.sheet().graph(), room.sheet().graph(), "{text}");
    // Undo leads back out of a level that is no more.
    for _ in 0..4 {
        room.key(CTRL, Key::Z);
    }
    assert!(levels(&room).is_empty());
    assert_eq!(names(&room), ["a", "b", "c", "press"]);
}

#[test]
fn unpacked_nodes_have_the_wires_they_had() {
    let mut room = folded();
    room.key(CTRL_SHIFT, Key::U);
    assert_eq!(room.sheet().graph().nodes, row().sheet().graph().nodes);
    assert_eq!(room.place("b"), (300, 0));
    assert_eq!(room.chosen(), ["b"]);
    assert!(room.sheet().definitions.contains_key("group"), "the definition stays");
    command(&mut room, Command::ForgetUnused);
    assert!(room.sheet().definitions.is_empty());
}

#[test]
fn a_copy_shares_the_definition_until_it_gets_its_own() {
    let mut room = folded();
    room.key(CTRL, Key::D);
    assert_eq!((room.node("group_2").kind.as_str(), room.sheet().definitions.len()), ("graph:group", 1));
    command(&mut room, Command::MakeOwn);
    assert_eq!(room.node("group_2").kind, "graph:group_2");
    room.key(CTRL_ALT, Key::E);
    room.click(room.head("b"));
    room.key(NONE, Key::M);
    let muted = |room: &Room, name: &str| {
        let sheet = &room.sheet().definitions[name].sheet;
        sheet.nodes.values().all(|node| node.mode == darkroom_core::graph::Mode::Muted)
    };
    assert!(muted(&room, "group_2") && !muted(&room, "group"));
}

#[test]
fn a_pasted_node_brings_its_definition_along() {
    let mut room = folded();
    room.click(room.head("group"));
    let text = room.copy(Event::Copy).expect("something is copied");
    let mut other = row();
    other.paste(&text);
    other.paste(&text);
    assert_eq!(other.node("group_2").kind, "graph:group");
    assert_eq!(other.sheet().definitions.len(), 1, "the same is shared");
    // One that says something else gets a name of its own.
    room.key(CTRL_ALT, Key::E);
    room.click(room.head("b"));
    room.key(NONE, Key::M);
    room.key(NONE, Key::Escape);
    let text = room.copy(Event::Copy).expect("something is copied");
    other.paste(&text);
    assert_eq!(other.node("group_3").kind, "graph:group_2");
    other.click_twice(other.head("group_3"));
    other.paste(&text);
    assert!(other.reads("cannot come to lie inside of itself"));
    assert_eq!(names(&other), ["b"]);
}

#[test]
fn the_palette_lists_what_no_node_stands_for_any_more() {
    let mut room = folded();
    room.click(room.head("group"));
    room.key(NONE, Key::Delete);
    assert!(room.sheet().definitions.contains_key("group"));
    room.move_to(room.on(100.0, 400.0));
    room.key(NONE, Key::Tab);
    room.type_in("group");
    room.key(NONE, Key::Enter);
    assert_eq!(room.node("group").kind, "graph:group");
}

#[test]
fn a_renamed_sub_graph_is_followed_by_its_nodes() {
    let mut room = folded();
    room.key(CTRL_ALT, Key::E);
    command(&mut room, Command::NameSubgraph);
    room.key(CTRL, Key::A);
    room.type_in("twig");
    room.key(NONE, Key::Enter);
    assert_eq!((levels(&room), room.node("group").kind.as_str()), (vec!["twig".to_owned()], "graph:twig"));
}

#[test]
fn what_happens_inside_shows_at_the_node_and_inside() {
    let mut room = folded();
    room.key(CTRL, Key::Enter);
    let outside = |room: &Room| room.tab().status.of(room.id("group")).map(|status| status.state);
    let tell = |room: &mut Room, told: Told| room.tell(News::Run { ticket: Ticket(1), told });
    tell(&mut room, Told::Started { node: "group/b".to_owned() });
    tell(&mut room, Told::Progress { node: "group/b".to_owned(), done: 1, of: 4 });
    assert_eq!(outside(&room), Some(State::Running(0.25)));
    room.click_on("enter group");
    let inside = room.tab().shown();
    let states: Vec<_> = inside.nodes.values().map(|status| status.state).collect();
    assert_eq!(states, [State::Running(0.25)]);
}

#[test]
fn what_is_wrong_inside_marks_the_node_and_a_click_enters() {
    let text = r#"(darkroom: 1, nodes: {"out": (type: "graph:twig"), "press": (type: "press", text: (from: "words")), "words": (type: "sprout", leaf: (from: "out"))},
        layout: (nodes: {"out": (at: (0, 0)), "words": (at: (300, 0)), "press": (at: (600, 0))}),
        subgraphs: {"twig": (outputs: {"leaf": (from: "b")}, nodes: {"b": (type: "grow", size: 0)})})"#;
    let mut room = Room::local(text);
    let begun = Instant::now();
    while room.tab().faults.is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(20), "no fault was found");
        std::thread::sleep(Duration::from_millis(5));
        room.wait(1);
    }
    let faults = room.tab().status.of(room.id("out")).map(|status| status.faults.len());
    assert_eq!(faults, Some(1), "the node outside says it too");
    room.click(room.sentence("1 fault"));
    room.click(room.sentence("out/b.size: "));
    assert_eq!((levels(&room), room.tab().view.selection.nodes.len()), (vec!["twig".to_owned()], 1));
    let faults = room.tab().shown().nodes.values().next().map(|status| status.faults.len());
    assert_eq!(faults, Some(1));
}

#[test]
fn a_search_finds_what_lies_inside() {
    let mut room = folded();
    room.key(CTRL, Key::F);
    room.type_in("press");
    room.key(NONE, Key::Enter);
    assert_eq!((levels(&room).len(), room.chosen()), (0, vec!["press".to_owned()]));
    room.key(CTRL, Key::F);
    room.type_in("b");
    room.key(NONE, Key::Enter);
    assert_eq!((levels(&room), room.tab().view.selection.nodes.len()), (vec!["group".to_owned()], 1));
}

#[test]
fn to_run_to_a_node_inside_is_to_run_to_its_way() {
    let mut room = folded();
    room.key(CTRL_ALT, Key::E);
    room.click(room.head("b"));
    room.key(SHIFT, Key::Enter);
    let wish = room.desk().runs.last().map(|(_, ask)| ask.wish.clone());
    let goal = darkroom_core::plan::Goal::Node("group/b".to_owned());
    assert_eq!(wish.map(|wish| wish.goal), Some(goal));
}

/// A node of a graph of sums: what feeds it, and a number that it adds.
type Sum = (Option<usize>, Option<usize>, Option<i64>);

/// A graph of sums, each node fed by up to two before it.
fn sums() -> impl Strategy<Value = Vec<Sum>> {
    let node = (any::<Option<u8>>(), any::<Option<u8>>(), any::<Option<i64>>());
    proptest::collection::vec(node, 1..9).prop_map(|nodes| {
        let before = |index: usize, from: Option<u8>| from.filter(|_| index > 0).map(|from| from as usize % index);
        nodes.into_iter().enumerate().map(|(i, (a, b, more))| (before(i, a), before(i, b), more)).collect()
    })
}

fn written(sums: &[Sum]) -> String {
    let node = |(index, (of, and, more)): (usize, &Sum)| {
        let wire = |name: &str, from: &Option<usize>| from.map(|from| format!(", {name}: (from: \"n{from}\")"));
        let more = more.map(|more| format!(", more: {more}"));
        let parts: Vec<_> = [wire("of", of), wire("and", and), more].into_iter().flatten().collect();
        format!("\"n{index}\": (type: \"join\"{})", parts.concat())
    };
    let nodes: Vec<_> = sums.iter().enumerate().map(node).collect();
    format!("(darkroom: 1, nodes: {{{}}})", nodes.join(", "))
}

proptest! {
    #[test]
    fn made_and_unpacked_is_the_same_graph(sums in sums(), chosen in any::<u16>(), again in any::<u16>()) {
        let mut document = Document::read(&written(&sums), None).expect("it is a workflow").document;
        let (registry, first) = (toys(), document.sheet().clone());
        let whole = first.graph();
        let unfolded = |document: &Document| {
            let graph = document.sheet().graph();
            let flat = expand(&graph, &registry);
            let plain = |way: &str| way.rsplit('/').next().unwrap_or(way).to_owned();
            let mut nodes = flat.graph.nodes.clone();
            for node in nodes.values_mut() {
                for field in node.fields.values_mut() {
                    if let darkroom_core::graph::Field::Link(link) = field {
                        // With one output, a wire need not name it.
                        (link.node, link.output) = (plain(&link.node), None);
                    }
                }
            }
            nodes.into_iter().map(|(way, node)| (plain(&way), node)).collect::<indexmap::IndexMap<_, _>>()
        };
        let some = |sheet: &darkroom_editor::document::Sheet, mask: u16| -> HashSet<_> {
            sheet.nodes.keys().enumerate().filter(|(index, _)| mask >> index & 1 == 1).map(|(_, id)| *id).collect()
        };
        let (nodes, none) = (some(&first, chosen), HashSet::new());
        let folded = fold(&first, None, (&nodes, &none), &registry, || document.number());
        let Ok(folded) = folded else { return Ok(()) };
        document.step("fold", folded.edits).expect("it can be done");
        prop_assert_eq!(&unfolded(&document), &whole.nodes);
        // A sub-graph within the sub-graph.
        let sheet = document.sheet().clone();
        let inner = sheet.level(Some(&folded.name)).expect("it is there");
        let nodes = some(inner, again);
        if let Ok(deeper) = fold(&sheet, Some(&folded.name), (&nodes, &none), &registry, || document.number()) {
            document.step("fold", deeper.edits).expect("it can be done");
            prop_assert_eq!(&unfolded(&document), &whole.nodes);
            let sheet = document.sheet().clone();
            let edits = unfold(&sheet, Some(&folded.name), deeper.instance, &registry, || document.number());
            document.step("unfold", edits.expect("it is there").edits).expect("it can be done");
            prop_assert_eq!(&unfolded(&document), &whole.nodes);
        }
        let sheet = document.sheet().clone();
        let edits = unfold(&sheet, None, folded.instance, &registry, || document.number());
        document.step("unfold", edits.expect("it is there").edits).expect("it can be done");
        prop_assert_eq!(&unfolded(&document), &whole.nodes);
        while document.undo().is_some() {}
        prop_assert_eq!(&**document.sheet(), &*first);
    }
}
