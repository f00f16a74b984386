//! Nodes into a sub-graph and out of it again: what comes of either is the same graph, but for the names.

use std::collections::{HashMap, HashSet};
use std::sync::Arc;

use darkroom_core::files::Content;
use darkroom_core::graph::{End, Link, Mode, Subgraph};
use darkroom_core::registry::Registry;
use darkroom_core::types::Kind;
use indexmap::IndexMap;

use super::definition::{Definition, Side, free};
use super::edit::{Edit, Refused, is_of, refused};
use super::sheet::{Field, FrameId, Node, NodeId, Point, Sheet, Wire};

/// Edits that put nodes into a sub-graph.
#[derive(Debug, Clone, PartialEq)]
pub struct Folded {
    /// The edits.
    pub edits: Vec<Edit>,
    /// The node that stands for it.
    pub instance: NodeId,
    /// The name of its definition.
    pub name: String,
}

/// Edits that put the nodes of a sub-graph in the place of a node that stood for it.
#[derive(Debug, Clone, PartialEq)]
pub struct Unfolded {
    /// The edits.
    pub edits: Vec<Edit>,
    /// The nodes.
    pub nodes: Vec<NodeId>,
}

/// Puts nodes and frames of one level into a definition of their own. Wires from outside become its inputs, one for each
/// source, and wires to the outside its outputs.
///
/// # Errors
/// Why that cannot be.
pub fn fold(
    whole: &Sheet,
    level: Option<&str>,
    (nodes, frames): (&HashSet<NodeId>, &HashSet<FrameId>),
    registry: &Registry,
    mut number: impl FnMut() -> u64,
) -> Result<Folded, Refused> {
    let Some(sheet) = whole.level(level) else { return refused("this sub-graph is gone") };
    let chosen: Vec<_> = sheet.nodes.iter().filter(|(id, _)| nodes.contains(id)).collect();
    if chosen.is_empty() {
        return refused("choose the nodes that are to be a sub-graph first");
    }
    if let Some(between) = between(sheet, nodes) {
        let label = sheet.nodes[&between].label();
        return refused(format!("`{label}` lies between: it needs what is chosen, and is needed by it"));
    }
    let name = whole.free_definition("group");
    let remaining = |name: &str| !sheet.nodes.iter().any(|(id, node)| node.name == name && !nodes.contains(id));
    let own = free(&name, remaining);
    let mut folder = Folder { sheet, nodes, registry, definition: Definition::default(), fields: IndexMap::new() };
    folder.inputs(&chosen);
    let readers = folder.outputs();
    // What was offered outside already goes through both.
    let around = level.and_then(|name| whole.definitions.get(name));
    let offered = around.map(|around| folder.offered(around, &own));
    let Folder { mut definition, fields, .. } = folder;
    let inner = Arc::make_mut(&mut definition.sheet);
    inner.frames =
        sheet.frames.iter().filter(|(id, _)| frames.contains(id)).map(|(id, frame)| (*id, frame.clone())).collect();
    inner.laid_out = sheet.laid_out;
    let instance = NodeId(number());
    let node = Node { name: own.clone(), kind: Subgraph::kind(&name), fields, at: centre(&chosen), ..Node::default() };
    let lock = relocked(whole, level, |end| {
        let moved = chosen.iter().any(|(_, each)| is_of(end, &each.name));
        moved.then(|| format!("{own}/{end}"))
    });
    let define = Edit::Define(name.clone(), Arc::new(definition));
    let mut edits: Vec<_> = Vec::new();
    edits.extend(chosen.iter().map(|(id, _)| Edit::Remove(**id)));
    edits.extend(frames.iter().filter(|id| sheet.frames.contains_key(*id)).map(|id| Edit::RemoveFrame(*id)));
    edits.push(Edit::Add(instance, node));
    edits.extend(readers.into_iter().map(|(to, input, output, bends)| {
        Edit::Connect(to, input, Wire { node: instance, output: Some(output), bends })
    }));
    let mut all = vec![define];
    all.extend(settled(level, around, edits, offered)?);
    all.extend(lock);
    Ok(Folded { edits: all, instance, name })
}

