//! The memory of the last run as a table: what was planned for each node beside what it then took.

use crate::history::Measured;
use crate::plan::{Plan, Step};
use crate::residency::gibibytes;

/// Writes a line for each node that takes memory of its own: what was planned, what was booked, what the process held,
/// and how far that is from the plan.
pub fn last(plan: &Plan) -> String {
    let steps: Vec<_> = plan.steps.iter().filter(|step| step.cost.weights + step.cost.workspace > 0).collect();
    if steps.iter().all(|step| step.took.is_none()) {
        return "no node that takes memory has run here yet: run the workflow first\n".to_owned();
    }
    let wide = steps.iter().map(|step| step.id.chars().count()).max().unwrap_or(0);
    let mut text = format!("{:wide$}  {:>9}  {:>9}  {:>9}\n", "", "planned", "booked", "held");
    for step in steps {
        text.push_str(&format!("{:<wide$}  {}\n", step.id, row(step)));
    }
    text
}

fn row(step: &Step) -> String {
    let Some(Measured { recipe, planned, booked, held }) = step.took else { return "has not run here yet".to_owned() };
    // Against a small part, all that is in no plan weighs much.
    let off = |held: u64| format!("  {:+.0} %", (held as f64 / planned.max(1) as f64 - 1.0) * 100.0);
    let (told, off) = held.map_or(("–".to_owned(), String::new()), |held| (gibibytes(held), off(held)));
    let changed = if recipe == step.recipe { "" } else { "  (it was changed since)" };
    format!("{:>9}  {:>9}  {told:>9}{off}{changed}", gibibytes(planned), gibibytes(booked))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::engine::{Engine, Report};
    use crate::files::Files;
    use crate::graph::{Graph, read};
    use crate::history::History;
    use crate::host::Host;
    use crate::observe::Cancel;
    use crate::plan::{Goal, Wish};
    use crate::residency::Ledger;
    use crate::testing::toys;

    fn engine() -> Engine {
        let host = Host::new(Files::default()).with_numerics("toy");
        Engine::new(toys(), host, Cache::in_memory(1 << 20), Ledger::new(1000), History::in_memory())
    }

    /// Reads with a small ink, and then draws with a big one.
    fn graph(scratch: u64) -> Graph {
        let text = format!(
            r#"(darkroom: 1, nodes: {{
                "reader": (type: "ink", colour: "blue", bytes: 300),
                "model":  (type: "ink", colour: "red", bytes: 900, least: 100),
                "read":   (type: "etch", ink: (from: "reader"), scratch: 20),
                "draw":   (type: "etch", ink: (from: "model"), scratch: {scratch}, after: (from: "read")),
            }})"#
        );
        read(&text).expect("a workflow").graph
    }

    fn to(node: &str) -> Wish {
        Wish { goal: Goal::Node(node.to_owned()), fresh: false }
    }

    fn run(engine: &Engine, node: &str) -> Report {
        engine.run(&graph(200), &to(node), &(), &Cancel::new()).expect("it fits in part")
    }

    /// The table, as if the process had held so many bytes each time.
    fn told(engine: &Engine, scratch: u64, held: Option<u64>) -> String {
        let mut plan = engine.plan(&graph(scratch), &to("draw")).expect("the graph is sound");
        plan.steps.iter_mut().filter_map(|step| step.took.as_mut()).for_each(|took| took.held = held);
        last(&plan)
    }

    #[test]
    fn nothing_is_told_before_a_run() {
        assert_eq!(told(&engine(), 200, None), "no node that takes memory has run here yet: run the workflow first\n");
    }

    #[test]
    fn what_was_planned_stands_beside_what_was_measured() {
        let engine = engine();
        run(&engine, "read");
        let table = "
        planned     booked       held
read      320 B      320 B      400 B  +25 %
draw  has not run here yet
";
        assert_eq!(told(&engine, 200, Some(400)), table[1..]);
        run(&engine, "draw");
        let table = "
        planned     booked       held
read      320 B      320 B      400 B  +25 %
draw     1000 B     1000 B      400 B  -60 %
";
        assert_eq!(told(&engine, 200, Some(400)), table[1..]);
        assert!(told(&engine, 200, None).ends_with("draw     1000 B     1000 B          –\n"));
    }

    #[test]
    fn what_came_from_the_cache_is_told_as_it_ran_and_what_was_changed_is_told_so() {
        let engine = engine();
        let memory = |report: &Report| report.nodes.iter().map(|node| node.memory).collect::<Vec<_>>();
        let (first, again) = (run(&engine, "draw"), run(&engine, "draw"));
        assert_eq!(memory(&first).iter().flatten().count(), 2, "models are opened, and take nothing");
        assert!(memory(&again).iter().all(Option::is_none), "nothing ran");
        let before = told(&engine, 200, Some(1000));
        assert!(before.ends_with("draw     1000 B     1000 B     1000 B  +0 %\n"), "{before}");
        assert_eq!(told(&engine, 100, Some(1000)), before.trim_end().to_owned() + "  (it was changed since)\n");
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn what_the_process_held_is_measured() {
        let engine = engine();
        run(&engine, "draw");
        let plan = engine.plan(&graph(200), &to("draw")).expect("the graph is sound");
        assert!(plan.steps.iter().filter_map(|step| step.took).all(|took| took.held.is_some()));
    }
}
