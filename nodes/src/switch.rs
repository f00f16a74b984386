//! `switch`: one of several.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{AnyWire, Known, Node, Routed};

/// Passes one of its inputs on. What the others would need is neither run nor loaded.
#[derive(Node)]
#[node(id = "switch", version = 1, category = "Flow", lane = "route")]
pub struct Switch {
    /// Which input: 0 for `a` to 3 for `d`. Must be known before the run.
    #[param(default = 0, range = 0..=3)]
    select: u32,
    /// The first input.
    #[input]
    a: AnyWire,
    /// The second input.
    #[input]
    b: AnyWire,
    /// The third input.
    #[input]
    c: AnyWire,
    /// The fourth input.
    #[input]
    d: AnyWire,
}

impl Node for Switch {
    type Output = Routed;

    fn run(self, _: &mut Context<'_>) -> Result<Routed, Fault> {
        let connected = [&self.a, &self.b, &self.c, &self.d].iter().filter(|wire| wire.0.is_some()).count();
        Err(Fault::bug(format!("a switch ran, at {} with {connected} inputs", self.select)))
    }

    fn route(known: &Known<'_>) -> Result<&'static str, Fault> {
        match known.param::<u32>("select")? {
            Some(index) => ["a", "b", "c", "d"].get(index as usize).copied().ok_or_else(|| {
                Fault::graph(format!("`select` is {index}, and there are four inputs")).hint("give 0 to 3")
            }),
            None => Err(Fault::graph("`select` depends on work that has not been done yet")
                .hint("feed it with a literal or with light values, as `integer`")),
        }
    }
}
