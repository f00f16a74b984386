//! The `lock` section of a workflow file: read, and written anew without touching the rest of the text.

use indexmap::IndexMap;

use crate::fault::{Fault, Faults};
use crate::files::{Content, Sha256};
use crate::graph::field::{text, whole_number};
use crate::graph::file::read;
use crate::graph::source::{Shape, Source};
use crate::literal::quote;

/// Reads one content; `None` if it is none.
pub(super) fn content<'t>(source: &Source<'t>, value: &'t str) -> Option<Content> {
    let entries = source.entries(value, Shape::Structure)?.ok()?;
    let part = |name: &str| entries.iter().find(|entry| entry.name == name).map(|entry| entry.value);
    let is_known = |name: &str| ["sha256", "bytes", "files"].contains(&name);
    let sha256 = Sha256::from_hex(&text(part("sha256")?)?)?;
    let bytes = whole_number(part("bytes")?)?.try_into().ok()?;
    let files =
        part("files").map_or(Some(1), |files| whole_number(files)?.try_into().ok().filter(|files| *files > 0))?;
    let is_sound = entries.iter().all(|entry| is_known(&entry.name));
    is_sound.then_some(Content { sha256, bytes, files })
}

/// Writes one entry of the section.
pub(super) fn line((input, content): (&String, &Content)) -> String {
    let Content { sha256, bytes, files } = content;
    let files = if *files == 1 { String::new() } else { format!(", files: {files}") };
    format!("{}: (sha256: \"{sha256}\", bytes: {bytes}{files})", quote(input))
}

/// Puts another lock into the text of a workflow file. All outside of the section stays as it is, comments too.
///
/// # Errors
/// Everything that is wrong with the text.
pub fn relock(whole: &str, lock: &IndexMap<String, Content>) -> Result<String, Faults> {
    let mut wanted = read(whole)?.graph;
    wanted.lock.clone_from(lock);
    let (mark, text) = whole.split_at(whole.len() - whole.trim_start_matches('\u{feff}').len());
    let sections = Source::new(text).sections()?;
    let break_ = if text.contains("\r\n") { "\r\n" } else { "\n" };
    let lines: String = lock.iter().map(|entry| format!("        {},{break_}", line(entry))).collect();
    let map = if lines.is_empty() { "{}".to_owned() } else { format!("{{{break_}{lines}    }}") };
    let range = |value: &str| {
        let start = value.as_ptr().addr() - text.as_ptr().addr();
        start..start + value.len()
    };
    let there = sections.iter().find(|section| section.name == "lock");
    let written = match (there, sections.last()) {
        (Some(section), _) => {
            let range = range(section.value);
            format!("{mark}{}{map}{}", &text[..range.start], &text[range.end..])
        }
        (None, _) if lock.is_empty() => return Ok(whole.to_owned()),
        (None, Some(last)) => {
            let (before, after) = text.split_at(behind(text, range(last.value).end));
            // Behind a comma the section brings its own; before one it takes that one over.
            let line = if ends_in_comma(text, range(last.value).end) {
                format!("{break_}    lock: {map},")
            } else {
                format!(",{break_}    lock: {map}")
            };
            format!("{mark}{before}{line}{after}")
        }
        (None, None) => return Err(Fault::bug("a workflow that could be read has sections").into()),
    };
    // The text is the user's: nothing but the lock may read otherwise than before.
    match read(&written) {
        Ok(loaded) if loaded.graph == wanted => Ok(written),
        _ => Err(Fault::bug("the lock could not be put into the text without changing the rest").into()),
    }
}

/// Tells whether a comma follows at once, and then nothing but a comment on the line.
fn ends_in_comma(text: &str, end: usize) -> bool {
    let line = text[end..].lines().next().unwrap_or_default();
    let rest = line.strip_prefix(',').map(str::trim);
    rest.is_some_and(|rest| rest.is_empty() || rest.starts_with("//"))
}

