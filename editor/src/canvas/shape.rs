//! The shape of a node: where its rows and sockets are. It follows from the node and its manual alone, so that wires and
//! culling need not draw anything first.

use std::collections::HashMap;
use std::sync::Arc;

use darkroom_core::node::AnyNode;
use darkroom_core::registry::Registry;
use darkroom_core::spec::{Input, Spec};
use darkroom_core::types::Kind;
use egui::{Pos2, Rect, Vec2, pos2, vec2};

use crate::document::{Field, Node, NodeId};
use crate::status::NodeStatus;
use crate::theme;

/// Where everything is, measured from the node's upper left corner.
#[derive(Debug, Clone)]
pub struct Shape {
    /// Width and height.
    pub size: Vec2,
    /// The rows below the head.
    pub rows: Vec<Row>,
    /// The sockets at the left.
    pub inputs: Vec<Socket>,
    /// The sockets at the right.
    pub outputs: Vec<Socket>,
}

/// Where a wire can be fastened.
#[derive(Debug, Clone)]
pub struct Socket {
    /// The input or output.
    pub name: String,
    /// What it takes or gives.
    pub kind: Kind,
    /// Its middle.
    pub at: Vec2,
    /// Whether it is there for wires alone, and not shown.
    pub hidden: bool,
}

/// A row of a node.
#[derive(Debug, Clone)]
pub struct Row {
    /// Where it is.
    pub rect: Rect,
    /// What stands there.
    pub what: What,
}

/// What stands in a row.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum What {
    /// Names of sockets: of an input, by its index in the manual, and of an output.
    Sockets(Option<usize>, Option<usize>),
    /// A parameter, by its index in the manual.
    Param(usize),
    /// A field that the manual does not know.
    Unknown(String),
    /// So many parameters are folded away here, or unfolded.
    Fold(usize),
    /// So many sockets and parameters are hidden, because nobody uses them.
    Hidden(usize),
    /// What the result looks like.
    Picture,
}

/// What a shape follows from, beside the node and its manual.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Face {
    /// Width and height of the picture that the node made.
    pub picture: Option<(u32, u32)>,
    /// Whether rare parameters are shown.
    pub unfolded: bool,
    /// The outputs at which wires begin, a bit for each; only looked at where unused ones are hidden.
    pub used: u64,
}

impl Face {
    /// Takes in what is known of a node.
    pub fn of(status: Option<&NodeStatus>, unfolded: bool, used: u64) -> Self {
        let picture = status.and_then(|status| status.picture.as_ref()).map(|thumb| thumb.size);
        Self { picture, unfolded, used }
    }
}

/// The shapes of all nodes, each made when the node changes.
#[derive(Default)]
pub struct Shapes {
    kept: HashMap<NodeId, Kept>,
    /// How many were made so far.
    pub made: u64,
}

struct Kept {
    node: Arc<Node>,
    face: Face,
    /// What its type meant: that of a sub-graph changes with the definition.
    known: Option<Arc<dyn AnyNode>>,
    shape: Arc<Shape>,
}

impl Kept {
    fn means(&self, known: Option<&Arc<dyn AnyNode>>) -> bool {
        match (&self.known, known) {
            (Some(before), Some(now)) => Arc::ptr_eq(before, now),
            (before, now) => before.is_none() && now.is_none(),
        }
    }
}

impl Shapes {
    /// Returns the shape of a node.
    pub fn of(&mut self, id: NodeId, node: &Arc<Node>, registry: &Registry, face: Face) -> Arc<Shape> {
        if let Some(kept) = self.kept.get(&id)
            && Arc::ptr_eq(&kept.node, node)
            && kept.face == face
            && kept.means(registry.get(&node.kind))
        {
            return Arc::clone(&kept.shape);
        }
        let spec = registry.get(&node.kind).map(|node| node.spec());
        let shape = Arc::new(Shape::new(node, spec, face));
        self.made += 1;
        let known = registry.get(&node.kind).cloned();
        self.kept.insert(id, Kept { node: Arc::clone(node), face, known, shape: Arc::clone(&shape) });
        shape
    }
}

