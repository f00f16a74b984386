//! Graphs that are wrong, too large, or hold a node that breaks, and an engine that is still there afterwards.

use std::fmt::Write as _;
use std::time::{Duration, Instant};

use darkroom_core::fault::FaultKind;
use darkroom_core::graph::read;
use darkroom_core::observe::Cancel;
use darkroom_core::plan::Wish;
use darkroom_core::residency::{Device, Ledger};
use darkroom_tests::room::{Kit, Room};
use insta::assert_snapshot;

fn in_memory(text: &str) -> Room {
    Room::with(text, Kit { disk: None, ..Kit::default() })
}

#[test]
fn all_faults_of_a_graph_are_told_at_once() {
    let room = Room::new(
        r#"(
    darkroom: 1,
    nodes: {
        "leaf":  (type: "grow", size: 0),
        "more":  (type: "grown"),
        "words": (type: "sprout", leaf: (from: "lief"), prefx: "a"),
        "print": (
            type: "stamp",
            ink: (from: "leaf"),
            leaf: (from: "leaf"),
        ),
        "pick":  (type: "pick", a: (from: "print")),
        "sheet": (type: "press"),
        "fine":  (type: "press", text: "fine"),
    },
)"#,
    );
    assert_snapshot!(room.run(), @r"
    line 4, column 33 › leaf (grow) › size: 0 is out of range
      give a whole number from 1 to 1000000 numbers
    line 5, column 19 › more (grown) › type: there is no node type `grown`
      did you mean `grow`?
    line 6, column 57 › words (sprout) › prefx: `sprout` has no input `prefx`
      did you mean `prefix`?
    line 6, column 35 › words (sprout) › leaf: there is no node `lief` to take `leaf` from
      did you mean `leaf`?
    line 9, column 13 › print (stamp) › ink: `print.ink` (stamp) takes `ink`, and `leaf` (grow) gives `leaf`
      add a node that gives `ink`
    line 12, column 33 › pick (pick) › a: `print` (stamp) has several outputs
      name one: `print.leaf`, `print.caption`
    line 13, column 9 › sheet (press) › text: `text` is missing
      give a text
    ");
}

#[test]
fn fault_18_a_cycle_lists_its_nodes() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "seed":  (type: "grow"),
            "a":     (type: "grow", on: (from: "c")),
            "b":     (type: "grow", on: (from: "a")),
            "c":     (type: "grow", on: (from: "b")),
            "self":  (type: "grow", on: (from: "self")),
            "words": (type: "sprout", leaf: (from: "c")),
            "sheet": (type: "press", text: (from: "words")),
            "other": (type: "press", text: "all is well here"),
        })"#,
    );
    assert_snapshot!(room.run(), @r"
    line 3, column 13 › a (grow): these nodes wait for each other: `a`, `b`, `c`
      take one of the wires between them away
    line 6, column 13 › self (grow): these nodes wait for each other: `self`
      take one of the wires between them away
    ");
}

#[test]
fn fault_18_a_long_cycle_is_cut_short_in_words() {
    let mut text = String::from("(darkroom: 1, nodes: {\n");
    for index in 0..10_000 {
        writeln!(text, "\"{index}\": (type: \"grow\", on: (from: \"{}\")),", (index + 1) % 10_000).expect("a text");
    }
    let room = in_memory(&(text + "})"));
    assert_snapshot!(room.run_to("0"), @r"
    line 2, column 1 › 0 (grow): these nodes wait for each other: `0`, `1`, `2`, `3`, `4`, `5`, `6`, `7`, `8`, `9`, `10`, `11`, and 9988 more
      take one of the wires between them away
    ");
}

#[test]
fn fault_21_wires_that_lead_nowhere_are_told_together() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "ink":   (type: "ink"),
            "leaf":  (type: "grow"),
            "print": (type: "stamp", ink: (from: "ink"), leaf: (from: "gone")),
            "words": (type: "sprout", leaf: (from: "print.foliage")),
            "loud":  (type: "shout", text: (from: "leaf")),
            "plain": (type: "shout", text: (from: "print")),
            "sheet": (type: "press", text: (from: "sheet.path")),
        })"#,
    );
    assert_snapshot!(room.run(), @r"
    line 4, column 58 › print (stamp) › leaf: there is no node `gone` to take `leaf` from
      `leaf` would fit
    line 5, column 39 › words (sprout) › leaf: `print` (stamp) has no output `foliage`
      its outputs are leaf, caption
    line 6, column 38 › loud (shout) › text: `loud.text` (shout) takes `text`, and `leaf` (grow) gives `leaf`
      `print.caption` or `words` or `plain` would fit
    line 7, column 38 › plain (shout) › text: `print` (stamp) has several outputs
      name one: `print.leaf`, `print.caption`
    line 8, column 38 › sheet (press) › text: `sheet` (press) has no output `path`
      its outputs are sheet
    ");
    // Two wires into one input are two fields of one name: the file is refused before anybody asks what it means.
    let twice = r#"(darkroom: 1, nodes: { "a": (type: "sprout", leaf: (from: "b"), leaf: (from: "c")) })"#;
    assert_snapshot!(read(twice).expect_err("one input takes one wire"), @"line 1, column 65: `leaf` of `a` stands at 1:46 and again at 1:65");
}