/// Returns where a section goes in behind a value that ends at a byte: at the end of its line, or right behind it.
fn behind(text: &str, end: usize) -> usize {
    match ends_in_comma(text, end) {
        true => end + text[end..].lines().next().unwrap_or_default().len(),
        false => end,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lock(names: &[&str]) -> IndexMap<String, Content> {
        let content = Content { sha256: Sha256::of_bytes(b"a"), bytes: 1, files: 1 };
        names.iter().map(|name| ((*name).to_owned(), content)).collect()
    }

    const A: &str = "(sha256: \"ca978112ca1bbdcafac231b39a23dc4da786eff8147c4e72b9807785afee48bb\", bytes: 1)";

    #[test]
    fn a_lock_goes_into_the_text_and_comments_stay() {
        let text = "// mine\n(\n    darkroom: 1, // the format\n    nodes: {\n        // a model\n        \"a\": (type: \"t\"), /* so */\n    }, // all\n    // the end\n)\n";
        let once = relock(text, &lock(&["a.x"])).expect("it is well-formed");
        let expected =
            text.replace("}, // all\n", &format!("}}, // all\n    lock: {{\n        \"a.x\": {A},\n    }},\n"));
        assert_eq!(once, expected);
        assert_eq!(relock(&once, &lock(&["a.x"])), Ok(once.clone()), "and again nothing changes");
        let two = relock(&once, &lock(&["a.x", "a.y"])).expect("it is well-formed");
        assert_eq!(
            two,
            once.replace("    },\n    // the end", &format!("        \"a.y\": {A},\n    }},\n    // the end"))
        );
        assert_eq!(
            relock(&two, &lock(&[])).expect("it is well-formed"),
            text.replace("// all\n", "// all\n    lock: {},\n")
        );
        assert_eq!(relock(text, &lock(&[])), Ok(text.to_owned()));
    }

    #[test]
    fn any_form_of_a_text_takes_a_lock() {
        for text in [
            "(darkroom: 1, nodes: {})",
            "(darkroom: 1, nodes: {} )//",
            "(nodes: {}, darkroom: 1 /* one */)",
            "(darkroom: 1, nodes: {} /* none */ , )",
            "(darkroom: 1, nodes: {}, layout: \"), // no end\")",
            "\u{feff}(darkroom: 1,\r\n nodes: {},\r\n)\r\n",
            "(darkroom: 1, nodes: {}, // last",
            "(darkroom: 1, nodes: {}\n// last\n)",
            "(darkroom: 1, lock: /* here */ {\"a.b\": (bytes: 3, sha256: \"SHA\") // c\n}, nodes: {})",
        ] {
            let text = text.replace("SHA", &"0f".repeat(32));
            let text = if text.ends_with("// last") { format!("{text}\n)") } else { text };
            let written = relock(&text, &lock(&["a.x"])).expect("it is well-formed");
            assert_eq!(read(&written).expect("it is well-formed").graph.lock, lock(&["a.x"]), "{written}");
            assert_eq!(written.contains("\r\n"), text.contains("\r\n"));
            assert!(!text.contains("\r\n") || !written.replace("\r\n", "").contains('\n'), "{written:?}");
        }
        assert!(relock("(darkroom: 1", &lock(&["a.x"])).is_err());
    }

    #[test]
    fn what_is_no_content_is_refused() {
        let sha = "0f".repeat(32);
        for wrong in [
            "\"0f\"".to_owned(),
            format!("\"{sha}\""),
            format!("(sha256: \"{sha}\")"),
            format!("(sha256: \"{sha}\", bytes: -1)"),
            format!("(sha256: \"{sha}\", bytes: 1, files: 0)"),
            format!("(sha256: \"{sha}\", bytes: 1, name: \"x\")"),
            "(sha256: \"zz\", bytes: 1)".to_owned(),
        ] {
            let text = format!("(darkroom: 1, nodes: {{}}, lock: {{\"a.b\": {wrong}}})");
            let faults = read(&text).expect_err(&wrong);
            assert!(faults.to_string().contains("the lock of `a.b` is no content"), "{faults}");
        }
    }
}
