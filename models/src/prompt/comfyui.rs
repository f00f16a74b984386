//! ComfyUI's brackets (`comfy/sd1_clip.py`, `token_weights` and `parse_parentheses`).
//!
//! `(x)` weighs 1.1 times what is around it; `(x:1.3)` weighs 1.3, whatever is around it; `[x]` is text; `\(` is a
//! bracket that means nothing; one that is never closed is text.

use super::{MAX_DEPTH, Piece, too_deep};
use crate::Result;

const ROUND: f64 = 1.1;
/// What stands for escaped brackets while the others are looked for, as it does there.
const CLOSED: &str = "\0\u{1}";
const OPEN: &str = "\0\u{2}";

/// Cuts a prompt into pieces.
///
/// # Errors
/// More than 64 brackets within one another.
pub fn parse(text: &str) -> Result<Vec<Piece>> {
    let escaped = text.replace("\\)", CLOSED).replace("\\(", OPEN);
    let mut pieces = Vec::new();
    weigh(&escaped, 1.0, 0, &mut pieces)?;
    Ok(pieces)
}

fn weigh(text: &str, around: f64, depth: usize, pieces: &mut Vec<Piece>) -> Result<()> {
    if depth > MAX_DEPTH {
        return Err(too_deep());
    }
    for item in items(text) {
        match item.strip_prefix('(').and_then(|item| item.strip_suffix(')')) {
            Some(inside) => {
                let (inside, weight) = inside
                    .rsplit_once(':')
                    .filter(|(text, _)| !text.is_empty())
                    .and_then(|(text, weight)| Some((text, number(weight)?)))
                    .unwrap_or((inside, around * ROUND));
                weigh(inside, weight, depth + 1, pieces)?;
            }
            None => pieces.push(Piece::Text(item.replace(CLOSED, ")").replace(OPEN, "("), around)),
        }
    }
    Ok(())
}

/// Reads a weight; one that is infinite or no number at all is text.
fn number(text: &str) -> Option<f64> {
    text.trim().parse().ok().filter(|weight: &f64| weight.is_finite())
}

/// Cuts a text at the outermost brackets. A bracket closed too often counts below zero, as it does there.
fn items(text: &str) -> Vec<&str> {
    let (mut items, mut from, mut level) = (Vec::new(), 0, 0_i64);
    for (at, c) in text.char_indices() {
        match c {
            '(' => {
                if level == 0 && at > from {
                    items.push(&text[from..at]);
                }
                if level == 0 {
                    from = at;
                }
                level += 1;
            }
            ')' => {
                level -= 1;
                if level == 0 {
                    items.push(&text[from..=at]);
                    from = at + 1;
                }
            }
            _ => {}
        }
    }
    if from < text.len() {
        items.push(&text[from..]);
    }
    items
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str, wanted: &[(&str, f64)]) {
        let wanted: Vec<_> = wanted.iter().map(|(text, weight)| Piece::Text((*text).to_owned(), *weight)).collect();
        assert_eq!(parse(text).unwrap(), wanted, "{text}");
    }

    #[test]
    fn a_number_replaces_what_is_around_it() {
        is("a (b:1.5) c", &[("a ", 1.0), ("b", 1.5), (" c", 1.0)]);
        is("(a (b:1.5) c:2)", &[("a ", 2.0), ("b", 1.5), (" c", 2.0)]);
        is("((a (b) c):2)", &[("a ", 2.2), ("b", 2.2 * 1.1), (" c", 2.2)]);
    }

    #[test]
    fn what_is_no_bracket_is_text() {
        is("", &[]);
        is("a [b] c", &[("a [b] c", 1.0)]);
        is("(unclosed", &[("(unclosed", 1.0)]);
        is("\\(b\\)", &[("(b)", 1.0)]);
        is("(a:b)", &[("a:b", 1.1)]);
        is("(a:inf)", &[("a:inf", 1.1)]);
        is("(:1.3)", &[(":1.3", 1.1)]);
        is("a) (b", &[("a) (b", 1.0)]);
    }

    #[test]
    fn deep_brackets_are_refused() {
        let nested = |depth: usize| format!("{}a{}", "(".repeat(depth), ")".repeat(depth));
        assert!(parse(&nested(64)).is_ok());
        assert!(parse(&nested(65)).is_err() && parse(&nested(30_000)).is_err());
    }
}
