//! What a second run does not do again.

use darkroom_core::graph::{Mode, read};
use darkroom_tests::room::{Kit, Room};
use insta::assert_snapshot;

use super::{PRINT, TWO_BRANCHES};

#[test]
fn a_first_run_runs_everything() {
    let room = Room::new(PRINT);
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     ran     new here
    print    ran     new here
    shout    ran     new here
    caption  ran     new here
    sheet    ran     new here
    ");
    assert_eq!(
        std::fs::read_to_string(room.home().join("out/sheet.txt")).expect("a sheet"),
        "A LAKE[7.0, 8.0, 9.0, 10.0]"
    );
}

#[test]
fn a_second_run_does_nothing_and_says_why() {
    let room = Room::new(PRINT);
    room.run();
    assert_snapshot!(room.run(), @r"
    ink      cached  not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  not needed
    sheet    cached  nothing changed
    ");
    assert_snapshot!(room.run_log().join("\n"), @r"
    planned 0 of 7
    cached sheet
    sheet had written sheet.txt
    ");
}

#[test]
fn a_new_prompt_leaves_the_model_alone() {
    let mut room = Room::new(PRINT);
    room.run();
    room.set("word.text", "a brass orrery");
    assert_snapshot!(room.run(), @r"
    ink      cached  not needed
    leaf     cached  not needed
    print    cached  nothing changed
    shout    ran     `text` changed
    caption  ran     follows `shout`
    sheet    ran     follows `caption`
    ");
}

#[test]
fn a_new_seed_runs_only_its_branch() {
    let mut room = Room::new(TWO_BRANCHES);
    room.run();
    room.set("left.seed", 3);
    assert_snapshot!(room.run(), @r"
    left         ran     `seed` changed
    left_words   ran     follows `left`
    left_sheet   ran     follows `left_words`
    right        cached  not needed
    right_words  cached  not needed
    right_sheet  cached  nothing changed
    ");
}

#[test]
fn an_edit_that_is_undone_recomputes_nothing() {
    let mut room = Room::new(PRINT);
    room.run();
    room.set("word.text", "a brass orrery");
    room.run();
    room.set("word.text", "a lake");
    // The sheet itself was overwritten by the edit: only that is done again.
    assert_snapshot!(room.run(), @r"
    ink      cached  not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  nothing changed
    sheet    ran     the sheet was changed
    ");
}

#[test]
fn after_a_restart_nothing_runs_either() {
    let mut room = Room::new(PRINT);
    room.run();
    room.again();
    assert_snapshot!(room.run(), @r"
    ink      idle    not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  not needed
    sheet    cached  nothing changed
    ");
    room.again();
    room.set("leaf.seed", 8);
    // A model is its recipe: opening it again is no work.
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     ran     `seed` changed
    print    ran     follows `leaf`
    shout    cached  nothing changed
    caption  ran     follows `print`
    sheet    ran     follows `caption`
    ");
}

#[test]
fn fresh_runs_everything_again() {
    let room = Room::new(PRINT);
    room.run();
    assert_snapshot!(room.run_fresh(), @r"
    ink      opened  needed
    leaf     ran     asked to run anew
    print    ran     asked to run anew
    shout    ran     asked to run anew
    caption  ran     asked to run anew
    sheet    ran     asked to run anew
    ");
}

#[test]
fn the_same_text_by_another_way_is_the_same_text() {
    let mut room = Room::new(PRINT);
    room.run();
    room.set("shout.text", "a lake");
    assert_snapshot!(room.run(), @r"
    ink      cached  not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  not needed
    sheet    cached  nothing changed
    ");
}

#[test]
fn the_same_number_by_another_way_is_the_same_number() {
    let mut room = Room::new(
        r#"(darkroom: 1, nodes: {
        "count": (type: "count", number: 9),
        "leaf":  (type: "grow", size: (from: "count")),
    })"#,
    );
    room.run_to("leaf");
    room.set("leaf.size", 9);
    assert_snapshot!(room.run_to("leaf"), @"leaf  cached  nothing changed");
}

#[test]
fn a_renamed_or_moved_node_is_the_same_node() {
    let mut room = Room::new(PRINT);
    room.run();
    let renamed = |text: &str, from: &str, to: &str| {
        let text = text.replace(&format!("\"{from}\": "), &format!("\"{to}\": "));
        text.replace(&format!("(from: \"{from}\")"), &format!("(from: \"{to}\")"))
    };
    let text = renamed(&renamed(PRINT, "leaf", "blatt"), "word", "wort");
    let text = text.replace("    },\n)\n", "    },\n    layout: {\"blatt\": (x: 1, y: 2)},\n)\n");
    room.graph = read(&text).expect("a workflow").graph;
    room.graph.nodes.reverse();
    assert_eq!(room.graph.sections.len(), 1);
    assert_snapshot!(room.run(), @r"
    ink      cached  not needed
    blatt    cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  not needed
    sheet    cached  nothing changed
    ");
}

const LETTER: &str = r#"(darkroom: 1, nodes: {
    "letter": (type: "letter", file: "letter.txt"),
    "sheet":  (type: "press", text: (from: "letter")),
})"#;

#[test]
fn a_file_is_named_by_its_content() {
    let mut room = Room::new(LETTER);
    let path = room.home().join("in/letter.txt");
    std::fs::write(&path, "dear reader").expect("a letter");
    room.run();
    std::fs::write(room.home().join("in/copy.txt"), "dear reader").expect("a letter");
    room.set("letter.file", "copy.txt");
    assert_snapshot!(room.run(), @r"
    letter  cached  not needed
    sheet   cached  nothing changed
    ");
    std::fs::write(&path, "dear listener").expect("a letter");
    room.set("letter.file", "letter.txt");
    assert_snapshot!(room.run(), @r"
    letter  ran     `file` changed
    sheet   ran     follows `letter`
    ");
}

#[test]
fn a_file_whose_name_comes_by_wire_is_named_by_its_content() {
    let mut room = Room::new(
        r#"(darkroom: 1, nodes: {
        "name":   (type: "word", text: "letter.txt"),
        "letter": (type: "letter", file: (from: "name")),
        "sheet":  (type: "press", text: (from: "letter")),
    })"#,
    );
    let path = room.home().join("in/letter.txt");
    std::fs::write(&path, "dear reader").expect("a letter");
    room.run();
    room.set("letter.file", "letter.txt");
    assert_snapshot!(room.run(), @r"
    letter  cached  not needed
    sheet   cached  nothing changed
    ");
    std::fs::write(&path, "dear listener").expect("a letter");
    room.connect("letter.file", "name");
    assert_snapshot!(room.run(), @r"
    letter  ran     `file` changed
    sheet   ran     follows `letter`
    ");
}

#[test]
fn a_muted_node_is_not_run_when_it_comes_back_unchanged() {
    let mut room = Room::new(TWO_BRANCHES);
    room.run();
    room.graph.nodes["right"].mode = Mode::Muted;
    room.run();
    room.graph.nodes["right"].mode = Mode::Active;
    assert_snapshot!(room.run(), @r"
    left         cached  not needed
    left_words   cached  not needed
    left_sheet   cached  nothing changed
    right        cached  not needed
    right_words  cached  not needed
    right_sheet  cached  nothing changed
    ");
}

#[test]
fn what_the_plan_takes_is_not_pushed_out_by_what_the_run_makes() {
    // The cache holds one of the two large leaves. Taking one while the other is made must not lose the first, make it
    // again, lose the second, and so on for ever.
    let text = r#"(darkroom: 1, nodes: {
        "a": (type: "grow", size: 1000, seed: 1),
        "b": (type: "grow", size: 1000, seed: 2),
        "c": (type: "grow", on: (from: "b"), size: 1),
        "d": (type: "sprout", leaf: (from: "a"), prefix: (from: "e")),
        "e": (type: "sprout", leaf: (from: "c")),
        "f": (type: "press", text: (from: "d")),
    })"#;
    let room = Room::with(text, Kit { memory: 5000, disk: None, ..Kit::default() });
    room.run_to("a");
    assert_snapshot!(room.run_log().join("\n"), @r"
    planned 5 of 6
    cached a
    started b (grow)
    b 1/1
    ran b
    started c (grow)
    c 1/1
    ran c
    started e (sprout)
    ran e
    started d (sprout)
    ran d
    started f (press)
    f wrote sheet.txt
    ran f
    ");
}

#[test]
fn a_file_that_only_a_run_could_name_is_refused() {
    let room = Room::new(
        r#"(darkroom: 1, nodes: {
            "ink":    (type: "ink", colour: "sepia"),
            "leaf":   (type: "grow", seed: 7),
            "print":  (type: "stamp", ink: (from: "ink"), leaf: (from: "leaf")),
            "letter": (type: "letter", file: (from: "print.caption")),
            "sheet":  (type: "press", text: (from: "letter"), name: "a.txt"),
        })"#,
    );
    assert_snapshot!(room.explain(), @r"
    line 5, column 40 › letter (letter) › file: wanted the name of a file, and only a run of `print` could tell which
      give a literal, or a light value, as `text`
    ");
}
