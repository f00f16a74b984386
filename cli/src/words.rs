//! Words that came from outside, made safe to show: no secret leaves, and no letter moves the cursor, colours the
//! screen, or turns the direction of what follows.

use std::borrow::Cow;

/// What stands in place of a secret.
const REDACTED: &str = "[secret]";

/// The shortest value that is taken for a secret: shorter ones stand in ordinary words.
const SHORTEST: usize = 6;

/// The shortest word after "bearer" that is no word of a language.
const SHORTEST_BEARER: usize = 16;

/// Secrets of the environment, and the shapes that secrets have.
#[derive(Debug, Default)]
pub struct Secrets(Vec<String>);

impl Secrets {
    /// Collects the values of variables that are named like secrets, as `HF_TOKEN`.
    pub fn from_environment() -> Self {
        Self::collect(
            std::env::vars_os()
                .map(|(name, value)| (name.to_string_lossy().into_owned(), value.to_string_lossy().into_owned())),
        )
    }

    fn collect(variables: impl Iterator<Item = (String, String)>) -> Self {
        let secret = |(name, value): &(String, String)| names_a_secret(name) && value.trim().len() >= SHORTEST;
        let mut values: Vec<_> = variables.filter(secret).map(|(_, value)| value.trim().to_owned()).collect();
        // A secret that holds another one goes first.
        values.sort_by_key(|value| std::cmp::Reverse(value.len()));
        Self(values)
    }

    /// Takes secrets out of a text.
    pub fn redact<'t>(&self, text: &'t str) -> Cow<'t, str> {
        let mut text = Cow::Borrowed(text);
        for secret in &self.0 {
            if text.contains(secret) {
                text = Cow::Owned(text.replace(secret, REDACTED));
            }
        }
        if text.contains("://") || text.contains("hf_") || text.to_ascii_lowercase().contains("bearer ") {
            text = Cow::Owned(redact_shapes(&text));
        }
        text
    }

    /// Takes secrets out of every text of a JSON value.
    pub fn redact_json(&self, value: &mut serde_json::Value) {
        match value {
            serde_json::Value::String(text) => *text = self.redact(text).into_owned(),
            serde_json::Value::Array(items) => items.iter_mut().for_each(|item| self.redact_json(item)),
            serde_json::Value::Object(fields) => fields.values_mut().for_each(|field| self.redact_json(field)),
            _ => {}
        }
    }
}

fn names_a_secret(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    let secret = ["TOKEN", "SECRET", "PASSWORD", "PASSWD", "API_KEY", "ACCESS_KEY", "CREDENTIAL"];
    let place = ["_PATH", "_FILE", "_DIR"];
    secret.iter().any(|part| name.contains(part)) && !place.iter().any(|end| name.ends_with(end))
}

/// Takes out what looks like a secret: passwords and queries of addresses, hub tokens, bearers.
fn redact_shapes(text: &str) -> String {
    let mut shown = String::with_capacity(text.len());
    let mut bearer = false;
    for word in text.split_inclusive([' ', '\n', '\t', '`', '"', '\'']) {
        let bare = word.trim_end_matches([' ', '\n', '\t', '`', '"', '\'']);
        let end = &word[bare.len()..];
        let hub_token = bare.strip_prefix("hf_").is_some_and(|rest| rest.len() >= 20);
        match bare.split_once("://") {
            _ if hub_token || (bearer && bare.len() >= SHORTEST_BEARER) => shown.push_str(REDACTED),
            Some((scheme, rest)) => shown.push_str(&format!("{scheme}://{}", redact_address(rest))),
            None => shown.push_str(bare),
        }
        shown.push_str(end);
        bearer = bare.eq_ignore_ascii_case("bearer");
    }
    shown
}

fn redact_address(rest: &str) -> String {
    let (host, path) = rest.split_at(rest.find('/').unwrap_or(rest.len()));
    let host = match host.rsplit_once('@') {
        Some((_, host)) => format!("{REDACTED}@{host}"),
        None => host.to_owned(),
    };
    match path.split_once('?') {
        Some((path, _)) => format!("{host}{path}?{REDACTED}"),
        None => format!("{host}{path}"),
    }
}

/// Writes a text so that it stays on its line and in its colours.
pub fn escape(text: &str) -> Cow<'_, str> {
    if !text.contains(is_unruly) {
        return Cow::Borrowed(text);
    }
    let mut shown = String::with_capacity(text.len() + 16);
    for letter in text.chars() {
        match letter {
            letter if is_unruly(letter) => shown.extend(letter.escape_default()),
            letter => shown.push(letter),
        }
    }
    Cow::Owned(shown)
}

/// Control characters, and those that turn or break lines of text without being seen.
fn is_unruly(letter: char) -> bool {
    letter.is_control()
        || matches!(letter, '\u{61c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn row_75_control_colour_and_direction_are_written_out() {
        assert_eq!(escape("größe 夜"), "größe 夜");
        assert_eq!(escape("a\nb\x1b[31m\u{202e}c\r\0\u{9b}"), "a\\nb\\u{1b}[31m\\u{202e}c\\r\\u{0}\\u{9b}");
    }

    #[test]
    fn row_76_secrets_are_taken_out() {
        let variables =
            [("HF_TOKEN", "canary-1"), ("My_Api_Key", "canary-22"), ("TOKEN_PATH", "/home"), ("X_SECRET", "a")];
        let secrets = Secrets::collect(variables.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())));
        assert_eq!(secrets.redact("got canary-1, canary-22 in /home/a"), "got [secret], [secret] in /home/a");
        for (text, shown) in [
            ("Authorization: Bearer eyJhbGciOi.eyJzdWIi", "Authorization: Bearer [secret]"),
            ("postgres://me:pw@db:5432/x", "postgres://[secret]@db:5432/x"),
            ("see `https://a.b/c?Signature=1&x=2` now", "see `https://a.b/c?[secret]` now"),
            ("hf_abcdefghijklmnopqrstuvwxyz", "[secret]"),
            ("the bearer of news", "the bearer of news"),
            ("https://a.b/c", "https://a.b/c"),
        ] {
            assert_eq!(secrets.redact(text), shown);
        }
        let mut json = serde_json::json!({"a": ["canary-1", 1], "b": {"c": "x canary-22"}});
        secrets.redact_json(&mut json);
        assert_eq!(json, serde_json::json!({"a": ["[secret]", 1], "b": {"c": "x [secret]"}}));
    }
}
