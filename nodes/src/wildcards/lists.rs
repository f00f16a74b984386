//! The lists that a template names: text files below the folders that a graph may read, with the lists that they name in
//! turn. One that leads back to itself is refused, whether or not it would ever be drawn.

use std::collections::BTreeMap;
use std::path::Path;

use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::Hasher;

use super::syntax::{Choice, Part, parse, weighted};

/// The folder in which lists are looked for first.
const FOLDER: &str = "wildcards";
/// The most bytes of one list, and of all lists.
const MAX_BYTES: u64 = 1 << 20;
const MAX_ALL_BYTES: u64 = 16 << 20;
/// The most files.
const MAX_FILES: usize = 1000;
/// The most folders within folders.
const MAX_DEPTH: usize = 16;

/// Lists by name; a name with `*` has the lines of all files that it fits.
#[derive(Debug, Clone, Default)]
pub struct Lists(BTreeMap<String, Vec<(f64, Vec<Part>)>>);

impl Lists {
    /// Reads all lists that a template reaches.
    ///
    /// # Errors
    /// A list that is missing, too large, no text, or leads back to itself.
    pub fn of(template: &str, files: &Files) -> Result<Self, Fault> {
        let mut reader = Reader { files, lists: Self::default(), bytes: 0, read: 0 };
        reader.reach(&parse(template)?, &mut Vec::new())?;
        Ok(reader.lists)
    }

    /// Returns the lines of a list.
    pub fn lines(&self, name: &str) -> &[(f64, Vec<Part>)] {
        self.0.get(name).map_or(&[], Vec::as_slice)
    }

    /// Adds the content of all lists to a name.
    pub fn name(&self, hasher: Hasher) -> Hasher {
        self.0.iter().fold(hasher, |hasher, (name, lines)| hasher.text(name).text(&format!("{lines:?}")))
    }
}

struct Reader<'f> {
    files: &'f Files,
    lists: Lists,
    bytes: u64,
    read: usize,
}

impl Reader<'_> {
    /// Reads what some parts name; `way` are the lists that led here.
    fn reach(&mut self, parts: &[Part], way: &mut Vec<String>) -> Result<(), Fault> {
        for part in parts {
            match part {
                Part::Text(_) => {}
                Part::Choice(Choice { options, .. }) => {
                    options.iter().try_for_each(|(_, option)| self.reach(option, way))?;
                }
                Part::List(name) => self.list(name, way)?,
            }
        }
        Ok(())
    }

    fn list(&mut self, name: &str, way: &mut Vec<String>) -> Result<(), Fault> {
        let names = if name.contains('*') { self.fitting(name)? } else { vec![name.to_owned()] };
        let mut all = Vec::new();
        for name in &names {
            if way.contains(name) {
                let round = [&way[..], std::slice::from_ref(name)].concat().join("__ → __");
                return Err(Fault::graph(format!("the list `__{name}__` leads back to itself: __{round}__"))
                    .hint("take one of these out of the list before it"));
            }
            if !self.lists.0.contains_key(name) {
                let lines = self.read(name)?;
                way.push(name.clone());
                lines.iter().try_for_each(|(_, line)| self.reach(line, way))?;
                way.pop();
                self.lists.0.insert(name.clone(), lines);
            }
            all.extend_from_slice(self.lists.lines(name));
        }
        if name.contains('*') {
            self.lists.0.insert(name.to_owned(), all);
        }
        Ok(())
    }

    /// Reads one file: beside the workflow or below `wildcards`.
    fn read(&mut self, name: &str) -> Result<Vec<(f64, Vec<Part>)>, Fault> {
        let places = [format!("{FOLDER}/{name}.txt"), format!("{name}.txt")];
        let found = self.files.resolve_file(&places[0]).or_else(|_| self.files.resolve_file(&places[1]));
        let path = found.map_err(|fault| {
            let hint = fault.hint.clone().unwrap_or_default();
            let message = format!("there is no list for `__{name}__`: {}", fault.message);
            Fault::file(message).hint(format!("put `{name}.txt` into a folder `{FOLDER}`; {hint}"))
        })?;
        let bytes = std::fs::metadata(&path).map_err(|error| Fault::io("read", &path, &error))?.len();
        self.bytes += bytes;
        self.read += 1;
        if bytes > MAX_BYTES || self.bytes > MAX_ALL_BYTES || self.read > MAX_FILES {
            let message = format!("the lists are too large at `{name}.txt`, which has {bytes} bytes");
            let hint = format!("a list may have {MAX_BYTES} bytes, all together {MAX_ALL_BYTES} in {MAX_FILES} files");
            return Err(Fault::file(message).hint(hint));
        }
        let text = std::fs::read(&path).map_err(|error| Fault::io("read", &path, &error))?;
        let text = String::from_utf8(text).map_err(|_| Fault::file(format!("the list `{name}.txt` is not UTF-8")))?;
        let lines = text.trim_start_matches('\u{feff}').lines().map(str::trim);
        let lines = lines.filter(|line| !line.is_empty() && !line.starts_with('#'));
        let lines = lines.map(|line| {
            let (weight, line) = weighted(line);
            Ok((weight, parse(line)?))
        });
        let lines = lines.collect::<Result<Vec<_>, Fault>>()?;
        match lines.is_empty() {
            true => Err(Fault::file(format!("the list `{name}.txt` is empty")).hint("write one text a line")),
            false => Ok(lines),
        }
    }

    /// Lists the files that a pattern fits, sorted; links are followed only where the graph may read.
    fn fitting(&self, pattern: &str) -> Result<Vec<String>, Fault> {
        let root = self.files.resolve(FOLDER)?;
        let mut names = Vec::new();
        walk(&root, "", 0, &mut names)?;
        names.retain(|name| fits(pattern, name));
        names.sort();
        match names.is_empty() {
            true => Err(Fault::file(format!("no list fits `__{pattern}__`")).hint(format!("looked in `{FOLDER}`"))),
            false => Ok(names),
        }
    }
}

