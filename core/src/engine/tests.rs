//! Bad days of a device: memory that is not there, and a device that goes. All on a device that only counts.

use proptest::prelude::*;

use super::*;
use crate::fault::{Fault, FaultKind};
use crate::files::Files;
use crate::graph::{Field, Link, read};
use crate::literal::Literal;
use crate::plan::{Goal, StepInput};
use crate::testing::{Develop, Leaf, Log, SimDevice, Tally, Trouble, toys};

mod cards;

/// An engine over a device, with a cache in memory.
struct Bench {
    engine: Engine,
    device: SimDevice,
    graph: Graph,
}

const CHAIN: &str = r#"(darkroom: 1, nodes: {
    "first":  (type: "develop", size: 16),
    "second": (type: "develop", on: (from: "first"), size: 32, steps: 6),
    "third":  (type: "develop", on: (from: "second"), size: 8),
})"#;

impl Bench {
    fn new(text: &str, capacity: u64) -> Self {
        Self::with(text, SimDevice::new(capacity), |host| host)
    }

    fn with(text: &str, device: SimDevice, more: impl FnOnce(Host) -> Host) -> Self {
        let host = more(Host::new(Files::default()).with_numerics("sim").with(device.clone()));
        let cache = Cache::in_memory(1 << 20);
        let registry = toys().with::<Develop>();
        let engine = Engine::new(registry, host, cache, Ledger::new(1000), History::in_memory());
        Self { engine, device, graph: read(text).expect("the text is a workflow").graph }
    }

    fn order(&self, node: &str, step: usize, times: usize) {
        self.device.order(Trouble::Oom { node: node.to_owned(), step, times });
    }

    fn run_to(&self, node: &str, fresh: Fresh, observer: &dyn Observer) -> Result<Report, Faults> {
        let wish = Wish { goal: Goal::Node(node.to_owned()), fresh: fresh == Fresh::Yes };
        self.engine.run(&self.graph, &wish, observer, &Cancel::new())
    }

    fn run(&self) -> Result<Report, Faults> {
        self.run_to("third", Fresh::No, &())
    }

    fn set(&mut self, node: &str, param: &str, number: u32) {
        let entry = self.graph.nodes.get_mut(node).expect("a node of the graph");
        entry.fields.insert(param.to_owned(), Field::Literal(number.into()));
    }

