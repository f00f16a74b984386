//! Values that may be set in several places, and who had the last word: what was typed comes before the environment, that
//! before the settings in `config.ron`, and those before what is usual.

use std::fmt;
use std::path::{Path, PathBuf};

use darkroom_core::fault::Fault;

/// A value, and who says so.
#[derive(Debug, Clone, PartialEq)]
pub struct Chosen<T> {
    /// The value.
    pub value: T,
    /// Who says so.
    pub origin: Origin,
}

/// Who says something.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// The command line.
    Flag(&'static str),
    /// The environment.
    Variable(&'static str),
    /// The settings.
    File(PathBuf),
    /// Nobody: it is usual.
    Usual,
}

/// Where a person may set a value.
#[derive(Debug, Clone, Copy)]
pub struct Names {
    /// The flag.
    pub flag: &'static str,
    /// The environment variable.
    pub variable: &'static str,
}

impl<T> Chosen<T> {
    /// Takes what is usual.
    pub fn usual(value: T) -> Self {
        Self { value, origin: Origin::Usual }
    }
}

impl Names {
    /// Returns the value that was set, if one was; `read` reads that of the environment.
    ///
    /// # Errors
    /// A fault of the environment variable.
    pub fn choose<T>(
        self,
        typed: Option<T>,
        read: impl Fn(&str) -> Result<T, Fault>,
        file: Option<(T, &Path)>,
    ) -> Result<Option<Chosen<T>>, Fault> {
        let variable = std::env::var_os(self.variable).filter(|value| !value.is_empty());
        self.choose_of(typed, variable.map(|value| value.to_string_lossy().into_owned()), read, file)
    }

    fn choose_of<T>(
        self,
        typed: Option<T>,
        variable: Option<String>,
        read: impl Fn(&str) -> Result<T, Fault>,
        file: Option<(T, &Path)>,
    ) -> Result<Option<Chosen<T>>, Fault> {
        let (value, origin) = match (typed, variable, file) {
            (Some(value), ..) => (value, Origin::Flag(self.flag)),
            (None, Some(text), _) => (read(&text)?, Origin::Variable(self.variable)),
            (None, None, Some((value, path))) => (value, Origin::File(path.to_owned())),
            (None, None, None) => return Ok(None),
        };
        Ok(Some(Chosen { value, origin }))
    }
}

/// Writes `--ram`, `DARKROOM_RAM`, the path of the settings, or `default`.
impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(name) | Self::Variable(name) => f.write_str(name),
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Usual => f.write_str("default"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_typed_comes_before_the_environment_and_that_before_the_file() {
        let names = Names { flag: "--ram", variable: "DARKROOM_RAM" };
        let read = |text: &str| text.parse::<u64>().map_err(|error| Fault::graph(error.to_string()));
        let path = Path::new("/home/config.ron");
        let chosen = |typed, variable: Option<&str>, file: Option<u64>| {
            let chosen = names.choose_of(typed, variable.map(str::to_owned), read, file.map(|value| (value, path)));
            chosen.map(|chosen| chosen.map(|chosen| (chosen.value, chosen.origin.to_string())))
        };
        let from = |value, origin: &str| Ok(Some((value, origin.to_owned())));
        assert_eq!(chosen(Some(1), Some("2"), Some(3)), from(1, "--ram"));
        assert_eq!(chosen(None, Some("2"), Some(3)), from(2, "DARKROOM_RAM"));
        assert_eq!(chosen(None, None, Some(3)), from(3, "/home/config.ron"));
        assert_eq!(chosen(None, None, None), Ok(None));
        assert!(chosen(None, Some("many"), Some(3)).is_err(), "what is wrong is told, not passed over");
        assert_eq!(chosen(Some(1), Some("many"), None), from(1, "--ram"), "what is not asked for is not read");
    }
}
