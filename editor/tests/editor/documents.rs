//! Documents: whatever is done to one can be undone, and what is saved is read again.

use std::collections::HashSet;
use std::path::Path;

use darkroom_core::graph::Mode;
use darkroom_core::literal::Literal;
use darkroom_core::testing::toys;
use darkroom_editor::document::{
    Document, Edit, Field, Frame, FrameId, Node, NodeId, Outside, Point, Sheet, Side, Wire, arrange, copy, define_ends,
    fold, own, paste, unfold,
};
use proptest::prelude::*;

const FILE: &str = r#"// A picture.
(
    darkroom: 1,
    nodes: {
        "model": (type: "load_model", source: "mini"),   // the model that is built in
        "prompt": (type: "encode_prompt", encoder: (from: "model.encoder"), text: "a lake"),
        "odd": (type: "of_tomorrow", shape: Round(3), from_where: (from: "nobody")),
    },
)
"#;

fn opened(text: &str) -> Document {
    Document::read(text, None).expect("it is a workflow").document
}

fn named(document: &Document, name: &str) -> NodeId {
    document.sheet().named(name).expect("it is there")
}

fn wire(node: NodeId) -> Wire {
    Wire { node, output: None, bends: Vec::new() }
}

/// What a hand may do next; numbers pick among what is there.
#[derive(Debug, Clone)]
enum Deed {
    Add(u8),
    Edit(u8, u8, u8),
    Begin,
    Commit,
    Abort,
    Undo,
    Redo,
    Paste(u8),
    Fold(u8),
    Unfold(u8),
    Inside(u8, u8, u8),
    Offer(u8, u8),
    Name(u8),
    Own(u8),
    Forget(u8),
}

fn deed() -> impl Strategy<Value = Deed> {
    prop_oneof![
        2 => any::<u8>().prop_map(Deed::Add),
        12 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(what, a, b)| Deed::Edit(what, a, b)),
        1 => Just(Deed::Begin),
        1 => Just(Deed::Commit),
        1 => Just(Deed::Abort),
        2 => Just(Deed::Undo),
        2 => Just(Deed::Redo),
        1 => any::<u8>().prop_map(Deed::Paste),
        2 => any::<u8>().prop_map(Deed::Fold),
        1 => any::<u8>().prop_map(Deed::Unfold),
        3 => (any::<u8>(), any::<u8>(), any::<u8>()).prop_map(|(what, a, b)| Deed::Inside(what, a, b)),
        2 => (any::<u8>(), any::<u8>()).prop_map(|(a, b)| Deed::Offer(a, b)),
        1 => any::<u8>().prop_map(Deed::Name),
        1 => any::<u8>().prop_map(Deed::Own),
        1 => any::<u8>().prop_map(Deed::Forget),
    ]
}

/// One of the levels, by a number.
fn level(document: &Document, number: u8) -> Option<String> {
    let count = document.sheet().definitions.len() + 1;
    let index = (number as usize % count).checked_sub(1)?;
    document.sheet().definitions.get_index(index).map(|(name, _)| name.clone())
}

fn edit(sheet: &Sheet, what: u8, a: u8, b: u8) -> Edit {
    let pick = |number: u8| match sheet.nodes.len() {
        0 => NodeId(u64::from(number)),
        count => *sheet.nodes.get_index(number as usize % count).expect("it is below the count").0,
    };
    let (node, other) = (pick(a), pick(b));
    let input = ["x", "y", "z"][b as usize % 3].to_owned();
    let word = (b.is_multiple_of(2)).then(|| format!("word {b}"));
    let at = Point::new(i32::from(a) * 7 - 900, i32::from(b) * 11 - 1400);
    match what % 17 {
        0 => Edit::Remove(node),
        1 => Edit::Set(node, input, Some(Literal::Integer(i128::from(b)))),
        2 => Edit::Set(node, input, None),
        3 | 4 => Edit::Connect(node, input, wire(other)),
        5 => Edit::Disconnect(node, input),
        6 => Edit::Bend(node, input, vec![at]),
        7 => Edit::Move(node, at),
        8 => Edit::Rename(node, format!("node_{b}")),
        9 => Edit::Title(node, word),
        10 => Edit::Note(node, word),
        11 => Edit::Mode(node, [Mode::Active, Mode::Muted, Mode::Bypassed][b as usize % 3]),
        12 => Edit::Collapse(node, b.is_multiple_of(2)),
        13 => Edit::Pin(node, b.is_multiple_of(2)),
        14 => Edit::Colour(node, word),
        15 => Edit::Frame(
            FrameId(u64::from(b % 3) + 1_000_000),
            Frame { title: format!("frame {a}"), at, size: (u32::from(a), 80), ..Frame::default() },
        ),
        _ => Edit::RemoveFrame(FrameId(u64::from(b % 3) + 1_000_000)),
    }
}

