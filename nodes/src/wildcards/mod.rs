//! `wildcards`: one prompt out of many, drawn by a seed.
//!
//! A template is read with everything that it names ([`lists`]), taken apart ([`syntax`]) and drawn from ([`expand`]).
//! All of that happens while planning, so that the text that was drawn is what downstream nodes are named by.

mod expand;
mod lists;
mod syntax;

use darkroom_core::Node;
use darkroom_core::context::Context;
use darkroom_core::fault::Fault;
use darkroom_core::files::Files;
use darkroom_core::fingerprint::{Fingerprint, Hasher};
use darkroom_core::literal::Literal;
use darkroom_core::node::Node;
use darkroom_core::param::{Param, Seed};
use darkroom_core::types::Kind;

use lists::Lists;

/// A text with choices in it, and the lists that it names.
pub struct Template {
    text: String,
    lists: Lists,
}

impl Param for Template {
    const KIND: Kind = Kind::TEXT;
    const NOUN: &'static str = "a text";
    const OUTSIDE: bool = true;

    fn parse(literal: &Literal, files: &Files) -> Result<Self, Fault> {
        let text = String::parse(literal, files)?;
        let lists = Lists::of(&text, files)?;
        Ok(Self { text, lists })
    }

    fn literal(&self) -> Literal {
        Literal::from(self.text.as_str())
    }

    /// The text, and the content of every list that it reaches.
    fn name(literal: &Literal, files: &Files) -> Result<Fingerprint, Fault> {
        let template = Self::parse(literal, files)?;
        Ok(template.lists.name(Hasher::new("template").text(&template.text)).finish())
    }
}

/// Draws one text out of many: the same seed and the same lists give the same text.
///
/// `{a|b|c}` is one of several; `{3::a|b}` is `a` three times out of four; `{2$$a|b|c}` is two different ones with a
/// comma between, `{1-2$$ and $$a|b|c}` one or two with `and`. `__colours__` is a line of `colours.txt`, below a folder
/// `wildcards` or beside the workflow; `__animals/*__` a line of any file in the folder. Choices and lists may stand in
/// choices and lists. Empty lines of a list, and lines that start with `#`, do not count. `\{`, `\}` and `\|` are the
/// signs themselves.
#[derive(Node)]
#[node(id = "wildcards", version = 1, category = "Prompt", lane = "value")]
pub struct Wildcards {
    /// The text with its choices.
    #[param(default = Template { text: String::new(), lists: Lists::default() }, multiline)]
    text: Template,
    /// What chance is. `random` draws one at submission and records it.
    #[param(default = Seed(0))]
    seed: Seed,
}

impl Node for Wildcards {
    type Output = String;

    fn run(self, _: &mut Context<'_>) -> Result<String, Fault> {
        expand::expand(&self.text.text, &self.text.lists, self.seed.0)
    }
}
