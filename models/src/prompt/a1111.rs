//! A1111's brackets (stable-diffusion-webui `modules/prompt_parser.py`, `parse_prompt_attention`).
//!
//! `(x)` weighs 1.1 times as much, `[x]` 1.1 times less, `(x:1.3)` 1.3 times as much; brackets within brackets multiply;
//! `\(` is a bracket that means nothing; one that is never closed reaches to the end. `BREAK` alone, outside of brackets,
//! begins a new chunk; inside of brackets it is a word like any other, as it is there.

use super::{MAX_DEPTH, Piece, too_deep};
use crate::Result;

const ROUND: f64 = 1.1;
const SQUARE: f64 = 1.0 / 1.1;
const BREAK: &str = "BREAK";

/// Cuts a prompt into pieces; neighbours of one weight are one piece.
///
/// # Errors
/// More than 64 brackets within one another.
pub fn parse(text: &str) -> Result<Vec<Piece>> {
    let mut parser = Parser::default();
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        rest = parser.step(rest, first)?;
    }
    for from in std::mem::take(&mut parser.round) {
        parser.multiply(from, ROUND);
    }
    for from in std::mem::take(&mut parser.square) {
        parser.multiply(from, SQUARE);
    }
    Ok(merge(parser.pieces))
}

/// A piece under way. `BREAK` carries the weight -1 until the end, so that brackets around it make it a word.
#[derive(Default)]
struct Parser {
    pieces: Vec<(String, f64)>,
    /// Where the open brackets began.
    round: Vec<usize>,
    square: Vec<usize>,
}

impl Parser {
    /// Takes in what comes first, and returns what is left.
    fn step<'t>(&mut self, text: &'t str, first: char) -> Result<&'t str> {
        let after = &text[first.len_utf8()..];
        match first {
            '\\' => {
                let escaped = after.chars().next().filter(|c| "()[]\\".contains(*c));
                let length = escaped.map_or(0, char::len_utf8);
                self.push(&after[..length], 1.0);
                return Ok(&after[length..]);
            }
            '(' | '[' => {
                if self.round.len() + self.square.len() == MAX_DEPTH {
                    return Err(too_deep());
                }
                let open = if first == '(' { &mut self.round } else { &mut self.square };
                open.push(self.pieces.len());
            }
            ':' => match weight(after).filter(|_| !self.round.is_empty()) {
                Some((weight, after)) => {
                    let from = self.round.pop().expect("it was seen to be open");
                    self.multiply(from, weight);
                    return Ok(after);
                }
                None => self.push(":", 1.0),
            },
            ')' | ']' => {
                let (open, factor) = if first == ')' { (&mut self.round, ROUND) } else { (&mut self.square, SQUARE) };
                match open.pop() {
                    Some(from) => self.multiply(from, factor),
                    None => self.push(&text[..1], 1.0),
                }
            }
            _ => {
                let end = text.find(|c| "\\()[]:".contains(c)).unwrap_or(text.len());
                self.words(&text[..end]);
                return Ok(&text[end..]);
            }
        }
        Ok(after)
    }

    fn push(&mut self, text: &str, weight: f64) {
        self.pieces.push((text.to_owned(), weight));
    }

    /// Takes in a text without brackets, which may have breaks in it.
    fn words(&mut self, text: &str) {
        let mut rest = text;
        while let Some(at) = find_break(rest) {
            self.push(rest[..at].trim_end(), 1.0);
            self.push(BREAK, -1.0);
            rest = rest[at + BREAK.len()..].trim_start();
        }
        self.push(rest, 1.0);
    }

    fn multiply(&mut self, from: usize, factor: f64) {
        self.pieces[from..].iter_mut().for_each(|(_, weight)| *weight *= factor);
    }
}

/// Reads `1.3)` with spaces around the number: the weight, and what comes behind the bracket.
fn weight(text: &str) -> Option<(f64, &str)> {
    let (number, after) = text.split_once(')')?;
    let number = number.trim();
    let digits = number.strip_prefix(['+', '-']).unwrap_or(number);
    let plain = !digits.is_empty() && digits.chars().all(|c| c.is_ascii_digit() || c == '.');
    let weight: f64 = number.parse().ok().filter(|_| plain)?;
    weight.is_finite().then_some((weight, after))
}

