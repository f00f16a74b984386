//! The text by which A1111 and its kin say how a picture was made: prompt, negative prompt, and a line of settings.
//!
//! Pictures carry it beside their workflow, so that galleries and other programs can show it ([`told()`] gathers it from a
//! plan), and it is read back where nothing better is there ([`workflow()`]). Format: stable-diffusion-webui
//! `modules/infotext_utils.py`, `parse_generation_parameters`.

pub mod exif;
mod names;
pub mod told;
mod workflow;

pub use told::told;
pub use workflow::workflow;

/// The most bytes that are read.
pub const MAX_BYTES: usize = 1 << 20;
/// So many settings make a last line one of settings.
const FEWEST: usize = 3;
const NEGATIVE: &str = "Negative prompt:";

/// How a picture was made.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Parameters {
    /// What to show.
    pub positive: String,
    /// What to keep away from.
    pub negative: Option<String>,
    /// Settings by name, in the order in which they are written.
    pub settings: Vec<(String, String)>,
}

impl Parameters {
    /// Returns a setting.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.settings.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    /// Adds a setting.
    #[expect(clippy::needless_pass_by_value, reason = "a call reads like the line it writes")]
    pub fn set(&mut self, name: &str, value: impl ToString) {
        self.settings.push((name.to_owned(), value.to_string()));
    }

    /// Reads the text; anything is a prompt if nothing else.
    pub fn parse(text: &str) -> Self {
        let text = text.trim();
        let (mut above, last) = text.rsplit_once('\n').unwrap_or(("", text));
        let mut parameters = Self { settings: settings(last), ..Self::default() };
        if parameters.settings.len() < FEWEST {
            above = text;
            parameters.settings.clear();
        }
        let (mut positive, mut negative): (Vec<&str>, Option<Vec<&str>>) = (Vec::new(), None);
        for line in above.lines().map(str::trim) {
            match (line.strip_prefix(NEGATIVE), &mut negative) {
                (Some(line), None) => negative = Some(vec![line.trim()]),
                (_, Some(negative)) => negative.push(line),
                (_, None) => positive.push(line),
            }
        }
        parameters.positive = positive.join("\n").trim().to_owned();
        parameters.negative = negative.map(|lines| lines.join("\n").trim().to_owned());
        parameters
    }
}

impl std::fmt::Display for Parameters {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        writeln!(f, "{}", self.positive)?;
        if let Some(negative) = &self.negative {
            writeln!(f, "{NEGATIVE} {negative}")?;
        }
        let setting = |(name, value): &(String, String)| match value.contains([',', ':', '\n', '"']) {
            true => format!("{name}: {}", serde_json::Value::from(value.as_str())),
            false => format!("{name}: {value}"),
        };
        f.write_str(&self.settings.iter().map(setting).collect::<Vec<_>>().join(", "))
    }
}

/// Reads `Steps: 20, Model: "a, b"`; what is not of this form is passed over.
fn settings(line: &str) -> Vec<(String, String)> {
    let mut settings = Vec::new();
    let mut rest = line;
    while let Some((name, after)) = rest.split_once(':') {
        let name = name.rsplit(',').next().unwrap_or_default().trim();
        let after = after.trim_start();
        let (value, behind) = match quoted(after) {
            Some((value, behind)) => (value, behind.split_once(',').map_or("", |(_, behind)| behind)),
            None => {
                let (value, behind) = after.split_once(',').unwrap_or((after, ""));
                (value.trim().to_owned(), behind)
            }
        };
        let plain = |c: char| c.is_alphanumeric() || matches!(c, '_' | ' ' | '-' | '/');
        if name.len() > 1 && name.starts_with(char::is_alphanumeric) && name.chars().all(plain) {
            settings.push((name.to_owned(), value));
        }
        rest = behind;
    }
    settings
}

/// Reads a value in quotes, and what stands behind it.
fn quoted(text: &str) -> Option<(String, &str)> {
    text.strip_prefix('"')?;
    let mut values = serde_json::Deserializer::from_str(text).into_iter::<String>();
    let value = values.next()?.ok()?;
    Some((value, &text[values.byte_offset()..]))
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "a (cat:1.2), BREAK\nby the sea\nNegative prompt: snow,\nice\n\
        Steps: 20, Sampler: DPM++ 2M, Schedule type: Karras, CFG scale: 7, Seed: 123, Size: 512x768, \
        Model hash: 6ce0161689, Model: v1-5, Lora hashes: \"a: 1, b: 2\", Version: v1.10.1";

    #[test]
    fn a_text_of_a1111_is_read_and_written_back() {
        let read = Parameters::parse(TEXT);
        assert_eq!(read.positive, "a (cat:1.2), BREAK\nby the sea");
        assert_eq!(read.negative.as_deref(), Some("snow,\nice"));
        assert_eq!((read.get("Sampler"), read.get("Seed")), (Some("DPM++ 2M"), Some("123")));
        assert_eq!((read.get("Lora hashes"), read.get("Version")), (Some("a: 1, b: 2"), Some("v1.10.1")));
        assert_eq!(read.to_string(), TEXT);
        assert_eq!(Parameters::parse(&read.to_string()), read);
    }

    #[test]
    fn a_prompt_alone_is_a_prompt() {
        let read = Parameters::parse("a cat: small, a dog: large");
        assert_eq!((read.positive.as_str(), read.settings.len()), ("a cat: small, a dog: large", 0));
        assert_eq!(Parameters::parse("").positive, "");
    }

    #[test]
    fn what_means_harm_is_read_in_bounded_time() {
        let cases =
            [":".repeat(MAX_BYTES), "a:\"".repeat(MAX_BYTES / 3), "\n".repeat(MAX_BYTES), "a: b, ".repeat(100_000)];
        for text in cases {
            let start = std::time::Instant::now();
            let _ = Parameters::parse(&text);
            assert!(start.elapsed().as_secs() < 5, "{:?} took {:?}", &text[..8], start.elapsed());
        }
    }
}
