//! `repeat_latent`: several pictures from one latent.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::Type;

use crate::fault::tensor_fault;
use crate::wires::latent::Latent;

/// Repeats a batch of latents, so that `denoise` draws each of them several times, every time from other noise.
#[derive(Node)]
#[node(id = "repeat_latent", version = 1, category = "Latent", lane = "light")]
pub struct RepeatLatent {
    /// The latents.
    #[input]
    latent: Latent,
    /// How often each is to be there.
    #[param(default = 2, range = 1..=64)]
    times: u32,
}

impl Node for RepeatLatent {
    type Output = Latent;

    fn run(self, _: &mut Context<'_>) -> Result<Latent, Fault> {
        let times = self.times as usize;
        let repeat = |x: &candle_core::Tensor| x.repeat((times, 1, 1, 1));
        let x = self.latent.x.as_ref().map(repeat).transpose().map_err(tensor_fault)?;
        // What stands for every picture already does so for more of them.
        let shared = |x: &candle_core::Tensor| if x.dim(0)? == 1 { Ok(x.clone()) } else { repeat(x) };
        let repaint =
            self.latent.repaint.as_ref().map(|repaint| repaint.map(shared)).transpose().map_err(tensor_fault)?;
        let count = self.latent.count * self.times;
        Ok(Latent { x, repaint, count, ..self.latent })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let latent = known.wire_or_unknown("latent");
        let count = match (latent.count, known.param::<u32>("times")?) {
            (Some(count), Some(times)) => Some(count * times),
            _ => None,
        };
        Ok(vec![latent.count(count)])
    }
}
