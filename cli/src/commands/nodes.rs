//! `darkroom nodes`: the reference of nodes, from their specs.

use darkroom_core::fault::{Fault, Faults};
use serde_json::Value;

use crate::compose;
use crate::desk::Desk;
use crate::show::{json, manual};

/// Lists all nodes, or shows the manual of one.
///
/// # Errors
/// A fault of a name that no node has.
pub fn nodes(name: Option<&str>, as_json: bool, desk: &Desk) -> Result<(), Faults> {
    let registry = compose::registry();
    let Some(name) = name else {
        let all = registry.all();
        if as_json {
            return desk.answer_json(all.iter().map(|node| json::spec(node.spec())).collect::<Value>());
        }
        return desk.answer_text(&manual::table(&all));
    };
    let node = registry.get(name).ok_or_else(|| {
        let fault = Fault::graph(format!("there is no node type `{name}`"));
        match registry.nearest(name) {
            Some(near) => fault.hint(format!("did you mean `{near}`?")),
            None => fault.hint("`darkroom nodes` lists what there is"),
        }
    })?;
    if as_json { desk.answer_json(json::spec(node.spec())) } else { desk.answer_text(&manual::manual(node.spec())) }
}
