//! What a scheduler configuration or a user can ask for and not get.

use thiserror::Error;

/// A setting that sampling cannot follow, with the way out.
#[derive(Clone, Debug, PartialEq, Error)]
pub enum Unsupported {
    /// The text is not a scheduler configuration.
    #[error("this is not a scheduler configuration: {0}")]
    Malformed(String),
    /// A name that is not among those known.
    #[error("`{field}` is `{value}`, which is not supported; use {known}")]
    Word {
        /// The field or parameter.
        field: &'static str,
        /// What it says.
        value: String,
        /// What it may say.
        known: String,
    },
    /// A number outside its range.
    #[error("`{field}` is {value}, but must be {range}")]
    Number {
        /// The field or parameter.
        field: &'static str,
        /// What it says.
        value: f64,
        /// What it may say.
        range: String,
    },
    /// Two settings that exclude each other.
    #[error("{0}")]
    Together(String),
}

impl Unsupported {
    pub(crate) fn word<'a>(field: &'static str, value: &str, known: impl IntoIterator<Item = &'a str>) -> Self {
        let known: Vec<_> = known.into_iter().map(|name| format!("`{name}`")).collect();
        Self::Word { field, value: value.to_owned(), known: known.join(", ") }
    }

    pub(crate) fn number(field: &'static str, value: f64, range: impl Into<String>) -> Self {
        Self::Number { field, value, range: range.into() }
    }
}
