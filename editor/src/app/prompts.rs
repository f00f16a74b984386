//! Prompts that were run: they come back in every field for several lines.

use std::sync::Arc;

use darkroom_core::literal::Literal;

use super::App;

impl App {
    /// Takes note of the prompts that a run reads.
    pub(super) fn remember_prompts(&mut self) {
        let Self { tabs, active, backend, keeping, .. } = self;
        let tab = &tabs[*active];
        for node in tab.document.sheet().levels().flat_map(|(_, sheet)| sheet.nodes.values()) {
            let Some(known) = tab.registry(&**backend).get(&node.kind) else { continue };
            let inputs = known.spec().inputs.iter();
            for input in inputs.filter(|input| input.param.as_ref().is_some_and(|param| param.multiline)) {
                if let Some(Literal::Text(text)) = node.literal(input.name) {
                    keeping.settings.prompted(text);
                }
            }
        }
        self.show_prompts();
    }

    /// Hands the prompts to the fields.
    pub(super) fn show_prompts(&mut self) {
        let prompts = Arc::new(self.keeping.settings.prompts.clone());
        self.tabs.iter_mut().for_each(|tab| tab.status.prompts = Arc::clone(&prompts));
    }
}
