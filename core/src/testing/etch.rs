//! A toy that works as a big node does: it reserves scratch memory, and then holds weights that may be there in part.

use super::InkHandle;
use crate::context::Context;
use crate::fault::Fault;
use crate::node::{Known, Node};
use crate::types::Cost;

/// Etches with one ink or two, which it holds together, and writes down how many bytes of them it was granted.
#[derive(crate::Node)]
#[node(id = "etch", version = 1, category = "Toys", lane = "compute")]
pub struct Etch {
    /// The ink.
    #[input]
    ink: InkHandle,
    /// A second ink.
    #[input]
    second: Option<InkHandle>,
    /// What was etched before.
    #[param(default = "")]
    after: String,
    /// Bytes of scratch memory.
    #[param(default = 0, range = 0..=1_000_000)]
    scratch: u64,
}

impl Node for Etch {
    type Output = String;

    fn run(self, cx: &mut Context<'_>) -> Result<String, Fault> {
        let _room = cx.reserve(self.scratch)?;
        let ink = cx.pin(&self.ink.0)?;
        let second = self.second.as_ref().map(|second| cx.pin(&second.0)).transpose()?;
        let granted = ink.bytes() + second.map_or(0, |second| second.bytes());
        Ok(format!("{} {granted}", self.after))
    }

    fn cost(known: &Known<'_>) -> Cost {
        let (ink, second) = (known.wire_or_unknown("ink"), known.wire_or_unknown("second"));
        Cost {
            weights: ink.weights.unwrap_or(0) + second.weights.unwrap_or(0),
            least_weights: ink.least() + second.least(),
            workspace: known.param("scratch").ok().flatten().unwrap_or(0),
            ..Cost::default()
        }
    }
}
