//! `encode_prompt`: reads prompts.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Kind, Type};
use darkroom_models::sdxl::conditioning::{Prompt, Request, Tower, encode_prompt};

use crate::fault::fault;
use crate::models::Part;
use crate::steps::Ticks;
use crate::wires::{EncoderHandle, Framing, Prompted};

/// Turns a prompt into what a denoiser understands: what to show, and what to keep away from.
///
/// Each text encoder reads up to 77 tokens; what does not fit is left out, with a warning.
#[derive(Node)]
#[node(id = "encode_prompt", version = 1, category = "Prompt", lane = "compute")]
pub struct EncodePrompt {
    /// The text encoders of the model.
    #[input]
    encoder: EncoderHandle,
    /// What to show.
    #[param(default = "", multiline)]
    text: String,
    /// Another text for the second encoder; the same if left out.
    #[param]
    text_2: Option<String>,
    /// What to keep away from. Left out, the model's own idea of nothing is used.
    #[param(multiline)]
    negative: Option<String>,
    /// Another text to keep away from, for the second encoder.
    #[param]
    negative_2: Option<String>,
    /// Layers of the encoders to leave out, for the positive text.
    #[param(default = 0, range = 0..=8)]
    clip_skip: u32,
    /// Width of the picture before it was cut, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px")]
    original_width: Option<u32>,
    /// Height of the picture before it was cut, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px")]
    original_height: Option<u32>,
    /// Lines cut away above, as the model is told.
    #[param(default = 0, range = 0..=65536, unit = "px")]
    crop_top: u32,
    /// Pixels cut away on the left, as the model is told.
    #[param(default = 0, range = 0..=65536, unit = "px")]
    crop_left: u32,
    /// Width that was wanted, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px")]
    target_width: Option<u32>,
    /// Height that was wanted, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px")]
    target_height: Option<u32>,
    /// How well the picture is to be liked, about 1 to 10. Refiners alone hear it.
    #[param(default = 6.0, range = 0.0..=10.0)]
    aesthetic: f64,
    /// How well what to keep away from was liked. Refiners alone hear it.
    #[param(default = 2.5, range = 0.0..=10.0)]
    negative_aesthetic: f64,
}

impl Node for EncodePrompt {
    type Output = Prompted;

    fn run(self, cx: &mut Context<'_>) -> Result<Prompted, Fault> {
        let model = self.encoder.model().clone();
        self.warn_if_cut(cx)?;
        let framing = self.framing()?;
        let encoders = self.encoder.0.pin(cx)?;
        let towers: Vec<_> =
            model.tokenizers().zip(encoders.iter()).map(|(tokenizer, encoder)| Tower { tokenizer, encoder }).collect();
        let positive = [Prompt { text: &self.text, second: self.text_2.as_deref() }];
        let negative = self.negative.as_deref().map(|text| [Prompt { text, second: self.negative_2.as_deref() }]);
        let request = Request {
            positive: &positive,
            negative: negative.as_ref().map(|prompts| &prompts[..]),
            clip_skip: self.clip_skip as usize,
            force_zeros: model.configs().index.force_zeros_for_empty_prompt,
        };
        let (positive, negative) = encode_prompt(&towers, request, &mut Ticks(cx)).map_err(fault)?;
        Ok(Prompted { family: model.family(Part::Encoder).into(), positive, negative, framing })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let ty = Type::of(Kind("conditioning"));
        Ok(vec![match known.wire_or_unknown("encoder").family {
            Some(family) => ty.family(family),
            None => ty,
        }])
    }

    fn cost(known: &Known<'_>) -> Cost {
        let weights = known.wire_or_unknown("encoder").weights.unwrap_or(0);
        // Two prompts of 77 tokens in at most 2048 channels.
        Cost { weights, output: 2 * 77 * 2048 * 4, ..Cost::default() }
    }
}

impl EncodePrompt {
    fn warn_if_cut(&self, cx: &mut Context<'_>) -> Result<(), Fault> {
        let texts = [Some(&self.text), self.text_2.as_ref(), self.negative.as_ref(), self.negative_2.as_ref()];
        let Some(tokenizer) = self.encoder.model().tokenizers().next() else { return Ok(()) };
        let second =
            [&self.text_2, &self.negative_2].iter().any(|text| text.as_ref().is_some_and(|text| !text.is_empty()));
        if second && self.encoder.model().tokenizers().count() < 2 {
            cx.warn("this model has one text encoder: `text_2` and `negative_2` are not read");
        }
        for text in texts.into_iter().flatten() {
            let tokens = tokenizer.encode(text).map_err(fault)?;
            if tokens.truncated {
                let (fit, all) = (tokens.ids.len() - 2, tokens.untruncated.len() - 2);
                cx.warn(format!("the prompt has {all} tokens, and {fit} fit: the end of it is left out"));
            }
        }
        Ok(())
    }

    fn framing(&self) -> Result<Framing, Fault> {
        let pair =
            |name, width: Option<u32>, height: Option<u32>| match (width, height) {
                (Some(width), Some(height)) => Ok(Some((width, height))),
                (None, None) => Ok(None),
                _ => Err(Fault::graph(format!("`{name}_width` and `{name}_height` belong together"))
                    .hint("give both, or none")),
            };
        Ok(Framing {
            original: pair("original", self.original_width, self.original_height)?,
            crop: (self.crop_top, self.crop_left),
            target: pair("target", self.target_width, self.target_height)?,
            aesthetic: self.encoder.model().is_refiner().then_some((self.aesthetic, self.negative_aesthetic)),
        })
    }
}
