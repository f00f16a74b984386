//! What a graph says of the picture it makes: prompts, seeds, the model. By the manuals of its nodes, so that nodes which
//! nobody here knows by name are told as well.

use darkroom_core::graph::{Field, Graph};
use darkroom_core::literal::Literal;
use darkroom_core::registry::Registry;
use darkroom_core::spec::{Input, Lane};

/// What a graph says.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Facts {
    /// Texts of several lines that are not empty.
    pub prompts: Vec<String>,
    /// Seeds, as they are written.
    pub seeds: Vec<String>,
    /// What is opened: models by the names that stand in the graph.
    pub models: Vec<String>,
}

/// Gathers what a graph says.
pub fn facts(graph: &Graph, registry: &Registry) -> Facts {
    let mut facts = Facts::default();
    for entry in graph.nodes.values() {
        let Some(spec) = registry.get(&entry.kind).map(|known| known.spec()) else { continue };
        for input in &spec.inputs {
            let Some(literal) = stands(entry.fields.get(input.name), input) else { continue };
            let Some(param) = &input.param else { continue };
            let (all, text) = match literal {
                Literal::Text(text) if param.multiline => (&mut facts.prompts, text.trim().to_owned()),
                Literal::Text(text) if spec.lane == Lane::Open && param.outside => {
                    (&mut facts.models, text.rsplit(['/', '\\']).next().unwrap_or(text).to_owned())
                }
                literal if param.seed => (&mut facts.seeds, literal.to_string()),
                _ => continue,
            };
            if !text.is_empty() && !all.contains(&text) {
                all.push(text);
            }
        }
    }
    facts
}

/// What stands at an input: what is written, or its default; none where a wire ends.
fn stands<'a>(field: Option<&'a Field>, input: &'a Input) -> Option<&'a Literal> {
    match field {
        Some(Field::Literal(literal)) => Some(literal),
        Some(Field::Link(_)) => None,
        None => input.param.as_ref()?.default.as_ref(),
    }
}
