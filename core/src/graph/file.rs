//! The workflow file: RON, written by hand with pleasure and read in a diff without effort.
//!
//! `read` takes a text apart with the ron crate, which hands every value back as a slice of the text: where the slice
//! lies is where the value stands, so each fault can name its line and column without a second parser. `write` has one
//! form for each graph, so that loading and saving a file of ours changes no byte. What this program does not know
//! (node types, inputs, sections) is carried along as it was written.

use std::fs::File;
use std::io::Read as _;
use std::path::Path;

use crate::fault::{Fault, Faults, Located};
use crate::files;
use crate::graph::source::Source;
use crate::graph::{Graph, migrate};

pub use crate::graph::places::Places;
pub use crate::graph::read::read;
pub use crate::graph::write::write;

/// The version of the format that [`write()`] writes, and the newest that [`read`] reads.
pub const FORMAT: u32 = 1;

/// The largest file that is read, in bytes; a graph of a hundred thousand nodes fits in.
const MOST_BYTES: u64 = 16 << 20;

/// The first bytes of every PNG.
const PNG: &[u8] = b"\x89PNG\r\n\x1a\n";

/// What a file said.
#[derive(Debug, Clone)]
pub struct Loaded {
    /// The graph.
    pub graph: Graph,
    /// Where its parts stand in the text; empty if the text was of an older format.
    pub places: Places,
    /// The older format that the text was written in.
    pub migrated_from: Option<u32>,
}

/// Reads a workflow from a file.
///
/// # Errors
/// Everything that is wrong with the file, each with its line and column.
pub fn read_file(path: &Path) -> Result<Loaded, Faults> {
    read_text(path).and_then(|text| read(&text).map_err(|faults| faults.in_file(path)))
}

/// Reads the text of a workflow file, whatever it says.
///
/// # Errors
/// A fault of the file.
pub fn read_text(path: &Path) -> Result<String, Faults> {
    let text = read_bytes(path).map_err(Faults::from).and_then(|bytes| {
        String::from_utf8(bytes).map_err(|error| not_text(error.as_bytes(), error.utf8_error().valid_up_to()).into())
    });
    text.map_err(|faults| faults.in_file(path))
}

/// Writes a workflow to a file: the old content or the new, never half. A file of an older format is kept beside the new
/// one, as `name.format-0.ron`.
///
/// # Errors
/// A fault of the file or the disk; what was there stays.
pub fn write_file(graph: &Graph, path: &Path) -> Result<(), Fault> {
    write_text(&write(graph), path)
}

/// Writes the text of a workflow to a file, in the same way.
///
/// # Errors
/// A fault of the file or the disk; what was there stays.
pub fn write_text(text: &str, path: &Path) -> Result<(), Fault> {
    migrate::keep_older(path)?;
    files::write_aside(path, text.as_bytes())
}

/// Reads the content of a regular file, if it is not too large for a workflow.
pub(super) fn read_bytes(path: &Path) -> Result<Vec<u8>, Fault> {
    let fail = |error: &std::io::Error| Fault::io("read", path, error);
    let about = std::fs::metadata(path).map_err(|error| fail(&error))?;
    if !about.is_file() {
        return Err(Fault::file(format!("`{}` is not a regular file", path.display())).hint("name a workflow file"));
    }
    let mut bytes = Vec::new();
    if about.len() <= MOST_BYTES {
        let file = File::open(path).map_err(|error| fail(&error))?;
        file.take(MOST_BYTES + 1).read_to_end(&mut bytes).map_err(|error| fail(&error))?;
    }
    let size = about.len().max(bytes.len() as u64);
    if size > MOST_BYTES {
        let message = format!("the file has {size} bytes, a workflow at most {MOST_BYTES}");
        return Err(Fault::file(message).hint("check that this is the workflow, and not a model or a picture"));
    }
    if bytes.starts_with(PNG) {
        return Err(Fault::file("this is a picture, not a workflow file")
            .hint("a picture saved by darkroom carries its workflow: hand the picture to `darkroom run`"));
    }
    Ok(bytes)
}

fn not_text(bytes: &[u8], valid: usize) -> Located {
    let before = std::str::from_utf8(&bytes[..valid]).expect("it is valid up to here");
    let fault = Fault::file("this is not a text in UTF-8").hint("save the file in UTF-8");
    Located::from(fault).position(Some(Source::new(before).position(valid)))
}

#[cfg(test)]
mod tests {
    use indexmap::IndexMap;
    use proptest::collection::{btree_map, vec};
    use proptest::prelude::*;

    use super::*;
    use crate::files::{Content, Sha256};
    use crate::graph::{End, Field, Link, Mode, NodeEntry, Subgraph};
    use crate::literal::Literal;

