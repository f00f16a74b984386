//! What the denoiser is told: the text of all towers side by side, the pooled text, and sizes.
//!
//! Order and rules: diffusers `pipelines/stable_diffusion_xl/pipeline_stable_diffusion_xl.py`, `encode_prompt` and
//! `_get_add_time_ids`.

use super::{
    text::{Depth, TextEncoder},
    unet::Added,
};
use crate::{
    Error, Progress, Result,
    nn::Tokens,
    prompt::{self, Style, Words, encode::Part, encode::Reading},
    tokenizer::Clip,
};

/// Some prompts, as the denoiser reads them.
#[derive(Clone, Debug)]
pub struct Conditioning {
    /// (prompts, tokens, width of all towers).
    pub context: Tokens,
    /// (prompts, 1, width), where the last tower projects one.
    pub pooled: Option<Tokens>,
    /// One row for all prompts, or one for each; empty where the denoiser wants none.
    pub time_ids: Vec<Vec<f64>>,
}

/// A text encoder with the tokenizer that it was trained with.
#[derive(Clone, Copy)]
pub struct Tower<'a> {
    /// From text to words.
    pub tokenizer: &'a Clip,
    /// From words to vectors.
    pub encoder: &'a TextEncoder,
    /// Words that stand for trained vectors.
    pub words: &'a Words,
}

/// A prompt.
#[derive(Clone, Copy, Debug, Default)]
pub struct Prompt<'a> {
    /// The text.
    pub text: &'a str,
    /// Another one for the second tower; nothing or an empty one means the same.
    pub second: Option<&'a str>,
}

/// What the reference's `encode_prompt` is asked.
#[derive(Clone, Copy, Debug, Default)]
pub struct Request<'a> {
    /// What to show.
    pub positive: &'a [Prompt<'a>],
    /// What to keep away from; nothing is not the same as an empty text.
    pub negative: Option<&'a [Prompt<'a>]>,
    /// Layers to leave out: for the positive prompts in diffusers, for all of them in the dialects of others.
    pub clip_skip: usize,
    /// Whether no negative means zeros, as `model_index.json` says, instead of an encoded empty text.
    pub force_zeros: bool,
    /// How texts are read.
    pub style: Style,
    /// Which layer pictures are made from.
    pub depth: Depth,
}

/// A size in pixels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size {
    /// Lines.
    pub height: u32,
    /// Pixels in a line.
    pub width: u32,
}

/// What SDXL is told of the picture it pretends to have been trained with.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sizes {
    /// Of the picture before it was cut.
    pub original: Size,
    /// Lines cut away above.
    pub crop_top: u32,
    /// Pixels cut away on the left.
    pub crop_left: u32,
    /// What the base and what the refiner hear last.
    pub ending: Ending,
}

/// The last of the numbers that a denoiser hears.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Ending {
    /// Base: the size of the result.
    Target(Size),
    /// Refiner: how well a picture was liked, about 1 to 10; usual are 6 for the positive and 2.5 for the negative.
    Aesthetic(f64),
}

impl Sizes {
    /// A picture of this size, not cut.
    pub fn of(size: Size) -> Self {
        Self { original: size, crop_top: 0, crop_left: 0, ending: Ending::Target(size) }
    }

    /// Returns the numbers in the order of training: height before width.
    pub fn time_ids(&self) -> Vec<f64> {
        let Size { height, width } = self.original;
        let mut ids: Vec<f64> = [height, width, self.crop_top, self.crop_left].map(f64::from).into();
        match self.ending {
            Ending::Target(size) => ids.extend([size.height, size.width].map(f64::from)),
            Ending::Aesthetic(score) => ids.push(score),
        }
        ids
    }
}

impl Conditioning {
    /// Sets what the towers made of the same prompts side by side; the last tower's pooled text is taken.
    pub fn join(mut towers: Vec<Part>) -> Result<Self> {
        let contexts: Vec<_> = towers.iter().map(|part| part.context.clone()).collect();
        let Some(last) = towers.pop() else {
            return Err(Error::Shape("a prompt wants a text encoder".into()));
        };
        Ok(Self {
            context: Tokens::concat_channels(&contexts.iter().collect::<Vec<_>>())?,
            pooled: last.pooled,
            time_ids: Vec::new(),
        })
    }

