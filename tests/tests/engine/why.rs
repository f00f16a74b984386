//! Why something runs again: every sentence, once.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::graph::{Mode, NodeEntry};
use darkroom_core::node::Node;
use darkroom_core::plan::Wish;
use darkroom_core::registry::Registry;
use darkroom_core::testing::{Count, Grow, Press, Sprout, Word};
use darkroom_tests::room::{Kit, Room};
use insta::assert_snapshot;

use super::PRINT;

#[test]
fn an_input_changed() {
    let mut room = Room::new(PRINT);
    room.run();
    room.set("leaf.seed", 8);
    room.set("leaf.size", 5);
    assert_snapshot!(room.run(), @r"
    ink      cached  nothing changed
    leaf     ran     `size` and `seed` changed
    print    ran     follows `leaf`
    shout    cached  nothing changed
    caption  ran     follows `print`
    sheet    ran     follows `caption`
    ");
}

#[test]
fn a_wire_was_laid_from_elsewhere() {
    let mut room = Room::new(PRINT);
    room.run();
    room.graph.nodes.insert("other".to_owned(), NodeEntry { kind: "grow".to_owned(), ..NodeEntry::default() });
    room.connect("print.leaf", "other");
    assert_snapshot!(room.run(), @r"
    ink      cached  nothing changed
    other    ran     new here
    print    ran     follows `other`
    shout    cached  nothing changed
    caption  ran     follows `print`
    sheet    ran     follows `caption`
    ");
}

#[test]
fn a_node_became_another() {
    let mut room = Room::new(PRINT);
    room.run();
    let leaf = &mut room.graph.nodes["leaf"];
    leaf.kind = "linger".to_owned();
    leaf.fields.clear();
    assert_snapshot!(room.run(), @r"
    ink      cached  nothing changed
    leaf     ran     the node is another one
    print    ran     follows `leaf`
    shout    cached  nothing changed
    caption  ran     follows `print`
    sheet    ran     follows `caption`
    ");
}

#[test]
fn the_cache_was_full() {
    // There is room for one result: the last.
    let mut room = Room::with(PRINT, Kit { memory: 500, disk: None, ..Kit::default() });
    room.run();
    // A sheet elsewhere wants all that went into it.
    room.set("sheet.name", "another.txt");
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     ran     its result was let go: the cache was full
    print    ran     its result was let go: the cache was full
    shout    ran     its result was let go: the cache was full
    caption  ran     its result was let go: the cache was full
    sheet    ran     `name` changed
    ");
}

#[test]
fn the_cache_was_cleared() {
    let room = Room::new(PRINT);
    room.run();
    room.engine.cache().clear().expect("it can be cleared");
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     ran     the cache was cleared
    print    ran     the cache was cleared
    shout    ran     the cache was cleared
    caption  ran     the cache was cleared
    sheet    ran     the cache was cleared
    ");
}

#[test]
fn the_cache_is_another_one() {
    let mut room = Room::new(PRINT);
    room.run();
    std::fs::remove_dir_all(room.home().join("cache")).expect("it was there");
    room.again();
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     ran     its result is no longer in the cache
    print    ran     its result is no longer in the cache
    shout    ran     its result is no longer in the cache
    caption  ran     its result is no longer in the cache
    sheet    ran     its result is no longer in the cache
    ");
}

#[test]
fn the_machine_computes_differently() {
    let mut room = Room::new(PRINT);
    room.run();
    room.again_with(Kit { numerics: "another toy", ..Kit::default() });
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     ran     the machine computes differently
    print    ran     the machine computes differently
    shout    cached  nothing changed
    caption  ran     follows `print`
    sheet    ran     follows `caption`
    ");
    room.again();
    assert_snapshot!(room.run(), @r"
    ink      idle    not needed
    leaf     cached  not needed
    print    cached  not needed
    shout    cached  not needed
    caption  cached  not needed
    sheet    cached  nothing changed
    ");
}

/// Says a text loudly, and means it.
#[derive(darkroom_core::Node)]
#[node(id = "shout", version = 2, category = "Toys", lane = "light")]
struct ShoutLouder {
    /// The text.
    #[param]
    text: String,
}

impl Node for ShoutLouder {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        Ok(self.text.to_uppercase() + "!")
    }
}

#[test]
fn a_node_has_a_newer_version() {
    let text = r#"(darkroom: 1, nodes: {
        "word":  (type: "word", text: "hear"),
        "shout": (type: "shout", text: (from: "word")),
        "sheet": (type: "press", text: (from: "shout")),
    })"#;
    let mut room = Room::new(text);
    room.run();
    let registry = Registry::new().with::<Word>().with::<ShoutLouder>().with::<Press>();
    room.again_with(Kit { registry, ..Kit::default() });
    assert_snapshot!(room.run(), @r"
    shout  ran     the node is another one
    sheet  ran     follows `shout`
    ");
}

#[test]
fn a_lost_history_costs_only_the_answers() {
    let mut room = Room::new(PRINT);
    room.run();
    for entry in std::fs::read_dir(room.home().join("state")).expect("it is there") {
        std::fs::write(entry.expect("it can be read").path(), "torn").expect("it can be written");
    }
    room.again();
    room.set("leaf.seed", 8);
    assert_snapshot!(room.run(), @r"
    ink      opened  needed
    leaf     ran     new here
    print    ran     new here
    shout    cached  nothing changed
    caption  ran     new here
    sheet    ran     new here
    ");
}

#[test]
fn a_plan_explains_itself_before_anything_runs() {
    let mut room = Room::new(PRINT);
    assert_snapshot!(room.explain(), @r"
    ink      open  needed                        sepia ink
    leaf     run   new here  toy  100 B scratch  leaf
    print    run   new here  toy  100 B weights  leaf, text
    shout    run   new here                      text
    caption  run   new here                      text
    sheet    run   new here                      sheet
    memory, of 1.0 MiB
      leaf   |#...................|      116 B
      print  |#...................|      116 B  + ink of `ink` 100 B
    5 of 6 nodes run, peak memory 116 B
    ");
    room.run();
    room.set("word.text", "a brass orrery");
    let plan = room.engine.plan(&room.graph, &Wish::default()).expect("the graph is sound");
    let steps: Vec<_> = plan.steps.iter().map(|step| format!("{step:?}")).collect();
    assert_snapshot!(steps.join("\n"), @r"
    ink Idle(Some(Memory)): not needed
    leaf Idle(Some(Memory)): not needed
    print Take(Memory): nothing changed
    word Idle(None): not needed
    shout Run: `text` changed
    caption Run: follows `shout`
    sheet Run: follows `caption`
    ");
    assert!(plan.seconds().is_some(), "everything that runs has run before");
}

#[test]
fn a_muted_branch_has_no_row() {
    let mut room = Room::with(
        r#"(darkroom: 1, nodes: {
            "count": (type: "count", number: 3),
            "leaf":  (type: "grow", size: (from: "count")),
            "words": (type: "sprout", leaf: (from: "leaf")),
            "sheet": (type: "press", text: (from: "words")),
            "other": (type: "press", text: (from: "words"), name: "other.txt"),
        })"#,
        Kit {
            registry: Registry::new().with::<Count>().with::<Grow>().with::<Sprout>().with::<Press>(),
            ..Kit::default()
        },
    );
    room.graph.nodes["other"].mode = Mode::Muted;
    assert_snapshot!(room.explain(), @r"
    leaf   run  new here  toy  100 B scratch  leaf
    words  run  new here                      text
    sheet  run  new here                      sheet
    3 of 3 nodes run, peak memory 112 B
    ");
}