    const RAW: [&str; 10] = [
        "()",
        "Some(3)",
        "'x'",
        "b\"bytes\"",
        "Brush(size: 3, tip: Round)",
        "(1, \"two\", [3.0])",
        "{1: 2, (3, 4): \"x\"}",
        "[(1, 2), (3, 4)]",
        "[\n    1, // one\n    Two,\n]",
        "1..=5",
    ];

    fn plain() -> impl Strategy<Value = Literal> {
        let leaf = prop_oneof![
            any::<bool>().prop_map(Literal::Boolean),
            any::<i128>().prop_map(Literal::Integer),
            (-99i128..99).prop_map(Literal::Integer),
            any::<f64>().prop_filter("finite", |number| number.is_finite()).prop_map(Literal::Number),
            any::<String>().prop_map(Literal::Text),
        ];
        leaf.prop_recursive(3, 12, 4, |item| vec(item, 0..4).prop_map(Literal::List))
    }

    fn field() -> impl Strategy<Value = Field> {
        let link = (id(), proptest::option::of("[a-z_]{1,6}")).prop_map(|(node, output)| Link { node, output });
        prop_oneof![
            plain().prop_map(Field::Literal),
            proptest::sample::select(&RAW[..]).prop_map(|raw| Field::Literal(Literal::Raw(raw.to_owned()))),
            link.prop_map(Field::Link),
        ]
    }

    fn id() -> impl Strategy<Value = String> {
        prop_oneof!["[a-z][a-z0-9_-]{0,30}", "[^.\\p{Cc}]{1,20}"]
    }

    fn node() -> impl Strategy<Value = NodeEntry> {
        let name = prop_oneof!["[a-z_][a-z0-9_]{0,8}", "r|br|größe|from|self|9\\.5-a|a-b"]
            .prop_filter("reserved", |name| {
                !["type", "version", "mode", "title", "note", "_"].contains(&name.as_str())
            });
        let mode = proptest::sample::select(vec![Mode::Active, Mode::Muted, Mode::Bypassed]);
        let (version, text) = (proptest::option::of(any::<u32>()), || proptest::option::of(any::<String>()));
        let fields = btree_map(name, field(), 0..6);
        (".{1,12}", version, mode, text(), text(), fields).prop_map(|(kind, version, mode, title, note, fields)| {
            NodeEntry { kind, version, mode, title, note, fields: fields.into_iter().collect() }
        })
    }

    fn content() -> impl Strategy<Value = Content> {
        let sha256 = any::<u64>().prop_map(|seed| Sha256::of_bytes(&seed.to_le_bytes()));
        (sha256, any::<u64>(), 1_usize..20).prop_map(|(sha256, bytes, files)| Content { sha256, bytes, files })
    }

    fn sections(names: &'static str) -> impl Strategy<Value = IndexMap<String, String>> {
        let sections = btree_map(names, proptest::sample::select(&RAW[..]), 0..3);
        sections.prop_map(|sections| sections.into_iter().map(|(name, raw)| (name, raw.to_owned())).collect())
    }

    fn subgraph() -> impl Strategy<Value = Subgraph> {
        let (name, text) = (|| "[a-z_][a-z0-9_]{2,6}|größe|a-b", || proptest::option::of(any::<String>()));
        let end = (id(), "[a-z_]{1,6}|größe").prop_map(|(node, input)| End { node, input });
        let link = (id(), proptest::option::of("[a-z_]{1,6}")).prop_map(|(node, output)| Link { node, output });
        let free = |name: &String| crate::graph::refused_end(name).is_none();
        let inputs = btree_map(name().prop_filter("reserved", free), vec(end, 1..3), 0..3);
        let outputs = btree_map(name().prop_filter("reserved", free), link, 0..3);
        let nodes = btree_map(id(), node(), 0..3);
        (text(), text(), inputs, outputs, nodes, sections("layout|plugin_x")).prop_map(
            |(title, note, inputs, outputs, nodes, sections)| Subgraph {
                title,
                note,
                inputs: inputs.into_iter().rev().collect(),
                outputs: outputs.into_iter().rev().collect(),
                nodes: nodes.into_iter().rev().collect(),
                sections,
            },
        )
    }