#[test]
fn fault_21_types_that_show_only_further_up_are_told_with_their_node() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "red":   (type: "ink", colour: "red"),
            "blue":  (type: "ink", colour: "blue"),
            "leaf":  (type: "grow"),
            "print": (type: "stamp", ink: (from: "red"), leaf: (from: "leaf"), second: (from: "blue")),
            "sheet": (type: "press", text: (from: "print.caption")),
        })"#,
    );
    assert_snapshot!(room.run(), @r"
    line 5, column 13 › print (stamp): `ink` brings red ink, `second` brings blue ink
      take one colour
    ");
}

#[test]
fn fault_22_numbers_out_of_range_are_refused() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "wide":   (type: "grow", size: 1000000000),
            "none":   (type: "grow", size: -1),
            "seeded": (type: "grow", seed: -7),
            "larger": (type: "grow", seed: 18446744073709551616),
            "huge":   (type: "grow", size: 170141183460469231731687303715884105727),
            "slow":   (type: "linger", steps: 1000000000),
            "half":   (type: "grow", size: 0.5),
            "words":  (type: "grow", size: "four"),
            "loud":   (type: "shout", text: "a", loudness: "quiet"),
        })"#,
    );
    assert_snapshot!(room.run(), @r#"
    line 2, column 38 › wide (grow) › size: 1000000000 is out of range
      give a whole number from 1 to 1000000 numbers
    line 3, column 38 › none (grow) › size: -1 is out of range
      give a whole number from 1 to 1000000 numbers
    line 4, column 38 › seeded (grow) › seed: -7 is out of range
      give a whole number from 0 to 18446744073709551615
    line 5, column 38 › larger (grow) › seed: 18446744073709551616 is out of range
      give a whole number from 0 to 18446744073709551615
    line 6, column 38 › huge (grow) › size: 170141183460469231731687303715884105727 is out of range
      give a whole number from 1 to 1000000 numbers
    line 7, column 40 › slow (linger) › steps: 1000000000 is out of range
      give a whole number from 1 to 100000
    line 8, column 38 › half (grow) › size: wanted a whole number, found a number 0.5
    line 9, column 38 › words (grow) › size: wanted a whole number, found a text "four"
    line 10, column 50 › loud (shout) › loudness: there is no `quiet` here
      choose one of loud, plain
    "#);
}

#[test]
fn fault_22_numbers_that_come_by_wire_are_refused_before_anything_runs() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "count": (type: "count", number: 0),
            "first": (type: "press", text: "this must not be pressed"),
            "leaf":  (type: "grow", size: (from: "count")),
            "words": (type: "sprout", leaf: (from: "leaf")),
            "sheet": (type: "press", text: (from: "words"), name: "b.txt"),
        })"#,
    );
    assert_snapshot!(room.run(), @r"
    line 4, column 37 › leaf (grow) › size: 0 is out of range
      give a whole number from 1 to 1000000 numbers
    ");
    assert!(!room.home().join("out/sheet.txt").exists());
}

/// Runs on a small stack: whatever calls itself once for each node would overflow it.
fn on_a_small_stack(work: impl FnOnce() + Send + 'static) {
    let thread = std::thread::Builder::new().stack_size(256 << 10).spawn(work).expect("a thread");
    thread.join().expect("the stack is deep enough");
}

#[test]
fn fault_23_a_chain_of_ten_thousand_runs() {
    on_a_small_stack(|| {
        let mut text = String::from("(darkroom: 1, nodes: {\n\"0\": (type: \"grow\", size: 1),\n");
        for index in 1..10_000 {
            writeln!(text, "\"{index}\": (type: \"grow\", size: 1, on: (from: \"{}\")),", index - 1).expect("a text");
        }
        text += "\"words\": (type: \"sprout\", leaf: (from: \"9999\")),\n\"sheet\": (type: \"press\", text: (from: \"words\")),\n})";
        let room = in_memory(&text);
        let report = room.run_watched(&(), &Cancel::new()).expect("a long chain is a chain");
        assert_eq!(report.nodes.iter().filter(|node| node.how.is_some()).count(), 10_002);
        assert!(room.run().lines().last().is_some_and(|line| line == "sheet  cached  nothing changed"));
        room.explain();
    });
}

