//! What must hold of sizes that cannot fit.

use std::sync::Mutex;

use super::*;
use crate::cache::Cache;
use crate::context::Context;
use crate::engine::Engine;
use crate::files::Files;
use crate::graph::read;
use crate::history::History;
use crate::ladder::Rung;
use crate::node::{Known, Node};
use crate::observe::{Cancel, Event, Observer};
use crate::plan::{Goal, Wish};
use crate::residency::Ledger;
use crate::spec::Sizes;
use crate::testing::{Leaf, toys};
use crate::types::{Cost, Type};
use crate::value::Datum as _;

const SIZES: &[Sizes] =
    &[Sizes { family: "toy", title: "Toys", sizes: &[(1024, 1024), (1216, 832), (1152, 896), (256, 256)] }];

/// A blank sheet.
#[derive(crate::Node)]
#[node(id = "sheet", version = 1, category = "Toys", lane = "light")]
struct Sheet {
    /// How wide.
    #[param(default = 1024, range = 8..=8192, multiple_of = 8, pair = "height", sizes = SIZES)]
    width: u32,
    /// How high.
    #[param(default = 1024, range = 8..=8192, multiple_of = 8, pair = "width")]
    height: u32,
}

impl Node for Sheet {
    type Output = Leaf;

    fn run(self, _: &mut Context<'_>) -> Result<Leaf, Fault> {
        Ok(Leaf(vec![self.width as f32, self.height as f32].into()))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        Ok(vec![Type::of(Leaf::KIND).size(known.param("width")?, known.param("height")?)])
    }
}

/// Colours a sheet: takes a byte for each pixel, or for half of them if it has to.
#[derive(crate::Node)]
#[node(id = "colour", version = 1, category = "Toys", lane = "compute")]
struct Colour {
    /// The sheet.
    #[input]
    sheet: Leaf,
    /// Parts that it is coloured in.
    #[param(default = 1, range = 1..=2)]
    parts: u32,
}

impl Node for Colour {
    type Output = Leaf;

    fn run(self, cx: &mut Context<'_>) -> Result<Leaf, Fault> {
        let [width, height] = self.sheet.0[..] else { return Err(Fault::bug("a sheet has two edges")) };
        let _room = cx.reserve((width * height) as u64 / u64::from(self.parts))?;
        Ok(self.sheet)
    }

    fn ladder(known: &Known<'_>) -> Vec<Rung> {
        match known.param("parts") {
            Ok(Some(1_u32)) => vec![Rung::new("coloured in halves").set("parts", 2)],
            _ => Vec::new(),
        }
    }

    fn cost(known: &Known<'_>) -> Cost {
        let sheet = known.wire_or_unknown("sheet");
        let pixels = u64::from(sheet.width.unwrap_or(0)) * u64::from(sheet.height.unwrap_or(0));
        let parts: u32 = known.param("parts").ok().flatten().unwrap_or(1);
        Cost { workspace: pixels / u64::from(parts), ..Cost::default() }
    }
}

/// A sheet from elsewhere, whose size nobody has written down.
#[derive(crate::Node)]
#[node(id = "found_sheet", version = 1, category = "Toys", lane = "light")]
struct FoundSheet {}

impl Node for FoundSheet {
    type Output = Leaf;

    fn run(self, _: &mut Context<'_>) -> Result<Leaf, Fault> {
        Ok(Leaf(vec![1536.0, 1024.0].into()))
    }

    fn infer(_: &Known<'_>) -> Result<Vec<Type>, Fault> {
        Ok(vec![Type::of(Leaf::KIND).size(Some(1536), Some(1024))])
    }
}

#[derive(Default)]
struct Heard(Mutex<Vec<String>>);

impl Observer for Heard {
    fn see(&self, event: &Event<'_>) {
        if let Event::Warning { node: None, text } = event {
            self.0.lock().expect("nobody panics here").push((*text).to_owned());
        }
    }
}

fn engine(ram: u64) -> Engine {
    let registry = toys().with::<Sheet>().with::<Colour>().with::<FoundSheet>();
    let host = Host::new(Files::default());
    Engine::new(registry, host, Cache::in_memory(1 << 20), Ledger::new(ram), History::in_memory())
}

fn sheets(sheet: &str, more: &str) -> Graph {
    let text = format!(
        r#"(darkroom: 1, nodes: {{ "sheet": ({sheet}), "colour": (type: "colour", sheet: (from: "sheet")) }}{more})"#
    );
    read(&text).expect("a workflow").graph
}

fn wish() -> Wish {
    Wish { goal: Goal::Node("colour".to_owned()), fresh: false }
}

/// Runs, and returns the size that was coloured and what was said, or the fault with its hint.
fn coloured(engine: &Engine, graph: &Graph) -> Result<(Vec<f32>, Vec<String>), String> {
    let heard = Heard::default();
    let report = engine.run(graph, &wish(), &heard, &Cancel::new());
    let report =
        report.map_err(|faults| format!("{faults} ({})", faults.0[0].fault.hint.clone().unwrap_or_default()))?;
    let leaf = report.results[0].1[0].downcast::<Leaf>().expect("a leaf").0.to_vec();
    Ok((leaf, heard.0.into_inner().expect("nobody panics here")))
}