fn walk(folder: &Path, before: &str, depth: usize, names: &mut Vec<String>) -> Result<(), Fault> {
    let entries = std::fs::read_dir(folder).map_err(|error| Fault::io("read", folder, &error))?;
    for entry in entries.flatten() {
        let (Ok(kind), Ok(name)) = (entry.file_type(), entry.file_name().into_string()) else { continue };
        if kind.is_dir() && depth < MAX_DEPTH {
            walk(&entry.path(), &format!("{before}{name}/"), depth + 1, names)?;
        } else if !kind.is_dir()
            && let Some(name) = name.strip_suffix(".txt")
        {
            names.push(format!("{before}{name}"));
        }
        if names.len() > MAX_FILES {
            return Err(
                Fault::file(format!("`{FOLDER}` holds more than {MAX_FILES} lists")).hint("name one without `*`")
            );
        }
    }
    Ok(())
}

/// Tells whether a pattern fits a name: `*` is anything within a folder, `**` in any.
fn fits(pattern: &str, name: &str) -> bool {
    // For each place in the pattern, the places in the name that it can reach.
    let name: Vec<char> = name.chars().collect();
    let mut here = vec![false; name.len() + 1];
    here[0] = true;
    let mut signs = pattern.chars().peekable();
    while let Some(sign) = signs.next() {
        let deep = sign == '*' && signs.next_if_eq(&'*').is_some();
        let mut next = vec![false; name.len() + 1];
        for at in 0..=name.len() {
            if sign == '*' {
                next[at] = here[at] || (at > 0 && next[at - 1] && (deep || name[at - 1] != '/'));
            } else {
                next[at] = at > 0 && here[at - 1] && name[at - 1] == sign;
            }
        }
        here = next;
    }
    here[name.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_star_stays_in_its_folder_and_two_do_not() {
        assert!(fits("animals/*", "animals/cat") && !fits("animals/*", "animals/big/cat"));
        assert!(fits("**/cat", "animals/big/cat") && fits("*", "cat") && !fits("*", "a/cat"));
        assert!(fits("c*t", "cat") && !fits("c*t", "cats"));
    }
}