    fn graph() -> impl Strategy<Value = Graph> {
        let lock = btree_map("[a-z]{1,5}\\.[a-z]{1,5}", content(), 0..3);
        let subgraphs = btree_map(id(), subgraph(), 0..3);
        let nodes = btree_map(id(), node(), 0..6);
        (nodes, subgraphs, sections("layout|exposed|plugin_x"), lock).prop_map(|(nodes, subgraphs, sections, lock)| {
            Graph {
                nodes: nodes.into_iter().rev().collect(),
                subgraphs: subgraphs.into_iter().rev().collect(),
                sections,
                lock: lock.into_iter().collect(),
            }
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_as_the_same_graph(graph in graph()) {
            let text = write(&graph);
            let loaded = match read(&text) {
                Ok(loaded) => loaded,
                Err(faults) => return Err(TestCaseError::fail(format!("{faults}\n{text}"))),
            };
            prop_assert_eq!(&loaded.graph, &graph, "{}", text);
            prop_assert_eq!(write(&loaded.graph), text);
            let order: Vec<_> = loaded.graph.nodes.keys().zip(graph.nodes.keys()).collect();
            prop_assert!(order.iter().all(|(read, written)| read == written));
        }

        #[test]
        fn no_text_makes_the_reader_panic(text in "[(){}\\[\\]:,\"'/*#a-z0-9.\\\\ \n]{0,60}") {
            let _ = read(&text);
            let _ = read(&format!("(darkroom: 1, nodes: {text})"));
            let _ = read(&format!("(darkroom: 1, nodes: {{\"a\": (type: \"b\", c: {text})}})"));
            let _ = read(&format!("(darkroom: 1, nodes: {{}}, subgraphs: {text})"));
            let _ = read(&format!("(darkroom: 1, nodes: {{}}, subgraphs: {{\"a\": (inputs: {text}, nodes: {{}})}})"));
        }
    }

    #[test]
    fn each_part_knows_its_place() {
        let text = "(\n    darkroom: 1,\n    nodes: {\n        \"größe\": (type: \"toy\", at: /* here */ 5, \
                    to: (from: \"b\")),\n    },\n)\n";
        let places = read(text).expect("it is well-formed").places;
        let at = |line, column| Some(crate::fault::Position { line, column });
        assert_eq!(places.node("größe"), at(4, 9));
        assert_eq!(places.field("größe", "at"), at(4, 32));
        assert_eq!(places.field("größe", "to"), at(4, 50));
        assert_eq!((places.field("größe", "of"), places.node("a")), (None, None));
        let fault = Located::at_node(Fault::graph("no"), "größe", "toy");
        let faults = Faults(vec![fault.clone().input("to"), fault.input("missing")]);
        let found: Vec<_> = places.locate(faults).0.into_iter().map(|located| located.place.position).collect();
        assert_eq!(found, [at(4, 50), at(4, 9)]);
    }

    #[test]
    fn comments_and_byte_order_marks_do_no_harm() {
        let text = "\u{feff}// a workflow\r\n(darkroom: 1, /* nodes */ nodes: { // first\n\"a\": /* it */ (type: \"toy\", \
                    size: 3 /* px */, list: /* of */ [1, /* and */ 2 // end\n]) // last\n}, layout: // ours\n (4) // so\n)//";
        let graph = read(text).expect("it is well-formed").graph;
        let line = "        \"a\": (type: \"toy\", size: 3, list: [1, 2]),\n";
        assert_eq!(write(&graph), format!("(\n    darkroom: 1,\n    nodes: {{\n{line}    }},\n    layout: (4),\n)\n"));
    }

    #[test]
    fn a_node_has_a_line_until_it_is_too_long() {
        let text = format!(
            "(\n    darkroom: 1,\n    nodes: {{\n        \"model\":  (type: \"load_model\", source: \"mini\"),\n        \
             \"prompt\": (\n            type: \"encode_prompt\",\n            encoder: (from: \"model.encoder\"),\n            \
             text: \"{}\",\n        ),\n    }},\n    lock: {{\n        \"model.source\": (sha256: \"{}\", bytes: 5, files: 2),\n    \
             }},\n)\n",
            "long ".repeat(20),
            "0f".repeat(32)
        );
        assert_eq!(write(&read(&text).expect("it is well-formed").graph), text);
    }

    #[test]
    fn a_part_of_the_wrong_kind_is_named() {
        let text = r#"(darkroom: 1, nodes: {"a": (type: "t", version: -1, mode: off, title: 3), "b": (type: 4), "c": 5,
            "d.e": (type: "t"), "f": (type: "t", x: (from: "a", y: 1), z: (from: "a.b.c"))}, lock: {"a": "ff"})"#;
        let faults = read(text).expect_err("nearly all of it is wrong");
        let lines: Vec<_> = faults.0.iter().map(ToString::to_string).collect();
        assert_eq!(lines, EXPECTED, "{faults}");
    }

    const EXPECTED: [&str; 9] = [
        "line 1, column 49 › a (t) › version: `version` must be a whole number from 0, not `-1`",
        "line 1, column 59 › a (t) › mode: `mode` must be `muted` or `bypassed`, not `off`",
        "line 1, column 71 › a (t) › title: `title` must be a text, not `3`",
        "line 1, column 87: the type of `b` is not the name of one",
        "line 1, column 96: `c` is not a node",
        "line 2, column 13: `d.e` cannot be the id of a node: a `.` separates node and output in wires",
        "line 2, column 53 › f (t) › x: `(from: \"a\", y: 1)` is not a wire",
        "line 2, column 75 › f (t) › z: `(from: \"a.b.c\")` is not a wire",
        "line 2, column 106: the lock of `a` is no content",
    ];
}
