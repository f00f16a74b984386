//! What is found by what was typed, the best first.

use darkroom_core::spec::{FileSort, Spec};
use egui::Context;

use super::{CANVAS_MENU, Found, NODE_MENU, Palette, Pick, What, fastening};
use crate::app::App;
use crate::command::{COMMANDS, Command};
use crate::session::{Model, bytes_for_people};
use crate::theme::COLOURS;

impl App {
    /// Lists what is found.
    pub(super) fn found(&self, palette: &Palette, ctx: &Context) -> Vec<Found> {
        let keys = |command| self.keymap.shown(command, ctx);
        let mut found: Vec<_> = match &palette.what {
            What::Nodes { loose, .. } => {
                let all = self.tab().registry(&*self.backend).all().into_iter().map(|node| node.spec());
                let fits = all.filter(|spec| loose.is_none() || fastening(spec, loose.as_ref()).is_some());
                let mut found: Vec<_> = fits.filter_map(|spec| node(&palette.text, spec)).collect();
                found.iter_mut().for_each(|found| self.prefer(found));
                // Without a word those that are preferred come first, and the rest in the order of its shelves.
                found.sort_by_key(|found| std::cmp::Reverse(found.score));
                found
            }
            What::Commands => commands(&palette.text, &keys, COMMANDS.iter().map(|about| about.command)),
            What::Colours => {
                let names = COLOURS.iter().map(|(name, _)| Some(*name)).chain([None]);
                names.filter_map(|name| colour(&palette.text, name)).collect()
            }
            What::Models { node, input, sort } => {
                let kind = self.tab().node_of(*node).map(|node| node.kind.clone());
                let known = kind.and_then(|kind| self.tab().registry(&*self.backend).get(&kind));
                let spec = known.and_then(|known| known.spec().input(input).map(|(_, input)| input.clone()));
                let built_in = spec.and_then(|input| input.param).map(|param| param.built_in).unwrap_or_default();
                let built_in = built_in.iter().filter_map(|choice| {
                    let (aside, doc) = ("built in".to_owned(), choice.doc.to_owned());
                    let pick = Pick::Model(choice.name.to_owned());
                    let met = met(&palette.text, choice.name)?;
                    Some(Found { title: choice.name.to_owned(), marks: met.marks, aside, doc, score: met.score, pick })
                });
                let budget = self.backend.memory().0;
                let models = self.models.listed.iter().filter(|model| serves(model.sort, *sort));
                let models = models.filter_map(|each| model(&palette.text, each, budget));
                built_in.chain(models).chain(as_it_is(&palette.text, &self.models.listed)).collect()
            }
            What::Menu(_) => {
                let on_nodes = !self.tab().view.selection.is_empty();
                let list: &[Command] = if on_nodes { &NODE_MENU } else { &CANVAS_MENU };
                commands(&palette.text, &keys, list.iter().copied())
            }
        };
        if !palette.text.is_empty() {
            found.sort_by_key(|found| -found.score);
        }
        found
    }

    /// Lets favourites, what was used lately and what fits what is chosen come before others.
    fn prefer(&self, found: &mut Found) {
        let Pick::Node(kind) = found.pick else { return };
        let settings = &self.keeping.settings;
        let used = settings.used.iter().position(|known| known == kind);
        let (word, more) = match used {
            _ if settings.favourites.iter().any(|known| known == kind) => ("favourite", 12),
            Some(index) => ("used lately", 9 - index as i32),
            None if self.fits_chosen(kind) => ("fits", 2),
            None => return,
        };
        found.score += more;
        found.aside = format!("{word}  ·  {}", found.aside);
    }

    /// Tells whether a type takes what the chosen node gives.
    fn fits_chosen(&self, kind: &str) -> bool {
        let tab = self.tab();
        let registry = tab.registry(&*self.backend);
        let chosen = tab.view.selection.nodes.iter().min().and_then(|id| tab.sheet().nodes.get(id));
        let chosen = chosen.and_then(|node| registry.get(&node.kind));
        let (Some(chosen), Some(spec)) = (chosen, registry.get(kind).map(|node| node.spec())) else { return false };
        let mut wires = spec.inputs.iter().filter(|input| input.param.is_none());
        wires.any(|input| chosen.spec().outputs.iter().any(|output| input.kind.accepts(output.kind)))
    }

    /// Says in a few words what a list of models holds.
    pub(super) fn beside(&self, palette: &Palette) -> Option<String> {
        let What::Models { sort, .. } = palette.what else { return None };
        let budget = self.backend.memory().0;
        let all: Vec<_> = self.models.listed.iter().filter(|model| serves(model.sort, sort)).collect();
        let fits = all.iter().filter(|model| model.needs.is_some_and(|needs| needs <= budget)).count();
        Some(match (&self.models.fault, self.models.is_asked) {
            (Some(fault), _) => fault.message.clone(),
            (None, true) if all.is_empty() => "looking what there is …".to_owned(),
            (None, _) => format!("{} on disk, {fits} fit into {} of memory", all.len(), bytes_for_people(budget)),
        })
    }
}

/// Tells whether a file of one sort does for what another one is wanted for. What nobody can tell may do.
fn serves(is: Option<FileSort>, wanted: FileSort) -> bool {
    match (is, wanted) {
        (Some(FileSort::Model), FileSort::Vae) | (None, _) => true,
        (Some(is), wanted) => is == wanted,
    }
}

