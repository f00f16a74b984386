//! Workflow files that are broken, hostile, or of another time.

use std::fs;
use std::path::Path;
use std::time::{Duration, Instant};

use darkroom_core::fault::{FaultKind, Faults, Position};
use darkroom_core::files::Files;
use darkroom_core::graph::check::wire;
use darkroom_core::graph::{Field, read, read_file, write, write_file};
use darkroom_core::literal::Literal;
use darkroom_core::testing::toys;

fn faults(text: &str) -> Faults {
    read(text).expect_err("this must not pass for a workflow")
}

/// The one fault of a text: its line, column and sentence.
fn fault(text: &str) -> (usize, usize, String) {
    let faults = faults(text);
    assert_eq!(faults.0.len(), 1, "{faults}");
    let Position { line, column } = faults.0[0].place.position.expect("each fault has a place");
    assert_eq!(faults.kind(), FaultKind::File);
    (line, column, faults.0[0].fault.message.clone())
}

fn with_field(value: &str) -> String {
    format!("(darkroom: 1, nodes: {{\n\"a\": (type: \"toy\", x: {value})}})")
}

#[test]
fn fault_16_deep_nesting_is_refused() {
    const DEEP: usize = 100_000;
    for (open, close) in [("[", "]"), ("(", ")"), ("{1:", "}"), ("Some(", ")"), ("(x:", ")"), ("A(", ")")] {
        let value = format!("{}1{}", open.repeat(DEEP), close.repeat(DEEP));
        let section = format!("(darkroom: 1, nodes: {{}}, layout: {value})");
        for text in [with_field(&value), with_field(&open.repeat(DEEP)), section, value] {
            let faults = faults(&text).to_string();
            assert!(faults.contains("nested too deep") || faults.contains("not a darkroom workflow"), "{faults}");
        }
    }
    let comments = format!("{}{}", "/*".repeat(DEEP), "*/".repeat(DEEP));
    read(&with_field(&format!("{comments} 1"))).expect("nested comments are comments");
    let (line, _, message) = fault(&with_field(&"/*".repeat(DEEP)));
    assert_eq!((line, message.as_str()), (2, "a comment is never closed"));
}

#[test]
fn fault_16_lists_within_lists_take_no_time() {
    let lists = format!("{}{}{}", "[".repeat(40), "1,".repeat(1_000_000), "]".repeat(40));
    // Two seconds of work; taking each of the forty levels apart anew would be many times that.
    let start = Instant::now();
    let graph = read(&with_field(&lists)).expect("forty levels are fine").graph;
    assert_eq!(graph.nodes["a"].fields["x"], Field::Literal(Literal::Raw(lists)));
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
}

#[test]
fn fault_17_a_huge_file_is_refused_before_it_is_read() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("huge.ron");
    let file = fs::File::create(&path).expect("a file");
    // A hole: nothing on disk, and more than memory holds for who reads it.
    file.set_len(1 << 38).expect("a file may have holes");
    let faults = read_file(&path).expect_err("it is too large");
    assert_eq!(faults.0[0].fault.message, "the file has 274877906944 bytes, a workflow at most 16777216");
    assert_eq!(faults.0[0].place.file.as_deref(), Some(path.as_path()));
}

#[test]
fn fault_17_what_is_no_workflow_file_is_refused() {
    let home = tempfile::tempdir().expect("a folder");
    let sentence = |path: &Path| read_file(path).expect_err("it is no workflow").0.remove(0).fault.message;
    assert!(sentence(home.path()).ends_with("is not a regular file"));
    assert!(sentence(&home.path().join("missing")).starts_with("cannot read `"));
    let path = home.path().join("a");
    for (bytes, message) in [
        (&b"\x89PNG\r\n\x1a\nIHDR"[..], "this is a picture, not a workflow file"),
        (b"", "the file is empty"),
        (b"// nothing but a comment", "the file is empty"),
        (b"{\"nodes\": []}", "this is not a darkroom workflow, which opens with `(`"),
        (b"(darkroom: 1)", "there is no `nodes` section"),
        (b"(darkroom: 1, nodes: [])", "the section `nodes` is not a map"),
        (b"#![enable(implicit_some)]()", "a workflow file enables no extensions of RON"),
    ] {
        fs::write(&path, bytes).expect("a file");
        assert_eq!(sentence(&path), message);
    }
    fs::write(&path, b"(darkroom: 1,\n \xff)").expect("a file");
    let located = read_file(&path).expect_err("it is no text").0.remove(0);
    assert_eq!(located.to_string(), format!("{}:2:2: this is not a text in UTF-8", path.display()));
}

