//! `--set node.param=value`: values typed on the command line, put into a graph.

use darkroom_core::fault::{Fault, Faults};
use darkroom_core::graph::{Faces, Field, Graph, Subgraph, read};
use darkroom_core::literal::Literal;
use darkroom_core::registry::{Registry, nearest};
use darkroom_core::spec::Input;
use darkroom_core::types::Kind;

/// Puts typed values into a graph; returns the node and input of each.
///
/// # Errors
/// Everything that is wrong with them, at once.
pub fn set_all(graph: &mut Graph, registry: &Registry, typed: &[String]) -> Result<Vec<(String, String)>, Faults> {
    let (mut faults, mut done) = (Faults::default(), Vec::new());
    // What is wrong with sub-graphs is told by the check of the graph.
    let registry = &Faces::of(graph, registry).registry;
    for typed in typed {
        match set(graph, registry, typed) {
            Ok(at) => done.push(at),
            Err(fault) => faults.push(Fault { message: format!("--set {typed}: {}", fault.message), ..fault }),
        }
    }
    faults.or(done)
}

fn set(graph: &mut Graph, registry: &Registry, typed: &str) -> Result<(String, String), Fault> {
    let parts = typed.split_once('=').and_then(|(at, value)| Some((at.trim().split_once('.')?, value)));
    let Some(((id, name), value)) = parts else {
        return Err(Fault::graph("this sets nothing").hint("write --set node.param=value"));
    };
    let unknown = || {
        let fault = Fault::graph(format!("there is no node `{id}`"));
        match inside(graph, id) {
            Some((instance, definition)) => fault.hint(format!(
                "what lies in the sub-graph `{definition}` is set where it is promoted: `{instance}.{name}`"
            )),
            None => like(fault, id, graph.nodes.keys().map(String::as_str)),
        }
    };
    let kind = graph.nodes.get(id).map(|entry| entry.kind.as_str()).ok_or_else(unknown)?;
    // A type that nobody knows is told by the check of the graph.
    let input = match registry.get(kind) {
        Some(node) => Some(find_input(node.spec().inputs.as_slice(), id, kind, name)?),
        None => None,
    };
    let field = field(value, input);
    let entry = graph.nodes.get_mut(id).expect("it was found above");
    entry.fields.insert(name.to_owned(), field);
    Ok((id.to_owned(), name.to_owned()))
}

/// Tells of `portrait_1/prompt` which instance it lies in, and of what definition.
fn inside<'a>(graph: &Graph, id: &'a str) -> Option<(&'a str, String)> {
    let (instance, _) = id.split_once('/')?;
    let definition = Subgraph::of_kind(&graph.nodes.get(instance)?.kind)?;
    Some((instance, definition.to_owned()))
}

fn find_input<'s>(inputs: &'s [Input], id: &str, kind: &str, name: &str) -> Result<&'s Input, Fault> {
    inputs.iter().find(|input| input.name == name).ok_or_else(|| {
        let fault = Fault::graph(format!("`{id}` ({kind}) has no input `{name}`"));
        like(fault, name, inputs.iter().map(|input| input.name))
    })
}

/// Adds the nearest name, or all of a few.
fn like<'a>(fault: Fault, word: &str, names: impl Iterator<Item = &'a str> + Clone) -> Fault {
    match nearest(word, names.clone()) {
        Some(near) => fault.hint(format!("did you mean `{near}`?")),
        None => fault.hint(format!("choose one of {}", names.take(20).collect::<Vec<_>>().join(", "))),
    }
}

/// Reads a value as a file would, or else takes it as a text, so that a prompt needs no quotes.
fn field(value: &str, input: Option<&Input>) -> Field {
    let text = || Field::Literal(Literal::from(value));
    let takes_text = input.is_some_and(|input| input.param.is_some() && input.kind == Kind::TEXT);
    match parse(value) {
        Some(field @ (Field::Link(_) | Field::Literal(Literal::Text(_)))) => field,
        // `5` is a fine prompt, and a word without quotes is no structure.
        Some(_) if takes_text => text(),
        Some(Field::Literal(Literal::Raw(_))) | None => text(),
        Some(field) => field,
    }
}

