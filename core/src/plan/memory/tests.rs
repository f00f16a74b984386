//! What a plan foresees of memory, with toys that reserve and pin as big nodes do.

use super::*;
use crate::cache::Cache;
use crate::engine::Engine;
use crate::explain::explain;
use crate::files::Files;
use crate::graph::{Graph, read};
use crate::history::History;
use crate::host::Host;
use crate::observe::Cancel;
use crate::plan::{Goal, Plan, Wish};
use crate::residency::{Device, Ledger};
use crate::testing::{Log, toys};
use proptest::prelude::*;

/// A big model that can do with less, one that cannot, and work that wants both, one after another and together.
const PRESS: &str = r#"(darkroom: 1, nodes: {
    "reader": (type: "ink", colour: "blue", bytes: 300),
    "model":  (type: "ink", colour: "red", bytes: 900, least: 100),
    "read":   (type: "etch", ink: (from: "reader"), scratch: 20),
    "draw":   (type: "etch", ink: (from: "model"), scratch: 200, after: (from: "read")),
    "again":  (type: "etch", ink: (from: "model"), second: (from: "reader"), scratch: 50, after: (from: "draw")),
})"#;

fn engine(ram: u64) -> Engine {
    engine_of(vec![(Device::Cpu, ram)])
}

fn engine_of(budgets: Vec<(Device, u64)>) -> Engine {
    let host = Host::new(Files::default()).with_numerics("toy");
    Engine::new(toys(), host, Cache::in_memory(0), Ledger::of(budgets), History::in_memory())
}

fn graph(text: &str) -> Graph {
    read(text).expect("the text is a workflow").graph
}

fn to(node: &str) -> Wish {
    Wish { goal: Goal::Node(node.to_owned()), fresh: false }
}

fn planned(ram: u64) -> Plan {
    engine(ram).plan(&graph(PRESS), &to("again")).expect("the graph is sound")
}

fn need<'p>(plan: &'p Plan, node: &str) -> &'p Need {
    let step = plan.steps.iter().find(|step| step.id == node).expect("a node of the graph");
    step.need.as_ref().expect("it runs")
}

#[test]
fn a_plan_that_fits_keeps_all_it_can() {
    let plan = planned(2000);
    assert_eq!(plan.memory.verdict, Verdict::Whole);
    assert_eq!((plan.memory.bounds(Device::Cpu).least, plan.memory.bounds(Device::Cpu).whole), (450, 1250));
    assert_eq!(plan.peak_bytes, 1400, "the reader stays for later while the model draws");
    assert!(need(&plan, "again").loads.is_empty());
    assert_eq!(plan.memory.to_string(), "it fits in 2.0 KiB");
}

#[test]
fn a_plan_tells_what_comes_and_goes() {
    let text = explain(&planned(1000));
    assert_eq!(
        text,
        "\
model   open  needed                                                       red ink
reader  open  needed                                                       blue ink
read    run   new here  toy  300 B weights, 20 B scratch                   text
draw    run   new here  toy  900 B weights, streams 100 B, 200 B scratch   text
again   run   new here  toy  1.2 KiB weights, streams 250 B, 50 B scratch  text
memory, of 1000 B
  read   |#######.............|      320 B  + ink of `reader` 300 B
  draw   |####################|     1000 B  - ink of `reader` 300 B (back for `again`), + ink of `model` 800 B of 900 B
  again  |####################|     1000 B  - ink of `model` 800 B (back for `again`), + ink of `model` 650 B of 900 B, \
         + ink of `reader` 300 B
3 of 5 nodes run, peak memory 1000 B
it fits in 1000 B: 1 part is kept only in part and read from its file at each use; 1.2 KiB would hold all of it
"
    );
}

