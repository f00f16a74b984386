//! Who runs beside whom, and how long values live.

use std::fmt::Write as _;

use darkroom_core::observe::Cancel;
use darkroom_tests::room::{Kit, Room};
use insta::assert_snapshot;

#[test]
fn files_are_read_while_something_computes() {
    // Each of the two waits for the other: one after the other, they would never end.
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
        "meet":   (type: "meet"),
        "beside": (type: "meet_beside"),
        "words":  (type: "sprout", leaf: (from: "meet"), prefix: (from: "beside")),
        "sheet":  (type: "press", text: (from: "words")),
    })"#,
    );
    assert_snapshot!(room.run(), @r"
    meet    ran     new here
    beside  ran     new here
    words   ran     new here
    sheet   ran     new here
    ");
}

#[test]
fn a_slow_file_does_not_hold_the_compute_lane_up() {
    // `beside` is under way when `first` is done: the compute lane must not sit in it, or nobody would come to meet it.
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
        "beside": (type: "meet_beside"),
        "loud":   (type: "shout", text: "a"),
        "words":  (type: "sprout", leaf: (from: "meet"), prefix: (from: "loud")),
        "size":   (type: "letter", file: "size.txt"),
        "meet":   (type: "meet", after: (from: "first")),
        "first":  (type: "grow"),
        "all":    (type: "press", text: (from: "words"), name: "all.txt"),
        "sheet":  (type: "press", text: (from: "beside")),
        "copy":   (type: "press", text: (from: "size"), name: "copy.txt"),
    })"#,
    );
    std::fs::write(room.home().join("in/size.txt"), "4").expect("a letter");
    let report = room.run_watched(&(), &Cancel::new());
    assert!(report.is_ok(), "{report:?}");
}

#[test]
fn a_model_is_opened_beside_and_computes_in_order() {
    let room = Room::new(super::PRINT);
    let log = room.run_log();
    let compute: Vec<_> = log.iter().filter(|line| line.contains("(grow)") || line.contains("(stamp)")).collect();
    assert_eq!(compute, ["started leaf (grow)", "started print (stamp)"]);
    for line in ["planned 5 of 7", "opened ink", "ran sheet", "sheet wrote sheet.txt"] {
        assert!(log.iter().any(|seen| seen == line), "{line} is missing: {log:#?}");
    }
}

/// A chain of creatures, each of which needs the one before it.
fn generations(count: usize) -> String {
    let mut text = String::from("(darkroom: 1, nodes: {\n\"0\": (type: \"bear\"),\n");
    for index in 1..count {
        writeln!(text, "\"{index}\": (type: \"bear\", of: (from: \"{}\")),", index - 1)
            .expect("a text takes everything");
    }
    text + "})"
}

#[test]
fn a_value_is_dropped_after_its_last_reader() {
    let room = Room::with(&generations(50), Kit { memory: 0, disk: None, ..Kit::default() });
    room.run_to("49");
    assert_eq!((room.tally.most(), room.tally.alive()), (1, 0), "a parent is let go of before its child is there");
}

#[test]
fn a_value_with_two_readers_lives_until_the_second() {
    let room = Room::with(
        r#"(darkroom: 1, nodes: {
            "0": (type: "bear"),
            "1": (type: "bear", of: (from: "0")),
            "2": (type: "bear", of: (from: "1")),
            "3": (type: "bear", of: (from: "2"), and: (from: "0")),
        })"#,
        Kit { memory: 0, disk: None, ..Kit::default() },
    );
    room.run_to("3");
    assert_eq!((room.tally.most(), room.tally.alive()), (2, 0));
}

#[test]
fn a_cache_keeps_what_fits_and_no_more() {
    // A creature takes a mebibyte.
    let room = Room::with(&generations(20), Kit { memory: 5 << 20, disk: None, ..Kit::default() });
    room.run_to("19");
    assert_eq!(room.tally.alive(), 4);
    assert!(room.tally.most() <= 6, "{}", room.tally.most());
    assert!(room.engine.cache().usage().memory_bytes <= 5 << 20);
}

#[test]
fn weights_stay_within_their_budget() {
    let room = Room::with(
        r#"(darkroom: 1, nodes: {
            "leaf":  (type: "grow"),
            "a":     (type: "ink", colour: "a", bytes: 400),
            "b":     (type: "ink", colour: "b", bytes: 400),
            "c":     (type: "ink", colour: "c", bytes: 400),
            "one":   (type: "stamp", ink: (from: "a"), leaf: (from: "leaf")),
            "two":   (type: "stamp", ink: (from: "b"), leaf: (from: "one.leaf")),
            "three": (type: "stamp", ink: (from: "c"), leaf: (from: "two.leaf")),
            "four":  (type: "stamp", ink: (from: "a"), leaf: (from: "three.leaf")),
            "sheet": (type: "press", text: (from: "four.caption")),
        })"#,
        Kit { weights: 1000, ..Kit::default() },
    );
    let report = room.run_watched(&(), &Cancel::new()).expect("they take turns");
    assert_eq!(report.peak_bytes, 800);
    let sitting: Vec<_> = room.engine.ledger().sitting().into_iter().map(|part| part.title).collect();
    // `b` was needed no more when `c` came; `a` still was.
    assert_eq!(sitting, ["a ink", "c ink"]);
}
