//! What is to become of sizes that cannot fit: a key of the file, `on_too_large: clamp`.
//!
//! It is kept as it was written, among the sections that this program carries along.

use super::Graph;
use super::field::text;

/// The key.
pub(super) const KEY: &str = "on_too_large";

/// What is to become of sizes with which a run cannot fit into memory.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OnTooLarge {
    /// They stay, and the run fails.
    #[default]
    Fail,
    /// They are lowered until it fits.
    Clamp,
}

impl OnTooLarge {
    /// All of them.
    pub const ALL: [Self; 2] = [Self::Fail, Self::Clamp];

    /// Returns the word in files and on the command line.
    pub fn word(self) -> &'static str {
        match self {
            Self::Fail => "fail",
            Self::Clamp => "clamp",
        }
    }

    /// Reads the word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|each| each.word() == word)
    }

    /// Reads the value of the key, as a word or as a text.
    pub(super) fn read(value: &str) -> Option<Self> {
        Self::from_word(text(value).as_deref().unwrap_or(value.trim()))
    }
}

impl Graph {
    /// Returns what is to become of sizes that cannot fit.
    pub fn on_too_large(&self) -> OnTooLarge {
        self.sections.get(KEY).and_then(|value| OnTooLarge::read(value)).unwrap_or_default()
    }

    /// Sets what is to become of sizes that cannot fit.
    pub fn set_on_too_large(&mut self, on_too_large: OnTooLarge) {
        self.sections.insert(KEY.to_owned(), on_too_large.word().to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::graph::{read, write};

    #[test]
    fn what_is_to_become_of_sizes_is_read_kept_and_set() {
        let text = "(\n    darkroom: 1,\n    nodes: {},\n    on_too_large: clamp,\n)\n";
        let mut graph = read(text).expect("it is well-formed").graph;
        assert_eq!((graph.on_too_large(), write(&graph)), (OnTooLarge::Clamp, text.to_owned()));
        graph.set_on_too_large(OnTooLarge::Fail);
        assert_eq!((graph.on_too_large(), write(&graph)), (OnTooLarge::Fail, text.replace("clamp", "fail")));
        let told = |text: &str| read(text).expect("it is well-formed").graph.on_too_large();
        assert_eq!(told("(darkroom: 1, nodes: {})"), OnTooLarge::Fail);
        assert_eq!(told("(darkroom: 1, nodes: {}, on_too_large: \"clamp\")"), OnTooLarge::Clamp);
    }

    #[test]
    fn other_words_are_refused_at_their_place() {
        for word in ["shrink", "3", "[clamp]", "true"] {
            let faults =
                read(&format!("(darkroom: 1,\n nodes: {{}}, on_too_large: {word})")).expect_err("no such word");
            let told = faults.to_string();
            assert!(told.starts_with("line 2, column 27: "), "{told}");
            assert!(told.contains(&format!("`on_too_large` must be `fail` or `clamp`, not `{word}`")), "{told}");
        }
    }
}
