//! `vae_decode`: from latents to pictures.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Kind, Type};
use darkroom_models::nn::FeatureMap;
use darkroom_models::sdxl::vae::Tiling;

use crate::fault::{fault, tensor_fault};
use crate::sampling::ticks::Ticks;
use crate::wires::{Latent, REDUCTION, VaeHandle, picture_of_tensor};

/// Turns latents into pictures.
#[derive(Node)]
#[node(id = "vae_decode", version = 1, category = "Latent", lane = "compute")]
pub struct VaeDecode {
    /// The autoencoder of the latent's family.
    #[input]
    vae: VaeHandle,
    /// What to decode.
    #[input]
    latent: Latent,
    /// Edge of a tile in latent pixels; 0 decodes in one piece. Tiles need less memory and give a slightly different
    /// picture.
    #[param(default = 0, range = 0..=1024, advanced)]
    tile: u32,
}

impl Node for VaeDecode {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        let Some(x) = &self.latent.x else {
            return Err(
                Fault::graph("this latent is blank: nothing has been drawn on it").hint("put a `denoise` before it")
            );
        };
        check_tile(self.tile)?;
        if self.latent.noise_left > 0.0 {
            cx.warn("noise was left in this latent: the picture will show it; a `refine` takes it out");
        }
        let vae = cx.pin(&self.vae.0)?;
        let scratch = scratch_bytes(self.latent.width, self.latent.height, self.tile);
        let _room = cx.reserve(scratch).map_err(|fault| match self.tile {
            0 => fault.hint("decode in tiles, as `tile: 64`, or raise --ram"),
            _ => fault,
        })?;
        let mut pictures: Vec<Picture> = Vec::new();
        for index in 0..self.latent.count as usize {
            let one = x.narrow(0, index, 1).map_err(tensor_fault)?;
            let latent = FeatureMap::from_tensor(&one).map_err(fault)?;
            let pixels = match self.tile {
                0 => vae.decode(&latent, &mut Ticks(cx)),
                edge => vae.decode_tiled(&latent, Tiling::of(edge as usize), &mut Ticks(cx)),
            };
            pictures.push(picture_of_tensor(&pixels.map_err(fault)?.to_tensor())?);
        }
        Ok(Pictures::new(pictures))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        known.same_family("vae", "latent")?;
        let latent = known.wire_or_unknown("latent");
        Ok(vec![Type::of(Kind::IMAGE).size(latent.width, latent.height).count(latent.count)])
    }

    fn cost(known: &Known<'_>) -> Cost {
        let (latent, vae) = (known.wire_or_unknown("latent"), known.wire_or_unknown("vae"));
        let (width, height) = (latent.width.unwrap_or(0), latent.height.unwrap_or(0));
        Cost {
            weights: vae.weights.unwrap_or(0),
            least_weights: vae.least(),
            workspace: scratch_bytes(width, height, known.param("tile").ok().flatten().unwrap_or(0)),
            output: u64::from(width) * u64::from(height) * 12 * u64::from(latent.count.unwrap_or(1)),
            steps: 0,
        }
    }
}

/// Returns the scratch bytes of decoding one picture of so many pixels, whole or in tiles of so many latent pixels.
fn scratch_bytes(width: u32, height: u32, tile: u32) -> u64 {
    let whole = u64::from(width) * u64::from(height);
    let at_once = match u64::from(tile * REDUCTION).pow(2) {
        0 => whole,
        edges => edges.min(whole),
    };
    at_once * DECODE_BYTES_PER_PIXEL
}

/// Scratch bytes for each pixel: the last level holds three maps of 128 to 256 channels in single precision.
const DECODE_BYTES_PER_PIXEL: u64 = 4 * (256 + 2 * 256);

/// Refuses tiles that are too small to blend.
pub fn check_tile(tile: u32) -> Result<(), Fault> {
    match tile {
        1..=7 => Err(Fault::graph(format!("tiles of {tile} latent pixels are too small to blend"))
            .hint("take 0 for no tiles, or 8 and more; 64 is usual")),
        _ => Ok(()),
    }
}
