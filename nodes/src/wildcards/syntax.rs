//! The signs of a template: choices in braces, lists between double underscores. After sd-dynamic-prompts.

use darkroom_core::fault::Fault;

/// The deepest choices within choices.
const MAX_DEPTH: usize = 32;
/// What stands between several drawn ones, if nothing is said.
const JOINER: &str = ", ";

/// A piece of a template.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// A text.
    Text(String),
    /// A line of a list.
    List(String),
    /// Some of several.
    Choice(Choice),
}

/// Some of several.
#[derive(Debug, Clone, PartialEq)]
pub struct Choice {
    /// How many, at least and at most.
    pub count: (usize, usize),
    /// What stands between them.
    pub joiner: String,
    /// What there is, each with its weight.
    pub options: Vec<(f64, Vec<Part>)>,
}

/// Takes a template apart.
///
/// # Errors
/// A brace that is never closed, or choices too deep within choices.
pub fn parse(text: &str) -> Result<Vec<Part>, Fault> {
    parts(text, 0)
}

fn parts(text: &str, depth: usize) -> Result<Vec<Part>, Fault> {
    if depth > MAX_DEPTH {
        return Err(Fault::graph(format!("there are more than {MAX_DEPTH} choices within one another"))
            .hint("put the inner ones into a list of their own"));
    }
    let mut parts = Vec::new();
    let mut plain = String::new();
    let mut rest = text;
    while let Some(c) = rest.chars().next() {
        let after = &rest[c.len_utf8()..];
        if c == '\\' && after.starts_with(['{', '}', '|']) {
            plain.push_str(&after[..1]);
            rest = &after[1..];
        } else if c == '{' {
            let end = closing(after).ok_or_else(|| {
                let begin: String = rest.chars().take(40).collect();
                Fault::graph(format!("the brace of `{begin}` is never closed")).hint("write `\\{` for a plain brace")
            })?;
            flush(&mut plain, &mut parts);
            parts.push(Part::Choice(choice(&after[..end], depth)?));
            rest = &after[end + 1..];
        } else if let Some((name, behind)) = list(rest) {
            flush(&mut plain, &mut parts);
            parts.push(Part::List(name.to_owned()));
            rest = behind;
        } else {
            plain.push(c);
            rest = after;
        }
    }
    flush(&mut plain, &mut parts);
    Ok(parts)
}

fn flush(plain: &mut String, parts: &mut Vec<Part>) {
    if !plain.is_empty() {
        parts.push(Part::Text(std::mem::take(plain)));
    }
}

/// Reads `__name__`: the name, and what stands behind.
fn list(text: &str) -> Option<(&str, &str)> {
    let (name, behind) = text.strip_prefix("__")?.split_once("__")?;
    let plain = |c: char| c.is_alphanumeric() || matches!(c, '-' | '_' | '/' | '*' | '.' | ' ');
    let fine = !name.trim().is_empty() && name.chars().all(plain);
    fine.then_some((name, behind))
}

/// Walks over the signs that count at the outermost level, escaped ones left out: place, sign, depth.
fn signs(text: &str) -> impl Iterator<Item = (usize, char, usize)> {
    let (mut depth, mut escaped) = (0_usize, false);
    text.char_indices().filter_map(move |(at, c)| {
        let was_escaped = escaped;
        escaped = c == '\\' && !was_escaped;
        if was_escaped {
            return None;
        }
        let now = depth;
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        Some((at, c, now))
    })
}

/// Finds the brace that closes the one before this text.
fn closing(text: &str) -> Option<usize> {
    signs(text).find(|(_, c, depth)| *c == '}' && *depth == 0).map(|(at, ..)| at)
}

fn split(text: &str) -> Vec<&str> {
    let mut from = 0;
    let mut options = Vec::new();
    for (at, ..) in signs(text).filter(|(_, c, depth)| *c == '|' && *depth == 0) {
        options.push(&text[from..at]);
        from = at + 1;
    }
    options.push(&text[from..]);
    options
}

fn choice(text: &str, depth: usize) -> Result<Choice, Fault> {
    let (count, joiner, text) = head(text);
    let option = |text: &str| {
        let (weight, text) = weighted(text);
        Ok((weight, parts(text, depth + 1)?))
    };
    let options = split(text).into_iter().map(option).collect::<Result<Vec<_>, Fault>>()?;
    Ok(Choice { count, joiner, options })
}

/// Reads `2$$`, `1-3$$`, `2$$ and $$` off the front of a choice.
fn head(text: &str) -> ((usize, usize), String, &str) {
    let one = ((1, 1), JOINER.to_owned(), text);
    let Some((count, rest)) = text.split_once("$$") else { return one };
    let Some(count) = range(count.trim()) else { return one };
    match rest.split_once("$$").filter(|(joiner, _)| !joiner.contains(['{', '}', '|'])) {
        Some((joiner, options)) => (count, joiner.to_owned(), options),
        None => (count, JOINER.to_owned(), rest),
    }
}

/// Reads `2`, `1-3`, `-3` or `2-`; an end that is left out is nothing, or all.
fn range(text: &str) -> Option<(usize, usize)> {
    let number = |text: &str, otherwise| if text.is_empty() { Some(otherwise) } else { text.trim().parse().ok() };
    match text.split_once('-') {
        Some((low, high)) if !(low.is_empty() && high.is_empty()) => {
            let (low, high) = (number(low, 0)?, number(high, usize::MAX)?);
            Some((low.min(high), low.max(high)))
        }
        Some(_) => None,
        None => text.parse().ok().map(|count| (count, count)),
    }
}

/// Reads `0.7::` off the front of an option.
pub fn weighted(text: &str) -> (f64, &str) {
    let weight = text.split_once("::").and_then(|(weight, rest)| {
        let weight: f64 = weight.trim().parse().ok()?;
        (weight.is_finite() && weight >= 0.0).then_some((weight, rest))
    });
    weight.unwrap_or((1.0, text))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> Part {
        Part::Text(text.into())
    }

    fn one_choice(template: &str) -> Choice {
        match &parse(template).expect(template)[..] {
            [Part::Choice(choice)] => choice.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn choices_have_counts_joiners_and_weights() {
        let plain = one_choice("{a|b}");
        assert_eq!((plain.count, plain.options.len()), ((1, 1), 2));
        let some = one_choice("{2-3$$ and $$a|0.7::b}");
        assert_eq!((some.count, some.joiner.as_str()), ((2, 3), " and "));
        assert_eq!(some.options, [(1.0, vec![text("a")]), (0.7, vec![text("b")])]);
        let counts = ["{2$$a}", "{-2$$a}", "{2-$$a}", "{x$$a}"].map(|template| one_choice(template).count);
        assert_eq!(counts, [(2, 2), (0, 2), (2, usize::MAX), (1, 1)]);
        assert_eq!(one_choice("{a|{b|c}}").options.len(), 2);
    }

    #[test]
    fn brackets_of_weights_and_escapes_stay() {
        assert_eq!(parse("a \\(b\\) (c:1.2) \\{d\\|e\\}").expect("plain"), [text("a \\(b\\) (c:1.2) {d|e}")]);
        assert_eq!(parse("__a/b__ __ c").expect("a list"), [Part::List("a/b".into()), text(" __ c")]);
    }

    #[test]
    fn what_cannot_be_meant_is_refused() {
        assert!(parse("a {b").expect_err("open").message.contains("`{b` is never closed"));
        let deep = format!("{}a{}", "{".repeat(40), "}".repeat(40));
        assert!(parse(&deep).is_err());
    }
}
