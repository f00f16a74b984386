//! Parameters: the types that a literal in a workflow file can have. Each says how it is read, how it is named, and what
//! kind of wire may replace it.

use crate::fault::Fault;
use crate::files::{Files, Piece};
use crate::fingerprint::Fingerprint;
use crate::graph::check::RANDOM;
use crate::literal::Literal;
use crate::spec::Choice;
use crate::types::Kind;
use crate::value::Value;

/// A type of parameter.
pub trait Param: Sized + Send + 'static {
    /// The kind of wire that may come in place of the literal.
    const KIND: Kind;
    /// What it takes, for a sentence: "a whole number".
    const NOUN: &'static str;
    /// Whether it may be left out without a default.
    const OPTIONAL: bool = false;
    /// Whether it seeds random draws, and may be left to chance.
    const SEED: bool = false;
    /// Whether it names something outside the graph, as a file. Such a thing is named by its content, so that what it is
    /// must be known before the run.
    const OUTSIDE: bool = false;

    /// Reads a literal.
    ///
    /// # Errors
    /// A fault that says what is wanted and what was found.
    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault>;

    /// Writes the literal that reads back as this value.
    fn literal(&self) -> Literal;

    /// Returns what may be chosen; empty where the value is free.
    fn choices() -> &'static [Choice] {
        &[]
    }

    /// Returns the words that mean something built in, where the value is free otherwise.
    fn built_in() -> &'static [Choice] {
        &[]
    }

    /// Returns the name of what the literal means. For a file that is its content, never its path.
    ///
    /// # Errors
    /// A fault of the file.
    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        Ok(Self::parse(literal, files)?.literal().name())
    }

    /// Lists the files that the literal means, each with the part that it plays; none where it means what is built in, or
    /// no file. A graph can be locked to their content.
    ///
    /// # Errors
    /// A fault of the file.
    fn pieces(literal: &Literal, files: &Files) -> Result<Vec<Piece>, Fault> {
        let _ = (literal, files);
        Ok(Vec::new())
    }

    /// What holds when nothing is given at all.
    fn absent() -> Option<Self> {
        None
    }

    /// Takes the value off a wire.
    ///
    /// # Errors
    /// The same as for a literal.
    fn take(value: &Value, files: &Files) -> Result<Self, Fault> {
        match value.literal() {
            Some(literal) => Self::parse(&literal, files),
            None => Err(wanted(Self::NOUN, &format!("a wire of kind `{}`", value.kind()))),
        }
    }
}

fn wanted(noun: &str, found: &str) -> Fault {
    Fault::graph(format!("wanted {noun}, found {found}"))
}

fn wanted_literal(noun: &str, found: &Literal) -> Fault {
    wanted(noun, &format!("{} {}", found.noun(), shorten(&found.to_string())))
}

/// Cuts a long value for a sentence.
fn shorten(text: &str) -> String {
    match text.char_indices().nth(60) {
        Some((at, _)) => format!("{}…", &text[..at]),
        None => text.to_owned(),
    }
}

macro_rules! whole_number {
    ($($ty:ty),*) => {$(
        impl Param for $ty {
            const KIND: Kind = Kind::INTEGER;
            const NOUN: &'static str = "a whole number";

            fn parse(literal: &Literal, _: &Files) -> Result<Self, Fault> {
                let Literal::Integer(number) = literal else {
                    return Err(wanted_literal(Self::NOUN, literal));
                };
                Self::try_from(*number).map_err(|_| {
                    Fault::graph(format!("{number} is out of range"))
                        .hint(format!("give {} from {} to {}", Self::NOUN, Self::MIN, Self::MAX))
                })
            }

            fn literal(&self) -> Literal {
                Literal::Integer(i128::from(*self))
            }
        }
    )*};
}

whole_number!(u32, i64, u64);

impl Param for f64 {
    const KIND: Kind = Kind::NUMBER;
    const NOUN: &'static str = "a number";

    fn parse(literal: &Literal, _: &Files) -> Result<Self, Fault> {
        match literal {
            Literal::Number(number) if number.is_finite() => Ok(*number),
            Literal::Integer(number) => Ok(*number as f64),
            Literal::Number(number) => Err(Fault::graph(format!("{number} is not a finite number"))),
            other => Err(wanted_literal(Self::NOUN, other)),
        }
    }