#[test]
fn a_plan_that_does_not_fit_names_what_is_too_big() {
    let plan = planned(420);
    let Verdict::Short { node, what, needs, beside, missing, .. } = &plan.memory.verdict else {
        panic!("it is too big")
    };
    assert_eq!((&**node, &**what), ("again", "the ink of `reader`"));
    assert_eq!((*needs, *beside, *missing), (300, 150, 30));
    let words = "it does not fit in 420 B: at `again` the ink of `reader` needs 300 B and 150 B beside, 30 B more than there is";
    assert_eq!(plan.memory.to_string(), words);
    assert!(plan.peak_bytes > 420);
}

#[test]
fn a_run_within_the_least_budget_of_its_plan_gets_through() {
    let least = planned(1).memory.bounds(Device::Cpu).least;
    let ran = |ram| engine(ram).run(&graph(PRESS), &to("again"), &(), &Cancel::new());
    assert!(ran(least).is_ok() && ran(least - 1).is_err());
    let plan = planned(least);
    assert!(matches!(plan.memory.verdict, Verdict::Streamed { parts: 1 }), "{:?}", plan.memory);
    assert!(matches!(planned(plan.memory.bounds(Device::Cpu).whole).memory.verdict, Verdict::Whole));
}

#[test]
fn a_part_that_is_kept_only_in_part_is_told_once() {
    let log = Log::default();
    engine(1000).run(&graph(PRESS), &to("again"), &log, &Cancel::new()).expect("it fits in part");
    let told: Vec<_> = log.take().into_iter().filter(|line| line.contains("keeps")).collect();
    assert_eq!(told, ["draw: red ink keeps 800 B of 900 B in memory and reads the rest from its file at each use"]);
}