/// Tells whether a parameter is folded away: one that few people need, and that is left out.
fn folds(node: &Node, input: &Input) -> bool {
    let rare = input.param.as_ref().is_some_and(|param| param.advanced);
    rare && !node.fields.contains_key(input.name)
}

/// Tells whether nobody has said anything at an input, or only what would hold anyway. One that must be given is not
/// idle: what is missing there is to be seen.
fn is_idle(node: &Node, input: &Input) -> bool {
    match node.fields.get(input.name) {
        None => !input.required,
        Some(Field::Literal(value)) => input.param.as_ref().is_some_and(|param| param.default.as_ref() == Some(value)),
        Some(Field::Wire(_) | Field::Lost(_)) => false,
    }
}

/// The rows under way, from the head down.
struct Rows {
    width: f32,
    y: f32,
    rows: Vec<Row>,
}

impl Rows {
    fn push(&mut self, height: f32, what: What) -> f32 {
        let rect = Rect::from_min_size(pos2(0.0, self.y), vec2(self.width, height));
        self.rows.push(Row { rect, what });
        self.y += height;
        rect.top() + theme::ROW / 2.0
    }
}

impl Shape {
    /// Lays a node out.
    pub fn new(node: &Node, spec: Option<&Spec>, face: Face) -> Self {
        let width = node.width.map_or(theme::NODE_WIDTH, |width| (width as f32).max(theme::NODE_LEAST));
        match spec {
            _ if node.collapsed => Self::collapsed(node, spec, width),
            Some(spec) => Self::known(node, spec, width, face),
            None => Self::unknown(node, width),
        }
    }

    fn known(node: &Node, spec: &Spec, width: f32, face: Face) -> Self {
        let mut rows = Rows { width, y: theme::HEAD + 4.0, rows: Vec::new() };
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let hides = |input: &Input| node.compact && is_idle(node, input);
        let used = |index: usize| !node.compact || face.used & (1 << index.min(63)) != 0;
        let input = |input: &Input, y| Socket {
            name: input.name.to_owned(),
            kind: input.kind,
            at: vec2(0.0, y),
            hidden: hides(input),
        };
        let sockets = || spec.inputs.iter().enumerate().filter(|(_, input)| input.param.is_none());
        let left: Vec<_> = sockets().filter(|(_, input)| !hides(input)).collect();
        let right: Vec<_> = spec.outputs.iter().enumerate().filter(|(index, _)| used(*index)).collect();
        for row in 0..left.len().max(right.len()) {
            let (socket, output) = (left.get(row), right.get(row));
            let y = rows.push(theme::ROW, What::Sockets(socket.map(|(index, _)| *index), output.map(|out| out.0)));
            inputs.extend(socket.map(|(_, socket)| input(socket, y)));
            outputs.extend(output.map(|(_, out)| Socket {
                name: out.name.to_owned(),
                kind: out.kind,
                at: vec2(width, y),
                hidden: false,
            }));
        }
        let params = || spec.inputs.iter().enumerate().filter(|(_, input)| input.param.is_some());
        let folds = |input: &Input| !node.compact && folds(node, input);
        let folded = params().filter(|(_, input)| folds(input)).count();
        let shown = |each: &Input| !hides(each) && (face.unfolded || !folds(each));
        for (index, each) in params().filter(|(_, each)| shown(each)) {
            let wired = !matches!(node.fields.get(each.name), None | Some(Field::Literal(_)));
            let tall = each.param.as_ref().is_some_and(|param| param.multiline) && !wired;
            let y = rows.push(theme::ROW + if tall { theme::TEXT_BOX } else { 0.0 }, What::Param(index));
            inputs.push(input(each, y));
        }
        if folded > 0 {
            rows.push(theme::ROW, What::Fold(folded));
        }
        let hidden: Vec<_> = spec.inputs.iter().filter(|input| hides(input)).collect();
        let unused: Vec<_> = spec.outputs.iter().enumerate().filter(|(index, _)| !used(*index)).collect();
        if !hidden.is_empty() || !unused.is_empty() {
            let y = rows.push(theme::ROW, What::Hidden(hidden.len() + unused.len()));
            inputs.extend(hidden.into_iter().map(|each| input(each, y)));
            outputs.extend(unused.into_iter().map(|(_, out)| Socket {
                name: out.name.to_owned(),
                kind: out.kind,
                at: vec2(width, y),
                hidden: true,
            }));
        }
        let unknown = node.fields.keys().filter(|name| spec.input(name).is_none());
        for name in unknown {
            let y = rows.push(theme::ROW, What::Unknown(name.clone()));
            inputs.push(Socket { name: name.clone(), kind: Kind::ANY, at: vec2(0.0, y), hidden: false });
        }
        // Where a picture will be shown there is room for it beforehand, so that nothing is covered later.
        let saves = spec.effect && spec.inputs.iter().any(|input| input.kind == Kind::IMAGE);
        let picture = face.picture.filter(|(wide, high)| *wide > 0 && *high > 0).or(saves.then_some((1, 1)));
        if let Some((wide, high)) = picture {
            let room = width - 2.0 * theme::SIDE;
            let usual = (room * high as f32 / wide as f32).min(2.0 * room);
            let height = node.picture.map_or(usual, |height| (height as f32).max(theme::PICTURE_LEAST));
            rows.push(height + theme::FOOT, What::Picture);
        }
        Self { size: vec2(width, rows.y + theme::FOOT), rows: rows.rows, inputs, outputs }
    }

