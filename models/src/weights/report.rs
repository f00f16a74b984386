//! What a loading found out about its tensors, all at once.

use std::{collections::BTreeMap, fmt, path::PathBuf};

/// How many tensors of each kind are written out; the fields hold them all.
const SHOWN: usize = 40;

/// The tensors of a file held against those a network asked for.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Report {
    /// The file or folder, or the name of an embedded one.
    pub path: PathBuf,
    /// Asked for and not there: name and the shape that was wanted.
    pub missing: BTreeMap<String, Vec<usize>>,
    /// There with another shape: name, the shape wanted and the shape found.
    pub misshapen: BTreeMap<String, (Vec<usize>, Vec<usize>)>,
    /// There in a number format that a network cannot take: name, what was wanted and found.
    pub wrong_type: BTreeMap<String, String>,
    /// There and never asked for; a warning.
    pub unexpected: Vec<String>,
    /// How often each tensor was asked for.
    pub consumed: BTreeMap<String, usize>,
}

impl Report {
    /// Tells whether the network got all that it asked for.
    pub fn is_complete(&self) -> bool {
        self.missing.is_empty() && self.misshapen.is_empty() && self.wrong_type.is_empty()
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Report { path, missing, misshapen, wrong_type, unexpected, .. } = self;
        let counts = [
            (missing.len(), "missing"),
            (misshapen.len(), "misshapen"),
            (wrong_type.len(), "of the wrong type"),
            (unexpected.len(), "unexpected"),
        ];
        let told: Vec<String> = counts.iter().filter(|(n, _)| *n > 0).map(|(n, what)| format!("{n} {what}")).collect();
        match told.is_empty() {
            true => write!(f, "every tensor fits: {}", path.display())?,
            false => write!(f, "tensors do not fit, {}: {}", told.join(", "), path.display())?,
        }
        lines(f, missing, |name, shape| format!("missing `{name}` {shape:?}"))?;
        lines(f, misshapen, |name, (wanted, found)| format!("`{name}` wanted {wanted:?}, found {found:?}"))?;
        lines(f, wrong_type, |name, what| format!("`{name}` {what}"))?;
        lines(f, unexpected.iter().map(|name| (name, ())), |name, ()| format!("unexpected `{name}`"))
    }
}

/// Writes one line per item, and how many were left out.
fn lines<'a, V>(
    f: &mut fmt::Formatter<'_>,
    items: impl IntoIterator<Item = (&'a String, V), IntoIter: ExactSizeIterator>,
    line: impl Fn(&str, V) -> String,
) -> fmt::Result {
    let items = items.into_iter();
    let left_out = items.len().saturating_sub(SHOWN);
    for (name, value) in items.take(SHOWN) {
        write!(f, "\n  {}", line(name, value))?;
    }
    match left_out {
        0 => Ok(()),
        more => write!(f, "\n  and {more} more"),
    }
}
