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
    /// What the result looks like.
    Picture,
}

/// The shapes of all nodes, each made when the node changes.
#[derive(Default)]
pub struct Shapes(HashMap<NodeId, Kept>);

struct Kept {
    node: Arc<Node>,
    picture: Option<(u32, u32)>,
    unfolded: bool,
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
    pub fn of(
        &mut self,
        id: NodeId,
        node: &Arc<Node>,
        registry: &Registry,
        status: Option<&NodeStatus>,
        unfolded: bool,
    ) -> Arc<Shape> {
        let picture = status.and_then(|status| status.picture.as_ref()).map(|thumb| thumb.size);
        if let Some(kept) = self.0.get(&id)
            && Arc::ptr_eq(&kept.node, node)
            && kept.picture == picture
            && kept.unfolded == unfolded
            && kept.means(registry.get(&node.kind))
        {
            return Arc::clone(&kept.shape);
        }
        let spec = registry.get(&node.kind).map(|node| node.spec());
        let shape = Arc::new(Shape::new(node, spec, picture, unfolded));
        let known = registry.get(&node.kind).cloned();
        self.0.insert(id, Kept { node: Arc::clone(node), picture, unfolded, known, shape: Arc::clone(&shape) });
        shape
    }
}

/// Tells whether a parameter is folded away: one that few people need, and that is left out.
fn folds(node: &Node, input: &Input) -> bool {
    let rare = input.param.as_ref().is_some_and(|param| param.advanced);
    rare && !node.fields.contains_key(input.name)
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
    fn new(node: &Node, spec: Option<&Spec>, picture: Option<(u32, u32)>, unfolded: bool) -> Self {
        let width = node.width.map_or(theme::NODE_WIDTH, |width| (width as f32).max(theme::NODE_LEAST));
        match spec {
            _ if node.collapsed => Self::collapsed(node, spec, width),
            Some(spec) => Self::known(node, spec, width, picture, unfolded),
            None => Self::unknown(node, width),
        }
    }

    fn known(node: &Node, spec: &Spec, width: f32, picture: Option<(u32, u32)>, unfolded: bool) -> Self {
        let mut rows = Rows { width, y: theme::HEAD + 4.0, rows: Vec::new() };
        let (mut inputs, mut outputs) = (Vec::new(), Vec::new());
        let sockets: Vec<_> = spec.inputs.iter().enumerate().filter(|(_, input)| input.param.is_none()).collect();
        for row in 0..sockets.len().max(spec.outputs.len()) {
            let (input, output) = (sockets.get(row), spec.outputs.get(row));
            let y = rows.push(theme::ROW, What::Sockets(input.map(|(index, _)| *index), output.map(|_| row)));
            inputs.extend(input.map(|(_, input)| Socket {
                name: input.name.to_owned(),
                kind: input.kind,
                at: vec2(0.0, y),
            }));
            outputs.extend(output.map(|out| Socket { name: out.name.to_owned(), kind: out.kind, at: vec2(width, y) }));
        }
        let params = || spec.inputs.iter().enumerate().filter(|(_, input)| input.param.is_some());
        let folded = params().filter(|(_, input)| folds(node, input)).count();
        for (index, input) in params().filter(|(_, input)| unfolded || !folds(node, input)) {
            let wired = !matches!(node.fields.get(input.name), None | Some(Field::Literal(_)));
            let tall = input.param.as_ref().is_some_and(|param| param.multiline) && !wired;
            let y = rows.push(theme::ROW + if tall { theme::TEXT_BOX } else { 0.0 }, What::Param(index));
            inputs.push(Socket { name: input.name.to_owned(), kind: input.kind, at: vec2(0.0, y) });
        }
        if folded > 0 {
            rows.push(theme::ROW, What::Fold(folded));
        }
        let unknown = node.fields.keys().filter(|name| spec.input(name).is_none());
        for name in unknown {
            let y = rows.push(theme::ROW, What::Unknown(name.clone()));
            inputs.push(Socket { name: name.clone(), kind: Kind::ANY, at: vec2(0.0, y) });
        }
        // Where a picture will be shown there is room for it beforehand, so that nothing is covered later.
        let saves = spec.effect && spec.inputs.iter().any(|input| input.kind == Kind::IMAGE);
        let picture = picture.filter(|(wide, high)| *wide > 0 && *high > 0).or(saves.then_some((1, 1)));
        if let Some((wide, high)) = picture {
            let room = width - 2.0 * theme::SIDE;
            let height = (room * high as f32 / wide as f32).min(2.0 * room);
            rows.push(height + theme::FOOT, What::Picture);
        }
        Self { size: vec2(width, rows.y + theme::FOOT), rows: rows.rows, inputs, outputs }
    }

    /// A node of a type that this program does not know: its fields, and one place where wires begin.
    fn unknown(node: &Node, width: f32) -> Self {
        let mut rows = Rows { width, y: theme::HEAD + 4.0, rows: Vec::new() };
        let socket = |(name, y)| Socket { name, kind: Kind::ANY, at: vec2(0.0, y) };
        let names = node.fields.keys().cloned();
        let inputs: Vec<_> =
            names.map(|name| (name.clone(), rows.push(theme::ROW, What::Unknown(name)))).map(socket).collect();
        let out = Socket { name: String::new(), kind: Kind::ANY, at: vec2(width, theme::HEAD / 2.0) };
        Self { size: vec2(width, rows.y + theme::FOOT), rows: rows.rows, inputs, outputs: vec![out] }
    }

    fn collapsed(node: &Node, spec: Option<&Spec>, width: f32) -> Self {
        let at = |x| vec2(x, theme::HEAD / 2.0);
        let socket = |name: &str, kind, x| Socket { name: name.to_owned(), kind, at: at(x) };
        let (inputs, outputs) = match spec {
            Some(spec) => (
                spec.inputs.iter().map(|input| socket(input.name, input.kind, 0.0)).collect(),
                spec.outputs.iter().map(|output| socket(output.name, output.kind, width)).collect(),
            ),
            None => (
                node.fields.keys().map(|name| socket(name, Kind::ANY, 0.0)).collect(),
                vec![socket("", Kind::ANY, width)],
            ),
        };
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
