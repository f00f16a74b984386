//! What travels between nodes: conditionings and handles of models here, latents in [`latent`](crate::latent).

use std::sync::Arc;

use candle_core::{Device, Tensor};
use darkroom_core::fault::Fault;
use darkroom_core::fingerprint::Fingerprint;
use darkroom_core::residency::{Handle, PartId, Resident};
use darkroom_core::types::{Kind, Type};
use darkroom_core::value::{Array, Codec, Datum, Made, Record, Value};
use darkroom_core::{Choice, Outputs};
use darkroom_models::nn::Tokens;
use darkroom_models::prompt::{Inversion, Words};
use darkroom_models::sdxl::Conditioning;
use darkroom_models::sdxl::conditioning::{Ending, Size, Sizes};

use crate::adapters::{Adapter, Worn};
use crate::fault::{fault, tensor_fault};
pub use crate::latent::Latent;
use crate::models::{Autoencoder, Denoiser, Encoder, Model, Part, PartOf};

/// Pixels along an edge for each pixel of a latent.
pub const REDUCTION: u32 = 8;

/// Whose latents these are: which autoencoder reads them, which denoiser understands them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Choice)]
pub enum Space {
    /// Stable Diffusion XL and its kin; the built-in model too.
    Sdxl,
    /// Stable Diffusion 1.5 and its kin.
    Sd15,
}

/// Returns the word for the latents that a family of denoisers draws on: a refiner goes on with those of the base.
pub fn space_of(family: &str) -> &str {
    family.strip_suffix("-refiner").unwrap_or(family)
}

/// Tells whether all numbers of a tensor are finite.
pub fn is_finite(x: &Tensor) -> bool {
    // One number that is not finite makes the sum so.
    x.to_dtype(candle_core::DType::F64)
        .and_then(|x| x.sum_all())
        .and_then(|sum| sum.to_scalar::<f64>())
        .is_ok_and(f64::is_finite)
}

/// Writes a tensor as an array.
pub fn to_array(x: &Tensor) -> Option<Array> {
    Some(Array::f32(x.dims().to_vec(), &x.flatten_all().ok()?.to_vec1::<f32>().ok()?))
}

/// Reads a tensor back.
pub fn to_tensor(array: &Array) -> Option<Tensor> {
    Tensor::from_vec(array.to_f32()?, array.shape.clone(), &Device::Cpu).ok()
}

/// What a denoiser is told: what to show, and what to keep away from.
#[derive(Debug, Clone)]
pub struct Prompted {
    /// The family of the encoder.
    pub family: Arc<str>,
    /// What to show.
    pub positive: Conditioning,
    /// What to keep away from.
    pub negative: Conditioning,
    /// What the picture pretends to be cut from.
    pub framing: Framing,
}

/// What a picture pretends to be cut from; what is left out is the size of the picture itself.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Framing {
    /// Width and height in pixels before it was cut.
    pub original: Option<(u32, u32)>,
    /// Pixels cut away at the top and at the left.
    pub crop: (u32, u32),
    /// Width and height in pixels that were wanted.
    pub target: Option<(u32, u32)>,
    /// How well the picture was liked, to show and to keep away from; a refiner hears it in place of the size wanted.
    pub aesthetic: Option<(f64, f64)>,
}

/// A side of a prompt.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// What to show.
    Positive,
    /// What to keep away from.
    Negative,
}

impl Framing {
    /// Returns the sizes that one side of a prompt tells of a picture of `width` by `height` pixels.
    pub fn sizes(self, width: u32, height: u32, side: Side) -> Sizes {
        let size = |wanted: Option<(u32, u32)>| {
            let (width, height) = wanted.unwrap_or((width, height));
            Size { height, width }
        };
        Sizes {
            original: size(self.original),
            crop_top: self.crop.0,
            crop_left: self.crop.1,
            ending: match (self.aesthetic, side) {
                (None, _) => Ending::Target(size(self.target)),
                (Some((liked, _)), Side::Positive) => Ending::Aesthetic(liked),
                (Some((_, disliked)), Side::Negative) => Ending::Aesthetic(disliked),
            },
        }
    }
}

impl Datum for Prompted {
    const KIND: Kind = Kind("conditioning");

