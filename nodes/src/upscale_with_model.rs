//! `upscale_with_model`: larger pictures by a network that adds what belongs between the pixels.

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::image::{Picture, Pictures};
use darkroom_core::ladder::Rung;
use darkroom_core::node::{Known, Node};
use darkroom_core::types::{Cost, Kind, Task, Type};
use darkroom_core::value::Datum;
use darkroom_models::esrgan::{Tiling, Upscaler};
use darkroom_models::nn::FeatureMap;

use crate::fault::fault;
use crate::models::upscalers::{ENLARGE, UpscalerHandle, scale_of};
use crate::pictures::resample::{Filter, resize};
use crate::sampling::ticks::Ticks;
use crate::upscale::Wanted;
use crate::wires::{picture_of_tensor, tensor_of_pictures};

/// Makes pictures larger with a network. Opacity is resampled.
#[derive(Node)]
#[node(id = "upscale_with_model", version = 1, category = "Image", lane = "compute")]
pub struct UpscaleWithModel {
    /// The network.
    #[input]
    upscaler: UpscalerHandle,
    /// The pictures.
    #[input]
    image: Pictures,
    /// Edge of a tile in pixels of the picture that comes in; 0 works in one piece. Smaller tiles need less memory.
    #[param(default = 256, range = 0..=4096, unit = "px", advanced)]
    tile: u32,
    /// Pixels that neighbouring tiles share and fade over. A wider overlap hides seams better and takes longer.
    #[param(default = 32, range = 0..=1024, unit = "px", advanced)]
    overlap: u32,
    /// The width in the end, by resampling; one of width and height keeps the shape, neither keeps what the network made.
    #[param(range = Some(1)..=Some(16384), unit = "px")]
    width: Option<u32>,
    /// The height in the end.
    #[param(range = Some(1)..=Some(16384), unit = "px")]
    height: Option<u32>,
    /// How it is resampled.
    #[param(default = Filter::Lanczos, advanced)]
    filter: Filter,
}

impl Node for UpscaleWithModel {
    type Output = Pictures;

    fn run(self, cx: &mut Context<'_>) -> Result<Pictures, Fault> {
        let tiling = tiling(self.tile, self.overlap)?;
        let sizes = Sizes { scale: self.upscaler.scale(), width: self.width, height: self.height };
        for picture in &self.image {
            sizes.of(picture.width(), picture.height())?;
        }
        let described = self.upscaler.describe();
        let each = self.image.iter().map(|picture| {
            scratch_bytes(&described, (picture.width(), picture.height()), self.tile, self.upscaler.scale())
        });
        let _room = cx.reserve(each.max().unwrap_or(0))?;
        let upscaler = cx.pin(&self.upscaler.0)?;
        self.image.map(|picture| {
            let (width, height) = sizes.of(picture.width(), picture.height())?;
            let large = enlarge(&upscaler, picture, tiling, cx)?;
            match (large.width(), large.height()) == (width, height) {
                true => Ok(large),
                false => resize(&large, width, height, self.filter),
            }
        })
    }

    fn infer(known: &Known<'_>) -> Result<Vec<Type>, Fault> {
        let image = known.wire_or_unknown("image");
        let size = match (image.width, image.height) {
            (Some(width), Some(height)) => sizes(known)?.map(|sizes| sizes.of(width, height)).transpose()?,
            _ => None,
        };
        if let (Some(tile), Some(overlap)) = (known.param("tile")?, known.param("overlap")?) {
            tiling(tile, overlap)?;
        }
        Ok(vec![Type::of(Kind::IMAGE).count(image.count).size(size.map(|size| size.0), size.map(|size| size.1))])
    }

    fn ladder(known: &Known<'_>) -> Vec<Rung> {
        let now: u32 = known.param("tile").ok().flatten().unwrap_or(0);
        let overlap: u32 = known.param("overlap").ok().flatten().unwrap_or(0);
        let image = known.wire_or_unknown("image");
        let largest = image.width.max(image.height).unwrap_or(u32::MAX);
        let smaller = [256, 128, 64].into_iter();
        let smaller = smaller.filter(|edge| *edge < largest && *edge >= overlap + 16 && (now == 0 || *edge < now));
        smaller.map(|edge| Rung::new(format!("enlarged in tiles of {edge} px")).set("tile", i64::from(edge))).collect()
    }

