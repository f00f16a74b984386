//! The user's settings: `config.ron` in the configuration folder.
//!
//! ```ron
//! (
//!     ram: "12 GB",      // memory for weights and scratch; a part of all there is, as "80%", will do
//!     vram: "6 GB",      // the same of a graphics card
//!     reserve: "2 GB",   // memory that is left to others
//!     quality: "fast",   // as --quality takes it
//!     device: "auto",    // as --device takes it
//!     keep_loaded: 60,   // seconds that the window keeps models loaded once nothing runs
//! )
//! ```
//! All of them may be left out. What is typed, and what the environment says, comes first.

use std::fmt;
use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::Duration;

use darkroom_core::fault::{Fault, Faults, Located, Position};
use darkroom_core::registry::nearest;
use darkroom_models::nn::Mode;
use ron::error::{Error, SpannedError};
use ron::extensions::Extensions;
use serde::Deserialize;
use serde::de::{Deserializer, Error as _, Visitor};

use crate::device::{self, Asked};
use crate::size::{Amount, parse_amount};

/// The user's settings.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The file, whether it is there or not.
    pub path: PathBuf,
    /// Memory for weights and scratch.
    pub ram: Option<Amount>,
    /// Memory of a graphics card for weights and scratch.
    pub vram: Option<Amount>,
    /// Memory that is left to others.
    pub reserve: Option<Amount>,
    /// How exactly networks compute.
    pub quality: Option<Mode>,
    /// What they compute on.
    pub device: Option<Asked>,
    /// How long the window keeps models loaded once nothing runs.
    pub keep_loaded: Option<Duration>,
}

/// The fields of the file.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Fields {
    ram: Option<Memory>,
    vram: Option<Memory>,
    reserve: Option<Memory>,
    quality: Option<Quality>,
    device: Option<Named>,
    /// In seconds.
    keep_loaded: Option<u32>,
}

#[derive(Debug)]
struct Memory(Amount);

#[derive(Debug)]
struct Quality(Mode);

#[derive(Debug)]
struct Named(Asked);

impl Config {
    /// Reads the settings; a file that is not there sets nothing.
    ///
    /// # Errors
    /// What is wrong with the file, with line and column.
    pub fn load(path: &Path) -> Result<Self, Faults> {
        match fs::read_to_string(path) {
            Ok(text) => Self::read(&text, path),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(Self { path: path.to_owned(), ..Self::default() }),
            Err(error) => Err(Fault::io("read", path, &error).into()),
        }
    }

    fn read(text: &str, path: &Path) -> Result<Self, Faults> {
        let options = ron::Options::default().with_default_extension(Extensions::IMPLICIT_SOME);
        let fields: Fields = options.from_str(text).map_err(|error| Faults::from(located(&error)).in_file(path))?;
        let amount = |memory: Option<Memory>| memory.map(|Memory(amount)| amount);
        Ok(Self {
            path: path.to_owned(),
            ram: amount(fields.ram),
            vram: amount(fields.vram),
            reserve: amount(fields.reserve),
            quality: fields.quality.map(|Quality(mode)| mode),
            device: fields.device.map(|Named(asked)| asked),
            keep_loaded: fields.keep_loaded.map(|seconds| Duration::from_secs(seconds.into())),
        })
    }
}

fn located(error: &SpannedError) -> Located {
    let fault = match &error.code {
        Error::NoSuchStructField { expected, found, .. } => {
            let fault = Fault::file(format!("there is no setting `{found}`"));
            match nearest(found, expected.iter().copied()) {
                Some(near) => fault.hint(format!("did you mean `{near}`?")),
                None => fault.hint(format!("choose one of {}", expected.join(", "))),
            }
        }
        Error::DuplicateStructField { field, .. } => {
            Fault::file(format!("`{field}` is set twice")).hint("leave one of the two out")
        }
        Error::Message(words) => Fault::file(words.clone()),
        other => Fault::file(format!("the settings cannot be read: {}", small(&other.to_string())))
            .hint("write them as `(ram: \"12 GB\", reserve: \"2 GB\", quality: \"fast\")`"),
    };
    let at = error.span.start;
    Located::from(fault).position(Some(Position { line: at.line, column: at.col }))
}

/// The same sentence with a small letter first.
fn small(words: &str) -> String {
    let mut letters = words.chars();
    letters.next().map(|first| first.to_lowercase().chain(letters).collect()).unwrap_or_default()
}

