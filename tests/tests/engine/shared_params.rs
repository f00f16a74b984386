//! Parameters that several nodes have in common stand in a node's manual, its file and its name like its own.

use darkroom_core::Params;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Node, Sockets as _};
use darkroom_core::observe::Cancel;
use darkroom_core::registry::Registry;
use darkroom_core::testing::Press;
use darkroom_tests::room::{Kit, Room};
use insta::assert_snapshot;

/// How something is said.
#[derive(Params)]
struct Manner {
    /// How often.
    #[param(default = 2, range = 1..=3)]
    times: i64,
    /// What is said between.
    #[param]
    pause: Option<String>,
}

/// Says a word in some manner.
#[derive(darkroom_core::Node)]
#[node(id = "say", version = 1, category = "Toys", lane = "light")]
struct Say {
    /// What to say.
    #[param]
    word: String,
    #[params]
    manner: Manner,
    /// What to say in the end.
    #[param(default = ".")]
    end: String,
}

impl Node for Say {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        let pause = self.manner.pause.unwrap_or_default();
        Ok(vec![self.word; self.manner.times as usize].join(&pause) + &self.end)
    }
}

fn room(say: &str) -> Room {
    let registry = Registry::new().with::<Say>().with::<Press>();
    let text = format!(
        r#"(darkroom: 1, nodes: {{ "say": (type: "say", {say}), "sheet": (type: "press", text: (from: "say")) }})"#
    );
    Room::with(&text, Kit { registry, ..Kit::default() })
}

#[test]
fn a_manual_lists_them_in_their_place() {
    let spec = Say::spec();
    let told: Vec<_> = spec.inputs.iter().map(|input| format!("{}: {}", input.name, input.doc)).collect();
    assert_eq!(
        told,
        ["word: What to say.", "times: How often.", "pause: What is said between.", "end: What to say in the end."]
    );
    assert!(!spec.inputs[1].required && spec.inputs[1].param.is_some());
}

#[test]
fn they_are_written_and_taken_as_the_nodes_own() {
    for (say, wanted) in [
        (r#"word: "ho""#, "hoho."),
        (r#"end: "!", times: 3, word: "ho", pause: ", ""#, "ho, ho, ho!"),
        (r#"pause: "-", word: "ho""#, "ho-ho."),
    ] {
        let room = room(say);
        room.run();
        assert_eq!(std::fs::read_to_string(room.home().join("out/sheet.txt")).expect("a sheet"), wanted, "{say}");
    }
}

#[test]
fn they_are_part_of_a_results_name() {
    let mut room = room(r#"word: "ho""#);
    room.run();
    room.set("say.times", 3);
    assert_snapshot!(room.run(), @r"
    say    ran     `times` changed
    sheet  ran     follows `say`
    ");
}

#[test]
fn their_ranges_hold() {
    let room = room(r#"word: "ho", times: 4"#);
    let faults = room.run_watched(&(), &Cancel::new()).map(drop).expect_err("four is too often");
    let words = room.words(faults);
    assert!(words.contains("times: 4 is out of range") && words.contains("1 to 3"), "{words}");
}
