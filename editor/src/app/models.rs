//! Models: the list that fields choose from, and what is being fetched.

use std::sync::Arc;

use darkroom_core::fault::{Fault, FaultKind};
use darkroom_core::literal::Literal;
use darkroom_core::spec::FileSort;

use super::App;
use super::palette::Palette;
use super::running::Weight;
use crate::document::{Edit, NodeId};
use crate::fields::Request;
use crate::session::{DocumentId, Model, Pulling, Ticket};

/// What is known of models.
#[derive(Default)]
pub struct Models {
    /// Those that the document in front can name, as far as they were listed.
    pub listed: Vec<Model>,
    /// Why they cannot be listed.
    pub fault: Option<Fault>,
    /// Whether an answer is awaited.
    pub is_asked: bool,
    /// Whose they are.
    of: Option<DocumentId>,
    pulls: Vec<Pulling>,
}

impl App {
    /// Does what a field asks for.
    pub(super) fn field_asks(&mut self, node: NodeId, input: &'static str, request: Request) {
        match request {
            Request::Models => {
                if let Some(sort) = self.file_sort(node, input) {
                    self.list_models();
                    self.palette = Some(Palette::models(node, input, sort));
                }
            }
            Request::Browse => self.browse_for(node, input),
            Request::Take(path) => self.take_file(node, input, &path),
            Request::Pull(name) => self.pull(name),
            Request::Stop(name) => self.stop_pull(&name),
        }
    }

    /// What the file is that a field names.
    pub(super) fn file_sort(&self, node: NodeId, input: &str) -> Option<FileSort> {
        let kind = &self.tab().node_of(node)?.kind;
        self.tab().registry(&*self.backend).get(kind)?.spec().input(input)?.1.param.as_ref()?.file
    }

    /// Asks what models there are now. What was listed before is shown meanwhile, if it is of the same document.
    pub(super) fn list_models(&mut self) {
        let Self { tabs, active, backend, models, .. } = self;
        let tab = &tabs[*active];
        if models.of != Some(tab.id) {
            models.listed.clear();
        }
        (models.of, models.is_asked, models.fault) = (Some(tab.id), true, None);
        backend.models(tab.id, tab.document.path());
    }

    /// Takes in what models there are.
    pub(super) fn models_listed(&mut self, of: DocumentId, listed: Result<Vec<Model>, Fault>) {
        if self.models.of != Some(of) {
            return;
        }
        self.models.is_asked = false;
        match listed {
            Ok(listed) => self.models.listed = listed,
            Err(fault) => self.models.fault = Some(fault),
        }
    }

    /// Gives a field the name of a model.
    pub(super) fn name_model(&mut self, node: NodeId, input: &str, name: String) {
        self.step("choose a model", vec![Edit::Set(node, input.to_owned(), Some(Literal::Text(name)))]);
    }

    /// Fetches what a field names, unless that is under way.
    pub(in crate::app) fn pull(&mut self, name: String) {
        if self.models.pulls.iter().any(|pulling| pulling.name == name) {
            return;
        }
        let ticket = self.backend.pull(&name);
        self.models.pulls.push(Pulling { ticket, name, done: 0, of: 0, rate: 0.0 });
        self.show_pulls();
    }

    fn stop_pull(&mut self, name: &str) {
        if let Some(pulling) = self.models.pulls.iter().find(|pulling| pulling.name == name) {
            self.backend.cancel(pulling.ticket);
        }
    }

    /// Takes in how far a fetch is.
    pub(super) fn pulling(&mut self, pulling: Pulling) {
        if let Some(known) = self.models.pulls.iter_mut().find(|known| known.ticket == pulling.ticket) {
            *known = pulling;
            self.show_pulls();
        }
    }

    /// Takes in that a fetch is over.
    pub(super) fn pulled(&mut self, ticket: Ticket, ended: Result<(), Fault>) {
        let Some(index) = self.models.pulls.iter().position(|pulling| pulling.ticket == ticket) else { return };
        let Pulling { name, .. } = self.models.pulls.remove(index);
        self.show_pulls();
        let (weight, text) = match ended {
            Ok(()) => (Weight::Note, format!("`{name}` is here now")),
            Err(fault) if fault.kind == FaultKind::Cancelled => {
                (Weight::Note, format!("`{name}` is not fetched any further; what is here is kept"))
            }
            Err(fault) => (Weight::Error, super::files::words(&fault)),
        };
        self.tab_mut().note(weight, None, text.clone());
        self.say(text);
        self.tabs.iter_mut().for_each(super::Tab::ask_again);
        if self.models.of.is_some() {
            self.list_models();
        }
    }

    fn show_pulls(&mut self) {
        let pulls = Arc::new(self.models.pulls.clone());
        self.tabs.iter_mut().for_each(|tab| tab.status.pulls = Arc::clone(&pulls));
    }
}
