//! Control networks as nodes see them: the built-in one, a folder or a file; opened as far as the header, loaded when used.

use std::path::PathBuf;

use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::literal::Literal;
use darkroom_core::observe::Cancel;
use darkroom_core::param::Param;
use darkroom_core::residency::{Device, Handle, PartId, Place, Resident};
use darkroom_core::spec::Choice;
use darkroom_core::types::{AtWork, Kind, Type};
use darkroom_core::value::Datum;
use darkroom_models::folder::Family;
use darkroom_models::nn::{Compute, Keep};
use darkroom_models::sdxl::ControlNet;
use darkroom_models::sdxl::controlnet::File;
use darkroom_models::weights::Options;

use crate::devices::{Devices, device_of};
use crate::fault::fault;
use crate::models::model::latents;
use crate::models::placing::{Home, PartBytes, Placing};
use crate::models::{MINI, mini};

/// Where a control network comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ControlSource {
    /// The one that is built in, for edges.
    Mini,
    /// A folder or a file.
    Path {
        /// What the graph calls it.
        name: String,
        /// Where it lies.
        path: PathBuf,
    },
}

impl ControlSource {
    fn open_for(&self, compute: &Compute) -> Result<File, Fault> {
        Ok(self.open()?.with_compute(compute.clone()))
    }

    fn open(&self) -> Result<File, Fault> {
        let file = match self {
            Self::Mini => File::embedded("mini/controlnet", mini::CONTROLNET[0], mini::CONTROLNET[1]),
            Self::Path { path, .. } => File::open(path, Options::default()),
        };
        file.map_err(fault)
    }

    fn title(&self) -> &str {
        match self {
            Self::Mini => MINI,
            Self::Path { name, .. } => name,
        }
    }
}

impl Param for ControlSource {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "`mini` or the folder or file of a ControlNet";
    const OUTSIDE: bool = true;

    fn built_in() -> &'static [Choice] {
        &[Choice { name: MINI, doc: "the ControlNet that is built in: draws along edges" }]
    }

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let name = String::parse(literal, files)?;
        if name == MINI {
            return Ok(Self::Mini);
        }
        let path = files.resolve(&name).map_err(|fault| match fault.hint.clone() {
            Some(hint) => fault.hint(format!("{hint}; the built-in controlnet is `{MINI}`")),
            None => fault,
        })?;
        Ok(Self::Path { name, path })
    }

    fn literal(&self) -> Literal {
        Literal::from(self.title())
    }

    /// The name of a network is its content: configuration and weights, by what they are for.
    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        let (source, hasher) = (Self::parse(literal, files)?, Hasher::new("controlnet"));
        if source == Self::Mini {
            let each = |hasher: Hasher, bytes: &&[u8]| hasher.fingerprint(Fingerprint::of_bytes(bytes));
            return Ok(mini::CONTROLNET.iter().fold(hasher, each).finish());
        }
        let each =
            |hasher: Hasher, (role, path): &(String, PathBuf)| Ok(hasher.text(role).fingerprint(files.digest(path)?));
        Ok(source.open()?.parts().iter().try_fold(hasher, each)?.finish())
    }
}

/// A control network without its weights.
pub struct Steering {
    title: String,
    file: File,
    digest: Fingerprint,
    home: Home,
}

impl Resident for Steering {
    type Loaded = ControlNet;

    fn part(&self) -> PartId {
        let numerics = self.file.weights().compute().numerics();
        PartId(Hasher::new("controlnet").fingerprint(self.digest).text(&numerics).finish())
    }

    fn title(&self) -> String {
        format!("the controlnet {} ({})", self.title, self.file.family())
    }

    fn device(&self) -> Device {
        device_of(self.file.weights().compute())
    }

    fn bytes(&self) -> u64 {
        PartBytes::of(self.file.weights(), self.home).whole
    }

    fn least_bytes(&self) -> u64 {
        PartBytes::of(self.file.weights(), self.home).least
    }

    fn load(&self, place: Place, cancel: &Cancel) -> Result<ControlNet, Fault> {
        cancel.check()?;
        self.file.load_within(place.bytes, Keep::All).map_err(fault)
    }

    fn rest(&self) {
        self.file.weights().compute().trim();
    }
}

/// A promise of a control network.
#[derive(Clone)]
pub struct ControlNetHandle(pub Handle<Steering>);

impl ControlNetHandle {
    /// Opens a control network, computing as is said of it, or as all others do: reads its configuration and the header of
    /// its weights.
    ///
    /// # Errors
    /// A fault of the files.
    pub fn open(source: &ControlSource, files: &Files, (devices, placing): (&Devices, Placing)) -> Result<Self, Fault> {
        let digest = ControlSource::name(&source.literal(), files)?;
        let title = source.title().to_owned();
        let file = source.open_for(&placing.compute(devices)?)?;
        Ok(Self(Handle::new(Steering { title, file, digest, home: placing.home })))
    }

    /// Describes a control network before it is opened.
    ///
    /// # Errors
    /// A fault of the files.
    pub fn type_of(source: &ControlSource, (devices, placing): (&Devices, Placing)) -> Result<Type, Fault> {
        Ok(describe(&source.open_for(&placing.compute(devices)?)?, placing.home))
    }
}

impl Datum for ControlNetHandle {
    const KIND: Kind = Kind("controlnet");

    fn bytes(&self) -> u64 {
        0
    }

    fn describe(&self) -> Type {
        describe(&self.0.file, self.0.home)
    }

    fn part(&self) -> Option<PartId> {
        Some(self.0.part())
    }
}

/// The word for its family is that of the denoisers it steers.
fn describe(file: &File, home: Home) -> Type {
    let family = match file.family() {
        Family::Sd15 | Family::Sd15Inpaint => "sd15",
        Family::Sdxl | Family::SdxlInpaint => "sdxl",
        Family::SdxlRefiner => "sdxl-refiner",
    };
    let (bytes, counted) = (PartBytes::of(file.weights(), home), file.clone());
    Type::of(ControlNetHandle::KIND)
        .family(family)
        .weights(bytes.whole)
        .least_weights(bytes.least)
        .device(device_of(file.weights().compute()))
        .at_work(AtWork::new(move |task| counted.room(latents(task)).unwrap_or(0)))
}