#[cfg(unix)]
#[test]
fn fault_17_a_pipe_does_not_hang_the_reader() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("pipe");
    let made = std::process::Command::new("mkfifo").arg(&path).status().expect("mkfifo is everywhere");
    assert!(made.success());
    assert!(read_file(&path).is_err() && read_file(Path::new("/dev/zero")).is_err());
}

#[test]
fn fault_18_a_cycle_is_read_and_then_refused_with_its_nodes() {
    let text = "(\n    darkroom: 1,\n    nodes: {\n        \"c\": (type: \"grow\"),\n        \
                \"a\": (type: \"grow\", on: (from: \"b\")),\n        \"b\": (type: \"grow\", on: (from: \"a\")),\n    },\n)\n";
    let loaded = read(text).expect("a cycle is well-formed");
    assert_eq!(write(&loaded.graph), text);
    let (_, faults) = wire(&loaded.graph, &toys(), &Files::default());
    let located = loaded.places.locate(faults).0.remove(0);
    assert_eq!(located.to_string(), "line 5, column 9 › a (grow): these nodes wait for each other: `a`, `b`");
}

#[test]
fn fault_19_a_duplicate_id_names_both_places() {
    let text = "(\n    darkroom: 1,\n    nodes: {\n        \"prompt\": (type: \"a\"),\n        \"b\": (type: \"b\"),\n\n\n\n        \
                \"prompt\": (type: \"c\"),\n    },\n)\n";
    assert_eq!(fault(text), (9, 9, "`prompt` stands at 4:9 and again at 9:9".to_owned()));
    // Escapes make another spelling of the same id, not another id.
    let escaped = text.replacen("\"prompt\": (type: \"c\")", "\"pr\\u{6f}mpt\": (type: \"c\")", 1);
    assert_eq!(fault(&escaped).2, "`prompt` stands at 4:9 and again at 9:24");
}

#[test]
fn fault_19_duplicate_fields_and_sections_name_both_places() {
    let text = "(darkroom: 1,\nnodes: {\"a\": (type: \"toy\", x: 1, x: 2, type: \"toy\")},\nlayout: 1,\nlayout: 2)";
    let faults: Vec<_> = faults(text).0.iter().map(|located| located.fault.message.clone()).collect();
    let expected = [
        "`x` of `a` stands at 2:28 and again at 2:34",
        "`type` of `a` stands at 2:15 and again at 2:40",
        "the section `layout` stands at 3:1 and again at 4:1",
    ];
    assert_eq!(faults, expected);
}

#[test]
fn fault_20_an_unknown_node_is_saved_back_unchanged() {
    let text = r#"(
    darkroom: 1,
    nodes: {
        "strange": (
            type: "from_the_future",
            version: 4000000000,
            mode: bypassed,
            title: "Zähler \0\n",
            note: "kept",
            brush: Brush(tip: Round, sizes: (1, 2, 3)),
            curve: [(0.0, 0.0), (1.0, 1.0)],
            tables: {1: "one", 'c': Some(None)},
            range: 1..=5,
            bytes: b"\x00\xff",
            inside: (deep: (from: "is no wire here")),
            r#odd-name: inf_is_a_name,
            lines: [
                a, // a comment that stays
                b,
            ],
        ),
        "save":    (type: "save_image", image: (from: "strange.whatever")),
    },
    sheet: Sheet(
        // notes of another program
        zoom: 1.5,
    ),
)
"#;
    let loaded = read(text).expect("it is well-formed");
    assert_eq!(write(&loaded.graph), text);
    let (_, faults) = wire(&loaded.graph, &toys(), &Files::default());
    let named = loaded.places.locate(faults).to_string();
    assert!(named.starts_with("line 5, column 13 › strange (from_the_future) › type: "), "{named}");
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("a.ron");
    write_file(&loaded.graph, &path).expect("the folder may be written");
    assert_eq!(fs::read_to_string(&path).expect("it was written"), text);
    assert_eq!(read_file(&path).expect("it was just written").graph, loaded.graph);
}

