//! Draws a text from a template. Draws come in the order of the text, each from one generator.

use darkroom_core::fault::Fault;

use super::lists::Lists;
use super::syntax::{Choice, Part, parse};

/// The longest text that may come of it, in bytes: what a tokenizer reads.
const MAX_BYTES: usize = 64 << 10;
/// The most draws: lists within lists may multiply.
const MAX_DRAWS: usize = 100_000;

/// Draws a text.
///
/// # Errors
/// A template that cannot be read, or a text that grows too long.
pub fn expand(template: &str, lists: &Lists, seed: u64) -> Result<String, Fault> {
    let mut draw = Draw { lists, state: seed, drawn: 0 };
    let mut text = String::new();
    draw.parts(&parse(template)?, &mut text)?;
    Ok(text)
}

struct Draw<'l> {
    lists: &'l Lists,
    state: u64,
    drawn: usize,
}

impl Draw<'_> {
    fn parts(&mut self, parts: &[Part], text: &mut String) -> Result<(), Fault> {
        for part in parts {
            match part {
                Part::Text(plain) => text.push_str(plain),
                Part::List(name) => {
                    let lines = self.lists.lines(name);
                    if let Some(line) = self.pick(lines, &mut vec![false; lines.len()])? {
                        self.parts(line, text)?;
                    }
                }
                Part::Choice(choice) => self.choice(choice, text)?,
            }
            if text.len() > MAX_BYTES {
                return Err(Fault::graph(format!("the text that was drawn has more than {MAX_BYTES} bytes"))
                    .hint("draw less at once"));
            }
        }
        Ok(())
    }

    fn choice(&mut self, choice: &Choice, text: &mut String) -> Result<(), Fault> {
        // Some of a single list are some of its lines.
        let options = match &choice.options[..] {
            [(_, only)] => match &only[..] {
                [Part::List(name)] => self.lists.lines(name),
                _ => &choice.options[..],
            },
            options => options,
        };
        let (low, high) = (choice.count.0.min(options.len()), choice.count.1.min(options.len()));
        let count = low + (self.uniform()? * (high - low + 1) as f64) as usize;
        let mut taken = vec![false; options.len()];
        for index in 0..count.min(high) {
            let Some(option) = self.pick(options, &mut taken)? else { break };
            if index > 0 {
                text.push_str(&choice.joiner);
            }
            self.parts(option, text)?;
        }
        Ok(())
    }

    /// Draws one of those that are not taken yet, by their weights; nothing if all of them weigh nothing.
    fn pick<'o>(&mut self, options: &'o [(f64, Vec<Part>)], taken: &mut [bool]) -> Result<Option<&'o [Part]>, Fault> {
        let weight = |index: usize, taken: &[bool]| if taken[index] { 0.0 } else { options[index].0 };
        let all: f64 = (0..options.len()).map(|index| weight(index, taken)).sum();
        let mut left = self.uniform()? * all;
        let mut last = None;
        for index in (0..options.len()).filter(|index| weight(*index, taken) > 0.0).collect::<Vec<_>>() {
            last = Some(index);
            left -= weight(index, taken);
            if left < 0.0 {
                break;
            }
        }
        Ok(last.map(|index| {
            taken[index] = true;
            &options[index].1[..]
        }))
    }

    /// Draws a number from 0 up to, and not including, 1: SplitMix64, of which 53 bits are used.
    fn uniform(&mut self) -> Result<f64, Fault> {
        self.drawn += 1;
        if self.drawn > MAX_DRAWS {
            return Err(Fault::graph(format!("more than {MAX_DRAWS} choices were drawn")).hint("draw less at once"));
        }
        self.state = self.state.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.state;
        bits = (bits ^ (bits >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ (bits >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^= bits >> 31;
        Ok((bits >> 11) as f64 / (1_u64 << 53) as f64)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn drawn(template: &str, seed: u64) -> String {
        expand(template, &Lists::default(), seed).expect(template)
    }

    fn counted(template: &str) -> BTreeMap<String, usize> {
        let mut counts = BTreeMap::new();
        (0..1000).for_each(|seed| *counts.entry(drawn(template, seed)).or_default() += 1);
        counts
    }

    #[test]
    fn a_seed_draws_the_same_text_on_every_machine() {
        assert_eq!(drawn("a {red|green|blue} {cat|dog}, plain", 7), drawn("a {red|green|blue} {cat|dog}, plain", 7));
        let texts: Vec<_> = (0..4).map(|seed| drawn("{a|b|c|d}", seed)).collect();
        assert_eq!(texts, GOLDEN);
    }

    /// Recorded once: a change here would change everyone's pictures.
    const GOLDEN: [&str; 4] = ["b", "c", "c", "c"];

    #[test]
    fn weights_are_kept_and_nothing_is_drawn_twice() {
        let counts = counted("{0.8::a|0.2::b|0::c}");
        assert!((740..860).contains(&counts["a"]) && counts.len() == 2, "{counts:?}");
        let pairs = counted("{2$$+$$a|b|c}");
        assert_eq!(pairs.keys().map(String::as_str).collect::<Vec<_>>(), ["a+b", "a+c", "b+a", "b+c", "c+a", "c+b"]);
        let some = counted("{0-5$$a|b}");
        assert_eq!(some.keys().map(String::as_str).collect::<Vec<_>>(), ["", "a", "a, b", "b", "b, a"]);
    }

    #[test]
    fn what_grows_without_bound_is_stopped() {
        let mut template = "word ".repeat(40);
        for _ in 0..12 {
            template = format!("{{1$${template}}}{{1$${template}}}");
        }
        assert!(expand(&template, &Lists::default(), 0).is_err());
    }
}