/// A node that needs what is chosen, and is needed by it: together they would wait for each other.
fn between(sheet: &Sheet, chosen: &HashSet<NodeId>) -> Option<NodeId> {
    let outside: HashSet<_> = sheet
        .wires()
        .filter(|(to, _, wire)| chosen.contains(to) && !chosen.contains(&wire.node))
        .map(|(_, _, wire)| wire.node)
        .collect();
    let mut first: Vec<_> = outside.into_iter().collect();
    first.sort_unstable();
    let (mut seen, mut open): (HashSet<_>, _) =
        (HashSet::new(), first.into_iter().map(|id| (id, id)).collect::<Vec<_>>());
    while let Some((id, root)) = open.pop() {
        if chosen.contains(&id) {
            return Some(root);
        }
        if seen.insert(id) {
            let before = sheet.nodes.get(&id).into_iter().flat_map(|node| node.wires());
            open.extend(before.map(|(_, wire)| (wire.node, root)));
        }
    }
    None
}

/// The middle of where nodes stand.
fn centre(nodes: &[(&NodeId, &Arc<Node>)]) -> Point {
    let middle = |of: fn(&Node) -> i32| {
        let places = || nodes.iter().map(|(_, node)| i64::from(of(node)));
        ((places().min().unwrap_or(0) + places().max().unwrap_or(0)) / 2) as i32
    };
    Point { x: middle(|node| node.at.x), y: middle(|node| node.at.y) }
}

/// The edit that lets locks follow nodes to where they go; only the whole document's own nodes are followed.
fn relocked(whole: &Sheet, level: Option<&str>, moved: impl Fn(&str) -> Option<String>) -> Option<Edit> {
    let lock: IndexMap<String, Content> =
        whole.lock.iter().map(|(end, content)| (moved(end).unwrap_or_else(|| end.clone()), *content)).collect();
    (level.is_none() && lock.keys().ne(whole.lock.keys())).then_some(Edit::Lock(lock))
}

/// What a definition offers.
type Ends = (IndexMap<String, Vec<End>>, IndexMap<String, Link>);

/// Makes edits of a level such of the whole document. What a definition offers is set by itself: while its nodes come and
/// go, nothing outside may be lost.
fn settled(
    level: Option<&str>,
    around: Option<&Arc<Definition>>,
    edits: Vec<Edit>,
    ends: Option<Ends>,
) -> Result<Vec<Edit>, Refused> {
    let (Some(level), Some(around), Some((inputs, outputs))) = (level, around, ends) else { return Ok(edits) };
    let mut changed = Definition::clone(around);
    edits.into_iter().try_for_each(|edit| Arc::make_mut(&mut changed.sheet).apply(edit))?;
    (changed.inputs, changed.outputs) = (inputs, outputs);
    Ok(vec![Edit::Define(level.to_owned(), Arc::new(changed))])
}

/// Where wires to the outside end: the node, the input, the output that is offered, and how the wire lies.
type Readers = Vec<(NodeId, String, String, Vec<Point>)>;

struct Folder<'a> {
    sheet: &'a Sheet,
    nodes: &'a HashSet<NodeId>,
    registry: &'a Registry,
    definition: Definition,
    /// What stands at the inputs outside.
    fields: IndexMap<String, Field>,
}

