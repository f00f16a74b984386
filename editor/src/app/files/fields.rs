//! Files for fields: picked in the browser, or dropped.

use std::path::{Path, PathBuf};

use darkroom_core::literal::Literal;
use darkroom_core::spec::FileSort;

use crate::app::browser::Browser;
use crate::app::{App, Dialog};
use crate::document::{Edit, NodeId};
use crate::session::{Sort, is_model_folder, sort_of};

/// What a person calls it.
pub fn noun(sort: FileSort) -> &'static str {
    match sort {
        FileSort::Picture => "a picture",
        FileSort::Model => "a model",
        FileSort::Vae => "an autoencoder",
        FileSort::TextEncoder => "a text encoder",
        FileSort::Lora => "a LoRA",
        FileSort::Embedding => "an embedding",
        FileSort::ControlNet => "a ControlNet",
        FileSort::Upscaler => "an upscaler",
    }
}

impl App {
    /// Looks for a file for a field, where its file lies now, or else beside the workflow.
    pub(in crate::app) fn browse_for(&mut self, node: NodeId, input: &'static str) {
        let Some(sort) = self.file_sort(node, input) else { return };
        let tab = self.tab();
        let roots = (self.keeping.disk.roots)(tab.document.path());
        let named = match tab.node_of(node).and_then(|node| node.literal(input)) {
            Some(Literal::Text(name)) => roots.iter().map(|root| root.join(name)).find(|file| file.exists()),
            _ => None,
        };
        let near = named.as_deref().and_then(Path::parent).map(Path::to_owned);
        let here = || std::env::current_dir().ok();
        let folder = near.or_else(|| roots.first().cloned()).filter(|folder| folder.is_dir()).or_else(here);
        self.dialog = Some(Dialog::Files(Browser::for_field(&folder.unwrap_or_default(), node, input, sort)));
    }

    /// Gives a field a file, by the name that the workflow has for it.
    pub(in crate::app) fn take_file(&mut self, node: NodeId, input: &'static str, path: &Path) {
        let Some(wanted) = self.file_sort(node, input) else { return };
        let does = match (sort_of(path), wanted) {
            (Sort::Picture, FileSort::Picture) => true,
            (Sort::Folder, FileSort::ControlNet) => is_model_folder(path),
            (Sort::Model, wanted) => wanted != FileSort::Picture,
            _ => false,
        };
        if !does {
            let name = path.file_name().map(PathBuf::from).unwrap_or_default();
            self.say(format!("`{}` is not {}", name.display(), noun(wanted)));
            return;
        }
        let (name, outside) = self.keeping.disk.name_for(self.tab().document.path(), path);
        self.step("use a file", vec![Edit::Set(node, input.to_owned(), Some(Literal::Text(name)))]);
        if let Some(sentence) = outside {
            self.say(sentence);
        }
    }
}
