//! `vae_encode`: from pictures to latents.

use candle_core::Tensor;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::residency::Reservation;
use darkroom_core::types::{Cost, Kind, Type};
use darkroom_core::{Choice, Node};
use darkroom_models::nn::FeatureMap;
use darkroom_models::sampling::{NoiseMode, NoiseSource};
use darkroom_models::sdxl::Vae;
use darkroom_models::sdxl::vae::{Moments, Tiling};

use crate::decode::check_tile;
use crate::fault::{fault, tensor_fault};
use crate::models::Part;
use crate::sampling::names::GeneratorName;
use crate::sampling::ticks::Ticks;
use crate::sampling::settings::device;
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
    /// Which of the possible latents to take.
    #[param(default = Pick::Mean)]
    pick: Pick,
    /// What chance is, for `sample`. With the same seed `denoise` goes on drawing behind the sample.
    #[param(default = Seed(0))]
    seed: Seed,
    /// Which generator draws the sample.
    #[param(default = GeneratorName::Cpu)]
    generator: GeneratorName,
    /// Edge of a tile in latent pixels; 0 encodes in one piece.
    #[param(default = 0, range = 0..=1024)]
    tile: u32,
}

impl Node for VaeEncode {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        check_tile(self.tile)?;
        let _room = room(&self.image, self.tile, cx)?;
        let pixels = tensor_of_pictures(&self.image)?;
        let (count, _, height, width) = pixels.dims4().map_err(tensor_fault)?;
        check_size(width as u32, height as u32)?;
        let vae = cx.pin(&self.vae.0)?;
        let moments = encode(&vae, &pixels, self.tile, &mut Ticks(cx))?;
        let space = self.vae.model().family(Part::Vae);
        let blank = Latent::blank(space, width as u32, height as u32, count as u32);
        match self.pick {
            Pick::Mean => Ok(Latent { x: Some(moments.mean().map_err(fault)?.to_tensor()), ..blank }),
            Pick::Sample => {
                let (x, drawn) = sample(&moments, self.seed, self.generator)?;
                Ok(Latent { x: Some(x), drawn: Some(drawn), ..blank })
            }
        }
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        infer(known)
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
    let image = known.wire_or_unknown("image");
    let pixels = u64::from(image.width.unwrap_or(0)) * u64::from(image.height.unwrap_or(0));
    Cost {
        weights: known.wire_or_unknown("vae").weights.unwrap_or(0),
        workspace: pixels * ENCODE_BYTES_PER_PIXEL,
        output: pixels / 64 * 16,
        steps: 0,
    }
}

/// Scratch bytes for each pixel: the finest level holds three maps of 128 channels in single precision.
const ENCODE_BYTES_PER_PIXEL: u64 = 4 * 3 * 128;

/// Makes room for encoding pictures, in one piece or in tiles of so many latent pixels.
///
/// # Errors
/// A fault of memory.
pub fn room(pictures: &Pictures, tile: u32, cx: &mut Context<'_>) -> Result<Reservation, Fault> {
    let pixels = |picture: &Picture| u64::from(picture.width()) * u64::from(picture.height());
    let whole: u64 = pictures.iter().map(pixels).sum();
    let at_once = match u64::from(tile * REDUCTION).pow(2) {
        0 => whole,
        edges => edges.min(whole),
    };
    let reserved = cx.reserve(at_once * ENCODE_BYTES_PER_PIXEL);
    reserved
        .map_err(|fault| if tile == 0 { fault.hint("encode in tiles, as `tile: 64`, or raise --ram") } else { fault })
}

/// Encodes `(pictures, 3, height, width)` in `[-1, 1]`, in one piece or in tiles of so many latent pixels.
///
/// # Errors
/// A fault of the autoencoder, or that the run was stopped.
pub fn encode(vae: &Vae, pixels: &Tensor, tile: u32, ticks: &mut Ticks<'_, '_>) -> Result<Moments, Fault> {
    let pixels = FeatureMap::from_tensor(pixels).map_err(fault)?;
    let moments = match tile {
        0 => vae.encode(&pixels, ticks),
        edge => vae.encode_tiled(&pixels, Tiling::of(edge as usize), ticks),
    };
    moments.map_err(fault)
}

/// Draws one of the latents that an autoencoder thinks possible, from the start of a seed's stream.
///
/// # Errors
/// A fault of a tensor operation.
pub fn sample(moments: &Moments, seed: Seed, generator: GeneratorName) -> Result<(Tensor, Drawn), Fault> {
    let generator = device(generator);
    let mut source = NoiseSource::new(NoiseMode::Diffusers, generator, seed.0);
    let noise = source.draw(moments.raw_mean.shape().clone()).map_err(tensor_fault)?;
    let values = noise.elem_count() as u64;
    let x = FeatureMap::from_tensor(&noise).and_then(|noise| moments.sample(&noise)).map_err(fault)?;
    Ok((x.to_tensor(), Drawn { seed: seed.0, generator, values }))
}

/// Refuses pictures that no latent has the size of.
///
/// # Errors
/// A fault that names the nearest size.
pub fn check_size(width: u32, height: u32) -> Result<(), Fault> {
    if width.is_multiple_of(REDUCTION) && height.is_multiple_of(REDUCTION) {
        return Ok(());
    }
    let whole = |edge: u32| (edge - edge % REDUCTION).max(REDUCTION);
    let (down_w, down_h) = (whole(width), whole(height));
    Err(Fault::graph(format!("a picture of {width}×{height} has no whole latent"))
        .hint(format!("bring it to multiples of {REDUCTION}, as {down_w}×{down_h}, with `upscale`")))
}