    fn bytes(&self) -> u64 {
        let of = |conditioning: &Conditioning| {
            let (batch, tokens, width) = conditioning.context.dims();
            4 * (batch * tokens * width) as u64
        };
        of(&self.positive) + of(&self.negative)
    }

    fn codec() -> Option<Codec> {
        Some(Codec::new(encode_prompted, decode_prompted))
    }

    fn describe(&self) -> Type {
        Type::of(Self::KIND).family(Arc::clone(&self.family))
    }

    fn flaw(&self) -> Option<String> {
        let finite = [&self.positive, &self.negative].iter().all(|side| is_finite(&side.context.to_tensor()));
        (!finite).then(|| "the encoded prompt has numbers that are not finite".to_owned())
    }
}

const SIDES: [&str; 2] = ["positive", "negative"];

fn encode_prompted(value: &Value) -> Option<Record> {
    let prompted = value.downcast::<Prompted>()?;
    let mut record = Record::default();
    for (name, side) in SIDES.iter().zip([&prompted.positive, &prompted.negative]) {
        record.arrays.insert(format!("{name}.context"), to_array(&side.context.to_tensor())?);
        if let Some(pooled) = &side.pooled {
            record.arrays.insert(format!("{name}.pooled"), to_array(&pooled.to_tensor())?);
        }
    }
    record.words.insert("family".to_owned(), prompted.family.to_string());
    let Framing { original, crop, target, aesthetic } = prompted.framing;
    let pair = |(a, b): (u32, u32)| format!("{a} {b}");
    let scores = aesthetic.map(|(a, b)| format!("{a} {b}"));
    let pairs = [("original", original.map(pair)), ("crop", Some(pair(crop))), ("target", target.map(pair))];
    let pairs = pairs.into_iter().chain([("aesthetic", scores)]);
    record.words.extend(pairs.filter_map(|(name, words)| Some((name.to_owned(), words?))));
    Some(record)
}

fn decode_prompted(record: &Record) -> Option<Made> {
    let tokens = |name: String| Tokens::from_tensor(&to_tensor(record.arrays.get(&name)?)?).ok();
    let side = |name: &str| {
        Some(Conditioning {
            context: tokens(format!("{name}.context"))?,
            pooled: tokens(format!("{name}.pooled")),
            time_ids: Vec::new(),
        })
    };
    let pair = |name: &str| {
        let (a, b) = record.words.get(name)?.split_once(' ')?;
        Some((a.parse().ok()?, b.parse().ok()?))
    };
    let scores = || {
        let (a, b) = record.words.get("aesthetic")?.split_once(' ')?;
        Some((a.parse().ok()?, b.parse().ok()?))
    };
    Some(Made::new(Prompted {
        family: record.words.get("family")?.as_str().into(),
        positive: side(SIDES[0])?,
        negative: side(SIDES[1])?,
        framing: Framing {
            original: pair("original"),
            crop: pair("crop")?,
            target: pair("target"),
            aesthetic: scores(),
        },
    }))
}