    /// What this would come to if all went well on a device without end.
    fn undisturbed(&self, node: &str) -> Vec<f32> {
        let other = Self::with("(darkroom: 1, nodes: {})", SimDevice::new(u64::MAX), |host| host);
        leaf(&Self { graph: self.graph.clone(), ..other }.run_to(node, Fresh::No, &()).expect("all goes well"))
    }
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Fresh {
    Yes,
    No,
}

fn leaf(report: &Report) -> Vec<f32> {
    report.results[0].1[0].get::<Leaf>().expect("a leaf").0.to_vec()
}

fn eased(report: &Report) -> Vec<String> {
    report.eased.iter().map(|eased| format!("{}: {}", eased.node, eased.what)).collect()
}

#[test]
fn row_45_memory_that_ran_out_once_is_tried_again_from_the_checkpoint() {
    let bench = Bench::new(CHAIN, 1000);
    bench.order("second", 5, 1);
    let log = Log::default();
    let report = bench.run_to("third", Fresh::No, &log).expect("the second try fits");
    assert_eq!(leaf(&report), bench.undisturbed("third"));
    assert_eq!(eased(&report), ["second: ran out of memory: went on once all that was idle was let go"]);
    let log = log.take();
    assert!(log.contains(&format!("eased {}", eased(&report)[0])), "{log:#?}");
    // Of the six steps the fifth was done and not kept.
    assert_eq!((bench.device.steps_done(), bench.device.done_in_vain(), bench.device.used()), (4 + 7 + 4, 0, 0));
    let ran: Vec<_> = report.nodes.iter().map(|node| (node.how, node.why.as_str())).collect();
    assert_eq!(ran, [(Some(How::Ran), "new here"); 3]);
}

#[test]
fn row_45_a_rung_that_changes_no_pixel_goes_on_where_it_was() {
    let bench = Bench::new(CHAIN, 1000);
    bench.order("second", 4, 2);
    let report = bench.run().expect("two strips fit");
    assert_eq!(leaf(&report), bench.undisturbed("third"));
    assert_eq!(eased(&report), ["second: ran out of memory: developed in 2 strips instead"]);
    assert_eq!((bench.device.steps_done(), bench.device.done_in_vain()), (4 + 6 + 4, 0));
}

#[test]
fn row_45_a_rung_that_shows_renames_the_node_and_all_below_it() {
    let mut bench = Bench::new(CHAIN, 1000);
    bench.order("second", 2, 4);
    let report = bench.run().expect("tiles fit");
    let whole = bench.undisturbed("third");
    assert_eq!(eased(&report), ["second: ran out of memory: developed in tiles of 8 instead"]);
    assert_eq!(bench.device.done_in_vain(), 0);
    // The file is as it was, and the result is the one of a person who writes the tile there.
    assert_eq!(bench.graph, read(CHAIN).expect("a workflow").graph);
    bench.set("second", "tile", 8);
    assert_eq!(leaf(&report), bench.undisturbed("third"));
    assert_ne!(leaf(&report), whole);
    let again = bench.run().expect("it is there");
    assert!(again.nodes.iter().all(|node| node.how == Some(How::Cached)), "{:?}", again.nodes);
}

#[test]
fn row_45_what_cannot_fit_whole_goes_down_at_once_and_says_what_was_missing() {
    let bench = Bench::new(CHAIN, 130);
    let report = bench.run().expect("two strips of 128 bytes fit");
    assert_eq!(eased(&report), ["second: ran out of memory (needs 256 B, 130 B free): developed in 2 strips instead"]);
    assert_eq!((bench.device.peak(), bench.device.used()), (128, 0));
}

#[test]
fn row_45_at_the_end_of_the_ladder_the_fault_tells_all_and_the_next_run_is_served() {
    let bench = Bench::new(CHAIN, 1000);
    bench.order("second", 3, 6);
    let faults = bench.run().expect_err("five rungs and one more try are not enough");
    assert_eq!(faults.kind(), FaultKind::Memory);
    assert_eq!(
        faults.to_string(),
        "second (develop): the device says that it is out of memory; planned with 8 B; tried: developed in 2 strips, \
         developed in 4 strips, developed in tiles of 8, developed in tiles of 4"
    );
    assert!(faults.0[0].fault.hint.as_deref().is_some_and(|hint| hint.contains("--ram")));
    assert_eq!((bench.device.used(), bench.device.done_in_vain(), bench.engine.ledger().used()), (0, 0, 0));
    let report = bench.run().expect("the trouble is over");
    assert_eq!((leaf(&report), eased(&report).len()), (bench.undisturbed("third"), 0));
}

#[test]
fn row_45_what_fitted_is_remembered_and_said_once_a_run() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("fits.json");
    let mut bench = Bench::new(CHAIN, 1000);
    bench.engine = bench.engine.with_fits(Fits::open(&path));
    bench.order("second", 0, 4);
    let first = bench.run().expect("tiles fit");
    // Another process, with the same trouble ahead.
    let mut later = Bench::new(CHAIN, 1000);
    later.engine = later.engine.with_fits(Fits::open(&path));
    let plan = later.engine.plan(&later.graph, &Wish { goal: Goal::Node("third".to_owned()), fresh: false });
    let tile = plan.expect("the graph is sound").steps[1].cost.workspace;
    assert_eq!(tile, 8 * 2, "the plan knows of the tile of 8 in 4 strips");
    let second = later.run().expect("it begins where it fits");
    assert_eq!(eased(&second), ["second: ran out of memory before: developed in tiles of 8 (remembered)"]);
    assert_eq!((leaf(&second), later.device.steps_done()), (leaf(&first), 14));
    // Whoever wants all anew gets it whole, and more room is tried as well.
    let fresh = later.run_to("third", Fresh::Yes, &()).expect("there is room");
    assert_eq!((leaf(&fresh), eased(&fresh).len()), (later.undisturbed("third"), 0));
    let roomy = Engine::new(
        toys().with::<Develop>(),
        later.engine.host().apart(),
        Cache::in_memory(1 << 20),
        Ledger::new(2000),
        History::in_memory(),
    );
    later.engine = roomy.with_fits(Fits::open(&path));
    assert_eq!(leaf(&later.run().expect("there is room")), leaf(&fresh));
    Fits::open(&path).forget().expect("it can be removed");
    let mut forgetful = Bench::new(CHAIN, 1000);
    forgetful.engine = forgetful.engine.with_fits(Fits::open(&path));
    assert_eq!(eased(&forgetful.run().expect("all goes well")).len(), 0);
}