    fn cost(known: &Known<'_>) -> Cost {
        let output = Self::infer(known).ok().and_then(|types| types.into_iter().next());
        let pixels = |ty: &Type| u64::from(ty.width.unwrap_or(0)) * u64::from(ty.height.unwrap_or(0));
        let count = |ty: &Type| u64::from(ty.count.unwrap_or(1));
        let (upscaler, image) = (known.wire_or_unknown("upscaler"), known.wire_or_unknown("image"));
        Cost {
            weights: upscaler.weights.unwrap_or(0),
            least_weights: upscaler.least(),
            workspace: match (image.width, image.height, known.param("tile").ok().flatten(), scale_of(&upscaler)) {
                (Some(width), Some(height), Some(tile), Some(scale)) => {
                    scratch_bytes(&upscaler, (width, height), tile, scale)
                }
                _ => 0,
            },
            output: output.map_or(0, |ty| pixels(&ty) * count(&ty) * 12),
            ..Cost::default()
        }
    }
}

/// Returns the scratch bytes of one picture, whole or in tiles, with what the network gives and the picture made of it.
fn scratch_bytes(upscaler: &Type, (width, height): (u32, u32), tile: u32, scale: u32) -> u64 {
    let edge = |length: u32| if tile == 0 { length } else { length.min(tile) };
    let result = u64::from(width) * u64::from(height) * u64::from(scale).pow(2) * 12;
    upscaler.scratch(Task { what: ENLARGE, size: (edge(width), edge(height)), count: 1 }) + 2 * result
}

/// Makes one picture as large as the network makes it.
fn enlarge(
    upscaler: &Upscaler,
    picture: &Picture,
    tiling: Option<Tiling>,
    cx: &mut Context<'_>,
) -> Result<Picture, Fault> {
    let x = tensor_of_pictures(&Pictures::new(vec![picture.clone()]))?;
    // Pictures of tensors are from -1 to 1, those of upscalers from 0 to 1.
    let x = FeatureMap::from_tensor(&x).and_then(|x| x.affine(0.5, 0.5)).map_err(fault)?;
    let large = match tiling {
        Some(tiling) => upscaler.upscale_tiled(&x, tiling, &mut Ticks(cx)),
        None => upscaler.upscale(&x, &mut Ticks(cx)),
    };
    let large = large.and_then(|large| large.affine(2.0, -1.0)).map_err(fault)?;
    let large = picture_of_tensor(&large.to_tensor().map_err(fault)?)?;
    match picture.channels() {
        4 => with_opacity(&large, picture),
        _ => Ok(large),
    }
}

/// Gives a picture the opacity of a smaller one.
fn with_opacity(colours: &Picture, small: &Picture) -> Result<Picture, Fault> {
    let (width, height) = (colours.width(), colours.height());
    let resized = resize(small, width, height, Filter::Lanczos)?;
    let opacity = resized.samples().iter().skip(3).step_by(4);
    let pixels = colours.samples().chunks_exact(3).zip(opacity);
    let samples: Vec<f32> = pixels.flat_map(|(rgb, opacity)| [rgb[0], rgb[1], rgb[2], *opacity]).collect();
    Picture::new(width, height, 4, samples).ok_or_else(|| Fault::bug("wrong number of samples"))
}

/// The factor of the network, and the size in the end.
struct Sizes {
    scale: u32,
    width: Option<u32>,
    height: Option<u32>,
}

impl Sizes {
    /// Returns the size in the end; what the network makes on the way must be possible too.
    fn of(&self, width: u32, height: u32) -> Result<(u32, u32), Fault> {
        let made = Wanted { factor: f64::from(self.scale), width: None, height: None };
        let (large_width, large_height) = made.size(width, height)?;
        if self.width.is_none() && self.height.is_none() {
            return Ok((large_width, large_height));
        }
        Wanted { factor: 1.0, width: self.width, height: self.height }.size(large_width, large_height)
    }
}

/// What is known of the sizes before a run.
fn sizes(known: &Known<'_>) -> Result<Option<Sizes>, Fault> {
    let (width, height) = (known.param::<Option<u32>>("width")?, known.param::<Option<u32>>("height")?);
    let scale = known.wire("upscaler").and_then(scale_of);
    Ok(match (scale, width, height) {
        (Some(scale), Some(width), Some(height)) => Some(Sizes { scale, width, height }),
        _ => None,
    })
}

/// Returns the tiles, if there are to be any.
fn tiling(tile: u32, overlap: u32) -> Result<Option<Tiling>, Fault> {
    match tile {
        0 => Ok(None),
        edge if edge < overlap + 16 => Err(Fault::graph(format!("tiles of {edge} pixels cannot overlap by {overlap}"))
            .hint(format!(
                "take tiles of {} pixels or more, or a smaller overlap; 256 and 32 are usual",
                overlap + 16
            ))),
        edge => Ok(Some(Tiling { edge: edge as usize, overlap: overlap as usize })),
    }
}