const WIDE: &str = r#"type: "sheet", width: 1536, height: 1024"#;
const CLAMP: &str = ", on_too_large: clamp";

#[test]
fn a_size_that_cannot_fit_is_lowered_in_its_proportions_and_told_once() {
    // Half a byte a pixel, at the end of the ladder.
    let engine = engine(1216 * 832 / 2);
    let (size, told) = coloured(&engine, &sheets(WIDE, CLAMP)).expect("it fits in safe mode");
    assert_eq!((size, told), (vec![1216.0, 832.0], vec!["safe mode: 1536×1024 → 1216×832".to_owned()]));
    let plan = engine.plan(&sheets(WIDE, CLAMP), &wish()).expect("the graph is sound");
    assert_eq!(plan.safe_mode.told(), ["safe mode: 1536×1024 → 1216×832"]);
    let foreseen = engine.foresee_eased(&sheets(WIDE, CLAMP), &wish()).expect("the graph is sound");
    assert_eq!((fits(&foreseen.plan), foreseen.plan.safe_mode.told().len()), (true, 1));
}

#[test]
fn the_lowered_size_names_the_results() {
    let engine = engine(1216 * 832 / 2);
    coloured(&engine, &sheets(WIDE, CLAMP)).expect("it fits in safe mode");
    let lowered = engine.plan(&sheets(WIDE, CLAMP), &wish()).expect("the graph is sound");
    let small = sheets(r#"type: "sheet", width: 1216, height: 832"#, "");
    let written = engine.plan(&small, &wish()).expect("the graph is sound");
    let names = |plan: &Plan| plan.steps.iter().map(|step| step.recipe).collect::<Vec<_>>();
    assert_eq!(names(&lowered), names(&written));
    let (size, told) = coloured(&engine, &small).expect("it fits as it is written");
    assert_eq!((size, told.len()), (vec![1216.0, 832.0], 0));
}

#[test]
fn sizes_stay_where_nodes_can_do_with_less_by_themselves() {
    let engine = engine(1536 * 1024 / 2);
    let (size, told) = coloured(&engine, &sheets(WIDE, CLAMP)).expect("it fits in halves");
    assert_eq!((size, told), (vec![1536.0, 1024.0], vec![]));
}

#[test]
fn sizes_stay_unless_the_graph_allows_to_lower_them() {
    for more in ["", ", on_too_large: fail"] {
        let told = coloured(&engine(1216 * 832 / 2), &sheets(WIDE, more)).expect_err("it does not fit");
        assert!(told.contains("colour") && !told.contains("safe mode") && !told.contains("on_too_large"), "{told}");
    }
}

#[test]
fn sizes_that_come_by_wire_are_left_alone_and_that_is_told() {
    let told = coloured(&engine(1000), &sheets(r#"type: "found_sheet""#, CLAMP)).expect_err("nothing can be lowered");
    assert!(told.contains("it does not fit in 1000 B: at `colour`"), "{told}");
    assert!(told.contains("sizes that come by wire, as from a picture, are left alone"), "{told}");
    // Nor is a picture of a few pixels what was asked for.
    let told = coloured(&engine(1000), &sheets(WIDE, CLAMP)).expect_err("it would be too small");
    assert!(told.contains("it does not fit"), "{told}");
}

#[test]
fn only_sizes_above_what_fits_are_lowered() {
    let text = format!(
        r#"(darkroom: 1, nodes: {{ "small": (type: "sheet", width: 256, height: 256), "sheet": ({WIDE}),
        "little": (type: "colour", sheet: (from: "small")), "colour": (type: "colour", sheet: (from: "sheet")) }}{CLAMP})"#
    );
    let graph = read(&text).expect("a workflow").graph;
    let engine = engine(1216 * 832 / 2);
    let mut flat = crate::graph::expand(&graph, engine.registry());
    let sizes = sizes(&flat);
    assert_eq!(lower(&mut flat, &sizes, 1216 * 832), ["safe mode: 1536×1024 → 1216×832"]);
    assert_eq!(
        flat.graph.nodes["small"].number(&engine.registry().get("sheet").expect("a toy").spec().inputs[0]),
        Some(256)
    );
}

#[test]
fn smaller_sizes_keep_their_shape_in_multiples_that_families_draw() {
    let spec = toys().with::<Sheet>().get("sheet").expect("a toy").spec().clone();
    let param = spec.inputs[0].param.as_ref().expect("a parameter");
    let wide = smaller([1536, 1024], param);
    assert!(wide.contains(&[1216, 832]) && wide.contains(&[1344, 896]) && wide[0] == [1472, 960], "{wide:?}");
    assert!(wide.iter().flatten().all(|edge| edge % 64 == 0), "{wide:?}");
    assert!(wide.iter().all(|[w, h]| 4 * w >= 1536 && 4 * h >= 1024), "{wide:?}");
    assert!(wide.is_sorted_by_key(|edges| std::cmp::Reverse(pixels(edges))), "{wide:?}");
    let tall = smaller([512, 2048], param);
    assert!(tall.iter().all(|[w, h]| w < h), "{tall:?}");
    assert_eq!(smaller([40, 48], param)[0], [32, 40], "what is small already keeps the node's own multiple");
}
