//! Literals: what a workflow file may hold where a wire could come in. The node's spec gives the type.

use std::fmt;

use crate::fingerprint::{Fingerprint, Hasher};

/// A plain value in a workflow file.
#[derive(Debug, Clone, PartialEq)]
pub enum Literal {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number; wide enough for every seed and every negative mistake.
    Integer(i128),
    /// A number with a point or an exponent.
    Number(f64),
    /// A text.
    Text(String),
    /// A list.
    List(Vec<Literal>),
    /// Anything else that is well-formed, as it was written; kept for nodes that this program does not know.
    Raw(String),
}

impl Literal {
    /// Returns the name of this value: equal values have equal names, and values of different types never do.
    pub fn name(&self) -> Fingerprint {
        self.hash(Hasher::new("literal")).finish()
    }

    fn hash(&self, hasher: Hasher) -> Hasher {
        match self {
            Self::Boolean(truth) => hasher.boolean(*truth),
            Self::Integer(number) => hasher.integer(*number),
            Self::Number(number) => hasher.number(*number),
            Self::Text(text) => hasher.text(text),
            Self::List(items) => {
                let hasher = hasher.text("list").integer(items.len() as i128);
                items.iter().fold(hasher, |hasher, item| item.hash(hasher))
            }
            Self::Raw(source) => hasher.text("raw").text(source),
        }
    }

    /// Says what kind of value this is, for a sentence: "a text".
    pub fn noun(&self) -> &'static str {
        match self {
            Self::Boolean(_) => "a truth value",
            Self::Integer(_) => "a whole number",
            Self::Number(_) => "a number",
            Self::Text(_) => "a text",
            Self::List(_) => "a list",
            Self::Raw(_) => "a structure",
        }
    }
}

/// Writes the value as RON, the form in which a file holds it.
impl fmt::Display for Literal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Boolean(truth) => write!(f, "{truth}"),
            Self::Integer(number) => write!(f, "{number}"),
            Self::Number(number) => write!(f, "{number:?}"),
            Self::Text(text) => f.write_str(&quote(text)),
            Self::List(items) => {
                let items: Vec<_> = items.iter().map(ToString::to_string).collect();
                write!(f, "[{}]", items.join(", "))
            }
            Self::Raw(source) => f.write_str(source),
        }
    }
}

/// Writes a text in quotes with RON's escapes.
pub fn quote(text: &str) -> String {
    ron::to_string(text).expect("a text is always valid RON")
}

macro_rules! literal_from {
    ($($from:ty => $variant:ident as $into:ty),* $(,)?) => {$(
        impl From<$from> for Literal {
            fn from(value: $from) -> Self {
                Self::$variant(<$into>::from(value))
            }
        }
    )*};
}

literal_from! {
    bool => Boolean as bool,
    i32 => Integer as i128, u32 => Integer as i128, i64 => Integer as i128, u64 => Integer as i128,
    f64 => Number as f64,
    &str => Text as String, String => Text as String,
}
