//! What a run would do where its plan does not fit: it climbs down the ladders of its nodes, as far as it takes.

use super::govern::govern;
use crate::engine::{Eased, Engine};
use crate::fault::Faults;
use crate::files::Names;
use crate::graph::{Field, Flat, Graph, expand};
use crate::host::Host;
use crate::ladder::{Rung, ladder_of};
use crate::plan::{Given, Plan, Verdict, Wish, plan_given};

/// A run, foreseen.
#[derive(Debug, Clone)]
pub struct Foreseen {
    /// What would happen in the end: it still may not fit.
    pub plan: Plan,
    /// Nodes that would make do with less than they are told to.
    pub eased: Vec<Eased>,
}

impl Engine {
    /// Says what would happen, as [`Engine::foresee`] does, and how a plan that does not fit would be eased: by what
    /// nodes do, and by smaller sizes where that is not enough and the graph allows it. What was found to fit in earlier
    /// runs has no say.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, at once.
    pub fn foresee_eased(&self, graph: &Graph, wish: &Wish) -> Result<Foreseen, Faults> {
        let host = self.host().apart();
        let given = Given { files: host.files().named(Names::Provisional), ..Given::of(&host, self.machine()) };
        let mut flat = expand(graph, &self.registry);
        let make = |flat: &Flat<'_>| plan_given(&given, flat, &host, &self.cache, &self.history(), wish);
        let plan = make(&flat)?;
        let plan = govern(&mut flat, graph.on_too_large(), plan, &host, &make)?;
        let safe_mode = plan.safe_mode.clone();
        let (plan, eased) = climb(&mut flat, plan, &host, &make)?;
        Ok(Foreseen { plan: Plan { safe_mode, ..plan }, eased })
    }
}

/// Climbs down the ladders of the nodes at which a plan does not fit, as far as it takes: writes the rungs into the graph
/// that is planned, and says which.
pub(super) fn climb(
    flat: &mut Flat<'_>,
    mut plan: Plan,
    host: &Host,
    make: &dyn Fn(&Flat<'_>) -> Result<Plan, Faults>,
) -> Result<(Plan, Vec<Eased>), Faults> {
    let mut eased = Vec::new();
    while let Verdict::Short { node, .. } = &plan.memory.verdict {
        let Some(step) = plan.steps.iter().find(|step| step.id == *node) else { break };
        let Some(rung) = ladder_of(&plan, step, host).into_iter().next() else { break };
        let node = node.clone();
        if !take(flat, &node, &rung) {
            break;
        }
        let what = format!("{} instead, as it would not fit otherwise", rung.title);
        eased.retain(|eased: &Eased| eased.node != node);
        eased.push(Eased { node, what });
        plan = make(flat)?;
    }
    Ok((plan, eased))
}

/// Writes a rung into the graph that is planned; tells whether that changed it. A ladder says what is below where its
/// node stands, so it ends.
fn take(flat: &mut Flat<'_>, node: &str, rung: &Rung) -> bool {
    let Some(entry) = flat.graph.to_mut().nodes.get_mut(node) else { return false };
    let before = entry.fields.clone();
    for (param, literal) in &rung.set {
        entry.fields.insert((*param).to_owned(), Field::Literal(literal.clone()));
    }
    entry.fields != before
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::Cache;
    use crate::files::Files;
    use crate::graph::read;
    use crate::history::History;
    use crate::plan::Goal;
    use crate::residency::Ledger;
    use crate::testing::{Develop, toys};

    /// Foresees the development of a leaf that wants 128 bytes.
    fn foreseen(ram: u64) -> (Verdict, Vec<String>) {
        let graph = read(r#"(darkroom: 1, nodes: {"leaf": (type: "develop", size: 16)})"#).expect("a workflow").graph;
        let (registry, host) = (toys().with::<Develop>(), Host::new(Files::default()));
        let engine = Engine::new(registry, host, Cache::in_memory(0), Ledger::new(ram), History::in_memory());
        let wish = Wish { goal: Goal::Node("leaf".to_owned()), fresh: false };
        let Foreseen { plan, eased } = engine.foresee_eased(&graph, &wish).expect("the graph is sound");
        (plan.memory.verdict, eased.into_iter().map(|eased| eased.what).collect())
    }

    #[test]
    fn a_plan_is_eased_as_far_as_it_takes() {
        let eased = |what: &str| vec![format!("{what} instead, as it would not fit otherwise")];
        assert_eq!(foreseen(128), (Verdict::Whole, Vec::new()));
        assert_eq!(foreseen(127), (Verdict::Whole, eased("developed in 2 strips")));
        assert_eq!(foreseen(16), (Verdict::Whole, eased("developed in tiles of 8")));
        let (verdict, what) = foreseen(7);
        assert!(matches!(verdict, Verdict::Short { missing: 1, .. }), "{verdict:?}");
        assert_eq!(what, eased("developed in tiles of 4"));
    }
}