#[test]
fn fault_23_a_graph_of_a_hundred_thousand_nodes_runs() {
    on_a_small_stack(|| {
        let mut text = String::from("(darkroom: 1, nodes: {\n\"root\": (type: \"word\", text: \"a\"),\n");
        for index in 0..100_000 {
            writeln!(
                text,
                "\"{index}\": (type: \"shout\", text: (from: \"{}\")),",
                if index % 2 == 0 { "root".to_owned() } else { (index - 1).to_string() }
            )
            .expect("a text");
        }
        text += "\"sheet\": (type: \"press\", text: (from: \"99999\")),\n})";
        let began = Instant::now();
        let room = in_memory(&text);
        // Only what the sheet needs runs; the rest is read, checked and left alone.
        assert_snapshot!(room.run(), @r"
        99998  ran     new here
        99999  ran     new here
        sheet  ran     new here
        ");
        let steps = room.engine.plan(&room.graph, &Wish::default()).map(|plan| plan.steps.len());
        assert_eq!(steps.ok(), Some(4));
        assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
    });
}

#[test]
fn fault_23_a_node_with_fifty_thousand_readers_runs() {
    on_a_small_stack(|| {
        let mut text = String::from("(darkroom: 1, nodes: {\n\"root\": (type: \"bear\"),\n\"0\": (type: \"bear\"),\n");
        for index in 1..50_000 {
            let parents = format!("of: (from: \"{}\"), and: (from: \"root\")", index - 1);
            writeln!(text, "\"{index}\": (type: \"bear\", {parents}),").expect("a text");
        }
        let room = Room::with(&(text + "})"), Kit { memory: 0, disk: None, ..Kit::default() });
        assert!(room.run_to("49999").contains("49999  ran"));
        assert_eq!((room.tally.most(), room.tally.alive()), (2, 0));
    });
}

#[test]
fn fault_23_a_hundred_thousand_faults_are_told_in_time() {
    let mut text = String::from("(darkroom: 1, nodes: {\n");
    for index in 0..50_000 {
        writeln!(text, "\"{index}\": (type: \"sprout\", leaf: (from: \"n{index}\"), prefix: 3),").expect("a text");
    }
    let room = in_memory(&(text + "})"));
    let began = Instant::now();
    assert_eq!(room.run_watched(&(), &Cancel::new()).expect_err("nothing is right").0.len(), 100_000);
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn fault_45_memory_that_is_not_there_is_named_with_who_holds_it() {
    let room = Room::with(
        r#"(darkroom: 1, nodes: {
            "ink":   (type: "ink", colour: "sepia", bytes: 700),
            "leaf":  (type: "grow"),
            "print": (type: "stamp", ink: (from: "ink"), leaf: (from: "leaf")),
            "sheet": (type: "press", text: (from: "print.caption")),
        })"#,
        Kit { weights: 1000, ..Kit::default() },
    );
    let held = Ledger::reserve(room.engine.ledger(), Device::Cpu, 400).expect("there is room");
    let faults = room.run_watched(&(), &Cancel::new()).expect_err("it does not fit");
    assert_eq!(faults.kind(), FaultKind::Memory);
    assert_snapshot!(room.words(faults), @r"
    line 4, column 13 › print (stamp): sepia ink needs 700 B and 600 B of 1000 B are free; in use: scratch memory 400 B
      raise the budget with --ram, or make the picture smaller
    ");
    drop(held);
    // The next job is served.
    assert!(room.run_watched(&(), &Cancel::new()).is_ok());
}

#[test]
fn fault_49_a_panic_names_its_node_and_the_engine_goes_on() {
    let mut room = Room::new(
        r#"(darkroom: 1, nodes: {
            "leaf":  (type: "grow"),
            "spoil": (type: "spoil", how: "panic"),
            "words": (type: "sprout", leaf: (from: "spoil")),
            "sheet": (type: "press", text: (from: "words")),
        })"#,
    );
    assert_snapshot!(room.run(), @r"
    line 3, column 13 › spoil (spoil): this node broke off: the tray fell over
      please report this with the workflow file
    ");
    room.connect("words.leaf", "leaf");
    assert_snapshot!(room.run(), @r"
    leaf   ran     new here
    words  ran     new here
    sheet  ran     new here
    ");
}

#[test]
fn fault_49_a_panic_beside_the_compute_lane_is_heard_too() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "slow":   (type: "linger", steps: 20),
            "letter": (type: "tear"),
            "words":  (type: "sprout", leaf: (from: "slow"), prefix: (from: "letter")),
            "sheet":  (type: "press", text: (from: "words")),
        })"#,
    );
    assert_snapshot!(room.run(), @r"
    line 3, column 13 › letter (tear): this node broke off: the letter is torn
      please report this with the workflow file
    ");
}
