//! What stands in a node: its own words, wires, and plain values.

use crate::fault::{Fault, Located};
use crate::graph::read::{Reader, refused_id};
use crate::graph::scalar::{Scalar, items, scalar};
use crate::graph::source::{Entry, Shape};
use crate::graph::{Field, Link, Mode};
use crate::literal::Literal;

/// Lists within lists that are taken apart; deeper ones are carried along as they are.
const DEEPEST_LIST: usize = 4;

/// A node that is being read.
pub(super) struct Node<'r, 't> {
    /// Where the text and the faults are.
    pub reader: &'r mut Reader<'t>,
    /// Its id.
    pub id: &'r str,
    /// Its type.
    pub kind: &'r str,
}

impl<'t> Node<'_, 't> {
    fn refuse(&mut self, fault: Fault, name: &str, value: &str) {
        let at = self.reader.source.place(value);
        self.reader.refuse(Located::at_node(fault, self.id, self.kind).input(name), at);
    }

    /// Reads what a node says about itself.
    pub fn part<T>(&mut self, entry: Option<Entry<'t>>, what: &str, read: impl Fn(&str) -> Option<T>) -> Option<T> {
        let entry = entry?;
        let part = read(entry.value);
        if part.is_none() {
            let message = format!("`{}` must be {what}, not `{}`", entry.name, shortened(entry.value));
            self.refuse(Fault::file(message), &entry.name, entry.value);
        }
        part
    }

    /// Reads what stands at an input; `None` if it is wrong.
    pub fn field(&mut self, entry: &Entry<'t>) -> Option<Field> {
        match self.link(entry) {
            Some(link) => link.map(Field::Link),
            None => self.literal(entry, entry.value, 0).map(Field::Literal),
        }
    }

    /// Reads a wire; the outer `None` means that this is none, the inner one that it is a wrong one.
    fn link(&mut self, entry: &Entry<'t>) -> Option<Option<Link>> {
        let parts = self.reader.source.entries(entry.value, Shape::Structure)?.ok()?;
        let from = parts.iter().find(|part| part.name == "from")?;
        let read = if parts.len() == 1 { text(from.value).and_then(|from| link(&from)) } else { None };
        if read.is_none() {
            let fault = Fault::file(format!("`{}` is not a wire", shortened(entry.value)));
            let hint = "write `(from: \"node\")` or `(from: \"node.output\")`, and nothing else inside";
            self.refuse(fault.hint(hint), &entry.name, entry.value);
        }
        Some(read)
    }

    /// Reads a plain value, or keeps what is none; `None` if it is one that cannot be.
    fn literal(&mut self, entry: &Entry<'t>, value: &'t str, depth: usize) -> Option<Literal> {
        let wrong = match scalar(value) {
            Some(Scalar::Boolean(truth)) => return Some(Literal::Boolean(truth)),
            Some(Scalar::Integer(number)) => return Some(Literal::Integer(number)),
            Some(Scalar::Number(number)) if number.is_finite() => return Some(Literal::Number(number)),
            Some(Scalar::Text(text)) => return Some(Literal::Text(text)),
            Some(Scalar::Number(_)) => "is not a finite number",
            Some(Scalar::TooLarge) => "is too large a number",
            None => return self.list(entry, value, depth),
        };
        let fault = Fault::file(format!("`{}` {wrong}", shortened(value))).hint("write a number that can be stored");
        self.refuse(fault, &entry.name, value);
        None
    }

    /// Reads a list of plain values; whatever else there is stays as it was written.
    fn list(&mut self, entry: &Entry<'t>, value: &'t str, depth: usize) -> Option<Literal> {
        let raw = || Some(Literal::Raw(value.to_owned()));
        let Some(items) = items(value).filter(|_| depth < DEEPEST_LIST) else { return raw() };
        let mut list = Vec::with_capacity(items.len());
        for item in items {
            match self.literal(entry, item, depth + 1)? {
                Literal::Raw(_) => return raw(),
                item => list.push(item),
            }
        }
        Some(Literal::List(list))
    }
}

/// Takes `node` or `node.output` apart.
pub(super) fn link(from: &str) -> Option<Link> {
    let (node, output) = match from.split_once('.') {
        Some((node, output)) => (node, Some(output)),
        None => (from, None),
    };
    let wrong = refused_id(node).is_some() || output.is_some_and(|output| output.is_empty() || output.contains('.'));
    (!wrong).then(|| Link { node: node.to_owned(), output: output.map(str::to_owned) })
}

/// Reads a mode, as a word or as a text.
pub(super) fn mode_of(value: &str) -> Option<Mode> {
    match text(value).as_deref().unwrap_or(value) {
        "muted" => Some(Mode::Muted),
        "bypassed" => Some(Mode::Bypassed),
        _ => None,
    }
}

/// Reads a text.
pub(super) fn text(value: &str) -> Option<String> {
    match scalar(value)? {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

/// Reads a whole number.
pub(super) fn whole_number(value: &str) -> Option<i128> {
    match scalar(value)? {
        Scalar::Integer(number) => Some(number),
        _ => None,
    }
}

/// A value for a sentence: the beginning of its first line.
pub(super) fn shortened(value: &str) -> String {
    const MOST: usize = 60;
    let line = value.lines().next().unwrap_or_default();
    let short: String = line.chars().take(MOST).collect();
    let more = if short.len() < value.len() { "…" } else { "" };
    short.replace(char::is_control, " ") + more
}
