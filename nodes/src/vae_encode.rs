//! `vae_encode`: from pictures to latents.

use std::sync::Arc;

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::types::{Cost, Kind, Type};
use darkroom_core::{Choice, Node};
use darkroom_models::nn::FeatureMap;
use darkroom_models::sampling::{NoiseDevice, NoiseMode, NoiseSource};
use darkroom_models::sdxl::vae::Tiling;

use crate::decode::check_tile;
use crate::fault::{fault, tensor_fault};
use crate::steps::Ticks;
use crate::wires::{Latent, REDUCTION, VaeHandle, tensor_of_pictures};

/// Which of the latents that an autoencoder thinks possible is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Pick {
    /// The likeliest one.
    Mean,
    /// One by chance, as diffusers does before it adds noise.
    Sample,
}

/// Turns pictures into latents, to be drawn on further.
#[derive(Node)]
#[node(id = "vae_encode", version = 1, category = "Latent", lane = "compute")]
pub struct VaeEncode {
    /// The autoencoder of the model that will draw on.
    #[input]
    vae: VaeHandle,
    /// The pictures, all of one size; width and height must be multiples of 8.
    #[input]
    image: Pictures,
    /// Which of the possible latents to take.
    #[param(default = Pick::Mean)]
    pick: Pick,
    /// What chance is, for `sample`.
    #[param(default = Seed(0))]
    seed: Seed,
    /// Edge of a tile in latent pixels; 0 encodes in one piece.
    #[param(default = 0, range = 0..=1024)]
    tile: u32,
}

impl Node for VaeEncode {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        check_tile(self.tile)?;
        let pixels = tensor_of_pictures(&self.image)?;
        let (count, _, height, width) = pixels.dims4().map_err(tensor_fault)?;
        check_size(width as u32, height as u32)?;
        let vae = cx.pin(&self.vae.0)?;
        let pixels = FeatureMap::from_tensor(&pixels).map_err(fault)?;
        let moments = match self.tile {
            0 => vae.encode(&pixels, &mut Ticks(cx)),
            edge => vae.encode_tiled(&pixels, Tiling::of(edge as usize), &mut Ticks(cx)),
        };
        let moments = moments.map_err(fault)?;
        let x = match self.pick {
            Pick::Mean => moments.mean(),
            Pick::Sample => {
                let mut source = NoiseSource::new(NoiseMode::Diffusers, NoiseDevice::Cpu, self.seed.0);
                let noise = source.draw(moments.raw_mean.shape().clone()).map_err(tensor_fault)?;
                FeatureMap::from_tensor(&noise).and_then(|noise| moments.sample(&noise))
            }
        };
        let x = x.map_err(fault)?.to_tensor();
        let space: Arc<str> = self.vae.model().family().into();
        Ok(Latent { space, width: width as u32, height: height as u32, count: count as u32, x: Some(x) })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let image = known.wire_or_unknown("image");
        if let (Some(width), Some(height)) = (image.width, image.height) {
            check_size(width, height)?;
        }
        let ty = Type::of(Kind("latent")).size(image.width, image.height).count(image.count);
        Ok(vec![match known.wire_or_unknown("vae").family {
            Some(family) => ty.family(family),
            None => ty,
        }])
    }

    fn cost(known: &Known<'_>) -> Cost {
        let image = known.wire_or_unknown("image");
        let pixels = u64::from(image.width.unwrap_or(0)) * u64::from(image.height.unwrap_or(0));
        Cost {
            weights: known.wire_or_unknown("vae").weights.unwrap_or(0),
            workspace: pixels * 4 * 3 * 128,
            output: pixels / 64 * 16,
            steps: 0,
        }
    }
}

fn check_size(width: u32, height: u32) -> Result<(), Fault> {
    if width.is_multiple_of(REDUCTION) && height.is_multiple_of(REDUCTION) {
        return Ok(());
    }
    let (down_w, down_h) = (width - width % REDUCTION, height - height % REDUCTION);
    Err(Fault::graph(format!("a picture of {width}×{height} has no whole latent"))
        .hint(format!("bring it to multiples of {REDUCTION}, as {down_w}×{down_h}, with `upscale`")))
}