#[test]
fn a_damaged_memory_of_what_fitted_is_one_warning() {
    let home = tempfile::tempdir().expect("a folder");
    let path = home.path().join("fits.json");
    std::fs::write(&path, "torn {").expect("a file");
    let mut bench = Bench::new(CHAIN, 1000);
    bench.engine = bench.engine.with_fits(Fits::open(&path));
    let log = Log::default();
    bench.run_to("third", Fresh::No, &log).expect("it runs");
    bench.run_to("third", Fresh::No, &log).expect("it runs");
    let warnings: Vec<_> = log.take().into_iter().filter(|line| line.starts_with("warning")).collect();
    assert!(warnings.len() == 1 && warnings[0].contains("is forgotten: `"), "{warnings:#?}");
}

#[test]
fn what_is_wanted_anew_is_made_anew_once_although_memory_ran_out() {
    let bench = Bench::new(CHAIN, 1000);
    bench.run().expect("it runs");
    bench.device.count_anew();
    bench.order("third", 3, 2);
    let report = bench.run_to("third", Fresh::Yes, &()).expect("two strips fit");
    assert_eq!((bench.device.steps_done(), bench.device.done_in_vain()), (4 + 6 + 6, 0));
    assert!(report.nodes.iter().all(|node| node.how == Some(How::Ran) && node.why == "asked to run anew"));
}

#[test]
fn nodes_that_are_made_of_the_same_go_down_together() {
    let text = r#"(darkroom: 1, nodes: {
        "one":  (type: "develop", size: 32),
        "same": (type: "develop", size: 32),
        "end":  (type: "develop", on: (from: "one"), and: (from: "same"), size: 4),
    })"#;
    let bench = Bench::new(text, 1000);
    bench.order("one", 0, 4);
    bench.order("same", 0, 4);
    let report = bench.run_to("end", Fresh::No, &()).expect("tiles fit");
    assert_eq!(eased(&report).len(), 1, "{:?}", report.eased);
    assert_eq!(bench.device.steps_done(), 8);
}

#[test]
fn a_node_inside_of_a_sub_graph_goes_down_too() {
    let text = r#"(darkroom: 1,
        subgraphs: { "tray": (
            inputs: { "size": ["it.size"] },
            outputs: { "leaf": (from: "it.leaf") },
            nodes: { "it": (type: "develop") },
        ) },
        nodes: { "a": (type: "graph:tray", size: 32), "end": (type: "develop", on: (from: "a"), size: 4) },
    )"#;
    let bench = Bench::new(text, 140);
    let report = bench.run_to("end", Fresh::No, &()).expect("two strips fit");
    assert_eq!(eased(&report), ["a/it: ran out of memory (needs 256 B, 140 B free): developed in 2 strips instead"]);
}

#[test]
fn a_full_disk_climbs_no_ladder() {
    let full = Fault::io("write", "x".as_ref(), &std::io::ErrorKind::StorageFull.into());
    assert_eq!((full.kind, full.remedy), (FaultKind::Memory, Remedy::None));
}

#[test]
fn slow_memory_is_waited_for() {
    let bench = Bench::new(CHAIN, 1000);
    bench.device.order(Trouble::Slower { by: 3 });
    assert_eq!(leaf(&bench.run().expect("it runs")), bench.undisturbed("third"));
    assert_eq!(bench.device.waited(), 3 * 14);
}

/// Weights, of which a part is idle when scratch memory is wanted.
const WEIGHTS: &str = r#"(darkroom: 1, nodes: {
    "sepia": (type: "ink", colour: "sepia", bytes: 600),
    "black": (type: "ink", colour: "black", bytes: 700),
    "leaf":  (type: "grow"),
    "first": (type: "stamp", ink: (from: "sepia"), leaf: (from: "leaf")),
    "third": (type: "stamp", ink: (from: "black"), leaf: (from: "first.leaf")),
})"#;

#[test]
fn row_46_idle_weights_go_before_the_budget_is_exceeded() {
    let bench = Bench::new(WEIGHTS, 0);
    bench.run().expect("one after the other they fit");
    let ledger = bench.engine.ledger();
    assert!(ledger.peak() <= ledger.budget());
    assert_eq!(ledger.sitting().iter().map(|part| part.title.as_str()).collect::<Vec<_>>(), ["black ink"]);
}

#[test]
fn row_46_what_exceeds_the_budget_is_refused_before_it_is_taken() {
    let bench = Bench::new(&WEIGHTS.replace("700", "1700"), 0);
    let faults = bench.run().expect_err("1700 bytes are no 1000");
    assert_eq!((faults.kind(), faults.0.len()), (FaultKind::Memory, 1));
    assert!(faults.to_string().contains("black ink needs 1.7 KiB"), "{faults}");
    assert!(bench.engine.ledger().peak() <= 1000);
    assert!(bench.run_to("first", Fresh::No, &()).is_ok());
}

