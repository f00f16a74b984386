//! Closing: every document that changed is asked about, and none is given up before all have their answer.

use std::collections::HashSet;

use super::DocumentId;

/// A close that is under way.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Closing {
    /// The document that is closed; none if the window is.
    only: Option<DocumentId>,
    given_up: HashSet<DocumentId>,
}

impl Closing {
    /// Closes the window.
    pub fn all() -> Self {
        Self::default()
    }

    /// Closes one document.
    pub fn one(id: DocumentId) -> Self {
        Self { only: Some(id), given_up: HashSet::new() }
    }

    /// Returns the document that is closed; none if the window is.
    pub fn only(&self) -> Option<DocumentId> {
        self.only
    }

    /// Takes note that changes of a document may be lost.
    pub fn give_up(&mut self, id: DocumentId) {
        self.given_up.insert(id);
    }

    /// Returns the document to ask about next, of those that changed; none if it can close.
    pub fn next(&self, changed: impl IntoIterator<Item = DocumentId>) -> Option<DocumentId> {
        let asked = |id: &DocumentId| self.only.is_none_or(|only| only == *id) && !self.given_up.contains(id);
        changed.into_iter().find(asked)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: DocumentId = DocumentId(1);
    const TWO: DocumentId = DocumentId(2);

    #[test]
    fn all_that_changed_are_asked_about_before_the_window_closes() {
        let mut closing = Closing::all();
        assert_eq!(closing.next([ONE, TWO]), Some(ONE));
        closing.give_up(ONE);
        assert_eq!(closing.next([ONE, TWO]), Some(TWO));
        // It was saved meanwhile.
        assert_eq!(closing.next([ONE]), None);
    }

    #[test]
    fn a_document_that_is_closed_alone_asks_for_no_other() {
        assert_eq!(Closing::one(TWO).next([ONE]), None);
        assert_eq!(Closing::one(TWO).next([ONE, TWO]), Some(TWO));
    }
}