impl<'de> Deserialize<'de> for Memory {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(AmountReader).map(Self)
    }
}

impl<'de> Deserialize<'de> for Named {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        device::parse(&String::deserialize(from)?).map(Self).map_err(D::Error::custom)
    }
}

struct AmountReader;

impl Visitor<'_> for AmountReader {
    type Value = Amount;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an amount of memory, as \"8 GB\" or \"80%\"")
    }

    fn visit_u64<E>(self, bytes: u64) -> Result<Amount, E> {
        Ok(Amount::Bytes(bytes))
    }

    fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Amount, E> {
        parse_amount(text).map_err(E::custom)
    }
}

impl<'de> Deserialize<'de> for Quality {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        let name = String::deserialize(from)?;
        let names = Mode::ALL.map(|mode| format!("`{mode}`")).join(", ");
        let unknown = || D::Error::custom(format!("`{name}` names no quality; choose one of {names}"));
        Mode::from_name(&name).map(Self).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<Config, (String, Option<String>)> {
        Config::read(text, Path::new("config.ron")).map_err(|faults| {
            let Located { fault, place } = &faults.0[0];
            (format!("{place}: {}", fault.message), fault.hint.clone())
        })
    }

    fn refused(text: &str) -> String {
        let (message, hint) = read(text).expect_err(text);
        format!("{message} ({})", hint.unwrap_or_default())
    }

    #[test]
    fn settings_are_read_and_may_be_left_out() {
        let all =
            read("// mine\n(\n    ram: \"3.5 GiB\",\n    reserve: \"10%\", quality: \"exact\", keep_loaded: 5,\n)\n")
                .expect("fine");
        assert_eq!((all.ram, all.reserve), (Some(Amount::Bytes(7 << 29)), Some(Amount::Percent(10.0))));
        assert_eq!((all.quality, all.keep_loaded), (Some(Mode::Exact), Some(Duration::from_secs(5))));
        assert_eq!((all.vram, all.device), (None, None));
        let card = read("(vram: \"50%\", device: \"cuda:1,cpu\")").expect("fine");
        assert_eq!((card.vram, card.device), (Some(Amount::Percent(50.0)), device::parse("cuda:1,cpu").ok()));
        let some = read("(ram: 4096)").expect("fine");
        assert_eq!((some.ram, some.reserve, some.quality), (Some(Amount::Bytes(4096)), None, None));
        assert_eq!(read("()").expect("fine"), Config { path: "config.ron".into(), ..Config::default() });
    }

    #[test]
    fn what_is_unknown_is_refused_with_its_place_and_the_nearest_name() {
        let message = refused("(\n    ram: \"1G\",\n    reverse: \"1G\",\n)");
        assert_eq!(message, "config.ron:3:5: there is no setting `reverse` (did you mean `reserve`?)");
        let message = refused("(colour: \"blue\")");
        assert!(message.contains("choose one of ram, vram, reserve, quality, device, keep_loaded"), "{message}");
    }

    #[test]
    fn what_is_wrong_is_told_with_its_place() {
        for (text, told) in [
            ("(\n  quality: \"best\")", "`best` names no quality; choose one of `exact`, `fast`, `int8`"),
            ("(ram: \"lots\")", "`lots` is no amount of memory"),
            ("(ram: -5)", "an amount of memory, as \"8 GB\""),
            ("(device: \"gpu\")", "`gpu` names no device"),
            ("(ram: \"1G\", ram: \"2G\")", "`ram` is set twice"),
            ("(ram: \"1G\"", "the settings cannot be read"),
            ("", "the settings cannot be read"),
            ("ram = 5", "the settings cannot be read"),
        ] {
            let message = refused(text);
            assert!(message.contains(told) && message.starts_with("config.ron:"), "{text}: {message}");
        }
    }

    #[test]
    fn a_file_that_is_not_there_sets_nothing_and_one_that_cannot_be_read_is_told() {
        let home = tempfile::tempdir().expect("a folder");
        let path = home.path().join("config.ron");
        assert_eq!(Config::load(&path), Ok(Config { path: path.clone(), ..Config::default() }));
        fs::create_dir(&path).expect("made");
        assert!(Config::load(&path).expect_err("it is a folder").0[0].fault.message.starts_with("cannot read `"));
    }
}