impl Folder<'_> {
    fn kind(&self, node: &Node, input: &str) -> Option<Kind> {
        Some(self.registry.get(&node.kind)?.spec().input(input)?.1.kind)
    }

    fn inputs(&mut self, chosen: &[(&NodeId, &Arc<Node>)]) {
        let mut offered: HashMap<(NodeId, Option<String>, Option<Kind>), String> = HashMap::new();
        for (id, node) in chosen {
            let mut inner = Node::clone(node);
            for (input, wire) in node.wires().filter(|(_, wire)| !self.nodes.contains(&wire.node)) {
                inner.fields.shift_remove(input);
                let source = (wire.node, wire.output.clone(), self.kind(node, input));
                // Inputs of which nothing is known stay by themselves.
                let known = offered.get(&source).filter(|_| source.2.is_some()).cloned();
                let name = known.unwrap_or_else(|| {
                    let name = self.definition.free_end(Side::Input, input);
                    self.fields.insert(name.clone(), Field::Wire(wire.clone()));
                    offered.insert(source, name.clone());
                    name
                });
                let end = End { node: node.name.clone(), input: input.to_owned() };
                self.definition.inputs.entry(name).or_default().push(end);
            }
            Arc::make_mut(&mut self.definition.sheet).nodes.insert(**id, Arc::new(inner));
        }
    }

    /// Offers what the definition around offers of the nodes, and returns what that one offers then.
    fn offered(&mut self, around: &Definition, instance: &str) -> Ends {
        let goes = |node: &str| self.nodes.iter().any(|id| self.sheet.nodes.get(id).is_some_and(|it| it.name == node));
        let (mut inputs, mut outputs) = (around.inputs.clone(), around.outputs.clone());
        for ends in inputs.values_mut().filter(|ends| ends.iter().any(|end| goes(&end.node))) {
            let (inner, mut left): (Vec<_>, Vec<_>) = ends.drain(..).partition(|end| goes(&end.node));
            let name = self.definition.free_end(Side::Input, &inner[0].input);
            left.insert(0, End { node: instance.to_owned(), input: name.clone() });
            self.definition.inputs.insert(name, inner);
            *ends = left;
        }
        for (name, link) in outputs.iter_mut().filter(|(_, link)| goes(&link.node)) {
            let same = self.definition.outputs.iter().find(|(_, offered)| *offered == link);
            let same = same.map(|(name, _)| name.clone());
            let inner = same.unwrap_or_else(|| self.definition.free_end(Side::Output, name));
            self.definition.outputs.insert(inner.clone(), link.clone());
            *link = Link { node: instance.to_owned(), output: Some(inner) };
        }
        (inputs, outputs)
    }

    fn outputs(&mut self) -> Readers {
        let mut offered: HashMap<(NodeId, Option<String>), String> = HashMap::new();
        let mut readers = Readers::new();
        let leaving =
            |(to, _, wire): &(NodeId, &str, &Wire)| self.nodes.contains(&wire.node) && !self.nodes.contains(to);
        for (to, input, wire) in self.sheet.wires().filter(leaving) {
            let source = (wire.node, wire.output.clone());
            let name = offered.entry(source).or_insert_with(|| {
                let node = &self.sheet.nodes[&wire.node];
                let only = self.registry.get(&node.kind).and_then(|known| Some(known.spec().outputs.first()?.name));
                let stem = wire.output.as_deref().or(only).unwrap_or("out");
                let name = self.definition.free_end(Side::Output, stem);
                let link = Link { node: node.name.clone(), output: wire.output.clone() };
                self.definition.outputs.insert(name.clone(), link);
                name
            });
            readers.push((to, input.to_owned(), name.clone(), wire.bends.clone()));
        }
        readers
    }
}