/// The reader sits on one card, the model on another.
fn on_two_cards() -> String {
    PRESS
        .replace(r#"colour: "blue","#, r#"colour: "blue", card: 2,"#)
        .replace(r#"colour: "red","#, r#"colour: "red", card: 1,"#)
}

#[test]
fn parts_on_two_cards_sit_side_by_side() {
    let engine = engine_of(vec![(Device::Cpu, 10), (Device::Cuda(0), 1100), (Device::Cuda(1), 320)]);
    let plan = engine.plan(&graph(&on_two_cards()), &to("again")).expect("the graph is sound");
    assert_eq!(plan.memory.verdict, Verdict::Whole);
    assert_eq!(plan.memory.to_string(), "it fits in 10 B and 1.1 KiB on cuda:0 and 320 B on cuda:1");
    assert!(plan.steps.iter().filter_map(|step| step.need.as_ref()).all(|need| need.lets_go.is_empty()));
    let text = explain(&plan);
    assert_eq!(
        text,
        "\
model   open  needed                                               red ink
reader  open  needed                                               blue ink
read    run   new here  cuda:1 toy  300 B weights, 20 B scratch    text
draw    run   new here  cuda:0 toy  900 B weights, 200 B scratch   text
again   run   new here  cuda:0 toy  1.2 KiB weights, 50 B scratch  text
memory, of 1.1 KiB on cuda:0
  read   |....................|        0 B
  draw   |####################|    1.1 KiB  + ink of `model` 900 B
  again  |##################..|      950 B
memory, of 320 B on cuda:1
  read   |####################|      320 B  + ink of `reader` 300 B
  draw   |###################.|      300 B
  again  |###################.|      300 B
3 of 5 nodes run, peak memory 0 B, 1.1 KiB on cuda:0, 320 B on cuda:1
"
    );
    let report = engine.run(&graph(&on_two_cards()), &to("again"), &(), &Cancel::new()).expect("all of it fits");
    assert_eq!(engine.ledger().sitting().len(), 2, "nobody went");
    assert_eq!(report.card_peaks.into_iter().collect::<Vec<_>>(), [(Device::Cuda(0), 1100), (Device::Cuda(1), 320)]);
    assert_eq!(report.peak_bytes, 0);
}

#[test]
fn a_plan_that_does_not_fit_on_a_card_names_it() {
    let engine = engine_of(vec![(Device::Cpu, 9999), (Device::Cuda(0), 299), (Device::Cuda(1), 9999)]);
    let plan = engine.plan(&graph(&on_two_cards()), &to("again")).expect("the graph is sound");
    let words = "it does not fit in 299 B on cuda:0: at `draw` scratch memory needs 200 B and 100 B beside, 1 B more than there is";
    assert_eq!(plan.memory.to_string(), words);
    let faults = engine.run(&graph(&on_two_cards()), &to("again"), &(), &Cancel::new()).expect_err("it does not fit");
    assert!(
        faults.to_string().contains("red ink needs at least 100 B and 99 B of 299 B are free on cuda:0"),
        "{faults}"
    );
    assert!(faults.0[0].fault.hint.as_deref().is_some_and(|hint| hint.contains("--vram")));
}

/// A chain of work on a few inks, each with its bytes, the least of them, and its card: `ink` and `second` by number, and
/// scratch.
fn chain(inks: &[(u64, u64, u16)], steps: &[(usize, Option<usize>, u64)]) -> String {
    let mut text = String::from("(darkroom: 1, nodes: {\n");
    for (index, (bytes, least, card)) in inks.iter().enumerate() {
        text += &format!(
            "\"ink{index}\": (type: \"ink\", colour: \"{index}\", bytes: {bytes}, least: {least}, card: {card}),\n"
        );
    }
    for (index, (ink, second, scratch)) in steps.iter().enumerate() {
        let second = second.filter(|second| second != ink).map(|second| format!(", second: (from: \"ink{second}\")"));
        let after = index.checked_sub(1).map(|before| format!(", after: (from: \"step{before}\")"));
        let (second, after) = (second.unwrap_or_default(), after.unwrap_or_default());
        text += &format!(
            "\"step{index}\": (type: \"etch\", ink: (from: \"ink{ink}\"), scratch: {scratch}{second}{after}),\n"
        );
    }
    text + "})"
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn a_run_is_granted_what_its_plan_foresaw(
        inks in prop::collection::vec((1_u64..40, 0_u64..40, 0_u16..3), 4),
        steps in prop::collection::vec((0_usize..4, prop::option::of(0_usize..4), 0_u64..30), 1..8),
        budgets in prop::array::uniform3(1_u64..120),
        cards in any::<bool>(),
    ) {
        let card = |card: u16| if cards { card } else { 0 };
        let inks: Vec<_> = inks.into_iter().map(|(bytes, least, of)| (bytes, least.min(bytes), card(of))).collect();
        let (graph, wish) = (graph(&chain(&inks, &steps)), to(&format!("step{}", steps.len() - 1)));
        let devices = [Device::Cpu, Device::Cuda(0), Device::Cuda(1)];
        let engine = engine_of(devices.into_iter().zip(budgets).collect());
        let plan = engine.plan(&graph, &wish).expect("the graph is sound");
        let ran = engine.run(&graph, &wish, &(), &Cancel::new());
        let fits = devices.iter().zip(budgets).all(|(device, budget)| plan.memory.bounds(*device).least <= budget);
        prop_assert_eq!(ran.is_ok(), fits);
        prop_assert_eq!(matches!(plan.memory.verdict, Verdict::Short { .. }), !fits);
        if let Ok(report) = ran {
            let needs = || plan.steps.iter().filter_map(|step| step.need.as_ref());
            let foreseen: String = needs().map(|need| format!(" {}", need.granted)).collect();
            let granted = report.results[0].1[0].get::<String>().expect("a text");
            prop_assert_eq!(granted, &foreseen);
            prop_assert_eq!(report.peak_bytes, plan.peak_bytes);
            for (device, budget) in devices.into_iter().zip(budgets) {
                let peak = plan.memory.bounds(device).peak;
                prop_assert!(peak <= budget);
                let took = if device == Device::Cpu { report.peak_bytes } else { report.card_peaks[&device] };
                prop_assert_eq!(took, peak, "{}", device);
            }
            let whole = needs().all(|need| need.granted == need.weights);
            prop_assert_eq!(plan.memory.verdict == Verdict::Whole, whole);
        }
    }
}
