//! Names of files from templates, made safe: whatever a prompt holds, the name stays one in the output folder.

use std::path::PathBuf;

use darkroom_core::fault::Fault;
use darkroom_core::graph::{Field, Graph};
use darkroom_core::literal::Literal;

/// Longest part of a path, in bytes; file systems take 255, and a number and an ending follow.
const MAX_PART: usize = 180;
/// Longest piece that a placeholder brings, in characters.
const MAX_PIECE: usize = 60;
/// Names that Windows keeps for devices.
const DEVICES: [&str; 6] = ["CON", "PRN", "AUX", "NUL", "COM", "LPT"];

/// Fills a template's placeholders: `%node.input%` stands for a literal of the workflow, `%width%` and `%height%` for
/// the picture's size.
///
/// # Errors
/// A fault that names an unknown placeholder.
pub fn fill(template: &str, workflow: &Graph, width: u32, height: u32) -> Result<String, Fault> {
    let mut parts = template.split('%');
    let mut name = parts.next().unwrap_or_default().to_owned();
    while let Some(placeholder) = parts.next() {
        let Some(after) = parts.next() else {
            // A single sign is no placeholder.
            name.push('%');
            name.push_str(placeholder);
            break;
        };
        let piece = match placeholder {
            "width" => width.to_string(),
            "height" => height.to_string(),
            other => lookup(other, workflow)?,
        };
        name.extend(clean(&piece).chars().take(MAX_PIECE));
        name.push_str(after);
    }
    Ok(name)
}

fn lookup(placeholder: &str, workflow: &Graph) -> Result<String, Fault> {
    let unknown = || {
        Fault::graph(format!("nothing stands for `%{placeholder}%` in a file's name"))
            .hint("write %width%, %height% or %node.input%, as %denoise.seed%")
    };
    let (node, input) = placeholder.split_once('.').ok_or_else(unknown)?;
    match workflow.nodes.get(node).and_then(|node| node.fields.get(input)) {
        Some(Field::Literal(Literal::Text(text))) => Ok(text.clone()),
        Some(Field::Literal(literal)) => Ok(literal.to_string()),
        _ => Err(unknown()),
    }
}

/// Leaves what is safe in a part of a path: letters, digits, and a few signs.
fn clean(piece: &str) -> String {
    let safe = |c: char| if c.is_alphanumeric() || matches!(c, '-' | '_' | '.' | ' ') { c } else { '_' };
    piece.chars().map(safe).collect()
}

/// Turns a filled template into a relative path without ending; `/` separates folders.
///
/// # Errors
/// A fault of a name of which nothing is left, or that leads elsewhere.
pub fn relative_path(name: &str) -> Result<PathBuf, Fault> {
    let leads_elsewhere = name.starts_with(['/', '\\']) || name.split(['/', '\\']).any(|part| part == "..");
    if leads_elsewhere || name.chars().nth(1) == Some(':') {
        return Err(Fault::file(format!("`{}` leads out of the output folder", name.escape_debug()))
            .hint("give a name, or `folder/name`"));
    }
    let path: PathBuf = name.split(['/', '\\']).map(clean_part).filter(|part| !part.is_empty()).collect();
    if path.as_os_str().is_empty() {
        return Err(
            Fault::file(format!("`{}` leaves no name for a file", name.escape_debug())).hint("use letters or digits")
        );
    }
    Ok(path)
}

fn clean_part(part: &str) -> String {
    let clean = clean(part);
    let mut short: &str = clean.trim_matches(['.', ' ']);
    while short.len() > MAX_PART {
        short = &short[..short.char_indices().next_back().map_or(0, |(at, _)| at)];
    }
    let stem = short.split('.').next().unwrap_or_default().to_uppercase();
    let device = DEVICES.iter().any(|device| {
        stem.strip_prefix(device).is_some_and(|rest| rest.len() <= 1 && rest.chars().all(|c| c.is_ascii_digit()))
    });
    if device { format!("_{short}") } else { short.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_stays_below_its_folder() {
        for name in ["../../x", "/etc/passwd", "C:\\x", "\\\\server\\x", "a/../../b", "..", "/"] {
            assert!(relative_path(name).is_err(), "{name}");
        }
        for (name, wanted) in [
            ("a/b", "a/b"),
            ("CON", "_CON"),
            ("com1.txt", "_com1.txt"),
            ("console", "console"),
            ("dots...", "dots"),
            ("a\0b", "a_b"),
            ("a\u{202e}gnp.exe", "a_gnp.exe"),
            ("$(rm -rf)", "__rm -rf_"),
        ] {
            assert_eq!(relative_path(name), Ok(PathBuf::from(wanted)), "{name}");
        }
        let long = relative_path(&"é".repeat(300)).expect("letters");
        assert!(long.as_os_str().len() <= MAX_PART);
    }

    #[test]
    fn a_prompt_in_a_name_is_made_harmless() {
        let loaded =
            darkroom_core::graph::read("(darkroom: 1, nodes: {\"p\": (type: \"text\", text: \"a/b\\n$(c)\", n: 7)})");
        let graph = loaded.expect("a graph").graph;
        assert_eq!(fill("x-%p.text%-%p.n%-%width%", &graph, 5, 6).as_deref(), Ok("x-a_b___c_-7-5"));
        assert_eq!(fill("100%", &graph, 5, 6).as_deref(), Ok("100%"));
        assert!(fill("%p.other%", &graph, 5, 6).is_err());
    }
}