    /// Sets several prompts one behind the other; all must be of one length.
    fn stack(prompts: &[Self]) -> Result<Self> {
        let contexts: Vec<_> = prompts.iter().map(|prompt| &prompt.context).collect();
        let pooled: Option<Vec<_>> = prompts.iter().map(|prompt| prompt.pooled.as_ref()).collect();
        Ok(Self {
            context: Tokens::concat_batch(&contexts)?,
            pooled: pooled.map(|pooled| Tokens::concat_batch(&pooled)).transpose()?,
            time_ids: Vec::new(),
        })
    }

    /// Returns the same for these sizes.
    pub fn with_sizes(self, sizes: &Sizes) -> Self {
        Self { time_ids: vec![sizes.time_ids()], ..self }
    }

    /// Returns zeros of the same size, which is what SDXL base takes for no negative prompt; the sizes stay.
    pub fn zeros_like(&self) -> Result<Self> {
        let pooled = self.pooled.as_ref().map(Tokens::zeros_like);
        Ok(Self { context: self.context.zeros_like()?, pooled: pooled.transpose()?, time_ids: self.time_ids.clone() })
    }

    /// Returns pooled text and sizes as the UNet wants them, where there are any.
    pub fn added(&self) -> Option<Added> {
        let pooled = self.pooled.clone()?;
        (!self.time_ids.is_empty()).then(|| Added { pooled, time_ids: self.time_ids.clone() })
    }
}

/// Encodes prompts, one after another; ticks once per prompt, row and layer.
pub fn encode(
    towers: &[Tower<'_>],
    prompts: &[Prompt<'_>],
    reading: Reading,
    progress: &mut dyn Progress,
) -> Result<Conditioning> {
    let mut encoded = Vec::with_capacity(prompts.len());
    for (i, prompt) in prompts.iter().enumerate() {
        let mut tick = |done: usize, of: usize| progress.tick(i * of + done, prompts.len() * of);
        encoded.push(prompt::encode(towers, *prompt, reading, &mut tick)?);
    }
    Conditioning::stack(&encoded)
}

/// Encodes positive and negative prompts by the rules of whoever's dialect they are in: diffusers' without any.
///
/// Two rules differ. diffusers leaves layers out for the positive prompts alone, A1111 and ComfyUI for both. Where the
/// model takes zeros for nothing, diffusers does so for a negative that is missing, and A1111 (`modules/sd_models_xl.py`)
/// for an empty one too.
pub fn encode_prompt(
    towers: &[Tower<'_>],
    request: Request<'_>,
    progress: &mut dyn Progress,
) -> Result<(Conditioning, Conditioning)> {
    let Request { style, depth, clip_skip, .. } = request;
    let positive = encode(towers, request.positive, Reading { style, depth, clip_skip }, progress)?;
    let clip_skip = if style.weighting == prompt::Weighting::None { 0 } else { clip_skip };
    let reading = Reading { style, depth, clip_skip };
    let is_empty = |prompt: &Prompt<'_>| prompt.text.is_empty() && prompt.second.unwrap_or_default().is_empty();
    let nothing = |prompts: &&[Prompt<'_>]| style.weighting.is_a1111() && prompts.iter().all(is_empty);
    let negative = match request.negative.filter(|prompts| !(request.force_zeros && nothing(prompts))) {
        Some(negative) => encode(towers, negative, reading, progress)?,
        None if request.force_zeros => positive.zeros_like()?,
        None => encode(towers, &vec![Prompt::default(); request.positive.len()], reading, progress)?,
    };
    Ok((positive, negative))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn height_comes_before_width_and_the_refiner_ends_with_a_score() {
        let size = Size { height: 768, width: 1024 };
        let mut sizes = Sizes { crop_top: 8, crop_left: 16, ..Sizes::of(size) };
        assert_eq!(sizes.time_ids(), [768.0, 1024.0, 8.0, 16.0, 768.0, 1024.0]);
        sizes.ending = Ending::Aesthetic(2.5);
        assert_eq!(sizes.time_ids(), [768.0, 1024.0, 8.0, 16.0, 2.5]);
    }
}