    fn literal(&self) -> Literal {
        Literal::Number(*self)
    }
}

impl Param for bool {
    const KIND: Kind = Kind::BOOLEAN;
    const NOUN: &'static str = "true or false";

    fn parse(literal: &Literal, _: &Files) -> Result<Self, Fault> {
        match literal {
            Literal::Boolean(truth) => Ok(*truth),
            other => Err(wanted_literal(Self::NOUN, other)),
        }
    }

    fn literal(&self) -> Literal {
        Literal::Boolean(*self)
    }
}

/// Longest text that a parameter takes, in bytes.
pub const MAX_TEXT: usize = 1 << 20;

impl Param for String {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "a text";

    fn parse(literal: &Literal, _: &Files) -> Result<Self, Fault> {
        match literal {
            Literal::Text(text) if text.len() > MAX_TEXT => {
                Err(Fault::graph(format!("this text has {} bytes", text.len()))
                    .hint(format!("texts may have up to {MAX_TEXT} bytes")))
            }
            Literal::Text(text) => Ok(text.clone()),
            other => Err(wanted_literal(Self::NOUN, other)),
        }
    }

    fn literal(&self) -> Literal {
        Literal::Text(self.clone())
    }
}

/// A number that seeds random draws. The word `random` leaves it to chance: it is drawn when a run is submitted, and
/// recorded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Seed(pub u64);

impl Param for Seed {
    const KIND: Kind = Kind::INTEGER;
    const NOUN: &'static str = "a seed";
    const SEED: bool = true;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        match literal {
            Literal::Text(word) if word == RANDOM => Ok(Self(0)),
            Literal::Integer(_) => u64::parse(literal, files).map(Self),
            other => Err(wanted_literal("a whole number or \"random\"", other)),
        }
    }

    fn literal(&self) -> Literal {
        Literal::from(self.0)
    }
}

/// `Option<T>`: may be left out.
impl<T: Param> Param for Option<T> {
    const KIND: Kind = T::KIND;
    const NOUN: &'static str = T::NOUN;
    const OPTIONAL: bool = true;
    const OUTSIDE: bool = T::OUTSIDE;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        T::parse(literal, files).map(Some)
    }

    fn literal(&self) -> Literal {
        self.as_ref().map_or(Literal::Raw("None".into()), Param::literal)
    }

    fn choices() -> &'static [Choice] {
        T::choices()
    }

    fn built_in() -> &'static [Choice] {
        T::built_in()
    }

    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        T::name(literal, files)
    }

    fn pieces(literal: &Literal, files: &Files) -> Result<Vec<Piece>, Fault> {
        T::pieces(literal, files)
    }

    fn absent() -> Option<Self> {
        Some(None)
    }
}

/// A choice by name; `#[derive(Choice)]` writes it.
pub trait ChoiceParam: Copy + Send + 'static {
    /// The words.
    const CHOICES: &'static [Choice];
    /// Returns the value of the `index`-th word.
    fn from_index(index: usize) -> Self;
    /// Returns the index of the value's word.
    fn index(self) -> usize;
    /// Returns the value's word.
    fn word(self) -> &'static str {
        Self::CHOICES[self.index()].name
    }
}

impl<T: ChoiceParam> Param for T {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "one of several words";

    fn parse(literal: &Literal, _: &Files) -> Result<Self, Fault> {
        let Literal::Text(word) = literal else {
            return Err(wanted_literal(Self::NOUN, literal).hint(one_of(T::CHOICES)));
        };
        match T::CHOICES.iter().position(|choice| choice.name == word) {
            Some(index) => Ok(T::from_index(index)),
            None => Err(Fault::graph(format!("there is no `{}` here", shorten(word))).hint(one_of(T::CHOICES))),
        }
    }

    fn literal(&self) -> Literal {
        Literal::Text(self.word().to_owned())
    }

    fn choices() -> &'static [Choice] {
        T::CHOICES
    }
}

fn one_of(choices: &[Choice]) -> String {
    let words: Vec<_> = choices.iter().map(|choice| choice.name).collect();
    format!("choose one of {}", words.join(", "))
}
