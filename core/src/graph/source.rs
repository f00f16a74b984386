//! A text as the ron crate sees it, with the place of every part.

use std::borrow::Cow;
use std::fmt;

use ron::error::{Error, SpannedError};
use ron::value::RawValue;
use serde::de::{self, Deserialize, DeserializeSeed, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use crate::fault::{Fault, Faults, Located, Position};

/// Bytes between two marks.
const STRIDE: usize = 256;

/// A text, with marks from which each place in it is a short walk.
pub(super) struct Source<'t> {
    text: &'t str,
    marks: Vec<Position>,
}

/// A name and its value in a structure or map.
#[derive(Debug, Clone)]
pub(super) struct Entry<'t> {
    /// The name.
    pub name: Cow<'t, str>,
    /// Where the name stands; where the value does, if the name is written with escapes.
    pub at: Position,
    /// The value's text, without the comments around it.
    pub value: &'t str,
}

/// How entries are held together.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Shape {
    /// `(name: value)`.
    Structure,
    /// `{"name": value}`.
    Map,
}

impl<'t> Source<'t> {
    /// Marks a text.
    pub fn new(text: &'t str) -> Self {
        let mut at = Position { line: 1, column: 1 };
        let mut marks = Vec::with_capacity(text.len() / STRIDE + 1);
        for chunk in text.as_bytes().chunks(STRIDE) {
            marks.push(at);
            at = walk(at, chunk);
        }
        marks.push(at);
        Self { text, marks }
    }

    /// Returns the line and column of the character that begins at a byte.
    pub fn position(&self, byte: usize) -> Position {
        let mark = byte / STRIDE;
        walk(self.marks[mark], &self.text.as_bytes()[mark * STRIDE..byte])
    }

    /// Returns where a slice of the text begins.
    pub fn place(&self, part: &str) -> Position {
        self.position(self.byte(part).expect("the ron crate hands out values as slices of its text"))
    }

    fn byte(&self, part: &str) -> Option<usize> {
        let byte = part.as_ptr().addr().checked_sub(self.text.as_ptr().addr())?;
        (byte + part.len() <= self.text.len()).then_some(byte)
    }

    /// Reads the sections of the whole text.
    pub fn sections(&self) -> Result<Vec<Entry<'t>>, Faults> {
        let mut ron = ron::Deserializer::from_str(self.text).map_err(|error| self.syntax(self.text, &error))?;
        let at = self.place(ron.remainder());
        let refuse = |fault: Fault| Err(Located::from(fault).position(Some(at)).into());
        if !ron.extensions().is_empty() {
            return refuse(Fault::file("a workflow file enables no extensions of RON").hint("remove the `#![enable]`"));
        }
        if ron.remainder().is_empty() {
            return refuse(Fault::file("the file is empty").hint("write `(darkroom: 1, nodes: {})`"));
        }
        if !ron.remainder().starts_with('(') {
            return refuse(
                Fault::file("this is not a darkroom workflow, which opens with `(`")
                    .hint("begin the file with `(darkroom: 1, nodes: {`"),
            );
        }
        self.finish(&mut ron, self.text, Shape::Structure)
    }

    /// Reads the entries of a value; `None` if it does not have this shape.
    pub fn entries(&self, part: &'t str, shape: Shape) -> Option<Result<Vec<Entry<'t>>, Faults>> {
        part.starts_with(shape.opening()).then(|| {
            let mut ron = ron::Deserializer::from_str(part).map_err(|error| self.syntax(part, &error))?;
            self.finish(&mut ron, part, shape)
        })
    }

    fn finish(&self, ron: &mut ron::Deserializer<'t>, part: &str, shape: Shape) -> Result<Vec<Entry<'t>>, Faults> {
        let entries = ron.deserialize_any(EntriesVisitor).and_then(|entries| ron.end().map(|()| entries));
        match entries {
            Ok(entries) => Ok(entries.into_iter().map(|(name, raw)| self.entry(name, bare(raw), shape)).collect()),
            Err(error) => Err(self.syntax(part, &ron.span_error(error))),
        }
    }

    fn entry(&self, name: Cow<'t, str>, value: &'t str, shape: Shape) -> Entry<'t> {
        let byte = match &name {
            // The slice of a name in quotes begins behind the quote.
            Cow::Borrowed(name) => self.byte(name).map(|byte| byte - usize::from(shape == Shape::Map)),
            Cow::Owned(_) => None,
        };
        let at = byte.map_or_else(|| self.place(value), |byte| self.position(byte));
        Entry { name, at, value }
    }

    /// Says in our words what the ron crate found wrong with a slice of the text.
    fn syntax(&self, part: &str, error: &SpannedError) -> Faults {
        let (base, inner) = (self.place(part), error.span.end);
        let at = match inner.line {
            1 => Position { line: base.line, column: base.column + inner.col - 1 },
            line => Position { line: base.line + line - 1, column: inner.col },
        };
        Located::from(fault_of(&error.code)).position(Some(at)).into()
    }
}

impl Shape {
    fn opening(self) -> char {
        match self {
            Self::Structure => '(',
            Self::Map => '{',
        }
    }
}

fn walk(from: Position, bytes: &[u8]) -> Position {
    bytes.iter().fold(from, |at, byte| match byte {
        b'\n' => Position { line: at.line + 1, column: 1 },
        // The bytes of a character after its first are no columns of their own.
        byte if byte & 0xc0 == 0x80 => at,
        _ => Position { line: at.line, column: at.column + 1 },
    })
}

/// Reads the values of a list; `None` if it is no list.
pub(super) fn items(part: &str) -> Option<Vec<&str>> {
    let raws: Vec<&RawValue> = part.starts_with('[').then(|| ron::from_str(part).ok())??;
    Some(raws.into_iter().map(bare).collect())
}