/// Reads a value with the reader of files, as the one field of the one node of a graph.
fn parse(value: &str) -> Option<Field> {
    let graph = read(&format!("(darkroom: 1, nodes: {{\"it\": (type: \"it\", is: {value}\n)}})")).ok()?.graph;
    let alone = graph.nodes.len() == 1 && graph.sections.is_empty() && graph.lock.is_empty();
    let alone = alone && graph.subgraphs.is_empty();
    let (_, node) = graph.nodes.into_iter().next().filter(|_| alone)?;
    let alone = node.fields.len() == 1 && node.version.is_none() && node.title.is_none() && node.note.is_none();
    node.fields.into_iter().next().filter(|_| alone).map(|(_, field)| field)
}

#[cfg(test)]
mod tests {
    use darkroom_core::testing::toys;

    use super::*;

    fn graph() -> Graph {
        let text = r#"(darkroom: 1, nodes: {"say": (type: "shout", text: "a"), "leaf": (type: "grow"), "odd": (type: "odd")})"#;
        read(text).expect("it is well-formed").graph
    }

    fn set_one(typed: &str) -> Result<Field, String> {
        let mut graph = graph();
        match set_all(&mut graph, &toys(), &[typed.to_owned()]) {
            Ok(at) => Ok(graph.nodes[&at[0].0].fields[&at[0].1].clone()),
            Err(faults) => Err(format!("{faults}; {}", faults.0[0].fault.hint.clone().unwrap_or_default())),
        }
    }

    #[test]
    fn a_value_is_read_as_in_a_file_or_taken_as_text() {
        let text = |text: &str| Ok(Field::Literal(Literal::from(text)));
        assert_eq!(set_one("say.text=a quiet sea"), text("a quiet sea"));
        assert_eq!(set_one("say.text=5"), text("5"));
        assert_eq!(set_one("say.text=\"a \\\"b\\\"\""), text("a \"b\""));
        assert_eq!(set_one("say.text=a = b.c"), text("a = b.c"));
        assert_eq!(set_one("say.text="), text(""));
        assert_eq!(set_one("say.text=1), \"x\": (type: \"y\""), text("1), \"x\": (type: \"y\""));
        assert_eq!(set_one("say.text=1, title: \"y\""), text("1, title: \"y\""));
        assert_eq!(set_one("say.loudness=plain"), text("plain"));
        assert_eq!(set_one("leaf.size=5"), Ok(Field::Literal(Literal::Integer(5))));
        assert_eq!(set_one("leaf.seed=random"), text("random"));
        assert_eq!(set_one("odd.is=5"), Ok(Field::Literal(Literal::Integer(5))));
        assert!(matches!(set_one("say.text=(from: \"leaf\")"), Ok(Field::Link(_))));
    }

    #[test]
    fn what_a_sub_graph_offers_is_set_at_the_instance() {
        let text = r#"(darkroom: 1, nodes: {"cry": (type: "graph:cry")}, subgraphs: {"cry": (
            inputs: {"words": ["say.text"]}, outputs: {"text": (from: "say")}, nodes: {"say": (type: "shout")})})"#;
        let set = |typed: &str| {
            let mut graph = read(text).expect("it is well-formed").graph;
            let set = set_all(&mut graph, &toys(), &[typed.to_owned()]);
            set.map(|_| graph.nodes["cry"].fields["words"].clone()).map_err(|faults| faults.0[0].fault.hint.clone())
        };
        assert_eq!(set("cry.words=5"), Ok(Field::Literal(Literal::from("5"))), "the kind is that of the node inside");
        assert_eq!(set("cry.text=a"), Err(Some("choose one of words".to_owned())));
        let hint = "what lies in the sub-graph `cry` is set where it is promoted: `cry.text`";
        assert_eq!(set("cry/say.text=a"), Err(Some(hint.to_owned())));
    }

    #[test]
    fn a_wrong_name_meets_the_nearest() {
        assert_eq!(set_one("sa.text=a"), Err("--set sa.text=a: there is no node `sa`; did you mean `say`?".into()));
        let wrong = "--set say.txt=a: `say` (shout) has no input `txt`; did you mean `text`?";
        assert_eq!(set_one("say.txt=a"), Err(wrong.into()));
        assert!(set_one("say=a").is_err() && set_one("").is_err() && set_one("say.text").is_err());
        let both = set_all(&mut graph(), &toys(), &["a.b=1".into(), "c".into()]).expect_err("both are wrong");
        assert_eq!(both.0.len(), 2);
    }
}
