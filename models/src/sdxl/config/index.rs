//! `model_index.json`: which components a diffusers folder has.

use std::{collections::BTreeMap, path::Path};

use serde_json::Value;

use crate::{Result, json, json::Fields};

/// The components of a folder, and what its pipeline does with prompts.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelIndex {
    /// The pipeline that the folder was saved from.
    pub class: String,
    /// Component by name of its folder, and the class that it is of. Those the folder does without are left out.
    pub components: BTreeMap<String, String>,
    /// Whether a missing negative prompt means zeros instead of an encoded empty text.
    pub force_zeros_for_empty_prompt: bool,
    /// Whether sizes end with an aesthetic score, as the refiner's do.
    pub requires_aesthetics_score: bool,
}

impl ModelIndex {
    /// Reads `model_index.json`.
    pub fn read(path: &Path) -> Result<Self> {
        Self::parse(path, &json::read(path)?)
    }

    /// Reads an index in memory; `path` is its name in messages.
    pub fn parse(path: &Path, bytes: &[u8]) -> Result<Self> {
        let fields = Fields::parse(path, bytes)?;
        let mut components = BTreeMap::new();
        for (name, value) in fields.entries() {
            // A component is a pair of library and class; both are null for one that is not there.
            if let Value::Array(pair) = value
                && let [Value::String(_), Value::String(class)] = &pair[..]
            {
                components.insert(name.clone(), class.clone());
            }
        }
        Ok(Self {
            class: fields.word("_class_name")?.into(),
            components,
            force_zeros_for_empty_prompt: fields.flag("force_zeros_for_empty_prompt", true)?,
            requires_aesthetics_score: fields.flag("requires_aesthetics_score", false)?,
        })
    }
}
