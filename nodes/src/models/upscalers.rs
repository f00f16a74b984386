//! Upscalers as nodes see them: the built-in one, or a file; opened as far as the header, loaded when used.

use std::path::PathBuf;

use darkroom_core::fault::Fault;
use darkroom_core::files::{Files, Piece};
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::literal::Literal;
use darkroom_core::observe::Cancel;
use darkroom_core::param::Param;
use darkroom_core::residency::{Device, Handle, PartId, Place, Resident};
use darkroom_core::spec::Choice;
use darkroom_core::types::{AtWork, Kind, Type};
use darkroom_core::value::Datum;
use darkroom_models::Weights;
use darkroom_models::esrgan::{Layout, Upscaler};

use crate::devices::{Devices, device_of};
use crate::fault::fault;
use crate::models::MINI;
use crate::models::mini;
use crate::models::placing::{Home, PartBytes, Placing};

/// Where an upscaler comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum UpscalerSource {
    /// The one that is built in.
    Mini,
    /// A file of safetensors.
    File {
        /// What the graph calls it.
        name: String,
        /// Where it lies.
        path: PathBuf,
    },
}

impl Param for UpscalerSource {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "`mini` or the file of an upscaler";
    const OUTSIDE: bool = true;

    fn built_in() -> &'static [Choice] {
        &[Choice { name: MINI, doc: "the upscaler that is built in" }]
    }

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let name = String::parse(literal, files)?;
        if name == MINI {
            return Ok(Self::Mini);
        }
        let path = files.resolve_file(&name).map_err(|fault| match fault.hint.clone() {
            Some(hint) => fault.hint(format!("{hint}; the built-in upscaler is `{MINI}`")),
            None => fault,
        })?;
        Ok(Self::File { name, path })
    }

    fn literal(&self) -> Literal {
        Literal::from(match self {
            Self::Mini => MINI,
            Self::File { name, .. } => name,
        })
    }

    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        match Self::parse(literal, files)? {
            Self::Mini => Ok(Fingerprint::of_bytes(mini::UPSCALER)),
            Self::File { path, .. } => files.digest(&path),
        }
    }

    fn pieces(literal: &Literal, files: &Files) -> Result<Vec<Piece>, Fault> {
        Ok(match Self::parse(literal, files)? {
            Self::Mini => Vec::new(),
            Self::File { path, .. } => Piece::alone(path),
        })
    }
}

/// An upscaler without its weights.
pub struct Enlarger {
    title: String,
    weights: Weights,
    layout: Layout,
    digest: Fingerprint,
    home: Home,
}

/// Reads the header of an upscaler's file.
fn read(source: &UpscalerSource, (devices, placing): (&Devices, Placing)) -> Result<(Weights, Layout), Fault> {
    let weights = match source {
        UpscalerSource::Mini => Weights::from_bytes("mini/upscaler", mini::UPSCALER),
        UpscalerSource::File { path, .. } => Weights::open(path),
    };
    let weights = weights.map_err(fault)?.with_compute(placing.compute(devices)?);
    let layout = Layout::read(&weights).map_err(fault)?;
    Ok((weights, layout))
}

/// The word for making a picture or tile larger.
pub const ENLARGE: &str = "enlarge";

/// The family of an upscaler is its factor: `x4`.
fn describe(weights: &Weights, layout: &Layout, home: Home) -> Type {
    let (counted, bytes) = (weights.clone(), PartBytes::of(weights, home));
    Type::of(UpscalerHandle::KIND)
        .family(format!("x{}", layout.scale))
        .weights(bytes.whole)
        .least_weights(bytes.least)
        .device(device_of(weights.compute()))
        .at_work(AtWork::new(move |task| {
            let (width, height) = task.size;
            Upscaler::room(&counted, (height.max(1) as usize, width.max(1) as usize)).unwrap_or(0)
        }))
}

impl Resident for Enlarger {
    type Loaded = Upscaler;

    fn part(&self) -> PartId {
        let numerics = self.weights.compute().numerics();
        PartId(Hasher::new("upscaler").fingerprint(self.digest).text(&numerics).finish())
    }

    fn title(&self) -> String {
        format!("the upscaler {} ({})", self.title, self.layout)
    }

    fn device(&self) -> Device {
        device_of(self.weights.compute())
    }

    fn bytes(&self) -> u64 {
        PartBytes::of(&self.weights, self.home).whole
    }

    fn least_bytes(&self) -> u64 {
        PartBytes::of(&self.weights, self.home).least
    }

    fn load(&self, place: Place, cancel: &Cancel) -> Result<Upscaler, Fault> {
        cancel.check()?;
        Upscaler::load(&self.weights.clone().staying_within(place.bytes)).map_err(fault)
    }

    fn rest(&self) {
        self.weights.compute().trim();
    }
}

/// A promise of an upscaler.
#[derive(Clone)]
pub struct UpscalerHandle(pub Handle<Enlarger>);

impl UpscalerHandle {
    /// Opens an upscaler, computing as is said of it, or as all others do: reads the header of its file.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn open(source: &UpscalerSource, files: &Files, on: (&Devices, Placing)) -> Result<Self, Fault> {
        let title = match source {
            UpscalerSource::Mini => MINI.to_owned(),
            UpscalerSource::File { name, .. } => name.clone(),
        };
        let digest = UpscalerSource::name(&source.literal(), files)?;
        let (weights, layout) = read(source, on)?;
        Ok(Self(Handle::new(Enlarger { title, weights, layout, digest, home: on.1.home })))
    }

    /// Describes an upscaler before it is opened.
    ///
    /// # Errors
    /// A fault of the file.
    pub fn type_of(source: &UpscalerSource, on: (&Devices, Placing)) -> Result<Type, Fault> {
        let (weights, layout) = read(source, on)?;
        Ok(describe(&weights, &layout, on.1.home))
    }

    /// Returns how many times wider and higher pictures become.
    pub fn scale(&self) -> u32 {
        self.0.layout.scale as u32
    }
}

impl Datum for UpscalerHandle {
    const KIND: Kind = Kind("upscaler");

    fn bytes(&self) -> u64 {
        0
    }

    fn describe(&self) -> Type {
        describe(&self.0.weights, &self.0.layout, self.0.home)
    }

    fn part(&self) -> Option<PartId> {
        Some(self.0.part())
    }
}

/// Returns the factor of an upscaler of which only the type is known.
pub fn scale_of(ty: &Type) -> Option<u32> {
    ty.family.as_deref()?.strip_prefix('x')?.parse().ok()
}