#[test]
fn row_47_a_run_goes_on_without_its_device_where_that_is_allowed() {
    let processor = SimDevice::new(1000);
    let other = Host::new(Files::default()).with_numerics("cpu").with(processor.clone());
    let bench = Bench::with(CHAIN, SimDevice::new(1000), |host| host.with_fallback(other));
    bench.device.order(Trouble::Lost { node: "second".to_owned(), step: 3 });
    let report = bench.run().expect("the processor is there");
    assert_eq!(leaf(&report), bench.undisturbed("third"));
    assert_eq!(eased(&report), ["second: the device is gone: went on with cpu instead"]);
    assert_eq!((bench.device.steps_done(), processor.steps_done()), (4 + 3, 14));
    assert_eq!((bench.device.used(), bench.engine.host().numerics()), (0, "cpu"));
    // The device is not tried again.
    let again = bench.run_to("third", Fresh::Yes, &()).expect("the processor is there");
    assert_eq!((eased(&again).len(), bench.device.steps_done(), processor.steps_done()), (0, 7, 28));
}

#[test]
fn row_47_a_device_that_goes_ends_the_run_where_nothing_else_is_allowed() {
    let bench = Bench::new(CHAIN, 1000);
    bench.device.order(Trouble::Lost { node: "second".to_owned(), step: 3 });
    let faults = bench.run().expect_err("there is nothing to go on with");
    assert_eq!(
        (faults.kind(), faults.to_string().as_str()),
        (FaultKind::Device, "second (develop): the device is gone")
    );
    assert_eq!(bench.device.used(), 0);
    assert!(bench.run_to("first", Fresh::No, &()).is_ok(), "what was done is there");
}

#[test]
fn an_engine_at_rest_holds_no_weights_and_no_model_and_keeps_its_results() {
    let text = r#"(darkroom: 1, nodes: {"ink": (type: "ink"), "leaf": (type: "grow"),
        "stamp": (type: "stamp", ink: (from: "ink"), leaf: (from: "leaf"))})"#;
    let graph = read(text).expect("a workflow").graph;
    let (host, cache) = (Host::new(Files::default()).with(Tally::default()), Cache::in_memory(1 << 20));
    let tidied = Arc::new(AtomicBool::new(false));
    let note = Arc::clone(&tidied);
    let host = host.with_tidy(move || note.store(true, Ordering::Relaxed));
    let engine = Engine::new(toys(), host, cache, Ledger::new(1000), History::in_memory());
    let wish = Wish { goal: Goal::Node("stamp".to_owned()), fresh: false };
    engine.run(&graph, &wish, &(), &Cancel::new()).expect("it runs");
    assert_eq!(engine.ledger().used(), 100);
    let entries = engine.cache().list().len();
    assert_eq!((engine.rest(), engine.ledger().used()), (100, 0));
    assert!(tidied.load(Ordering::Relaxed) && engine.cache().list().len() < entries);
    let report = engine.run(&graph, &wish, &(), &Cancel::new()).expect("it is there");
    assert!(report.nodes.iter().all(|node| node.how != Some(How::Ran)), "{:?}", report.nodes);
}

#[test]
fn row_49_a_panic_gives_memory_back_and_the_engine_goes_on() {
    let text = r#"(darkroom: 1, nodes: {
        "first": (type: "develop"),
        "spoil": (type: "spoil", how: "panic"),
        "third": (type: "develop", on: (from: "first"), and: (from: "spoil")),
    })"#;
    let mut bench = Bench::new(text, 1000);
    let faults = bench.run().expect_err("the tray falls over");
    assert_eq!(faults.to_string(), "spoil (spoil): this node broke off: the tray fell over");
    let link = Link { node: "first".to_owned(), output: None };
    bench.graph.nodes.get_mut("third").expect("a node").fields.insert("and".to_owned(), Field::Link(link));
    assert!(bench.run().is_ok());
    assert_eq!((bench.device.used(), bench.device.done_in_vain()), (0, 0));
}

/// Remembers the last plan.
#[derive(Default)]
struct LastPlan(Mutex<Plan>);

impl Observer for LastPlan {
    fn see(&self, event: &Event<'_>) {
        if let Event::Planned(plan) = event {
            *self.0.lock().expect("nobody panics here") = Plan::clone(plan);
        }
    }
}

/// Writes into a graph what a plan set otherwise.
fn as_planned(graph: &mut Graph, plan: &Plan) {
    for step in &plan.steps {
        for (input, stands) in step.node.spec().inputs.iter().zip(&step.inputs) {
            if let StepInput::Literal(literal) = stands {
                graph.nodes[&step.id].fields.insert(input.name.to_owned(), Field::Literal(literal.clone()));
            }
        }
    }
}