/// Takes the comments around a value away; the ron crate takes spaces away itself.
fn bare(raw: &RawValue) -> &str {
    // No value begins or ends with these: they belong to comments, or are the two spaces that only RON knows.
    let around = ['/', '\n', '\u{200e}', '\u{200f}'];
    let text = raw.get_ron();
    if text.starts_with(around) || text.ends_with(around) { raw.trim().get_ron() } else { text }
}

/// Takes names and values as they come, so that their order and their repetitions survive.
struct EntriesVisitor;

impl<'de> Visitor<'de> for EntriesVisitor {
    type Value = Vec<(Cow<'de, str>, &'de RawValue)>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("names with values")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut entries = Vec::new();
        while let Some(name) = map.next_key_seed(Name)? {
            entries.push((name, map.next_value()?));
        }
        Ok(entries)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Vec::new())
    }

    /// `( )` is the empty tuple; no other tuple will do.
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        match seq.next_element::<IgnoredAny>()? {
            None => Ok(Vec::new()),
            Some(_) => Err(de::Error::invalid_type(de::Unexpected::Other("values without names"), &self)),
        }
    }
}

struct Name;

impl<'de> DeserializeSeed<'de> for Name {
    type Value = Cow<'de, str>;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Self::Value, D::Error> {
        deserializer.deserialize_str(self)
    }
}

impl<'de> Visitor<'de> for Name {
    type Value = Cow<'de, str>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a name")
    }

    fn visit_borrowed_str<E>(self, name: &'de str) -> Result<Self::Value, E> {
        Ok(Cow::Borrowed(name))
    }

    fn visit_str<E>(self, name: &str) -> Result<Self::Value, E> {
        Ok(Cow::Owned(name.to_owned()))
    }
}

/// A value that is no structure.
pub(super) enum Scalar {
    /// `true` or `false`.
    Boolean(bool),
    /// A whole number.
    Integer(i128),
    /// A whole number beyond what an `i128` holds.
    TooLarge,
    /// A number with a point or an exponent; may be infinite or no number at all.
    Number(f64),
    /// A text.
    Text(String),
}

/// Reads a value that is no structure; `None` if it is one.
pub(super) fn scalar(part: &str) -> Option<Scalar> {
    // `b'a'` is a whole number to the ron crate and `'a'` a text; whoever wrote them meant something else.
    let scalar = if part.starts_with(['b', '\'']) { None } else { ron::from_str(part).ok() };
    match scalar {
        // So is a whole number of forty digits a number with an exponent.
        Some(Scalar::Number(_)) if part.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'_' | b'+' | b'-')) => {
            Some(Scalar::TooLarge)
        }
        scalar => scalar,
    }
}

impl<'de> Deserialize<'de> for Scalar {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(ScalarVisitor)
    }
}

/// Refuses whatever is no scalar, by leaving it to the defaults.
struct ScalarVisitor;

impl Visitor<'_> for ScalarVisitor {
    type Value = Scalar;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a truth value, a number or a text")
    }

    fn visit_bool<E>(self, truth: bool) -> Result<Scalar, E> {
        Ok(Scalar::Boolean(truth))
    }

    fn visit_i64<E>(self, number: i64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number.into()))
    }

    fn visit_u64<E>(self, number: u64) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number.into()))
    }

    fn visit_i128<E>(self, number: i128) -> Result<Scalar, E> {
        Ok(Scalar::Integer(number))
    }

    fn visit_u128<E>(self, number: u128) -> Result<Scalar, E> {
        Ok(i128::try_from(number).map_or(Scalar::TooLarge, Scalar::Integer))
    }

    fn visit_f64<E>(self, number: f64) -> Result<Scalar, E> {
        Ok(Scalar::Number(number))
    }

    fn visit_str<E>(self, text: &str) -> Result<Scalar, E> {
        Ok(Scalar::Text(text.to_owned()))
    }

    fn visit_string<E>(self, text: String) -> Result<Scalar, E> {
        Ok(Scalar::Text(text))
    }
}

fn fault_of(error: &Error) -> Fault {
    let expected = |what: &str| Fault::file(format!("there should be {what} here"));
    match error {
        Error::Eof => Fault::file("the file ends in the middle of a value").hint("close what was opened"),
        Error::ExpectedComma => expected("a `,`").hint("separate values with commas"),
        Error::ExpectedMapColon => expected("a `:` and a value"),
        Error::ExpectedMapEnd => expected("a `}`"),
        Error::ExpectedArrayEnd => expected("a `]`"),
        Error::ExpectedStructLikeEnd | Error::ExpectedOptionEnd => expected("a `)`"),
        Error::ExpectedString => expected("a text in quotes"),
        Error::ExpectedIdentifier => expected("a name without quotes"),
        Error::ExpectedStringEnd => Fault::file("a text begins here and never ends").hint("close it with a `\"`"),
        Error::UnclosedBlockComment => Fault::file("a comment is never closed").hint("close it with `*/`"),
        Error::UnclosedLineComment => {
            Fault::file("the file ends in the middle of a value").hint("close what was opened")
        }
        Error::UnexpectedChar(character) => Fault::file(format!("no value begins with `{}`", character.escape_debug())),
        Error::TrailingCharacters => Fault::file("something follows the closing `)`").hint("remove it"),
        Error::ExceededRecursionLimit => Fault::file("values are nested too deep").hint("nest at most fifty"),
        other => Fault::file(in_our_voice(&other.to_string())),
    }
}

/// Lower case, no full stop.
fn in_our_voice(message: &str) -> String {
    let message = message.trim_end_matches('.');
    let mut characters = message.chars();
    characters.next().map(|first| first.to_lowercase().chain(characters).collect()).unwrap_or_default()
}
