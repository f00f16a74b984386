//! Sub-graphs: unfolded before anything is planned, so that they are nodes like all others, and cost nothing anew.

use darkroom_core::graph::check::{draw_seeds, set_seeds};
use darkroom_core::graph::{Field, Mode, expand, read, write};
use darkroom_core::literal::Literal;
use darkroom_core::locks::lock;
use darkroom_core::observe::{Cancel, Event, Observer};
use darkroom_core::plan::{Goal, Wish};
use darkroom_core::testing::toys;
use darkroom_tests::room::Room;
use insta::assert_snapshot;

use super::PRINT;

/// The graph of `PRINT`, most of it in a sub-graph.
const FOLDED: &str = r#"(
    darkroom: 1,
    nodes: {
        "ink":   (type: "ink", colour: "sepia"),
        "word":  (type: "word", text: "a lake"),
        "made":  (type: "graph:print", ink: (from: "ink"), prefix: (from: "word"), seed: 7),
        "sheet": (type: "press", text: (from: "made.words")),
    },
    subgraphs: {
        "print": (
            inputs: {
                "ink": ["print.ink"],
                "prefix": ["shout.text"],
                "seed": ["leaf.seed"],
            },
            outputs: {
                "words": (from: "caption"),
                "leaf": (from: "print.leaf"),
            },
            nodes: {
                "shout":   (type: "shout"),
                "leaf":    (type: "grow", seed: 3),
                "print":   (type: "stamp", leaf: (from: "leaf")),
                "caption": (type: "sprout", leaf: (from: "print.leaf"), prefix: (from: "shout")),
            },
        ),
    },
)
"#;

/// Runs one text after another in the same room.
fn after(first: &str, second: &str) -> String {
    let mut room = Room::new(first);
    room.run();
    room.graph = read(second).expect("it is well-formed").graph;
    room.run()
}

