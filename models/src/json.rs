//! Small JSON files written by others, read field by field so that a fault can name the field.
//!
//! Bounded in size and depth; unknown fields are ignored, since every release of the libraries that write these files
//! adds some.

use std::{
    ops::RangeInclusive,
    path::{Path, PathBuf},
};

use serde_json::{Map, Value};

use crate::{Error, Result, weights::source::read_small};

/// The largest configuration that is read; published ones have some kilobytes.
const MAX_BYTES: u64 = 1 << 20;

/// Reads a configuration file as bytes.
pub fn read(path: &Path) -> Result<Vec<u8>> {
    read_small(path, MAX_BYTES)
}

/// A JSON object and the file that it comes from.
pub struct Fields {
    path: PathBuf,
    map: Map<String, Value>,
}

impl Fields {
    /// Parses an object; `path` is its file, or the name of an embedded one.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let fault = |what: String| Error::config(path, what);
        if bytes.len() as u64 > MAX_BYTES {
            return Err(fault(format!("a configuration has at most {MAX_BYTES} bytes, this one has {}", bytes.len())));
        }
        match serde_json::from_slice(bytes) {
            Ok(Value::Object(map)) => Ok(Self { path: path.into(), map }),
            Ok(_) => Err(fault("a JSON object is wanted".into())),
            Err(what) => Err(fault(format!("this is not the JSON of a configuration: {what}"))),
        }
    }

    /// Makes a fault about a field.
    pub fn fault(&self, name: &str, what: impl std::fmt::Display) -> Error {
        Error::config(&self.path, format!("field `{name}` {what}"))
    }

    /// Returns a field; a missing one is like null.
    pub fn get(&self, name: &str) -> &Value {
        self.map.get(name).unwrap_or(&Value::Null)
    }

    /// Lists the fields that are not null.
    pub fn entries(&self) -> impl Iterator<Item = (&String, &Value)> {
        self.map.iter().filter(|(_, value)| !value.is_null())
    }

    /// Returns a whole number within `range`.
    pub fn count(&self, name: &str, default: Option<usize>, range: RangeInclusive<usize>) -> Result<usize> {
        match self.get(name) {
            Value::Null => default.ok_or_else(|| self.fault(name, "is missing")),
            value => self.whole(name, value, range),
        }
    }

    /// Returns one whole number per level: a list of `levels` numbers, or one number for all.
    pub fn counts(
        &self,
        name: &str,
        levels: usize,
        default: Option<usize>,
        range: RangeInclusive<usize>,
    ) -> Result<Vec<usize>> {
        let Value::Array(list) = self.get(name) else {
            return Ok(vec![self.count(name, default, range)?; levels]);
        };
        if list.len() != levels {
            return Err(self.fault(name, format_args!("has {} entries for {levels} levels", list.len())));
        }
        list.iter().map(|value| self.whole(name, value, range.clone())).collect()
    }

    /// Returns a list of `lengths` whole numbers.
    pub fn list(&self, name: &str, lengths: RangeInclusive<usize>, range: RangeInclusive<usize>) -> Result<Vec<usize>> {
        let list = self.array(name, lengths)?;
        list.iter().map(|value| self.whole(name, value, range.clone())).collect()
    }

    /// Returns a list of `lengths` words.
    pub fn words(&self, name: &str, lengths: RangeInclusive<usize>) -> Result<Vec<&str>> {
        let list = self.array(name, lengths)?;
        if !list.iter().all(Value::is_string) {
            return Err(self.fault(name, "must be a list of words"));
        }
        Ok(list.iter().filter_map(Value::as_str).collect())
    }

    /// Returns a word.
    pub fn word(&self, name: &str) -> Result<&str> {
        match self.get(name) {
            Value::Null => Err(self.fault(name, "is missing")),
            value => {
                value.as_str().ok_or_else(|| self.fault(name, format_args!("must be a word, it is {}", short(value))))
            }
        }
    }

    /// Returns a number within `range`.
    pub fn number(&self, name: &str, default: f64, range: RangeInclusive<f64>) -> Result<f64> {
        match self.get(name) {
            Value::Null => Ok(default),
            value => value.as_f64().filter(|x| range.contains(x)).ok_or_else(|| {
                let (low, high) = range.into_inner();
                self.fault(name, format_args!("must be a number from {low} to {high}, it is {}", short(value)))
            }),
        }
    }

    /// Returns true or false.
    pub fn flag(&self, name: &str, default: bool) -> Result<bool> {
        match self.get(name) {
            Value::Null => Ok(default),
            value => value
                .as_bool()
                .ok_or_else(|| self.fault(name, format_args!("must be true or false, it is {}", short(value)))),
        }
    }

    /// Makes sure that a field is missing, null or one of `allowed`: the values that the network is built for.
    pub fn only(&self, name: &str, allowed: &[Value]) -> Result<()> {
        let value = self.get(name);
        let same = |other: &Value| match (value.as_f64(), other.as_f64()) {
            (Some(a), Some(b)) => a == b,
            _ => value == other,
        };
        if value.is_null() || allowed.iter().any(same) {
            return Ok(());
        }
        let known: Vec<String> = allowed.iter().map(short).collect();
        let known = if known.is_empty() { "null".to_owned() } else { known.join(" or ") };
        Err(self.fault(name, format_args!("is {}, and only {known} is supported", short(value))))
    }

    fn array(&self, name: &str, lengths: RangeInclusive<usize>) -> Result<&[Value]> {
        let list = match self.get(name) {
            Value::Null => return Err(self.fault(name, "is missing")),
            Value::Array(list) => list,
            value => {
                return Err(self.fault(name, format_args!("must be a list, it is {}", short(value))));
            }
        };
        if !lengths.contains(&list.len()) {
            let (low, high) = lengths.into_inner();
            return Err(self.fault(name, format_args!("must have {low} to {high} entries, it has {}", list.len())));
        }
        Ok(list)
    }

    fn whole(&self, name: &str, value: &Value, range: RangeInclusive<usize>) -> Result<usize> {
        let number = value.as_u64().and_then(|n| usize::try_from(n).ok()).filter(|n| range.contains(n));
        number.ok_or_else(|| {
            let (low, high) = range.into_inner();
            self.fault(name, format_args!("must be a whole number from {low} to {high}, it is {}", short(value)))
        })
    }
}

/// A value as a message shows it: not a page of it.
fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(60) {
        Some((end, _)) => format!("{}…", &text[..end]),
        None => text,
    }
}