/// Finds `BREAK` as a word of its own.
fn find_break(text: &str) -> Option<usize> {
    let is_word = |c: char| c.is_alphanumeric() || c == '_';
    let alone = |at: &usize| {
        let (before, after) = (&text[..*at], &text[at + BREAK.len()..]);
        !before.ends_with(is_word) && !after.starts_with(is_word)
    };
    text.match_indices(BREAK).map(|(at, _)| at).find(alone)
}

fn merge(pieces: Vec<(String, f64)>) -> Vec<Piece> {
    let mut merged: Vec<(String, f64)> = Vec::new();
    for (text, weight) in pieces {
        match merged.last_mut().filter(|last| last.1 == weight) {
            Some(last) => last.0.push_str(&text),
            None => merged.push((text, weight)),
        }
    }
    if merged.is_empty() {
        merged.push((String::new(), 1.0));
    }
    let piece = |(text, weight): (String, f64)| match weight == -1.0 && text == BREAK {
        true => Piece::Break,
        false => Piece::Text(text, weight),
    };
    merged.into_iter().map(piece).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pieces(text: &str) -> Vec<(String, f64)> {
        let piece = |piece| match piece {
            Piece::Text(text, weight) => (text, weight),
            Piece::Break => ("BREAK!".to_owned(), 0.0),
        };
        parse(text).unwrap().into_iter().map(piece).collect()
    }

    fn is(text: &str, wanted: &[(&str, f64)]) {
        let wanted: Vec<_> = wanted.iter().map(|(text, weight)| ((*text).to_owned(), *weight)).collect();
        assert_eq!(pieces(text), wanted, "{text}");
    }

    /// The cases in the doc comment of `parse_prompt_attention`.
    #[test]
    fn its_own_examples_are_read_as_it_reads_them() {
        is("normal text", &[("normal text", 1.0)]);
        is("an (important) word", &[("an ", 1.0), ("important", 1.1), (" word", 1.0)]);
        is("(unbalanced", &[("unbalanced", 1.1)]);
        is("\\(literal\\]", &[("(literal]", 1.0)]);
        is("(unnecessary)(parens)", &[("unnecessaryparens", 1.1)]);
        let house = [
            ("a ", 1.0),
            ("house", 1.5730000000000004),
            (" ", 1.1),
            ("on", 1.0),
            (" a ", 1.1),
            ("hill", 0.55),
            (", sun, ", 1.1),
            ("sky", 1.4641000000000006),
            (".", 1.1),
        ];
        is("a (((house:1.3)) [on] a (hill:0.5), sun, (((sky))).", &house);
    }

    #[test]
    fn a_break_is_a_word_of_its_own_outside_of_brackets() {
        is("a BREAK b", &[("a", 1.0), ("BREAK!", 0.0), ("b", 1.0)]);
        is("BREAKFAST a_BREAK", &[("BREAKFAST a_BREAK", 1.0)]);
        is("BREAK", &[("", 1.0), ("BREAK!", 0.0), ("", 1.0)]);
        is("(a BREAK b)", &[("a", 1.1), ("BREAK", -1.1), ("b", 1.1)]);
    }

    #[test]
    fn what_is_no_weight_is_text() {
        is("", &[("", 1.0)]);
        is("a:1.3)", &[("a:1.3)", 1.0)]);
        is("(a:b)", &[("a:b", 1.1)]);
        is("(a:1.2.3)", &[("a:1.2.3", 1.1)]);
        is("(a: +.5 )", &[("a", 0.5)]);
        is("(a:1e9)", &[("a:1e9", 1.1)]);
        is("a]b)", &[("a]b)", 1.0)]);
        is("a\\b\\", &[("ab", 1.0)]);
    }

    #[test]
    fn deep_brackets_are_refused() {
        assert!(parse(&"(".repeat(64)).is_ok());
        let told = parse(&"([".repeat(40_000)).unwrap_err().to_string();
        assert_eq!(told, "the prompt has more than 64 brackets within one another");
    }
}