fn act(document: &mut Document, deed: &Deed) {
    match deed {
        Deed::Add(number) => {
            let name = document.sheet().free_name(&format!("n{}", number % 4));
            let node = Node { name, kind: "text".into(), at: Point::new(i32::from(*number), 0), ..Node::default() };
            let id = NodeId(document.number());
            document.step("add", [Edit::Add(id, node)]).expect("its name is free");
        }
        // Many are refused, and must leave no trace then.
        Deed::Edit(what, a, b) => {
            let before = document.sheet().clone();
            if document.edit(edit(document.sheet(), *what, *a, *b)).is_err() {
                assert_eq!(*document.sheet(), before);
            }
        }
        Deed::Begin => document.begin("several"),
        Deed::Commit => document.commit(),
        Deed::Abort => document.abort(),
        Deed::Undo => drop(document.undo()),
        Deed::Redo => drop(document.redo()),
        Deed::Paste(number) => {
            let some: HashSet<_> = document.sheet().nodes.keys().take(*number as usize % 5).copied().collect();
            let text = copy(document.sheet(), None, &some, &HashSet::new());
            let sheet = document.sheet().clone();
            let pasted = paste(&sheet, None, &text, None, Outside::Keep, || document.number()).expect("it was copied");
            document.step("paste", pasted.edits).expect("names are free");
        }
        Deed::Inside(what, a, b) => {
            let (before, level) = (document.sheet().clone(), level(document, what ^ b));
            let sheet = before.level(level.as_deref()).expect("it is there");
            if document.edit(edit(sheet, *what, *a, *b).at(level.as_deref())).is_err() {
                assert_eq!(*document.sheet(), before);
            }
        }
        Deed::Fold(number) => {
            let (sheet, level) = (document.sheet().clone(), level(document, number / 16));
            let inner = sheet.level(level.as_deref()).expect("it is there");
            let some = inner.nodes.keys().skip(*number as usize % 3).take(*number as usize % 4).copied().collect();
            let none = HashSet::new();
            let folded = fold(&sheet, level.as_deref(), (&some, &none), &toys(), || document.number());
            if let Ok(folded) = folded {
                document.step("fold", folded.edits).expect("what can be folded is");
            }
        }
        Deed::Unfold(number) | Deed::Own(number) => {
            let (sheet, level) = (document.sheet().clone(), level(document, number / 16));
            let inner = sheet.level(level.as_deref()).expect("it is there");
            let found = inner.nodes.iter().filter(|(_, node)| node.kind.starts_with("graph:")).map(|(id, _)| *id);
            let Some(instance) = found.cycle().nth(*number as usize % 3) else { return };
            let edits = match deed {
                Deed::Own(_) => own(&sheet, level.as_deref(), instance, || document.number()).map(|(edits, _)| edits),
                _ => unfold(&sheet, level.as_deref(), instance, &toys(), || document.number()).map(|done| done.edits),
            };
            if let Ok(edits) = edits {
                document.step("unfold", edits).expect("what can be unfolded is");
            }
        }
        Deed::Offer(a, b) => {
            let (sheet, name) = (document.sheet().clone(), level(document, *a));
            let Some((name, inner)) = name.as_deref().and_then(|name| Some((name, sheet.level(Some(name))?))) else {
                return;
            };
            let Some(node) = inner.nodes.keys().nth(*b as usize % 4) else { return };
            let side = if b.is_multiple_of(3) { Side::Output } else { Side::Input };
            let edit = define_ends(&sheet, name, *node, side, ["x", "y", "z"][*b as usize % 3]);
            document.step("offer", edit).expect("it is there");
        }
        Deed::Name(number) => {
            if let Some(name) = level(document, *number) {
                let to = format!("part_{}", number % 5);
                let _ = document.step("name", [Edit::NameDefinition(name, to)]);
            }
        }
        Deed::Forget(number) => {
            if let Some(name) = level(document, *number) {
                let _ = document.step("forget", [Edit::Forget(name)]);
            }
        }
    }
}