/// Puts the nodes of a sub-graph in the place of a node that stands for it. The definition stays.
///
/// # Errors
/// Why that cannot be.
pub fn unfold(
    whole: &Sheet,
    level: Option<&str>,
    instance: NodeId,
    registry: &Registry,
    mut number: impl FnMut() -> u64,
) -> Result<Unfolded, Refused> {
    let sheet = whole.level(level);
    let Some((sheet, node)) = sheet.and_then(|sheet| Some((sheet, sheet.nodes.get(&instance)?))) else {
        return refused("this node is gone");
    };
    let definition = Subgraph::of_kind(&node.kind).and_then(|name| whole.definitions.get(name));
    let Some(definition) = definition else { return refused(format!("`{}` is no sub-graph", node.label())) };
    if node.mode == Mode::Bypassed {
        return refused(format!("`{}` is bypassed, and its nodes cannot be: make it active first", node.label()));
    }
    let inner = &definition.sheet;
    let ids: HashMap<NodeId, NodeId> = inner.nodes.keys().map(|id| (*id, NodeId(number()))).collect();
    let corner = centre(&inner.nodes.iter().collect::<Vec<_>>());
    let by = Point { x: node.at.x.saturating_sub(corner.x), y: node.at.y.saturating_sub(corner.y) };
    let mut names: HashMap<String, (NodeId, String)> = HashMap::new();
    let mut named = sheet.clone();
    named.nodes.shift_remove(&instance);
    let (mut edits, mut wires) = (vec![Edit::Remove(instance)], Vec::new());
    for (id, each) in &inner.nodes {
        let mut each = Node::clone(each);
        let before = std::mem::take(&mut each.name);
        each.name = named.free_name(&before);
        each.at = each.at.moved(by);
        if node.mode == Mode::Muted {
            each.mode = Mode::Muted;
        }
        for (input, field) in given(definition, node, registry, &before) {
            match field {
                Some(field) => drop(each.fields.insert(input, field)),
                None => drop(each.fields.shift_remove(&input)),
            }
        }
        // What comes from inside is renumbered; what was given comes from where it came from.
        let mut fields = IndexMap::new();
        for (input, field) in std::mem::take(&mut each.fields) {
            match field {
                Field::Wire(wire) => {
                    let inside = ids.get(&wire.node).copied();
                    let bends = wire.bends.iter().map(|bend| if inside.is_some() { bend.moved(by) } else { *bend });
                    let wire = Wire { bends: bends.collect(), node: inside.unwrap_or(wire.node), ..wire };
                    wires.push(Edit::Connect(ids[id], input, wire));
                }
                other => drop(fields.insert(input, other)),
            }
        }
        each.fields = fields;
        names.insert(before, (ids[id], each.name.clone()));
        named.nodes.insert(ids[id], Arc::new(each.clone()));
        edits.push(Edit::Add(ids[id], each));
    }
    edits.extend(wires);
    for (to, input, wire) in sheet.wires().filter(|(_, _, wire)| wire.node == instance) {
        let offered = match &wire.output {
            Some(output) => definition.outputs.get(output),
            None => definition.outputs.values().next(),
        };
        if let Some((link, (from, _))) = offered.and_then(|link| Some((link, names.get(&link.node)?))) {
            let wire = Wire { node: *from, output: link.output.clone(), bends: wire.bends.clone() };
            edits.push(Edit::Connect(to, input.to_owned(), wire));
        }
    }
    for frame in inner.frames.values() {
        let frame = super::Frame { at: frame.at.moved(by), ..frame.clone() };
        edits.push(Edit::Frame(FrameId(number()), frame));
    }
    let lock = relocked(whole, level, |end| {
        let inside = end.strip_prefix(&node.name)?.strip_prefix('/')?;
        let (_, (_, name)) = names.iter().find(|(before, _)| is_of(inside, before))?;
        let before = names.iter().find(|(_, (_, it))| it == name).map(|(before, _)| before.len())?;
        Some(format!("{name}{}", &inside[before..]))
    });

    let around = level.and_then(|name| whole.definitions.get(name));
    let ends = around.map(|around| taken_in(around, definition, &node.name, &names));
    let mut all = settled(level, around, edits, ends)?;
    all.extend(lock);
    Ok(Unfolded { edits: all, nodes: inner.nodes.keys().map(|id| ids[id]).collect() })
}

