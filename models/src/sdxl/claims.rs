//! How these families recognise their weights: by names and shapes of a few tensors of the denoising network.

use crate::{checkpoint::Header, folder::Family};

/// Tells whether a header holds this family's denoising network, or why it does not.
pub type Claim = fn(&Header<'_>) -> Result<(), String>;

/// The families of this folder.
pub const ALL: [(Family, Claim); 5] = [
    (Family::Sdxl, |header| Shape { inputs: 4, ..SDXL }.check(header)),
    (Family::SdxlInpaint, |header| Shape { inputs: 9, ..SDXL }.check(header)),
    (Family::SdxlRefiner, |header| REFINER.check(header)),
    (Family::Sd15, |header| Shape { inputs: 4, ..SD15 }.check(header)),
    (Family::Sd15Inpaint, |header| Shape { inputs: 9, ..SD15 }.check(header)),
];

/// What tells the networks apart.
struct Shape {
    /// Channels of the latent, and of a mask and a masked picture where they come along.
    inputs: usize,
    /// Channels of the finest level.
    width: usize,
    /// Channels of the text.
    context: usize,
    /// Channels of pooled text and sizes together.
    added: Option<usize>,
    /// Blocks in a row at the third level, which smaller makes of the same network have fewer of.
    depth: usize,
}

const SDXL: Shape = Shape { inputs: 4, width: 320, context: 2048, added: Some(2816), depth: 10 };
const REFINER: Shape = Shape { inputs: 4, width: 384, context: 1280, added: Some(2560), depth: 4 };
const SD15: Shape = Shape { inputs: 4, width: 320, context: 768, added: None, depth: 1 };

/// A tensor in the names of latent diffusion and in those of diffusers.
struct Name(&'static str, &'static str);

const CONV_IN: Name = Name("input_blocks.0.0.weight", "conv_in.weight");
const ADDED: Name = Name("label_emb.0.0.weight", "add_embedding.linear_1.weight");
const CONTEXT: Name = Name(
    "input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight",
    "down_blocks.1.attentions.0.transformer_blocks.0.attn2.to_k.weight",
);

impl Shape {
    fn check(&self, header: &Header<'_>) -> Result<(), String> {
        let shape = |Name(ldm, diffusers): &Name| header.unet(ldm, diffusers);
        let axis = |name: &Name, axis: usize| shape(name).and_then(|shape| shape.get(axis).copied());
        same("reads", axis(&CONV_IN, 1), Some(self.inputs), "channels")?;
        same("begins with", axis(&CONV_IN, 0), Some(self.width), "channels")?;
        same("reads a text of", axis(&CONTEXT, 1), Some(self.context), "channels")?;
        same("reads pooled text and sizes of", axis(&ADDED, 1), self.added, "channels")?;
        same("attends at the third level in", Some(depth(header)), Some(self.depth), "blocks")
    }
}

/// Counts the blocks of the first transformer of the third level.
fn depth(header: &Header<'_>) -> usize {
    let there = |i: &usize| {
        let (ldm, diffusers) = ("input_blocks.7.1", "down_blocks.2.attentions.0");
        let name = |at: &str| format!("{at}.transformer_blocks.{i}.norm1.weight");
        header.unet(&name(ldm), &name(diffusers)).is_some()
    };
    (0..256).take_while(there).count()
}

fn same(what: &str, found: Option<usize>, wanted: Option<usize>, unit: &str) -> Result<(), String> {
    let words = |number: Option<usize>| number.map_or("no".to_owned(), |number| number.to_string());
    match found == wanted {
        true => Ok(()),
        false => Err(format!("its unet {what} {} {unit}, this one {}", words(wanted), words(found))),
    }
}