proptest! {
    #[test]
    fn undo_leads_back_to_the_beginning_and_redo_to_the_end(deeds in proptest::collection::vec(deed(), 0..60)) {
        let mut document = opened(FILE);
        let first = document.sheet().clone();
        deeds.iter().for_each(|deed| act(&mut document, deed));
        document.commit();
        let last = document.sheet().clone();
        let before = document.steps().0.len();
        let mut undone = 0;
        while document.undo().is_some() {
            undone += 1;
        }
        prop_assert_eq!(undone, before);
        prop_assert_eq!(&**document.sheet(), &*first);
        for _ in 0..undone {
            prop_assert!(document.redo().is_some());
        }
        prop_assert_eq!(&**document.sheet(), &*last);
    }

    #[test]
    fn what_is_saved_is_read_again(deeds in proptest::collection::vec(deed(), 0..60)) {
        let mut document = opened(FILE);
        deeds.iter().for_each(|deed| act(&mut document, deed));
        document.commit();
        let text = document.text();
        let again = opened(&text);
        prop_assert_eq!(again.sheet().graph(), document.sheet().graph(), "{}", text);
        prop_assert_eq!(again.text(), text);
    }

    #[test]
    fn wires_end_at_nodes_and_never_close_a_circle(deeds in proptest::collection::vec(deed(), 0..60)) {
        let mut document = opened(FILE);
        deeds.iter().for_each(|deed| act(&mut document, deed));
        let whole = document.sheet();
        let mut ids = HashSet::new();
        for (level, sheet) in whole.levels() {
            for (node, input, wire) in sheet.wires() {
                prop_assert!(sheet.nodes.contains_key(&wire.node), "{input}");
                prop_assert!(!sheet.reaches(node, wire.node), "{input}");
            }
            let names: HashSet<_> = sheet.nodes.values().map(|node| &node.name).collect();
            prop_assert_eq!(names.len(), sheet.nodes.len());
            prop_assert!(sheet.nodes.keys().all(|id| ids.insert(*id)), "a number stands twice");
            let Some(name) = level else { continue };
            let definition = &whole.definitions[name];
            let mut inner = sheet.nodes.values().filter_map(|node| node.kind.strip_prefix("graph:"));
            prop_assert!(!inner.any(|inner| whole.stands_in(name, inner)), "`{name}` lies inside of itself");
            for end in definition.inputs.values().flatten() {
                let node = &sheet.nodes[&sheet.named(&end.node).expect("what is offered is there")];
                prop_assert!(!matches!(node.fields.get(&end.input), Some(Field::Wire(_))), "{end}");
            }
        }
    }
}

#[test]
fn a_file_that_nobody_changed_stays_byte_for_byte() {
    let mut document = opened(FILE);
    assert_eq!(document.text(), FILE);
    let prompt = named(&document, "prompt");
    document.edit(Edit::Set(prompt, "text".into(), Some("a sea".into()))).unwrap();
    assert!(document.is_changed() && document.text().contains("a sea"));
    assert!(document.text().starts_with("// A picture.\n("));
    document.edit(Edit::Set(prompt, "text".into(), Some("a lake".into()))).unwrap();
    assert!(!document.is_changed());
    assert_eq!(document.text(), FILE);
}

#[test]
fn what_this_program_does_not_know_is_kept() {
    let mut document = opened(FILE);
    let odd = named(&document, "odd");
    document.edit(Edit::Title(odd, Some("later".into()))).unwrap();
    let again = opened(&document.text());
    let odd = &again.sheet().nodes[&named(&again, "odd")];
    assert_eq!(odd.kind, "of_tomorrow");
    assert_eq!(odd.literal("shape"), Some(&Literal::Raw("Round(3)".into())));
    assert!(matches!(&odd.fields["from_where"], Field::Lost(link) if link.node == "nobody"));
}