/// What a definition offers once the nodes of an instance stand in it themselves.
fn taken_in(
    around: &Definition,
    definition: &Definition,
    instance: &str,
    names: &HashMap<String, (NodeId, String)>,
) -> Ends {
    let name = |inner: &String| names.get(inner).map(|(_, name)| name.clone());
    let (mut inputs, mut outputs) = (around.inputs.clone(), around.outputs.clone());
    for ends in inputs.values_mut() {
        let unfold = |end: End| match end.node == instance {
            true => {
                // What the instance does not have cannot be offered any more.
                let inner = definition.inputs.get(&end.input).into_iter().flatten();
                inner
                    .filter_map(|end| Some(End { node: name(&end.node)?, input: end.input.clone() }))
                    .collect::<Vec<_>>()
            }
            false => vec![end],
        };
        *ends = ends.drain(..).flat_map(unfold).collect();
    }
    inputs.retain(|_, ends| !ends.is_empty());
    for link in outputs.values_mut().filter(|link| link.node == instance) {
        let inner = match &link.output {
            Some(output) => definition.outputs.get(output),
            None => definition.outputs.values().next(),
        };
        if let Some((inner, node)) = inner.and_then(|inner| Some((inner, name(&inner.node)?))) {
            *link = Link { node, output: inner.output.clone() };
        }
    }
    outputs.retain(|_, link| link.node != instance || names.values().any(|(_, name)| *name == link.node));
    (inputs, outputs)
}

/// What stands at the inputs of a node inside because an instance gives it, or because the first of several inputs that are
/// one outside says so; `None` for an input at which nothing stands then.
fn given(definition: &Definition, instance: &Node, registry: &Registry, node: &str) -> Vec<(String, Option<Field>)> {
    let mut all = Vec::new();
    for (name, ends) in &definition.inputs {
        for (index, end) in ends.iter().enumerate().filter(|(_, end)| end.node == node) {
            match (instance.fields.get(name), index) {
                (Some(field), _) => all.push((end.input.clone(), Some(field.clone()))),
                (None, 0) => {}
                (None, _) => all.push((end.input.clone(), first(definition, registry, &ends[0]))),
            }
        }
    }
    all
}

/// What the first of several inputs is worth.
fn first(definition: &Definition, registry: &Registry, end: &End) -> Option<Field> {
    let node = definition.sheet.named(&end.node).and_then(|id| definition.sheet.nodes.get(&id))?;
    let default = || {
        let (_, input) = registry.get(&node.kind)?.spec().input(&end.input)?;
        input.param.as_ref()?.default.clone().map(Field::Literal)
    };
    node.literal(&end.input).cloned().map(Field::Literal).or_else(default)
}

/// Gives a node that stands for a definition one of its own, and returns its name.
///
/// # Errors
/// Why that cannot be.
pub fn own(
    whole: &Sheet,
    level: Option<&str>,
    instance: NodeId,
    mut number: impl FnMut() -> u64,
) -> Result<(Vec<Edit>, String), Refused> {
    let node = whole.level(level).and_then(|sheet| sheet.nodes.get(&instance));
    let Some(node) = node else { return refused("this node is gone") };
    let name = Subgraph::of_kind(&node.kind);
    let Some((name, definition)) = name.and_then(|name| Some((name, whole.definitions.get(name)?))) else {
        return refused(format!("`{}` is no sub-graph", node.label()));
    };
    let own = whole.free_definition(name);
    let copy = renumbered(definition, &mut number);
    let edits = vec![Edit::Define(own.clone(), Arc::new(copy)), Edit::Kind(instance, Subgraph::kind(&own)).at(level)];
    Ok((edits, own))
}

/// The same definition with numbers of its own.
pub(super) fn renumbered(definition: &Definition, number: &mut impl FnMut() -> u64) -> Definition {
    Definition::of(&definition.subgraph(), number).0
}
