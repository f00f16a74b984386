//! The section `exposed` of a workflow: parameters that are offered as a form, in the order of the form.
//!
//! ```ron
//! exposed: ["prompt.text", "denoise.seed"],
//! ```

use super::edit::Edit;
use super::sheet::{NodeId, Sheet};

/// The section's name in the file.
const SECTION: &str = "exposed";

/// Returns the parameters that a sheet offers; none if the section cannot be read.
pub fn exposed(sheet: &Sheet) -> Vec<(NodeId, String)> {
    let names = sheet.sections.get(SECTION).and_then(|text| ron::from_str::<Vec<String>>(text).ok());
    let known = |name: &String| {
        let (node, input) = name.rsplit_once('.')?;
        Some((sheet.named(node)?, input.to_owned()))
    };
    names.iter().flatten().filter_map(known).collect()
}

/// Returns the edit that offers a parameter, at the form's end, or takes it out of it.
pub fn expose(sheet: &Sheet, node: NodeId, input: &str) -> Edit {
    let mut all = exposed(sheet);
    match all.iter().position(|(id, name)| *id == node && name == input) {
        Some(index) => drop(all.remove(index)),
        None => all.push((node, input.to_owned())),
    }
    let name = |(id, input): &(NodeId, String)| Some(format!("{}.{input}", sheet.nodes.get(id)?.name));
    let names: Vec<_> = all.iter().filter_map(name).map(|name| format!("{name:?}")).collect();
    Edit::Section(SECTION.to_owned(), (!names.is_empty()).then(|| format!("[{}]", names.join(", "))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::Document;

    #[test]
    fn parameters_are_offered_and_taken_back() {
        let text = r#"(darkroom: 1, nodes: {"a": (type: "word", text: "ink"), "b": (type: "word")}, exposed: ["b.text", "gone.text"])"#;
        let mut document = Document::read(text, None).expect("it is a workflow").document;
        let (a, b) =
            (document.sheet().named("a").expect("it is there"), document.sheet().named("b").expect("it is there"));
        assert_eq!(exposed(document.sheet()), [(b, "text".to_owned())]);
        for (node, left) in [(a, vec![b, a]), (b, vec![a]), (a, vec![])] {
            let edit = expose(document.sheet(), node, "text");
            document.step("offer", [edit]).expect("it can be done");
            let now: Vec<_> = exposed(document.sheet()).into_iter().map(|(id, _)| id).collect();
            assert_eq!(now, left);
            Document::read(&document.text(), None).expect("it is a workflow still");
        }
        assert!(!document.text().contains("exposed"));
    }
}