#[test]
fn a_number_is_never_used_again() {
    let mut document = opened(FILE);
    let before: HashSet<_> = document.sheet().nodes.keys().copied().collect();
    let node = || Node { name: "text".into(), kind: "text".into(), ..Node::default() };
    let first = NodeId(document.number());
    document.step("add", [Edit::Add(first, node())]).unwrap();
    document.undo();
    let second = NodeId(document.number());
    document.step("add", [Edit::Add(second, node())]).unwrap();
    assert!(first != second && !before.contains(&first) && !before.contains(&second));
}

#[test]
fn keystrokes_in_one_field_are_one_step() {
    let mut document = opened(FILE);
    let prompt = named(&document, "prompt");
    let typed = |document: &mut Document, text: &str, key: &str| {
        let edit = Edit::Set(prompt, "text".into(), Some(text.into()));
        document.step_joined("change `text`", Some(key.to_owned()), [edit]).unwrap();
    };
    ["a", "a s", "a se", "a sea"].iter().for_each(|text| typed(&mut document, text, "prompt.text"));
    assert_eq!(document.steps().0, ["change `text`"]);
    document.part();
    typed(&mut document, "a seal", "prompt.text");
    assert_eq!(document.steps().0.len(), 2);
    document.undo();
    document.undo();
    assert_eq!(document.text(), FILE);
}

#[test]
fn a_step_that_is_refused_half_way_changes_nothing() {
    let mut document = opened(FILE);
    let (model, prompt) = (named(&document, "model"), named(&document, "prompt"));
    let edits = [Edit::Title(model, Some("M".into())), Edit::Connect(model, "x".into(), wire(prompt))];
    let refused = document.step("wire", edits).expect_err("it would close a circle");
    assert_eq!(refused.to_string(), "`prompt` needs what `M` makes: the two would wait for each other");
    assert_eq!(document.text(), FILE);
    let refused = document.edit(Edit::Rename(model, "prompt".into())).expect_err("it is taken");
    assert_eq!(refused.to_string(), "another node is called `prompt`");
    let refused = document.edit(Edit::Rename(model, "a.b".into())).expect_err("it has a dot");
    assert!(refused.to_string().contains("separates node and output"), "{refused}");
}

#[test]
fn locks_follow_a_new_name_and_go_with_their_node() {
    let content = format!("(sha256: \"{}\", bytes: 5)", "0123456789abcdef".repeat(4));
    let text = FILE.replace("    },\n)", &format!("    }},\n    lock: {{\"model.source\": {content}}},\n)"));
    let mut document = opened(&text);
    let model = named(&document, "model");
    document.edit(Edit::Rename(model, "mini".into())).unwrap();
    assert_eq!(document.sheet().lock.get_index(0).unwrap().0, "mini.source");
    document.edit(Edit::Remove(model)).unwrap();
    assert!(document.sheet().lock.is_empty());
}

#[test]
fn places_are_written_once_a_person_has_chosen_them() {
    let mut document = opened(FILE);
    let ids: Vec<_> = document.sheet().nodes.keys().copied().collect();
    let places = arrange(document.sheet(), &ids, Point::default(), |_| (200, 100));
    document.place(None, places);
    assert_eq!(document.text(), FILE);
    let prompt = named(&document, "prompt");
    document.edit(Edit::Move(prompt, Point::new(400, -20))).unwrap();
    let frame = Frame { title: "words".into(), at: Point::new(380, -60), size: (300, 200), ..Frame::default() };
    let id = FrameId(document.number());
    document.edit(Edit::Frame(id, frame.clone())).unwrap();
    let again = opened(&document.text());
    assert_eq!(again.sheet().nodes[&named(&again, "prompt")].at, Point::new(400, -20));
    assert_eq!(again.sheet().frames.values().next(), Some(&frame));
    assert_eq!(again.sheet().inside(&frame).collect::<Vec<_>>(), [named(&again, "prompt")]);
}

