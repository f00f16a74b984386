//! The reference of nodes, written from their specs: a table of all, and the manual of one.

use std::fmt::Write as _;

use darkroom_core::literal::Literal;
use darkroom_core::node::AnyNode;
use darkroom_core::spec::{Input, ParamSpec, Spec};

/// Lists nodes by category, each with its first sentence.
pub fn table(nodes: &[&dyn AnyNode]) -> String {
    let width = nodes.iter().map(|node| node.spec().id.len()).max().unwrap_or(0);
    let (mut text, mut category) = (String::new(), None);
    for spec in nodes.iter().map(|node| node.spec()) {
        if category != Some(spec.category) {
            let gap = if category.is_some() { "\n" } else { "" };
            add(&mut text, format_args!("{gap}{}\n", spec.category));
            category = Some(spec.category);
        }
        add(&mut text, format_args!("  {:<width$}  {}\n", spec.id, first_sentence(spec.doc)));
    }
    text
}

/// Writes the manual of a node.
pub fn manual(spec: &Spec) -> String {
    let mut text = String::new();
    let effect = if spec.effect { ", acts on the world" } else { "" };
    add(&mut text, format_args!("{} ({}, version {}{effect})\n", spec.id, spec.category, spec.version));
    write_doc(&mut text, "  ", spec.doc);
    let is_advanced = |input: &&Input| input.param.as_ref().is_some_and(|param| param.advanced);
    let (advanced, inputs): (Vec<_>, Vec<_>) = spec.inputs.iter().partition(is_advanced);
    for (title, inputs) in [("Inputs", inputs), ("Advanced inputs", advanced)] {
        if !inputs.is_empty() {
            add(&mut text, format_args!("\n{title}\n"));
            inputs.iter().for_each(|input| describe(&mut text, input));
        }
    }
    if !spec.outputs.is_empty() {
        text.push_str("\nOutputs\n");
        for output in &spec.outputs {
            add(&mut text, format_args!("  {}: {}\n", output.name, output.kind));
            write_doc(&mut text, "      ", output.doc);
        }
    }
    text
}

fn describe(text: &mut String, input: &Input) {
    let facts = input.param.as_ref().map_or_else(|| wire_facts(input), |param| facts(param, input.required));
    let facts: String = facts.into_iter().map(|fact| format!(", {fact}")).collect();
    add(text, format_args!("  {}: {}{facts}\n", input.name, input.kind));
    write_doc(text, "      ", input.doc);
    let choices = input.param.as_ref().map_or(&[][..], |param| param.choices);
    let width = choices.iter().map(|choice| choice.name.len()).max().unwrap_or(0);
    for choice in choices {
        add(text, format_args!("      - {:<width$}  {}\n", choice.name, choice.doc));
    }
}

fn wire_facts(input: &Input) -> Vec<String> {
    vec![if input.required { "by wire" } else { "by wire, may be left open" }.to_owned()]
}

fn facts(param: &ParamSpec, required: bool) -> Vec<String> {
    let unit = param.unit.map(|unit| format!(" {unit}")).unwrap_or_default();
    let mut facts = Vec::new();
    match &param.default {
        Some(default) => facts.push(format!("default {}{unit}", shorten(default))),
        None if required => facts.push("must be given".to_owned()),
        None => facts.push("may be left out".to_owned()),
    }
    facts.extend(param.range.as_ref().map(|(low, high)| format!("from {low} to {high}{unit}")));
    facts.extend(param.multiple_of.map(|step| format!("a multiple of {step}")));
    facts.extend(param.seed.then(|| "or \"random\"".to_owned()));
    facts
}

fn shorten(literal: &Literal) -> String {
    let text = literal.to_string();
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text,
    }
}

fn write_doc(text: &mut String, indent: &str, doc: &str) {
    doc.lines().for_each(|line| add(text, format_args!("{}\n", format!("{indent}{line}").trim_end())));
}

fn first_sentence(doc: &str) -> &str {
    let line = doc.lines().next().unwrap_or_default();
    line.split_once(". ").map_or(line, |(sentence, _)| sentence).trim_end_matches('.')
}

fn add(text: &mut String, piece: std::fmt::Arguments<'_>) {
    text.write_fmt(piece).expect("a text takes everything");
}

#[cfg(test)]
mod tests {
    use darkroom_core::testing::toys;

    use super::*;

    #[test]
    fn a_manual_tells_defaults_ranges_units_and_choices() {
        let toys = toys();
        let manual_of = |id: &str| manual(toys.get(id).expect("it is a toy").spec());
        let linger = manual_of("linger");
        assert!(
            linger.contains("  pause: integer, default 1 ms, from 0 to 10000 ms\n      Milliseconds a step.\n"),
            "{linger}"
        );
        let shout = manual_of("shout");
        assert!(shout.contains("      - loud   All capitals.\n      - plain  As it is.\n"), "{shout}");
        let table = table(&toys.all());
        assert!(
            table.starts_with("Toys\n") && table.lines().any(|line| line.ends_with("  Grows a leaf; computes")),
            "{table}"
        );
    }
}
