//! Weights of words in a prompt, `(word:1.1)`, as A1111 and ComfyUI write them.

use std::ops::Range;

/// What one press adds to a weight, or takes from it.
const STEP: f64 = 0.05;
/// The greatest weight, up and down.
const MOST: f64 = 10.0;

/// Which way a weight goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    /// It grows.
    Up,
    /// It shrinks.
    Down,
}

/// Changes the weight of what is marked, or of the word at the caret; returns the text and where that stands in it, in
/// characters. A weight of 1 needs no brackets. None where there is no word.
pub fn turned(text: &str, marked: Range<usize>, turn: Turn) -> Option<(String, Range<usize>)> {
    let letters: Vec<char> = text.chars().collect();
    let Range { start, end } = words(&letters, marked)?;
    let known = weighted(&letters, start, end);
    let (outer, weight) = known.unwrap_or((start..end, 1.0));
    let step = if turn == Turn::Up { STEP } else { -STEP };
    // In hundredths, so that sums of steps stay short.
    let weight = ((weight + step).clamp(-MOST, MOST) * 100.0).round() / 100.0;
    let inner: String = letters[start..end].iter().collect();
    let (before, after): (String, String) =
        (letters[..outer.start].iter().collect(), letters[outer.end..].iter().collect());
    let (put, at) = if weight == 1.0 { (inner, outer.start) } else { (format!("({inner}:{weight})"), outer.start + 1) };
    Some((before + &put + &after, at..at + (end - start)))
}

/// Without blanks at its ends what is marked, or else the word at the caret.
fn words(letters: &[char], marked: Range<usize>) -> Option<Range<usize>> {
    let (mut start, mut end) = (marked.start.min(letters.len()), marked.end.min(letters.len()));
    if start == end {
        let of_word = |letter: &char| letter.is_alphanumeric() || "_-'".contains(*letter);
        start -= letters[..start].iter().rev().take_while(|letter| of_word(letter)).count();
        end += letters[end..].iter().take_while(|letter| of_word(letter)).count();
    }
    start += letters[start..end].iter().take_while(|letter| letter.is_whitespace()).count();
    end -= letters[start..end].iter().rev().take_while(|letter| letter.is_whitespace()).count();
    (start < end).then_some(start..end)
}

/// The brackets around some letters and the weight in them, if they have any.
fn weighted(letters: &[char], start: usize, end: usize) -> Option<(Range<usize>, f64)> {
    if start == 0 || letters[start - 1] != '(' || letters.get(end) != Some(&':') {
        return None;
    }
    let close = end + letters[end..].iter().position(|letter| *letter == ')')?;
    let number: String = letters[end + 1..close].iter().collect();
    let weight = number.trim().parse().ok().filter(|weight: &f64| weight.is_finite())?;
    Some((start - 1..close + 1, weight))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is(text: &str, marked: Range<usize>, turn: Turn, wanted: &str, within: &str) {
        let (turned, at) = turned(text, marked, turn).expect("there is a word");
        assert_eq!(turned, wanted);
        assert_eq!(turned.chars().skip(at.start).take(at.len()).collect::<String>(), within);
    }

    #[test]
    fn the_word_at_the_caret_is_weighed_up_and_down_and_back() {
        is("a red house", 4..4, Turn::Up, "a (red:1.05) house", "red");
        is("a (red:1.05) house", 5..5, Turn::Up, "a (red:1.1) house", "red");
        is("a (red:1.05) house", 3..6, Turn::Down, "a red house", "red");
        is("a red house", 2..2, Turn::Down, "a (red:0.95) house", "red");
        is("größe", 3..3, Turn::Up, "(größe:1.05)", "größe");
    }

    #[test]
    fn what_is_marked_is_weighed_as_a_whole() {
        is("a red house, sky", 2..12, Turn::Up, "a (red house,:1.05) sky", "red house,");
        is("a red house ", 2..12, Turn::Up, "a (red house:1.05) ", "red house");
    }

    #[test]
    fn where_no_word_is_nothing_is_weighed() {
        assert_eq!(turned("a  b", 2..2, Turn::Up), None);
        assert_eq!(turned("", 0..9, Turn::Down), None);
        is("(a:b)", 1..2, Turn::Up, "((a:1.05):b)", "a");
    }
}