#[test]
fn a_layout_of_tomorrow_is_kept_and_told() {
    let section = "    layout: (version: 9, places: {}),\n)";
    let text = FILE.replace("\n)", &format!("\n{section}"));
    let opened = Document::read(&text, None).unwrap();
    assert!(opened.warnings[0].starts_with("the section `layout` cannot be read"), "{:?}", opened.warnings);
    let mut document = opened.document;
    let prompt = named(&document, "prompt");
    document.edit(Edit::Move(prompt, Point::new(1, 1))).unwrap();
    assert!(document.text().contains("layout: (version: 9, places: {})"));
}

#[test]
fn a_saved_file_is_the_old_or_the_new_one() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("a.ron");
    std::fs::write(&path, FILE).unwrap();
    let mut document = Document::open(&path).unwrap().document;
    let prompt = named(&document, "prompt");
    document.edit(Edit::Set(prompt, "text".into(), Some("a sea".into()))).unwrap();
    document.save(&path).unwrap();
    assert!(!document.is_changed());
    assert_eq!(std::fs::read_to_string(&path).unwrap(), document.text());
    document.undo();
    assert!(document.is_changed());
    let refused = document.save(Path::new("/proc/none/a.ron")).expect_err("nobody can write there");
    assert!(document.is_changed() && refused.message.contains("/proc/none"), "{refused}");
}

#[test]
fn what_is_copied_is_pasted_under_free_names_with_its_wires() {
    let mut document = opened(FILE);
    let some = HashSet::from([named(&document, "prompt")]);
    let text = copy(document.sheet(), None, &some, &HashSet::new());
    for (outside, wires) in [(Outside::Keep, 1), (Outside::Cut, 0)] {
        let sheet = document.sheet().clone();
        let corner = Some(Point::new(900, 40));
        let pasted = paste(&sheet, None, &text, corner, outside, || document.number()).unwrap();
        document.step("paste", pasted.edits).unwrap();
        let node = &document.sheet().nodes[&pasted.nodes[0]];
        assert_eq!((node.at, node.wires().count()), (Point::new(900, 40), wires));
        assert_eq!(node.literal("text"), Some(&"a lake".into()));
    }
    let names: Vec<_> = document.sheet().nodes.values().map(|node| node.name.clone()).collect();
    assert_eq!(names, ["model", "prompt", "odd", "prompt_2", "prompt_3"]);
    assert!(paste(document.sheet(), None, "not a graph", None, Outside::Cut, || 0).is_err());
}

#[test]
fn nodes_are_laid_out_along_their_wires_and_never_over_each_other() {
    let mut document = Document::default();
    let mut ids = Vec::new();
    for index in 0..40_usize {
        let mut node = Node { name: format!("n{index}"), kind: "text".into(), ..Node::default() };
        for (input, from) in [("a", index / 2), ("b", index.saturating_sub(3))] {
            if let Some(from) = ids.get(from) {
                node.fields.insert(input.to_owned(), Field::Wire(wire(*from)));
            }
        }
        let id = NodeId(document.number());
        document.step("add", [Edit::Add(id, node)]).unwrap();
        ids.push(id);
    }
    let extent = |id: NodeId| (160 + id.0 as u32 % 3 * 20, 60 + id.0 as u32 % 5 * 30);
    let places: std::collections::HashMap<_, _> =
        arrange(document.sheet(), &ids, Point::new(10, 10), extent).into_iter().collect();
    for (to, _, wire) in document.sheet().wires() {
        assert!(places[&wire.node].x < places[&to].x);
    }
    for a in &ids {
        for b in ids.iter().filter(|b| *b != a) {
            let (pa, pb) = (places[a], places[b]);
            let apart = |pa: i32, ea: u32, pb: i32, eb: u32| pa + ea as i32 <= pb || pb + eb as i32 <= pa;
            let ((wa, ha), (wb, hb)) = (extent(*a), extent(*b));
            assert!(apart(pa.x, wa, pb.x, wb) || apart(pa.y, ha, pb.y, hb), "{a:?} {b:?}");
        }
    }
}
