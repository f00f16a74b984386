//! What the environment says about the hub, read once. The names and their order are those of the Python tools.

use std::env;
use std::fmt;
use std::path::{Path, PathBuf};

use hf_hub::Cache;

use crate::fault::HubFault;

/// The hub that is meant when none is named.
const ENDPOINT: &str = "https://huggingface.co";

/// A token. Neither its words nor its Debug tell it.
#[derive(Clone, PartialEq, Eq)]
pub struct Token(String);

impl Token {
    /// Takes a token; `None` if there is nothing in it, or what no header can carry.
    pub fn new(text: &str) -> Option<Self> {
        let text = text.trim();
        (!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic())).then(|| Self(text.to_owned()))
    }

    /// Returns the token for the one header that carries it.
    pub(crate) fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

/// Where the hub and the cache are, and who asks.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The folder of the cache, with one folder for each repository.
    pub cache: PathBuf,
    /// The hub, without a slash at the end.
    pub endpoint: String,
    /// Who asks.
    pub token: Option<Token>,
    /// The network may not be used.
    pub offline: bool,
    /// What the user should know about the settings.
    pub notices: Vec<String>,
}

impl Settings {
    /// Makes settings for a cache and a hub, without token.
    pub fn new(cache: impl Into<PathBuf>, endpoint: &str) -> Self {
        let endpoint = endpoint.trim_end_matches('/').to_owned();
        Self { cache: cache.into(), endpoint, token: None, offline: false, notices: Vec::new() }
    }

    /// Reads the environment of this process.
    ///
    /// # Errors
    /// A fault if neither it nor the system names a folder, or the endpoint is no address.
    pub fn from_environment() -> Result<Self, HubFault> {
        Self::read(|name| env::var_os(name).map(|value| value.to_string_lossy().into_owned()))
    }

    /// Reads variables.
    ///
    /// # Errors
    /// The same as [`Self::from_environment`].
    pub fn read(variable: impl Fn(&str) -> Option<String>) -> Result<Self, HubFault> {
        let variable = |name| variable(name).filter(|value: &String| !value.trim().is_empty());
        let user = variable("HOME").or_else(|| variable("USERPROFILE")).map(PathBuf::from);
        let folder = |name| variable(name).map(|value| full(&value, user.as_deref()));
        let mut notices = Vec::new();
        let home = folder("HF_HOME").or_else(|| {
            let home = folder("QWEN_HOME")?;
            notices.push("QWEN_HOME is read as HF_HOME; set HF_HOME, which the Python tools read too".to_owned());
            Some(home)
        });
        let usual = || Some(folder("XDG_CACHE_HOME").or(Some(user.as_ref()?.join(".cache")))?.join("huggingface"));
        let home = home.or_else(usual).ok_or_else(|| HubFault::Setting {
            name: "HF_HOME",
            why: "it is not set, and the system names no home folder".to_owned(),
        })?;
        let cache =
            folder("HF_HUB_CACHE").or_else(|| folder("HUGGINGFACE_HUB_CACHE")).unwrap_or_else(|| home.join("hub"));
        let token = variable("HF_TOKEN").or_else(|| match folder("HF_TOKEN_PATH") {
            Some(path) => std::fs::read_to_string(path).ok(),
            None => Cache::new(home.join("hub")).token(),
        });
        let endpoint = variable("HF_ENDPOINT").unwrap_or_else(|| ENDPOINT.to_owned());
        check_endpoint(&endpoint)?;
        let said_yes = |value: String| ["1", "true", "yes", "on"].contains(&value.trim().to_ascii_lowercase().as_str());
        let mut settings = Self::new(cache, endpoint.trim());
        settings.token = token.and_then(|text| Token::new(&text));
        settings.offline = variable("HF_HUB_OFFLINE").is_some_and(said_yes);
        settings.notices = notices;
        Ok(settings)
    }
}

fn full(value: &str, user: Option<&Path>) -> PathBuf {
    match (value.strip_prefix("~/"), user) {
        (Some(rest), Some(user)) => user.join(rest),
        _ => PathBuf::from(value),
    }
}

