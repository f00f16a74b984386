//! A layout for nodes that nobody has laid out: columns from left to right along the wires, and in each column an order in
//! which few wires cross (K. Sugiyama et al. 1981: layers, then barycentres).

use std::collections::{HashMap, HashSet};

use super::sheet::{NodeId, Point, Sheet};

/// Width and height of a node in points.
pub type Extent = (u32, u32);

/// Between columns, where the wires run.
const ALONG: i32 = 72;
/// Between the nodes of a column.
const ACROSS: i32 = 28;
/// Sweeps that put the nodes of a column in order.
const SWEEPS: usize = 8;

/// Finds places for nodes, the first column at `origin`. Wires of other nodes are not looked at.
pub fn arrange(
    sheet: &Sheet,
    nodes: &[NodeId],
    origin: Point,
    extent: impl Fn(NodeId) -> Extent,
) -> Vec<(NodeId, Point)> {
    let chosen: HashSet<_> = nodes.iter().copied().collect();
    let wires = Wires::new(sheet, &chosen);
    let columns = wires.columns(nodes);
    let columns = wires.ordered(columns);
    let mut places: HashMap<NodeId, Point> = HashMap::new();
    let mut x = origin.x;
    for column in &columns {
        let mut y = origin.y;
        for node in column {
            let before: Vec<_> =
                wires.before(*node).iter().filter_map(|from| Some((places.get(from)?, extent(*from).1))).collect();
            let middle = |(at, height): &(&Point, u32)| i64::from(at.y) + i64::from(height / 2);
            let wanted = match before.len() as i64 {
                0 => y,
                count => (before.iter().map(middle).sum::<i64>() / count) as i32 - (extent(*node).1 / 2) as i32,
            };
            y = y.max(wanted);
            places.insert(*node, Point { x, y });
            y = y.saturating_add_unsigned(extent(*node).1).saturating_add(ACROSS);
        }
        let widest = column.iter().map(|node| extent(*node).0).max().unwrap_or(0);
        x = x.saturating_add_unsigned(widest).saturating_add(ALONG);
    }
    columns.into_iter().flatten().map(|node| (node, places[&node])).collect()
}

/// The wires among some nodes.
struct Wires {
    before: HashMap<NodeId, Vec<NodeId>>,
    behind: HashMap<NodeId, Vec<NodeId>>,
}

impl Wires {
    fn new(sheet: &Sheet, chosen: &HashSet<NodeId>) -> Self {
        let (mut before, mut behind) = (HashMap::<_, Vec<_>>::new(), HashMap::<_, Vec<_>>::new());
        for (to, _, wire) in sheet.wires().filter(|(to, _, wire)| chosen.contains(to) && chosen.contains(&wire.node)) {
            before.entry(to).or_default().push(wire.node);
            behind.entry(wire.node).or_default().push(to);
        }
        Self { before, behind }
    }

    fn before(&self, node: NodeId) -> &[NodeId] {
        self.before.get(&node).map_or(&[], Vec::as_slice)
    }

    fn behind(&self, node: NodeId) -> &[NodeId] {
        self.behind.get(&node).map_or(&[], Vec::as_slice)
    }

    /// Puts each node behind all that it needs, and what needs nothing right before its first reader.
    fn columns(&self, nodes: &[NodeId]) -> Vec<Vec<NodeId>> {
        let mut waiting: HashMap<_, _> = nodes.iter().map(|node| (*node, self.before(*node).len())).collect();
        let mut depth: HashMap<NodeId, usize> = HashMap::new();
        let mut ready: Vec<_> = nodes.iter().copied().filter(|node| waiting[node] == 0).collect();
        let mut next = 0;
        while depth.len() < nodes.len() {
            // On a cycle nothing becomes ready: any of its nodes will do.
            let node = match ready.get(next) {
                Some(node) => *node,
                None => *nodes.iter().find(|node| !depth.contains_key(node)).expect("some are left"),
            };
            next += usize::from(next < ready.len());
            if depth.contains_key(&node) {
                continue;
            }
            let behind = self.before(node).iter().filter_map(|from| depth.get(from)).max().map_or(0, |depth| depth + 1);
            depth.insert(node, behind);
            for reader in self.behind(node) {
                let left = waiting.get_mut(reader).expect("both ends are chosen");
                *left = left.saturating_sub(1);
                if *left == 0 {
                    ready.push(*reader);
                }
            }
        }
        for node in nodes.iter().filter(|node| self.before(**node).is_empty()) {
            let first = self.behind(*node).iter().map(|reader| depth[reader]).min();
            depth.insert(*node, first.map_or(0, |first| first.saturating_sub(1)));
        }
        let mut columns = vec![Vec::new(); depth.values().max().map_or(0, |most| most + 1)];
        nodes.iter().for_each(|node| columns[depth[node]].push(*node));
        columns
    }

    /// Sorts each column by where the neighbours stand, back and forth.
    fn ordered(&self, mut columns: Vec<Vec<NodeId>>) -> Vec<Vec<NodeId>> {
        for sweep in 0..SWEEPS {
            let forth = sweep % 2 == 0;
            let row: HashMap<_, _> =
                columns.iter().flat_map(|column| column.iter().enumerate().map(|(row, node)| (*node, row))).collect();
            let centre = |node: &NodeId| {
                let near = if forth { self.before(*node) } else { self.behind(*node) };
                let sum: usize = near.iter().map(|node| row[node]).sum();
                match near.len() {
                    0 => row[node] as f64,
                    count => sum as f64 / count as f64,
                }
            };
            columns.iter_mut().for_each(|column| column.sort_by(|a, b| centre(a).total_cmp(&centre(b))));
        }
        columns
    }
}