    /// A node of a type that this program does not know: its fields, and one place where wires begin.
    fn unknown(node: &Node, width: f32) -> Self {
        let mut rows = Rows { width, y: theme::HEAD + 4.0, rows: Vec::new() };
        let socket = |(name, y)| Socket { name, kind: Kind::ANY, at: vec2(0.0, y), hidden: false };
        let names = node.fields.keys().cloned();
        let inputs: Vec<_> =
            names.map(|name| (name.clone(), rows.push(theme::ROW, What::Unknown(name)))).map(socket).collect();
        let out = Socket { name: String::new(), kind: Kind::ANY, at: vec2(width, theme::HEAD / 2.0), hidden: false };
        Self { size: vec2(width, rows.y + theme::FOOT), rows: rows.rows, inputs, outputs: vec![out] }
    }

    fn collapsed(node: &Node, spec: Option<&Spec>, width: f32) -> Self {
        let at = |x| vec2(x, theme::HEAD / 2.0);
        let socket = |name: &str, kind, x| Socket { name: name.to_owned(), kind, at: at(x), hidden: false };
        let (mut inputs, outputs): (Vec<_>, _) = match spec {
            Some(spec) => (
                spec.inputs.iter().map(|input| socket(input.name, input.kind, 0.0)).collect(),
                spec.outputs.iter().map(|output| socket(output.name, output.kind, width)).collect(),
            ),
            None => (
                node.fields.keys().map(|name| socket(name, Kind::ANY, 0.0)).collect(),
                vec![socket("", Kind::ANY, width)],
            ),
        };
        // All inputs lie at one point, and one mark stands for them.
        inputs.iter_mut().skip(1).for_each(|socket: &mut Socket| socket.hidden = true);
        Self { size: vec2(width, theme::HEAD), rows: Vec::new(), inputs, outputs }
    }

    /// Finds an input; one that is folded away is at the head.
    pub fn input(&self, name: &str) -> Vec2 {
        self.inputs.iter().find(|socket| socket.name == name).map_or(vec2(0.0, theme::HEAD / 2.0), |socket| socket.at)
    }

    /// Finds an output; without a name it is the only one.
    pub fn output(&self, name: Option<&str>) -> Vec2 {
        let found = match name {
            Some(name) => self.outputs.iter().find(|socket| socket.name == name),
            None => self.outputs.first(),
        };
        found.map_or(vec2(self.size.x, theme::HEAD / 2.0), |socket| socket.at)
    }

    /// Returns the rectangle of a node whose corner is at a place.
    pub fn rect(&self, at: Pos2) -> Rect {
        Rect::from_min_size(at, self.size)
    }
}
