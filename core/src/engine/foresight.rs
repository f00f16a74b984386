//! What a run would do where its plan does not fit: it climbs down the ladders of its nodes, as far as it takes.

use crate::engine::{Eased, Engine};
use crate::fault::Faults;
use crate::files::Names;
use crate::graph::{Field, Flat, Graph, expand};
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
    /// Says what would happen, as [`Engine::foresee`] does, and how a plan that does not fit would be eased. What was
    /// found to fit in earlier runs has no say.
    ///
    /// # Errors
    /// Everything that is wrong with the graph, at once.
    pub fn foresee_eased(&self, graph: &Graph, wish: &Wish) -> Result<Foreseen, Faults> {
        let host = self.host().apart();
        let given = Given { files: host.files().named(Names::Provisional), ..Given::of(&host, self.machine()) };
        let mut flat = expand(graph, &self.registry);
        let make = |flat: &Flat<'_>| plan_given(&given, flat, &host, &self.cache, &self.history(), wish);
        let (mut plan, mut eased) = (make(&flat)?, Vec::new());
        while let Verdict::Short { node, .. } = &plan.memory.verdict {
            let Some(step) = plan.steps.iter().find(|step| step.id == *node) else { break };
            let Some(rung) = ladder_of(&plan, step, &host).into_iter().next() else { break };
            let node = node.clone();
            if !take(&mut flat, &node, &rung) {
                break;
            }
            let what = format!("{} instead, as it would not fit otherwise", rung.title);
            eased.retain(|eased: &Eased| eased.node != node);
            eased.push(Eased { node, what });
            plan = make(&flat)?;
        }
        Ok(Foreseen { plan, eased })
    }
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
