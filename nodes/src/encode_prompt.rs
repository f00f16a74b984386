//! `encode_prompt`: reads prompts.

use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Kind, Task, Type};
use darkroom_core::value::Datum;
use darkroom_core::{Choice, Node};
use darkroom_models::prompt::{self, Style, Words, chunks::chunks};
use darkroom_models::sdxl::conditioning::{Prompt, Request, Tower, encode_prompt};

use crate::fault::fault;
use crate::models::{Part, READ};
use crate::sampling::ticks::Ticks;
use crate::wires::{EncoderHandle, Framing, Prompted};

/// Whose brackets a prompt is written with.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Weighting {
    /// Nobody's: they are text, as in diffusers.
    None,
    /// A1111's: `(more)`, `[less]`, `(1.3 times:1.3)`, `BREAK`.
    #[choice(name = "a1111")]
    A1111,
    /// The same under A1111's setting "No norm".
    #[choice(name = "a1111_no_norm")]
    A1111NoNorm,
    /// ComfyUI's: `(more)`, `(1.3 times:1.3)`.
    Comfyui,
}

/// What becomes of a text that is longer than a text encoder reads.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Long {
    /// Its end is left out, with a warning.
    Cut,
    /// It is read in chunks of 75 tokens, a hundred at most.
    Chunks,
}

/// Turns a prompt into what a denoiser understands: what to show, and what to keep away from.
///
/// Each text encoder reads 75 tokens at a time; `long` says what becomes of the rest, `weighting` what brackets mean.
#[derive(Node)]
#[node(id = "encode_prompt", version = 2, category = "Prompt", lane = "compute")]
pub struct EncodePrompt {
    /// The text encoders of the model.
    #[input]
    encoder: EncoderHandle,
    /// What to show.
    #[param(default = "", multiline)]
    text: String,
    /// Another text for the second encoder; the same if left out.
    #[param(advanced)]
    text_2: Option<String>,
    /// What to keep away from. Left out, the model's own idea of nothing is used.
    #[param(multiline)]
    negative: Option<String>,
    /// Another text to keep away from, for the second encoder.
    #[param(advanced)]
    negative_2: Option<String>,
    /// Whose brackets the texts are written with.
    #[param(default = Weighting::None)]
    weighting: Weighting,
    /// What becomes of a long text.
    #[param(default = Long::Cut, advanced)]
    long: Long,
    /// Layers of the encoders to leave out: without `weighting` for the positive text alone, as diffusers does it, else
    /// for both. A1111's and ComfyUI's "clip skip 2" of SD 1.5 is 1 here.
    #[param(default = 0, range = 0..=8, advanced)]
    clip_skip: u32,
    /// Width of the picture before it was cut, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px", advanced)]
    original_width: Option<u32>,
    /// Height of the picture before it was cut, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px", advanced)]
    original_height: Option<u32>,
    /// Lines cut away above, as the model is told.
    #[param(default = 0, range = 0..=65536, unit = "px", advanced)]
    crop_top: u32,
    /// Pixels cut away on the left, as the model is told.
    #[param(default = 0, range = 0..=65536, unit = "px", advanced)]
    crop_left: u32,
    /// Width that was wanted, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px", advanced)]
    target_width: Option<u32>,
    /// Height that was wanted, as the model is told; the picture's own if left out.
    #[param(range = Some(1)..=Some(65536), unit = "px", advanced)]
    target_height: Option<u32>,
    /// How well the picture is to be liked, about 1 to 10. Refiners alone hear it.
    #[param(default = 6.0, range = 0.0..=10.0, advanced)]
    aesthetic: f64,
    /// How well what to keep away from was liked. Refiners alone hear it.
    #[param(default = 2.5, range = 0.0..=10.0, advanced)]
    negative_aesthetic: f64,
}

/// Two prompts are read one after the other, a long one in rows of which few are more than two.
const READING: Task = Task { what: READ, size: (0, 0), count: 2 };

impl Node for EncodePrompt {
    type Output = Prompted;

    fn run(self, cx: &mut Context<'_>) -> Result<Prompted, Fault> {
        let model = self.encoder.model().clone();
        let words = self.encoder.words()?;
        self.warn_if_cut(&words, cx)?;
        let framing = self.framing()?;
        let _room = cx.reserve(self.encoder.describe().scratch(READING))?;
        let encoders = self.encoder.0.pin(cx)?;
        let towers = model.tokenizers().zip(encoders.iter()).zip(&words);
        let towers: Vec<_> = towers.map(|((tokenizer, encoder), words)| Tower { tokenizer, encoder, words }).collect();
        let positive = [Prompt { text: &self.text, second: self.text_2.as_deref() }];
        let negative = self.negative.as_deref().map(|text| [Prompt { text, second: self.negative_2.as_deref() }]);
        let request = Request {
            positive: &positive,
            negative: negative.as_ref().map(|prompts| &prompts[..]),
            clip_skip: self.clip_skip as usize,
            force_zeros: model.forces_zeros(),
            style: self.style(),
            depth: model.depth(),
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
        let encoder = known.wire_or_unknown("encoder");
        // Two prompts of 77 tokens in at most 2048 channels.
        let output = 2 * 77 * 2048 * 4;
        let workspace = encoder.scratch(READING);
        let (weights, least_weights) = (encoder.weights.unwrap_or(0), encoder.least());
        Cost { weights, least_weights, workspace, output, steps: 0 }
    }
}

impl EncodePrompt {
    fn style(&self) -> Style {
        Style {
            weighting: match self.weighting {
                Weighting::None => prompt::Weighting::None,
                Weighting::A1111 => prompt::Weighting::A1111,
                Weighting::A1111NoNorm => prompt::Weighting::A1111NoNorm,
                Weighting::Comfyui => prompt::Weighting::Comfyui,
            },
            long: match self.long {
                Long::Cut => prompt::Long::Cut,
                Long::Chunks => prompt::Long::Chunks,
            },
        }
    }

    fn warn_if_cut(&self, words: &[Words], cx: &mut Context<'_>) -> Result<(), Fault> {
        let texts = [Some(&self.text), self.text_2.as_ref(), self.negative.as_ref(), self.negative_2.as_ref()];
        let second =
            [&self.text_2, &self.negative_2].iter().any(|text| text.as_ref().is_some_and(|text| !text.is_empty()));
        if second && self.encoder.model().tokenizers().count() < 2 {
            cx.warn("this model has one text encoder: `text_2` and `negative_2` are not read");
        }
        let Some((tokenizer, words)) = self.encoder.model().tokenizers().zip(words).next() else { return Ok(()) };
        for text in texts.into_iter().flatten() {
            let read = chunks(tokenizer, words, text, self.style()).map_err(fault)?;
            if read.left_out > 0 {
                let (all, fit) = (read.tokens, read.tokens - read.left_out);
                cx.warn(format!(
                    "the prompt has {all} tokens, and {fit} fit: the end of it is left out; `long: \"chunks\"` reads it all"
                ));
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