#[test]
fn a_sub_graph_is_its_nodes_and_finds_what_they_left() {
    assert_snapshot!(Room::new(FOLDED).run(), @r"
    ink           opened  needed
    made/leaf     ran     new here
    made/print    ran     new here
    made/shout    ran     new here
    made/caption  ran     new here
    sheet         ran     new here
    ");
    assert_snapshot!(after(PRINT, FOLDED), @r"
    ink           cached  not needed
    made/leaf     cached  not needed
    made/print    cached  not needed
    made/shout    cached  not needed
    made/caption  cached  not needed
    sheet         cached  nothing changed
    ");
    assert_snapshot!(after(FOLDED, PRINT), @r"
    ink      cached  not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  not needed
    sheet    cached  nothing changed
    ");
}

#[test]
fn what_stands_at_an_instance_is_what_its_nodes_see() {
    let mut room = Room::new(FOLDED);
    room.run();
    room.set("made.prefix", "a hill");
    assert_snapshot!(room.run(), @r"
    ink           cached  not needed
    made/leaf     cached  not needed
    made/print    cached  nothing changed
    made/shout    ran     `text` changed
    made/caption  ran     follows `made/shout`
    sheet         ran     follows `made/caption`
    ");
    room.graph.nodes["made"].fields.shift_remove("seed");
    assert_snapshot!(room.run(), @r"
    ink           cached  nothing changed
    made/leaf     ran     `seed` changed
    made/print    ran     follows `made/leaf`
    made/shout    cached  nothing changed
    made/caption  ran     follows `made/print`
    sheet         ran     follows `made/caption`
    ");
    assert_snapshot!(room.explain(), @r"
    ink           cached (memory)  not needed           sepia ink
    made/leaf     cached (memory)  not needed           leaf
    made/print    cached (memory)  not needed           leaf, text
    made/shout    cached (memory)  not needed           text
    made/caption  cached (memory)  not needed           text
    sheet         cached (memory)  nothing changed      sheet
    0 of 6 nodes run: everything wanted is there
    ");
}

/// Two instances, one of them of a definition that uses another.
const NESTED: &str = r#"(
    darkroom: 1,
    nodes: {
        "one":   (type: "graph:tree", seed: 1),
        "two":   (type: "graph:tree", size: 6),
        "ink":   (type: "ink"),
        "print": (type: "stamp", ink: (from: "ink"), leaf: (from: "two")),
    },
    subgraphs: {
        "tree": (
            inputs: { "seed": ["root.seed", "crown.seed"], "size": ["crown.size"] },
            outputs: { "leaf": (from: "crown.leaf") },
            nodes: { "root": (type: "grow", seed: 5), "crown": (type: "graph:crown", on: (from: "root")) },
        ),
        "crown": (
            inputs: { "on": ["twig.on"], "seed": ["twig.seed"], "size": ["twig.size"] },
            outputs: { "leaf": (from: "twig") },
            nodes: { "twig": (type: "grow", seed: 8) },
        ),
    },
)
"#;

const UNFOLDED: &str = r#"(
    darkroom: 1,
    nodes: {
        "one/root":       (type: "grow", seed: 1),
        "one/crown/twig": (type: "grow", seed: 1, on: (from: "one/root")),
        "two/root":       (type: "grow", seed: 5),
        "two/crown/twig": (type: "grow", seed: 5, on: (from: "two/root"), size: 6),
        "ink":            (type: "ink"),
        "print":          (type: "stamp", ink: (from: "ink"), leaf: (from: "two/crown/twig")),
    },
)
"#;

#[test]
fn the_first_of_several_inputs_says_what_holds_where_nothing_is_given() {
    let (folded, registry) = (read(NESTED).expect("well-formed").graph, toys());
    let flat = expand(&folded, &registry);
    assert_eq!(*flat.graph, read(UNFOLDED).expect("well-formed").graph);
    let plain = read(PRINT).expect("well-formed").graph;
    assert_eq!(*expand(&plain, &registry).graph, plain);
}

#[test]
fn an_instance_and_a_node_inside_can_be_wanted() {
    let room = Room::new(NESTED);
    assert_snapshot!(room.run_to("one/root"), @"one/root  ran     new here");
    assert_snapshot!(room.run_to("two"), @r"
    two/root        ran     new here
    two/crown/twig  ran     new here
    ");
    let wish = Wish { goal: Goal::Node("one".to_owned()), ..Wish::default() };
    let report = room.engine.run(&room.graph, &wish, &(), &Cancel::new()).expect("nothing fails");
    assert_eq!(report.results[0].0, "one/crown/twig");
    assert_snapshot!(room.run_to("two/crwn/twig"), @r"
    there is no node `two/crwn/twig` in this graph
      did you mean `two/crown/twig`?
    ");
}

#[test]
fn what_is_inside_of_a_muted_instance_is_muted() {
    let mut room = Room::new(FOLDED);
    room.graph.nodes["made"].mode = Mode::Muted;
    assert_snapshot!(room.run(), @r"
    all that is wanted waits for a muted node
      make that node active
    ");
    let registry = toys();
    let flat = expand(&room.graph, &registry);
    let muted = flat.graph.nodes.iter().filter(|(_, node)| node.mode == Mode::Muted).map(|(id, _)| id.as_str());
    assert_eq!(muted.collect::<Vec<_>>(), ["made/shout", "made/leaf", "made/print", "made/caption"]);
}

#[test]
fn a_bypassed_instance_passes_on_what_fits() {
    let mut room = Room::new(&FOLDED.replace("\"leaf\": (from: \"print.leaf\"),\n", ""));
    room.graph.nodes["made"].mode = Mode::Bypassed;
    // A sheet of the word itself.
    assert_snapshot!(room.run(), @r"
    ink    idle    not needed
    sheet  ran     new here
    ");
    let sheet = std::fs::read_to_string(room.home().join("out/sheet.txt")).expect("it was pressed");
    assert_eq!(sheet, "a lake");
    room.graph.nodes["made"].fields.shift_remove("prefix");
    assert_snapshot!(room.run(), @r"
    line 6, column 9 › made (graph:print): `made` is bypassed, and no input could stand for `words`
      connect one of the same kind, or make the node active
    ");
}

#[test]
fn random_seeds_are_drawn_for_each_instance_that_has_its_own() {
    let text = NESTED.replace("seed: 5", "seed: \"random\"").replace("seed: 1", "size: 2");
    let mut graph = read(&text).expect("well-formed").graph;
    let mut drawn = 100;
    let mut draw = || {
        drawn += 1;
        drawn
    };
    draw_seeds(&mut graph, &toys(), &mut draw);
    let seed = |node: &str| graph.nodes[node].fields.get("seed").cloned();
    assert_eq!(seed("one"), Some(Field::Literal(Literal::Integer(101))));
    assert_eq!(seed("two"), Some(Field::Literal(Literal::Integer(102))));
    // Nothing else has changed: a picture carries the file with its sub-graphs.
    assert_eq!(write(&graph).lines().count(), write(&read(&text).expect("well-formed").graph).lines().count());
    assert_eq!(graph.subgraphs, read(&text).expect("well-formed").graph.subgraphs);

    // What is not promoted is the definition's own.
    let text = text.replace("\"seed\": [\"root.seed\", \"crown.seed\"], ", "");
    let mut graph = read(&text).expect("well-formed").graph;
    draw_seeds(&mut graph, &toys(), &mut draw);
    let inside = &graph.subgraphs["tree"].nodes;
    assert_eq!(inside["root"].fields["seed"], Field::Literal(Literal::Integer(103)));
    set_seeds(&mut graph, &toys(), 9);
    assert_eq!(graph.subgraphs["tree"].nodes["root"].fields["seed"], Field::Literal(Literal::Integer(9)));
    assert_eq!(graph.subgraphs["tree"].nodes["crown"].fields["seed"], Field::Literal(Literal::Integer(9)));
}

const LETTERS: &str = r#"(
    darkroom: 1,
    nodes: { "post": (type: "graph:post"), "sheet": (type: "press", text: (from: "post")) },
    subgraphs: {
        "post": (
            inputs: { "file": ["letter.file"] },
            outputs: { "text": (from: "letter") },
            nodes: { "letter": (type: "letter", file: "letter.txt") },
        ),
    },
)
"#;

#[test]
fn files_inside_are_locked_at_the_node_and_at_the_instance() {
    let mut room = Room::new(LETTERS);
    let put = |name: &str| std::fs::write(room.home().join("in").join(name), "dear reader").expect("a letter");
    put("letter.txt");
    let all = lock(&room.graph, room.engine.registry(), room.engine.host()).expect("it is there");
    let (at, locked) = all.first().expect("one file");
    assert_eq!((at.as_str(), all.len()), ("post/letter.file", 1));
    std::fs::rename(room.home().join("in/letter.txt"), room.home().join("in/other.txt")).expect("it can be renamed");
    for key in ["post/letter.file", "post.file"] {
        room.graph.lock = [(key.to_owned(), locked.content)].into();
        let plan = room.engine.plan(&room.graph, &Wish::default()).unwrap_or_else(|faults| panic!("{key}: {faults}"));
        assert_eq!((plan.stand_ins.len(), plan.stand_ins[0].at.as_str()), (1, "post/letter.file"));
    }
}

#[test]
fn the_events_of_a_run_name_the_way() {
    struct Watch(std::sync::Mutex<Vec<String>>);
    impl Observer for Watch {
        fn see(&self, event: &Event<'_>) {
            if let Event::Progress { node, .. } = event {
                self.0.lock().expect("nobody panics").push((*node).to_owned());
            }
        }
    }
    let (room, watch) = (Room::new(NESTED), Watch(std::sync::Mutex::default()));
    let wish = Wish { goal: Goal::Node("two".to_owned()), ..Wish::default() };
    room.engine.run(&room.graph, &wish, &watch, &Cancel::new()).expect("nothing fails");
    assert_eq!(*watch.0.lock().expect("nobody panics"), ["two/root", "two/crown/twig"]);
}