#[test]
fn fault_24_a_newer_file_is_refused_and_an_older_one_kept() {
    let newer = "(nodes: [\"of another shape\"],\n darkroom: 2)";
    assert_eq!(fault(newer), (2, 12, "made by a newer darkroom (format 2; this one reads up to 1)".to_owned()));
    assert!(fault("(darkroom: 99999999999999999999999)").2.starts_with("made by a newer darkroom"));
    assert_eq!(fault("(darkroom: 0, nodes: {})").2, "format 0 is unknown; the oldest is 1");
    assert_eq!(fault("(darkroom: -1, nodes: {})").2, "`-1` is not the number of a format");
    assert_eq!(fault("(nodes: {})").2, "this is not a darkroom workflow: it does not name its format");

    let home = tempfile::tempdir().expect("a folder");
    let (path, copy) = (home.path().join("a.ron"), home.path().join("a.format-0.ron"));
    fs::write(&path, "(darkroom: 0, older: true)").expect("a file");
    let graph = read(&with_field("1")).expect("it is well-formed").graph;
    write_file(&graph, &path).expect("the folder may be written");
    write_file(&graph, &path).expect("the folder may be written");
    assert_eq!(fs::read_to_string(&copy).expect("it was kept"), "(darkroom: 0, older: true)");
    assert_eq!(fs::read_to_string(&path).expect("it was written"), write(&graph));
    assert_eq!(fs::read_dir(home.path()).expect("a folder").count(), 2);
}

#[test]
fn fault_25_numbers_that_are_none_are_refused() {
    for value in ["NaN", "inf", "-inf", "1e999", "-NaN", "inff32", "[1.0, [NaN]]"] {
        let (line, column, message) = fault(&with_field(value));
        assert!(message.ends_with("is not a finite number"), "{message}");
        let column_of_the_number = 23 + value.find("NaN").filter(|_| value.starts_with('[')).unwrap_or(0);
        assert_eq!((line, column), (2, column_of_the_number), "{value}");
    }
    for value in ["170141183460469231731687303715884105728", "1000000000000000000000000000000000000000000"] {
        assert!(fault(&with_field(value)).2.ends_with("is too large a number"));
    }
}

#[test]
fn fault_25_strange_texts_come_back_as_they_were_or_are_refused() {
    let long = "ä".repeat(5 << 20);
    for text in ["\0", "\u{fffd}\u{10ffff}", "a\r\n\tb", "\u{202e}\u{feff}", "\"\\'", "%prompt% $(rm)", long.as_str()] {
        let mut graph = read(&with_field("1")).expect("it is well-formed").graph;
        graph.nodes["a"].fields["x"] = Field::Literal(Literal::Text(text.to_owned()));
        assert!(read(&write(&graph)).expect("it was just written").graph == graph, "{}", &text[..8.min(text.len())]);
    }
    let (line, _, message) = fault(&with_field("\"\\u{D800}\""));
    assert_eq!(line, 2, "{message}");
    assert_eq!(fault(&with_field("\"never closed")), (2, 24, "a text begins here and never ends".to_owned()));
}

#[test]
fn fault_23_a_hundred_thousand_nodes_are_read_in_no_time() {
    let nodes: Vec<_> = (0..100_000)
        .map(|i| format!("\"n{i}\": (type: \"toy\", a: {i}, b: (from: \"n{}\"), c: \"text\", d: 0.5)", i / 2))
        .collect();
    // All in one line, so that finding columns is at its hardest.
    let text = format!("(darkroom: 1, nodes: {{{}}})", nodes.join(", "));
    // Half a second of work; anything quadratic would be minutes.
    let start = Instant::now();
    let loaded = read(&text).expect("it is well-formed");
    assert_eq!(loaded.graph.nodes.len(), 100_000);

    let written = write(&loaded.graph);
    assert!(start.elapsed() < Duration::from_secs(30), "{:?}", start.elapsed());
    assert!(read(&written).expect("it was just written").graph == loaded.graph);
    // All of them wrong: the report stays short.
    let faults = faults(&text.replace("type", "typo"));
    assert_eq!(faults.0.len(), 101);
    assert_eq!(faults.0[100].fault.message, "and 99900 more faults");
}
