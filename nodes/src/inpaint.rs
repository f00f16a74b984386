//! `inpaint`: a picture of which a part is to be drawn anew, as a latent.

use candle_core::{Device, Tensor};
use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::node::{Known, Node};
use darkroom_core::param::Seed;
use darkroom_core::types::{Cost, Type};
use darkroom_models::nn::FeatureMap;
use darkroom_models::sdxl::Vae;
use darkroom_models::sdxl::vae::Moments;

use crate::decode::check_tile;
use crate::fault::{fault, tensor_fault};
use crate::models::Part;
use crate::pictures::mask::{Mask, paired};
use crate::sampling::names::GeneratorName;
use crate::sampling::ticks::Ticks;
use crate::vae_encode::{self, Pick, check_size, encode, room, sample};
use crate::wires::repaint::Repaint;
use crate::wires::{Latent, REDUCTION, VaeHandle, tensor_of_pictures};

/// Makes a latent of which `denoise` draws only the masked part anew.
///
/// Every model can do it: a plain one puts the rest of the picture back after each step; an inpaint model sees mask and
/// rest while it draws. Strength 1 begins the part from nothing but noise, less keeps some of what was there.
#[derive(Node)]
#[node(id = "inpaint", version = 1, category = "Latent", lane = "compute")]
pub struct Inpaint {
    /// The autoencoder of the model that will draw.
    #[input]
    vae: VaeHandle,
    /// The pictures, all of one size; width and height must be multiples of 8.
    #[input]
    image: Pictures,
    /// What to draw anew: white, from middle grey up. A mask of another size is stretched over the picture.
    #[input]
    mask: Pictures,
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

impl Node for Inpaint {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        check_tile(self.tile)?;
        let _room = room(&self.image, self.tile, cx)?;
        let pixels = tensor_of_pictures(&self.image)?;
        let (count, _, height, width) = pixels.dims4().map_err(tensor_fault)?;
        let (width, height) = (width as u32, height as u32);
        check_size(width, height)?;
        let mask = self.mask(width, height, cx)?;
        let vae = cx.pin(&self.vae.0)?;
        let whole = self.encode(&vae, &pixels, cx)?;
        let grey = pixels.broadcast_mul(&mask.affine(-1.0, 1.0).map_err(tensor_fault)?).map_err(tensor_fault)?;
        let rest = self.encode(&vae, &grey, cx)?;
        let (picture, drawn) = match self.pick {
            Pick::Mean => (whole.mean().map_err(fault)?.to_tensor(), None),
            Pick::Sample => sample(&whole, self.seed, self.generator).map(|(x, drawn)| (x, Some(drawn)))?,
        };
        let spread = (self.pick == Pick::Sample).then(|| rest.spread()).transpose().map_err(fault)?;
        let mask = FeatureMap::from_tensor(&mask)
            .and_then(|mask| mask.resize_nearest((height / REDUCTION) as usize, (width / REDUCTION) as usize));
        let repaint = Repaint {
            picture: picture.clone(),
            mask: mask.map_err(fault)?.to_tensor(),
            masked: rest.mean().map_err(fault)?.to_tensor(),
            masked_spread: spread,
        };
        let blank = Latent::blank(self.vae.model().family(Part::Vae), width, height, count as u32);
        Ok(Latent { x: Some(picture), repaint: Some(repaint), drawn, ..blank })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        vae_encode::infer(known)
    }

    fn cost(known: &Known<'_>) -> Cost {
        vae_encode::cost(known)
    }
}

impl Inpaint {
    /// Black and white in the size of the pictures, `(pictures, 1, height, width)`.
    fn mask(&self, width: u32, height: u32, cx: &mut Context<'_>) -> Result<Tensor, Fault> {
        if let Some(odd) = self.mask.iter().find(|mask| (mask.width(), mask.height()) != (width, height)) {
            let (mask_w, mask_h) = (odd.width(), odd.height());
            cx.warn(format!("the mask is {mask_w}×{mask_h} and is stretched over the picture of {width}×{height}"));
        }
        let each = |(_, mask)| {
            let values = Mask::stretched(mask, width, height)?.binarised().values;
            Tensor::from_vec(values, (1, 1, height as usize, width as usize), &Device::Cpu).map_err(tensor_fault)
        };
        let all = paired(&self.image, &self.mask)?.map(each).collect::<Result<Vec<_>, Fault>>()?;
        Tensor::cat(&all, 0).map_err(tensor_fault)
    }

    fn encode(&self, vae: &Vae, pixels: &Tensor, cx: &mut Context<'_>) -> Result<Moments, Fault> {
        encode(vae, pixels, self.tile, &mut Ticks(cx))
    }
}