fn node(typed: &str, spec: &Spec) -> Option<Found> {
    let title = met(typed, spec.title);
    let scores = [
        title.as_ref().map(|met| met.score + 30),
        met(typed, spec.id).map(|met| met.score + 20),
        met(typed, spec.category).map(|met| met.score),
        within(typed, spec.doc),
    ];
    Some(Found {
        title: spec.title.to_owned(),
        score: scores.into_iter().flatten().max()?,
        marks: title.map(|met| met.marks).unwrap_or_default(),
        aside: spec.category.to_owned(),
        doc: spec.doc.to_owned(),
        pick: Pick::Node(spec.id),
    })
}

fn commands(typed: &str, keys: &dyn Fn(Command) -> String, list: impl Iterator<Item = Command>) -> Vec<Found> {
    let one = |command: Command| {
        let about = command.about();
        let Met { score, marks } = met(typed, about.title)?;
        let (aside, doc) = (keys(command), String::new());
        Some(Found { title: about.title.to_owned(), marks, aside, doc, score, pick: Pick::Command(command) })
    };
    list.filter_map(one).collect()
}

fn colour(typed: &str, name: Option<&'static str>) -> Option<Found> {
    let title = name.unwrap_or("none").to_owned();
    let Met { score, marks } = met(typed, &title)?;
    Some(Found { title, marks, aside: String::new(), doc: String::new(), score, pick: Pick::Colour(name) })
}

fn model(typed: &str, model: &Model, budget: u64) -> Option<Found> {
    let Met { score, marks } = met(typed, &model.name)?;
    let fits = model.needs.map(|needs| match needs <= budget {
        true => "fits".to_owned(),
        false => format!("needs {}, too much", bytes_for_people(needs)),
    });
    let fits = if model.fault.is_some() { Some("cannot be read".to_owned()) } else { fits };
    let parts = [model.family.clone(), model.precision.clone(), Some(bytes_for_people(model.bytes)), fits];
    let doc = match (&model.fault, model.needs) {
        (Some(fault), _) => fault.clone(),
        (None, Some(needs)) => format!(
            "{} of memory at a time, as plans count it; {} may be used.",
            bytes_for_people(needs),
            bytes_for_people(budget)
        ),
        (None, None) => String::new(),
    };
    let aside = parts.into_iter().flatten().collect::<Vec<_>>().join("  ·  ");
    Some(Found { title: model.name.clone(), marks, aside, doc, score, pick: Pick::Model(model.name.clone()) })
}

/// What was typed, taken as a name.
fn as_it_is(typed: &str, listed: &[Model]) -> Option<Found> {
    let name = typed.trim();
    let is_new = !name.is_empty() && listed.iter().all(|model| model.name != name);
    is_new.then(|| Found {
        title: format!("use `{name}`"),
        marks: Vec::new(),
        aside: "a name as it is: a file, a folder, or an address on the hub".to_owned(),
        doc: String::new(),
        score: i32::MIN / 2,
        pick: Pick::Model(name.to_owned()),
    })
}

/// How well a text is met by what was typed, and which of its letters are.
#[derive(Debug, PartialEq, Eq)]
struct Met {
    score: i32,
    marks: Vec<usize>,
}

/// Holds a text against what was typed: all letters in their order, those at beginnings of words and next to one another
/// count more. None if a letter is not there.
fn met(typed: &str, text: &str) -> Option<Met> {
    let mut typed = typed.chars().filter(|c| !c.is_whitespace()).flat_map(char::to_lowercase).peekable();
    let (mut score, mut beginning, mut run, mut skipped) = (0, true, 0, 0);
    let mut marks = Vec::new();
    for (index, letter) in text.chars().enumerate() {
        let small = letter.to_lowercase().next().unwrap_or(letter);
        match typed.peek() {
            None => break,
            Some(wanted) if *wanted == small => {
                score += 4 + run * 3 + if beginning { 8 } else { 0 };
                run += 1;
                marks.push(index);
                typed.next();
            }
            Some(_) => {
                run = 0;
                skipped += 1;
            }
        }
        beginning = !letter.is_alphanumeric();
    }
    typed.peek().is_none().then(|| Met { score: score - skipped.min(20), marks })
}

/// How well a text is met by what was typed; none if it is not.
pub fn score(typed: &str, text: &str) -> Option<i32> {
    met(typed, text).map(|met| met.score)
}

/// What a description counts for that holds the very words that were typed: letters alone are in every sentence.
fn within(typed: &str, text: &str) -> Option<i32> {
    text.to_lowercase().contains(&typed.trim().to_lowercase()).then_some(-40)
}

#[cfg(test)]
mod tests {
    use darkroom_core::spec::FileSort;

    use super::{met, score, serves};

    #[test]
    fn beginnings_of_words_count_more_than_letters_on_the_way() {
        assert!(score("vd", "VAE decode") > score("vd", "Save a video"));
        assert!(score("ups", "Upscale") > score("ups", "Two pictures side by side"));
        assert_eq!(score("xyz", "Upscale"), None);
        assert!(score("", "Upscale").is_some());
    }

    #[test]
    fn the_letters_that_were_typed_are_marked() {
        assert_eq!(met("vde", "VAE decode").expect("all are there").marks, [0, 4, 5]);
        assert!(met("", "Upscale").expect("nothing is wanted").marks.is_empty());
    }

    #[test]
    fn a_model_does_for_its_autoencoder_and_a_lora_for_nothing_else() {
        assert!(serves(Some(FileSort::Model), FileSort::Vae) && serves(None, FileSort::Lora));
        assert!(!serves(Some(FileSort::Lora), FileSort::Model) && !serves(Some(FileSort::Vae), FileSort::Model));
    }
}
