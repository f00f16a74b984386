//! Conditionings: prompts that were read, and what a picture pretends to be cut from.

use std::sync::Arc;

use darkroom_core::types::{Kind, Type};
use darkroom_core::value::{Codec, Datum, Made, Record, Value};
use darkroom_models::nn::Tokens;
use darkroom_models::sdxl::Conditioning;
use darkroom_models::sdxl::conditioning::{Ending, Size, Sizes};

use crate::wires::{is_finite, to_array, to_tensor};

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
        let finite = [&self.positive, &self.negative]
            .iter()
            .all(|side| side.context.to_tensor().is_ok_and(|context| is_finite(&context)));
        (!finite).then(|| "the encoded prompt has numbers that are not finite".to_owned())
    }
}

const SIDES: [&str; 2] = ["positive", "negative"];

fn encode_prompted(value: &Value) -> Option<Record> {
    let prompted = value.downcast::<Prompted>()?;
    let mut record = Record::default();
    for (name, side) in SIDES.iter().zip([&prompted.positive, &prompted.negative]) {
        record.arrays.insert(format!("{name}.context"), to_array(&side.context.to_tensor().ok()?)?);
        if let Some(pooled) = &side.pooled {
            record.arrays.insert(format!("{name}.pooled"), to_array(&pooled.to_tensor().ok()?)?);
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
