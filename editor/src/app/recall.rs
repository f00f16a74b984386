//! Recall: the seeds, prompts and other values of a picture, brought back into the graph in front.

use darkroom_core::graph::{Field, Graph};
use darkroom_core::registry::Registry;
use darkroom_core::spec::ParamSpec;

use super::App;
use crate::document::{Edit, Sheet};

/// What is brought back.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Recall {
    /// Seeds.
    Seeds,
    /// Texts of several lines: prompts.
    Prompts,
    /// All values.
    All,
}

impl Recall {
    fn is(self, param: &ParamSpec) -> bool {
        match self {
            Self::Seeds => param.seed,
            Self::Prompts => param.multiline,
            Self::All => true,
        }
    }
}

/// Lists the edits that give nodes what nodes of the same name and type had in a graph. Inputs that are fed by a wire
/// now stay so.
fn edits(sheet: &Sheet, graph: &Graph, registry: &Registry, what: Recall) -> Vec<Edit> {
    let mut edits = Vec::new();
    for (id, node) in &sheet.nodes {
        let Some(entry) = graph.nodes.get(&node.name).filter(|entry| entry.kind == node.kind) else { continue };
        let Some(known) = registry.get(&node.kind) else { continue };
        for input in &known.spec().inputs {
            if node.wire(input.name).is_some() || !input.param.as_ref().is_some_and(|param| what.is(param)) {
                continue;
            }
            let literal = match entry.fields.get(input.name) {
                Some(Field::Literal(literal)) => Some(literal),
                Some(Field::Link(_)) => continue,
                None => None,
            };
            if literal != node.literal(input.name) {
                edits.push(Edit::Set(*id, input.name.to_owned(), literal.cloned()));
            }
        }
    }
    edits
}

impl App {
    /// Brings values of a graph back.
    pub(super) fn recall(&mut self, graph: &Graph, what: Recall) {
        // What is brought back is the whole graph's, whatever level is in front.
        self.tab_mut().leave_to(0);
        let edits = edits(self.tab().document.sheet(), graph, self.tab().registry(&*self.backend), what);
        let (name, same) = match what {
            Recall::Seeds => ("recall the seed", "its seed is the one that stands here"),
            Recall::Prompts => ("recall the prompt", "its prompt is the one that stands here"),
            Recall::All => ("recall all values", "its values are those that stand here"),
        };
        if !self.step(name, edits) {
            self.say(same);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use darkroom_core::Node;
    use darkroom_core::context::Context;
    use darkroom_core::fault::Fault;
    use darkroom_core::literal::Literal;
    use darkroom_core::node::{Known, Node};
    use darkroom_core::param::Seed;
    use darkroom_core::types::{Kind, Type};

    use super::*;
    use crate::document::{Document, NodeId};

    /// Says something.
    #[derive(Node)]
    #[node(id = "say", version = 1, category = "Toys", lane = "value")]
    struct Say {
        /// What.
        #[param(default = "", multiline)]
        text: String,
        /// By what chance.
        #[param(default = Seed(0))]
        seed: Seed,
    }

    impl Node for Say {
        type Output = String;

        fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
            Ok(format!("{} {:?}", self.text, self.seed))
        }

        fn infer(_: &Known<'_>) -> Result<Vec<Type>, Fault> {
            Ok(vec![Type::of(Kind::TEXT)])
        }
    }

    fn sheet(nodes: &str) -> Arc<Sheet> {
        let text = format!("(darkroom: 1, nodes: {{{nodes}}})");
        Arc::clone(Document::read(&text, None).expect("a workflow").document.sheet())
    }

    #[test]
    fn seeds_and_prompts_come_back_one_without_the_other_and_wires_stay() {
        let registry = Registry::new().with::<Say>();
        let now = sheet(r#""a": (type: "say", text: "new", seed: 2), "b": (type: "say", text: (from: "a"), seed: 3)"#);
        let then = sheet(r#""a": (type: "say", text: "old"), "b": (type: "say", text: "old", seed: 9)"#).graph();
        let id = |name: &str| -> NodeId { now.named(name).expect("it is there") };
        let set = |name: &str, input: &str, value: Option<Literal>| Edit::Set(id(name), input.to_owned(), value);
        assert_eq!(
            edits(&now, &then, &registry, Recall::Seeds),
            [set("a", "seed", None), set("b", "seed", Some(Literal::Integer(9)))]
        );
        let old = Some(Literal::Text("old".to_owned()));
        assert_eq!(edits(&now, &then, &registry, Recall::Prompts), [set("a", "text", old.clone())]);
        let all = [set("a", "text", old), set("a", "seed", None), set("b", "seed", Some(Literal::Integer(9)))];
        assert_eq!(edits(&now, &then, &registry, Recall::All), all);
    }
}