fn check_endpoint(endpoint: &str) -> Result<(), HubFault> {
    let wrong = |why: &str| HubFault::Setting { name: "HF_ENDPOINT", why: why.to_owned() };
    let uri: ureq::http::Uri = endpoint.trim().parse().map_err(|_| wrong("it is no address"))?;
    if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
        return Err(wrong("it is no http or https address"));
    }
    if uri.authority().is_some_and(|authority| authority.as_str().contains('@')) {
        return Err(wrong("it holds a password; give the token as HF_TOKEN"));
    }
    if uri.query().is_some() { Err(wrong("it has a query")) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(set: &[(&str, &str)]) -> Settings {
        let value = |name: &str| set.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
        Settings::read(value).expect("settings")
    }

    #[test]
    fn folders_are_found_as_the_python_tools_find_them() {
        let cache = |set: &[(&str, &str)]| read(set).cache.display().to_string();
        let home = ("HOME", "/u");
        assert_eq!(cache(&[home]), "/u/.cache/huggingface/hub");
        assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/x")]), "/x/huggingface/hub");
        assert_eq!(cache(&[home, ("XDG_CACHE_HOME", "/x"), ("HF_HOME", "~/h")]), "/u/h/hub");
        assert_eq!(cache(&[home, ("HF_HOME", "/h"), ("HUGGINGFACE_HUB_CACHE", "/l")]), "/l");
        assert_eq!(cache(&[home, ("HUGGINGFACE_HUB_CACHE", "/l"), ("HF_HUB_CACHE", "/c")]), "/c");
        assert!(Settings::read(|_| None).is_err());
    }

    #[test]
    fn qwen_home_is_an_alias_with_a_notice() {
        let alias = read(&[("HOME", "/u"), ("QWEN_HOME", "/q")]);
        assert_eq!((alias.cache, alias.notices.len()), (PathBuf::from("/q/hub"), 1));
        let both = read(&[("HOME", "/u"), ("QWEN_HOME", "/q"), ("HF_HOME", "/h")]);
        assert_eq!((both.cache, both.notices.len()), (PathBuf::from("/h/hub"), 0));
    }

    #[test]
    fn a_token_comes_from_the_variable_or_a_file() {
        let home = tempfile::tempdir().expect("a folder");
        let at = home.path().display().to_string();
        std::fs::write(home.path().join("token"), "hf_file\n").expect("written");
        std::fs::write(home.path().join("other"), "hf_other\n").expect("written");
        let token = |set: &[(&str, &str)]| read(set).token.map(|token| token.reveal().to_owned());
        assert_eq!(token(&[("HF_HOME", &at)]).as_deref(), Some("hf_file"));
        assert_eq!(token(&[("HF_HOME", &at), ("HF_HUB_CACHE", "/c")]).as_deref(), Some("hf_file"));
        let other = home.path().join("other").display().to_string();
        assert_eq!(token(&[("HF_HOME", &at), ("HF_TOKEN_PATH", &other)]).as_deref(), Some("hf_other"));
        assert_eq!(token(&[("HF_HOME", &at), ("HF_TOKEN", " hf_set ")]).as_deref(), Some("hf_set"));
        assert_eq!(token(&[("HOME", "/nowhere")]), None);
    }

    #[test]
    fn row_76_a_token_is_not_told_by_debug() {
        let settings = read(&[("HOME", "/u"), ("HF_TOKEN", "canary-7")]);
        assert!(!format!("{settings:?}").contains("canary"), "{settings:?}");
    }

    #[test]
    fn offline_is_said_in_four_words() {
        for (word, offline) in [("1", true), ("true", true), ("Yes", true), ("ON", true), ("0", false), ("no", false)] {
            assert_eq!(read(&[("HOME", "/u"), ("HF_HUB_OFFLINE", word)]).offline, offline, "{word}");
        }
    }

    #[test]
    fn an_endpoint_is_an_address_without_password() {
        let read = |endpoint: &str| {
            let value = |name: &str| match name {
                "HOME" => Some("/u".to_owned()),
                "HF_ENDPOINT" => Some(endpoint.to_owned()),
                _ => None,
            };
            Settings::read(value)
        };
        assert_eq!(read("https://mirror.org/hf/").expect("fine").endpoint, "https://mirror.org/hf");
        for endpoint in ["mirror.org", "ftp://mirror.org", "https://me:pw@mirror.org", "https://m.org/?a=b", "http://"]
        {
            let fault = read(endpoint).expect_err(endpoint);
            assert!(!fault.to_string().contains("pw"), "{fault}");
        }
    }
}
