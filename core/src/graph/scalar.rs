//! Plain values as the ron crate reads them: truth values, numbers, texts and lists.

use std::fmt;

use ron::value::RawValue;
use serde::de::{Deserialize, Deserializer, Visitor};

use crate::graph::source::bare;

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

/// Reads the values of a list; `None` if it is no list.
pub(super) fn items(part: &str) -> Option<Vec<&str>> {
    let raws: Vec<&RawValue> = part.starts_with('[').then(|| ron::from_str(part).ok())??;
    Some(raws.into_iter().map(bare).collect())
}
