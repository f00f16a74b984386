//! `vae_encode`: from pictures to latents.

use candle_core::Tensor;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::ladder::Rung;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::residency::Reservation;
use darkroom_core::types::{Cost, Kind, Task, Type};
use darkroom_core::value::Datum;
use darkroom_core::{Choice, Node, Params};
use darkroom_models::nn::FeatureMap;
use darkroom_models::sampling::{NoiseMode, NoiseSource};
use darkroom_models::sdxl::Vae;
use darkroom_models::sdxl::vae::{Moments, Tiling};

use crate::decode::{check_tile, tile_ladder, tiled};
use crate::fault::{fault, tensor_fault};
use crate::models::{ENCODE, Part};
use crate::sampling::names::GeneratorName;
use crate::sampling::settings::device;
use crate::sampling::ticks::Ticks;
use crate::wires::latent::Drawn;
use crate::wires::{Latent, REDUCTION, VaeHandle, tensor_of_pictures};

/// Which of the latents that an autoencoder thinks possible is taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Pick {
    /// The likeliest one.
    Mean,
    /// One by chance, as diffusers does before it adds noise.
    Sample,
}

/// How pictures become latents: parameters that every node that encodes has.
#[derive(Params)]
pub struct Encoding {
    /// Which of the possible latents to take.
    #[param(default = Pick::Mean, advanced)]
    pub pick: Pick,
    /// What chance is, for `sample`. With the same seed `denoise` goes on drawing behind the sample.
    #[param(default = Seed(0), advanced)]
    seed: Seed,
    /// Which generator draws the sample.
    #[param(default = GeneratorName::Cpu, advanced)]
    generator: GeneratorName,
    /// Edge of a tile in latent pixels; 0 encodes in one piece.
    #[param(default = 0, range = 0..=1024, advanced)]
    tile: u32,
}

/// Turns pictures into latents, to be drawn on further.
#[derive(Node)]
#[node(id = "vae_encode", version = 2, category = "Latent", lane = "compute")]
pub struct VaeEncode {
    /// The autoencoder of the model that will draw on.
    #[input]
    vae: VaeHandle,
    /// The pictures, all of one size; width and height must be multiples of 8.
    #[input]
    image: Pictures,
    #[params]
    encoding: Encoding,
}

impl Node for VaeEncode {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        let _room = self.encoding.room(&self.vae, &self.image, cx)?;
        let pixels = tensor_of_pictures(&self.image)?;
        let blank = blank(&self.vae, &pixels)?;
        let vae = cx.pin(&self.vae.0)?;
        let moments = self.encoding.moments(&vae, &pixels, cx)?;
        self.encoding.picked(&moments, blank)
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        infer(known)
    }

    fn ladder(known: &Known<'_>) -> Vec<Rung> {
        tile_ladder(known, "image", "encoded")
    }

    fn cost(known: &Known<'_>) -> Cost {
        cost(known)
    }
}

/// Says what encoding `image` with `vae` makes.
///
/// # Errors
/// A fault of pictures that no latent has the size of.
pub fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
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

/// Says what encoding `image` with `vae` needs.
pub fn cost(known: &Known<'_>) -> Cost {
    let (image, vae) = (known.wire_or_unknown("image"), known.wire_or_unknown("vae"));
    let size = (image.width.unwrap_or(0), image.height.unwrap_or(0));
    let tile = known.param("tile").ok().flatten().unwrap_or(0);
    Cost {
        weights: vae.weights.unwrap_or(0),
        least_weights: vae.least(),
        workspace: scratch_bytes(&vae, size, image.count, tile),
        output: u64::from(size.0) * u64::from(size.1) / 64 * 16,
        steps: 0,
    }
}

/// Returns the scratch bytes of encoding pictures of so many pixels together, whole or in tiles of so many latent pixels.
fn scratch_bytes(vae: &Type, size: (u32, u32), count: Option<u32>, tile: u32) -> u64 {
    vae.scratch(Task { what: ENCODE, size: tiled(size, tile), count: count.unwrap_or(1) })
}

/// Returns the latent that pictures will fill.
///
/// # Errors
/// A fault of pictures that no latent has the size of.
pub fn blank(vae: &VaeHandle, pixels: &Tensor) -> Result<Latent, Fault> {
    let (count, _, height, width) = pixels.dims4().map_err(tensor_fault)?;
    let (width, height) = (width as u32, height as u32);
    check_size(width, height)?;
    Ok(Latent::blank(vae.model().family(Part::Vae), width, height, count as u32))
}

impl Encoding {
    /// Makes room for encoding pictures of one size.
    ///
    /// # Errors
    /// A fault of memory, or of tiles that are too small.
    pub fn room(&self, vae: &VaeHandle, pictures: &Pictures, cx: &mut Context<'_>) -> Result<Reservation, Fault> {
        check_tile(self.tile)?;
        let size = pictures.iter().next().map_or((0, 0), |picture| (picture.width(), picture.height()));
        let count = pictures.len() as u32;
        let reserved = cx.reserve(scratch_bytes(&vae.describe(), size, Some(count), self.tile));
        let in_tiles = |fault: Fault| fault.hint("encode in tiles, as `tile: 64`, or raise --ram");
        reserved.map_err(|fault| if self.tile == 0 { in_tiles(fault) } else { fault })
    }

    /// Encodes `(pictures, 3, height, width)` in `[-1, 1]`.
    ///
    /// # Errors
    /// A fault of the autoencoder, or that the run was stopped.
    pub fn moments(&self, vae: &Vae, pixels: &Tensor, cx: &mut Context<'_>) -> Result<Moments, Fault> {
        let pixels = FeatureMap::from_tensor(pixels).map_err(fault)?;
        let moments = match self.tile {
            0 => vae.encode(&pixels, &mut Ticks(cx)),
            edge => vae.encode_tiled(&pixels, Tiling::of(edge as usize), &mut Ticks(cx)),
        };
        moments.map_err(fault)
    }

    /// Fills a blank latent with one of those that the autoencoder thinks possible; a sample is drawn from the start of the
    /// seed's stream.
    ///
    /// # Errors
    /// A fault of a tensor operation.
    pub fn picked(&self, moments: &Moments, blank: Latent) -> Result<Latent, Fault> {
        if self.pick == Pick::Mean {
            return Ok(Latent { x: Some(moments.mean().and_then(|mean| mean.to_tensor()).map_err(fault)?), ..blank });
        }
        let generator = device(self.generator);
        let mut source = NoiseSource::new(NoiseMode::Diffusers, generator, self.seed.0);
        let noise = source.draw(moments.raw_mean.shape().clone()).map_err(tensor_fault)?;
        let values = noise.elem_count() as u64;
        let x = FeatureMap::from_tensor(&noise).and_then(|noise| moments.sample(&noise)).map_err(fault)?;
        Ok(Latent {
            x: Some(x.to_tensor().map_err(fault)?),
            drawn: Some(Drawn { seed: self.seed.0, generator, values }),
            ..blank
        })
    }
}

/// Refuses pictures that no latent has the size of.
///
/// # Errors
/// A fault that names the nearest size.
fn check_size(width: u32, height: u32) -> Result<(), Fault> {
    if width.is_multiple_of(REDUCTION) && height.is_multiple_of(REDUCTION) {
        return Ok(());
    }
    let whole = |edge: u32| (edge - edge % REDUCTION).max(REDUCTION);
    let (down_w, down_h) = (whole(width), whole(height));
    Err(Fault::graph(format!("a picture of {width}×{height} has no whole latent"))
        .hint(format!("bring it to multiples of {REDUCTION}, as {down_w}×{down_h}, with `upscale`")))
}
