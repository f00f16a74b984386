//! `inpaint`: a picture of which a part is to be drawn anew, as a latent.

use candle_core::{Device, Tensor};
use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::Pictures;
use darkroom_core::ladder::Rung;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Type};
use darkroom_models::nn::FeatureMap;

use crate::decode::tile_ladder;
use crate::fault::{fault, tensor_fault};
use crate::pictures::mask::{Mask, paired};
use crate::vae_encode::{self, Encoding, Pick, blank};
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
    #[params]
    encoding: Encoding,
}

impl Node for Inpaint {
    type Output = Latent;

    fn run(self, cx: &mut Context<'_>) -> Result<Latent, Fault> {
        let _room = self.encoding.room(&self.vae, &self.image, cx)?;
        let pixels = tensor_of_pictures(&self.image)?;
        let blank = blank(&self.vae, &pixels)?;
        let (width, height) = (blank.width, blank.height);
        let mask = self.mask(width, height, cx)?;
        let vae = cx.pin(&self.vae.0)?;
        let whole = self.encoding.moments(&vae, &pixels, cx)?;
        let grey = pixels.broadcast_mul(&mask.affine(-1.0, 1.0).map_err(tensor_fault)?).map_err(tensor_fault)?;
        let rest = self.encoding.moments(&vae, &grey, cx)?;
        let encoded = self.encoding.picked(&whole, blank)?;
        let spread = (self.encoding.pick == Pick::Sample).then(|| rest.spread()).transpose().map_err(fault)?;
        let mask = FeatureMap::from_tensor(&mask)
            .and_then(|mask| mask.resize_nearest((height / REDUCTION) as usize, (width / REDUCTION) as usize));
        let masked = rest.mean().and_then(|mean| mean.to_tensor()).map_err(fault)?;
        let mask = mask.and_then(|mask| mask.to_tensor()).map_err(fault)?;
        let repaint = encoded.x.clone().map(|picture| Repaint { picture, mask, masked, masked_spread: spread });
        Ok(Latent { repaint, ..encoded })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        vae_encode::infer(known)
    }

    fn ladder(known: &Known<'_>) -> Vec<Rung> {
        tile_ladder(known, "image", "encoded")
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
}