macro_rules! handle {
    ($(#[$doc:meta])* $name:ident, $kind:literal, $holder:ident, $resident:ident, $part:expr) => {
        $(#[$doc])*
        #[derive(Clone)]
        pub struct $name(pub $holder<$resident>);

        impl $name {
            /// Makes the handle of a model's part; `digest` names the model's content.
            pub fn new(model: Arc<Model>, digest: Fingerprint) -> Self {
                Self($holder::new($resident(PartOf { model, digest, words: Vec::new() })))
            }

            /// Describes the part of a model before it is opened.
            pub fn type_of(model: &Model) -> Type {
                Type::of(Self::KIND).family(model.family($part)).weights(model.bytes($part))
            }

            /// Returns the model.
            pub fn model(&self) -> &Arc<Model> {
                &self.0.0.model
            }
        }

        impl Datum for $name {
            const KIND: Kind = Kind($kind);

            fn bytes(&self) -> u64 {
                0
            }

            fn describe(&self) -> Type {
                let ty = Self::type_of(self.model());
                Type { weights: ty.weights.map(|bytes| bytes + self.added_bytes()), ..ty }
            }

            fn part(&self) -> Option<PartId> {
                Some(self.0.part())
            }
        }
    };
}

macro_rules! wears {
    ($name:ident) => {
        impl $name {
            /// Returns a handle with one more LoRA; this one stays as it is.
            #[must_use]
            pub fn with(&self, adapter: Adapter) -> Self {
                Self(self.0.with(adapter))
            }

            fn added_bytes(&self) -> u64 {
                self.0.added_bytes()
            }
        }
    };
}

handle! {
    /// A promise of a denoiser.
    DenoiserHandle, "denoiser", Worn, Denoiser, Part::Denoiser
}

wears! { DenoiserHandle }

impl DenoiserHandle {
    /// Returns the text encoders of the same model, without any LoRA.
    pub fn sibling(&self) -> EncoderHandle {
        EncoderHandle::new(Arc::clone(self.model()), self.0.0.digest)
    }
}

handle! {
    /// A promise of text encoders.
    EncoderHandle, "encoder", Worn, Encoder, Part::Encoder
}

wears! { EncoderHandle }

handle! {
    /// A promise of an autoencoder.
    VaeHandle, "vae", Handle, Autoencoder, Part::Vae
}

impl VaeHandle {
    fn added_bytes(&self) -> u64 {
        0
    }
}

impl EncoderHandle {
    /// Returns the same encoders that know one more word.
    #[must_use]
    pub fn with_word(&self, word: Inversion) -> Self {
        let PartOf { model, digest, words } = &self.0.0;
        let words = words.iter().cloned().chain([Arc::new(word)]).collect();
        Self(self.0.over(Encoder(PartOf { model: model.clone(), digest: *digest, words })))
    }

    /// Returns the trained words that each text encoder knows.
    ///
    /// # Errors
    /// A bug: words are checked when they are read.
    pub fn words(&self) -> Result<Vec<Words>, Fault> {
        let of = |(tower, (_, vocab_size)): (usize, (usize, usize))| {
            Words::new(self.0.0.words.iter().map(Arc::as_ref), tower, vocab_size).map_err(fault)
        };
        self.model().encoder_sizes().into_iter().enumerate().map(of).collect()
    }
}

/// The parts of a model.
#[derive(Outputs)]
pub struct Parts {
    /// What takes noise out of latents.
    pub denoiser: DenoiserHandle,
    /// What reads prompts.
    pub encoder: EncoderHandle,
    /// What turns latents into pictures and back.
    pub vae: VaeHandle,
}

/// A batch of pictures in `[-1, 1]`, as networks see them: `(count, 3, height, width)`.
///
/// # Errors
/// A fault if the pictures differ in size.
pub fn tensor_of_pictures(pictures: &darkroom_core::image::Pictures) -> Result<Tensor, Fault> {
    let each = |picture: &darkroom_core::image::Picture| {
        let (width, height) = (picture.width() as usize, picture.height() as usize);
        let channels = picture.channels() as usize;
        let plane =
            |channel: usize| picture.samples().iter().skip(channel).step_by(channels).map(|sample| 2.0 * sample - 1.0);
        let values: Vec<f32> = (0..3).flat_map(plane).collect();
        Tensor::from_vec(values, (1, 3, height, width), &Device::Cpu)
    };
    let all = pictures.iter().map(each).collect::<candle_core::Result<Vec<_>>>().map_err(tensor_fault)?;
    Tensor::cat(&all, 0).map_err(|_| {
        Fault::graph("the pictures of this batch have several sizes").hint("bring them to one size with `upscale`")
    })
}

/// Turns `(1, 3, height, width)` in `[-1, 1]` into a picture.
///
/// # Errors
/// A bug if the shape is another.
pub fn picture_of_tensor(x: &Tensor) -> Result<darkroom_core::image::Picture, Fault> {
    let picture = || {
        let (_, channels, height, width) = x.dims4().ok()?;
        let planes = x.flatten_all().ok()?.to_vec1::<f32>().ok()?;
        let pixels = height * width;
        let sample = |i: usize| (planes[i % channels * pixels + i / channels] / 2.0 + 0.5).clamp(0.0, 1.0);
        // `clamp` lets what is no number through, so that it is found at the node's border.
        let samples: Vec<f32> = (0..pixels * channels).map(sample).collect();
        darkroom_core::image::Picture::new(width.try_into().ok()?, height.try_into().ok()?, 3, samples)
    };
    picture().ok_or_else(|| Fault::bug(format!("{:?} is not the shape of a picture", x.dims())))
}
