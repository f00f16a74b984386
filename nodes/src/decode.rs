//! `vae_decode`: from latents to pictures.

use candle_core::Tensor;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::ladder::Rung;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Kind, Task, Type};
use darkroom_core::value::Datum;
use darkroom_core::{Choice, Node};
use darkroom_models::nn::FeatureMap;
use darkroom_models::sdxl::Vae;
use darkroom_models::sdxl::vae::Tiling;

use crate::fault::{fault, tensor_fault};
use crate::models::DECODE;
use crate::sampling::ticks::Ticks;
use crate::wires::{Latent, REDUCTION, VaeHandle, is_finite, picture_of_tensor};

/// What to do with a picture that has numbers that are not finite.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum OnFlaw {
    /// The run fails.
    Fail,
    /// The picture is black, and the run goes on.
    Black,
}

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
    /// What to do with a picture that has numbers that are not finite; without a word the run fails.
    // Left out, it has no part in names: results of older graphs keep theirs.
    #[param(advanced)]
    on_flaw: Option<OnFlaw>,
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
        let scratch = scratch_bytes(&self.vae.describe(), (self.latent.width, self.latent.height), self.tile);
        let _room = cx.reserve(scratch).map_err(|fault| match self.tile {
            0 => fault.hint("decode in tiles, as `tile: 64`, or raise --ram"),
            _ => fault,
        })?;
        let vae = cx.pin(&self.vae.0)?;
        let mut pictures: Vec<Picture> = Vec::new();
        for index in 0..self.latent.count as usize {
            let pixels = self.pixels(&vae, x, index, cx)?;
            let picture = picture_of_tensor(&pixels)?;
            pictures.push(match self.on_flaw {
                Some(OnFlaw::Black) if !is_finite(&pixels) => {
                    let number = index + 1;
                    cx.warn(format!(
                        "picture {number} has numbers that are not finite, and is black as `on_flaw` asks"
                    ));
                    black(&picture)?
                }
                _ => picture,
            });
        }
        Ok(Pictures::new(pictures))
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        known.same_family("vae", "latent")?;
        let latent = known.wire_or_unknown("latent");
        Ok(vec![Type::of(Kind::IMAGE).size(latent.width, latent.height).count(latent.count)])
    }

    fn ladder(known: &Known<'_>) -> Vec<Rung> {
        tile_ladder(known, "latent", "decoded")
    }

    fn cost(known: &Known<'_>) -> Cost {
        let (latent, vae) = (known.wire_or_unknown("latent"), known.wire_or_unknown("vae"));
        let (width, height) = (latent.width.unwrap_or(0), latent.height.unwrap_or(0));
        Cost {
            weights: vae.weights.unwrap_or(0),
            least_weights: vae.least(),
            workspace: scratch_bytes(&vae, (width, height), known.param("tile").ok().flatten().unwrap_or(0)),
            output: u64::from(width) * u64::from(height) * 12 * u64::from(latent.count.unwrap_or(1)),
            steps: 0,
        }
    }
}

impl VaeDecode {
    /// Decodes one latent: `(1, 3, height, width)`, from -1 to 1.
    ///
    /// A decode that overflows is not tried again in another precision: f16, in which SDXL's autoencoder is known to
    /// overflow, is never computed in, and bf16 reaches as far as f32.
    fn pixels(&self, vae: &Vae, x: &Tensor, index: usize, cx: &mut Context<'_>) -> Result<Tensor, Fault> {
        let one = x.narrow(0, index, 1).map_err(tensor_fault)?;
        let latent = FeatureMap::from_tensor(&one).map_err(fault)?;
        let pixels = match self.tile {
            0 => vae.decode(&latent, &mut Ticks(cx)),
            edge => vae.decode_tiled(&latent, Tiling::of(edge as usize), &mut Ticks(cx)),
        };
        pixels.and_then(|pixels| pixels.to_tensor()).map_err(fault)
    }
}

fn black(like: &Picture) -> Result<Picture, Fault> {
    Picture::new(like.width(), like.height(), like.channels(), vec![0.0; like.samples().len()])
        .ok_or_else(|| Fault::bug("a black picture has the shape of another"))
}

/// Returns the ladder of work that can be done in tiles: ever smaller ones, but for those that are no smaller than the
/// picture or than what is asked for already.
pub fn tile_ladder(known: &Known<'_>, picture: &str, done: &str) -> Vec<Rung> {
    let now: u32 = known.param("tile").ok().flatten().unwrap_or(0);
    let picture = known.wire_or_unknown(picture);
    let largest = picture.width.max(picture.height).unwrap_or(u32::MAX).div_ceil(REDUCTION);
    let smaller = [96, 64, 32].into_iter().filter(|edge| *edge < largest && (now == 0 || *edge < now));
    smaller
        .map(|edge| Rung::new(format!("{done} in tiles of {edge} latent pixels")).set("tile", i64::from(edge)))
        .collect()
}

/// Returns the scratch bytes of decoding one picture of so many pixels, whole or in tiles of so many latent pixels.
fn scratch_bytes(vae: &Type, (width, height): (u32, u32), tile: u32) -> u64 {
    let size = tiled((width, height), tile);
    // What the network gives, and the picture that is made of it.
    let result = 2 * u64::from(width) * u64::from(height) * 12;
    vae.scratch(Task { what: DECODE, size, count: 1 }) + result
}

/// Returns the pixels that are worked on at a time, whole or in tiles of so many latent pixels.
pub fn tiled((width, height): (u32, u32), tile: u32) -> (u32, u32) {
    match tile.saturating_mul(REDUCTION) {
        0 => (width, height),
        edge => (width.min(edge), height.min(edge)),
    }
}

/// Refuses tiles that are too small to blend.
pub fn check_tile(tile: u32) -> Result<(), Fault> {
    match tile {
        1..=7 => Err(Fault::graph(format!("tiles of {tile} latent pixels are too small to blend"))
            .hint("take 0 for no tiles, or 8 and more; 64 is usual")),
        _ => Ok(()),
    }
}
