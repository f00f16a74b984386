//! `canny`: the edges of pictures, for a ControlNet to draw along.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Kind, Type};

use crate::pictures::edges::{Thresholds, canny};

/// Draws the edges of pictures as thin white lines on black.
///
/// The thresholds are OpenCV's: 100 and 200 are what most ControlNets of this kind expect. A picture with much grain
/// wants higher ones. Alpha does not count.
#[derive(Node)]
#[node(id = "canny", version = 1, category = "Image", lane = "light")]
pub struct Canny {
    /// The pictures.
    #[input]
    image: Pictures,
    /// How steep a line must be to go on from where it is clear.
    #[param(default = 100, range = 0..=2040)]
    low: u32,
    /// How steep a line must be to begin.
    #[param(default = 200, range = 0..=2040)]
    high: u32,
}

impl Node for Canny {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        let thresholds = ordered(self.low, self.high)?;
        let (count, mut done) = (self.image.len(), 0);
        self.image.map(|picture| {
            let edges = canny(picture, thresholds).to_picture();
            done += 1;
            cx.tick(done, count)?;
            Ok(edges)
        })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        if let Some((low, high)) = known.param("low")?.zip(known.param("high")?) {
            ordered(low, high)?;
        }
        let image = known.wire_or_unknown("image");
        Ok(vec![Type::of(Kind::IMAGE).size(image.width, image.height).count(image.count)])
    }
}

fn ordered(low: u32, high: u32) -> Result<Thresholds, Fault> {
    if low > high {
        return Err(Fault::graph(format!("`low` is {low}, above `high` with {high}"))
            .hint("give `low` the smaller of the two: half of `high` is usual"));
    }
    Ok(Thresholds { low, high })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn thresholds_the_wrong_way_round_are_refused() {
        let fault = ordered(200, 100).expect_err("the lower one is the higher");
        assert_eq!(fault.message, "`low` is 200, above `high` with 100");
        assert_eq!(ordered(100, 100), Ok(Thresholds { low: 100, high: 100 }));
    }
}