/// A node of a random graph: its size, its steps, and two nodes before it.
type Toy = (u32, u32, u32, Option<prop::sample::Index>, Option<prop::sample::Index>);

fn graph_of(toys: &[Toy]) -> Graph {
    let mut graph = read("(darkroom: 1, nodes: {})").expect("a workflow").graph;
    for (index, (size, steps, every, on, and)) in toys.iter().enumerate() {
        let mut entry = crate::graph::NodeEntry { kind: "develop".to_owned(), ..Default::default() };
        for (name, number) in [("size", size), ("steps", steps), ("every", every)] {
            entry.fields.insert(name.to_owned(), Field::Literal(Literal::from(*number)));
        }
        for (name, from) in [("on", on), ("and", and)] {
            if let Some(from) = from.as_ref().filter(|_| index > 0) {
                let link = Link { node: from.index(index).to_string(), output: None };
                entry.fields.insert(name.to_owned(), Field::Link(link));
            }
        }
        graph.nodes.insert(index.to_string(), entry);
    }
    graph
}

fn toy() -> impl Strategy<Value = Toy> {
    let from = || prop::option::weighted(0.8, any::<prop::sample::Index>());
    (1_u32..40, 1_u32..8, 1_u32..5, from(), from())
}

proptest! {
    /// A run ends with what the rung it ended on makes undisturbed, or with a fault of memory that names its node; it
    /// gives all memory back, does nothing in vain, and the next run is served.
    #[test]
    fn row_45_whatever_runs_out_where_a_run_ends_well_or_with_a_name(
        toys in prop::collection::vec(toy(), 1..7),
        (capacity, budget) in (1_u64..400, 1_u64..400),
        troubles in prop::collection::vec((any::<prop::sample::Index>(), 0_usize..8, 1_usize..9), 0..4),
        on_disk in any::<bool>(),
        device in prop::sample::select(vec![Device::Cpu, Device::Cuda(0)]),
        fresh in prop::sample::select(vec![Fresh::Yes, Fresh::No]),
    ) {
        let home = tempfile::tempdir().expect("a folder");
        let sim = SimDevice::new(capacity).standing_for(device);
        let mut bench = Bench::with("(darkroom: 1, nodes: {})", sim, |host| host.with_device(device));
        if on_disk {
            let cache = Cache::in_memory(1 << 20).with_disk(home.path(), 1 << 24).expect("a cache");
            bench.engine = Engine { cache, ..bench.engine };
        }
        bench.engine = Engine { ledger: Ledger::of([(device, budget)]), ..bench.engine };
        bench.graph = graph_of(&toys);
        for (node, step, times) in troubles {
            bench.order(&node.index(toys.len()).to_string(), step, times);
        }
        let (goal, last) = ((toys.len() - 1).to_string(), LastPlan::default());
        let ended = bench.run_to(&goal, fresh, &last);
        let ledger = bench.engine.ledger();
        prop_assert_eq!((bench.device.used(), ledger.used_on(device)), (0, 0));
        prop_assert_eq!(bench.device.done_in_vain(), 0);
        prop_assert!(bench.device.peak() <= capacity && ledger.peak_on(device) <= budget);
        match &ended {
            Ok(report) => {
                let mut planned = Bench::new("(darkroom: 1, nodes: {})", 0);
                planned.graph = bench.graph.clone();
                as_planned(&mut planned.graph, &last.0.lock().expect("nobody panics here"));
                prop_assert_eq!(leaf(report), planned.undisturbed(&goal));
            }
            Err(faults) => {
                prop_assert_eq!((faults.kind(), faults.0.len()), (FaultKind::Memory, 1));
                prop_assert!(faults.0[0].place.node.is_some(), "{}", faults);
                let hint = faults.0[0].fault.hint.as_deref().unwrap_or_default();
                prop_assert!(hint.contains(device.flag()), "{} {}", faults, hint);
            }
        }
        bench.device.calm();
        match bench.run_to(&goal, Fresh::No, &()) {
            Ok(_) => {}
            Err(faults) => prop_assert!(ended.is_err() && faults.to_string().contains("; tried: "), "{}", faults),
        }
        bench.graph = graph_of(&toys[..1]);
        bench.set("0", "size", 1);
        prop_assert_eq!(bench.run_to("0", Fresh::Yes, &()).is_ok(), capacity.min(budget) >= 8);
    }
}
