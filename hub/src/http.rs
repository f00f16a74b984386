//! Questions to the hub: redirects followed by the policy, the token kept at home, answers sorted into good, passing and final.

use std::io::Read as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::http::header::{AUTHORIZATION, HeaderValue, LOCATION, RETRY_AFTER};
use ureq::http::{HeaderMap, Method, Request, Response, Uri};
use ureq::{Agent, Body, Error, Proxy};

use crate::fault::HubFault;
use crate::policy::{Policy, join, shown};
use crate::progress::{Event, Watch};
use crate::retry::{Attempts, retry_after};
use crate::settings::{Settings, Token};
use crate::stop::Stop;
use crate::tuning::Tuning;
use crate::wire::{self, Forbidden};

/// Redirects that are followed for one answer.
const HOPS: usize = 8;

/// Bytes that are read from a socket at once.
const PIECE: usize = 256 << 10;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Failure {
    /// Trying again may help.
    Passing {
        why: String,
        /// The wait that the server asks for.
        asked: Option<Duration>,
    },
    /// Trying again will, once everything that is here of the file is thrown away; if that was done before, the fault stands.
    Anew(HubFault),
    /// Trying again will not.
    Final(HubFault),
}

/// Why attempts ended without success.
#[derive(Debug)]
pub(crate) enum Ended {
    /// What is here must be thrown away; if that was done before, the fault stands.
    Anew(HubFault),
    Final(HubFault),
}

impl From<HubFault> for Ended {
    fn from(fault: HubFault) -> Self {
        Self::Final(fault)
    }
}

impl From<Ended> for HubFault {
    fn from(ended: Ended) -> Self {
        match ended {
            Ended::Anew(fault) | Ended::Final(fault) => fault,
        }
    }
}

impl Failure {
    pub fn passing(why: impl Into<String>) -> Self {
        Self::Passing { why: why.into(), asked: None }
    }
}

impl From<HubFault> for Failure {
    fn from(fault: HubFault) -> Self {
        Self::Final(fault)
    }
}

/// What is asked.
pub(crate) struct Question<'q> {
    /// What it is about, for faults.
    pub what: &'q str,
    /// `owner/name`, for faults.
    pub repo: &'q str,
    pub method: Method,
    pub from: &'q Uri,
    pub headers: Vec<(&'static str, String)>,
}

/// An answer, and where it came from in the end.
pub(crate) struct Answer {
    pub response: Response<Body>,
    pub from: Uri,
}

/// Asks the hub.
pub(crate) struct Client {
    agent: Agent,
    policy: Arc<Policy>,
    endpoint: String,
    token: Option<Token>,
    pub tuning: Tuning,
    pub stop: Stop,
}

impl Client {
    pub fn new(settings: &Settings, tuning: &Tuning, stop: &Stop) -> Result<Self, HubFault> {
        let wrong = |_| HubFault::Setting { name: "HF_ENDPOINT", why: "it is no address".to_owned() };
        let policy = Arc::new(Policy::new(settings.endpoint.parse().map_err(wrong)?));
        let proxy = if policy.is_local() { None } else { Proxy::try_from_env() };
        let config = Agent::config_builder()
            .proxy(proxy)
            .http_status_as_error(false)
            .max_redirects(0)
            .max_redirects_will_error(false)
            .timeout_connect(Some(tuning.connect))
            .timeout_resolve(Some(tuning.connect))
            .timeout_recv_response(Some(tuning.window))
            .timeout_per_read(Some(tuning.window))
            .timeout_per_write(Some(tuning.window))
            .input_buffer_size(PIECE)
            .user_agent(concat!("darkroom/", env!("CARGO_PKG_VERSION")))
            .build();
        let agent = wire::agent(config, Arc::clone(&policy), stop.clone());
        let (endpoint, token) = (settings.endpoint.clone(), settings.token.clone());
        Ok(Self { agent, policy, endpoint, token, tuning: tuning.clone(), stop: stop.clone() })
    }

    /// Returns an address of the hub; parts of the path are written as addresses want them.
    pub fn address(&self, path: &str, query: &str) -> Result<Uri, HubFault> {
        let path: Vec<_> = path.split('/').map(encoded).collect();
        let whole = format!("{}/{}{query}", self.endpoint, path.join("/"));
        whole.parse().map_err(|_| HubFault::Answer { what: "nothing".to_owned(), url: self.endpoint.clone() })
    }

    /// Asks, and follows redirects. A HEAD is followed at home alone: the hub's own headers are what it wants.
    pub fn ask(&self, question: &Question<'_>) -> Result<Answer, Failure> {
        let mut from = question.from.clone();
        let mut with_token = true;
        let mut seen = vec![from.clone()];
        loop {
            self.stop.check()?;
            // Once the way has left the hub, the token does not come back, wherever it leads.
            with_token &= self.policy.is_home(&from);
            let response = self.send(question, &from, with_token)?;
            let is_redirect = matches!(response.status().as_u16(), 301 | 302 | 303 | 307 | 308);
            let location = response.headers().get(LOCATION).and_then(|value| value.to_str().ok());
            let (true, Some(location)) = (is_redirect, location) else {
                return self.sorted(question, response, from);
            };
            let refuse = |why| HubFault::Redirect { why };
            let to = join(&from, location).ok_or_else(|| refuse("it leads to what is no address".to_owned()))?;
            if question.method == Method::HEAD && !self.policy.is_home(&to) {
                return Ok(Answer { response, from });
            }
            if let Some(why) = self.policy.objection(&to) {
                return Err(refuse(why).into());
            }
            if seen.contains(&to) || seen.len() > HOPS {
                return Err(refuse(format!("it leads in a circle, back to `{}`", shown(&to))).into());
            }
            seen.push(to.clone());
            from = to;
        }
    }

    /// Returns the host and port of the proxy that leads to the hub, if the environment names one.
    pub fn proxy(&self) -> Option<String> {
        let proxy = self.agent.config().proxy()?;
        Some(format!("{}:{}", proxy.host(), proxy.port()))
    }

    /// Asks once, and follows nothing.
    pub fn send(&self, question: &Question<'_>, from: &Uri, with_token: bool) -> Result<Response<Body>, Failure> {
        let mut request = Request::builder().method(question.method.clone()).uri(from);
        // Bytes must come as they are stored: ranges of a packed body would be another file's.
        request = request.header("accept-encoding", "identity");
        for (name, value) in &question.headers {
            request = request.header(*name, value);
        }
        if let (Some(token), true) = (&self.token, with_token) {
            let value = HeaderValue::from_str(&format!("Bearer {}", token.reveal()));
            let mut value = value.expect("a token holds what a header can carry");
            value.set_sensitive(true);
            request = request.header(AUTHORIZATION, value);
        }
        let request = request.body(()).map_err(|_| Failure::passing("the request could not be written"))?;
        self.agent.run(request).map_err(|error| self.failure(error, from))
    }

    /// Sorts what went wrong on the way.
    pub fn failure(&self, error: Error, from: &Uri) -> Failure {
        if self.stop.is_asked() {
            return HubFault::Cancelled.into();
        }
        let host = from.host().unwrap_or_default();
        let window = self.tuning.window.as_secs_f32();
        match error {
            Error::Other(inner) if inner.is::<Forbidden>() => HubFault::Redirect { why: inner.to_string() }.into(),
            Error::Rustls(_) | Error::Tls(_) | Error::Pem(_) => {
                let what = "with a certificate or cipher that cannot be trusted";
                HubFault::Answer { what: what.to_owned(), url: shown(from) }.into()
            }
            Error::HostNotFound => Failure::passing(format!("no address is known for `{host}`")),
            Error::Timeout(_) => Failure::passing(format!("`{host}` was silent for {window} s")),
            Error::Io(error) => Failure::passing(format!("`{host}`: {}", plain(&error))),
            _ => Failure::passing(format!("`{host}` speaks no proper http")),
        }
    }

    fn sorted(&self, question: &Question<'_>, response: Response<Body>, from: Uri) -> Result<Answer, Failure> {
        let status = response.status().as_u16();
        let code = header(response.headers(), "x-error-code").unwrap_or_default();
        let (what, repo) = (question.what.to_owned(), question.repo);
        let at_home = self.policy.is_home(&from);
        let asked = || {
            let value = response.headers().get(RETRY_AFTER)?.to_str().ok()?;
            retry_after(value, self.tuning.clock.unix_seconds())
        };
        Err(match status {
            200 | 206 | 416 => return Ok(Answer { response, from }),
            // The store behind the hub signs addresses for a while: the hub gives a new one.
            401 | 403 | 404 | 410 if !at_home => Failure::passing(format!("the store behind the hub answers {status}")),
            401 => HubFault::Unauthorised { what }.into(),
            403 => HubFault::Gated { what, page: format!("{}/{repo}", self.endpoint) }.into(),
            404 => HubFault::Missing { what: not_found(&code, &what, repo) }.into(),
            408 | 425 | 429 | 500 | 502 | 503 | 504 => {
                Failure::Passing { why: format!("the server answers {status}"), asked: asked() }
            }
            _ => HubFault::Answer { what: status.to_string(), url: shown(&from) }.into(),
        })
    }

    /// Does something until it succeeds, fails for good, or failed too often.
    pub fn patiently<T>(
        &self,
        what: &str,
        watch: &dyn Watch,
        attempts: &mut Attempts<'_>,
        mut deed: impl FnMut(&mut Attempts<'_>) -> Result<T, Failure>,
    ) -> Result<T, Ended> {
        loop {
            self.stop.check()?;
            let (why, asked) = match deed(attempts) {
                Ok(done) => return Ok(done),
                Err(Failure::Anew(fault)) => return Err(Ended::Anew(fault)),
                Err(Failure::Final(fault)) => return Err(Ended::Final(fault)),
                Err(Failure::Passing { why, asked }) => (why, asked),
            };
            let gave_up = |limit| HubFault::GaveUp { what: what.to_owned(), why: format!("{why}; {limit}") };
            let wait = attempts.failed(asked).map_err(gave_up)?;
            watch.see(&Event::Retrying { file: what, why: &why, wait });
            self.tuning.clock.wait(wait, &|| self.stop.is_asked());
        }
    }

    /// Reads a short text.
    pub fn text(&self, answer: Answer, most: u64) -> Result<Vec<u8>, Failure> {
        let mut flow = Flow::new(self, answer);
        let (mut text, mut piece) = (Vec::new(), vec![0; 64 << 10]);
        loop {
            let read = flow.read(&mut piece)?;
            text.extend_from_slice(&piece[..read]);
            if read == 0 {
                return Ok(text);
            }
            if text.len() as u64 > most {
                let what = format!("more than {most} bytes");
                return Err(HubFault::Answer { what, url: shown(&flow.from) }.into());
            }
        }
    }
}

/// A body that must not come too slowly.
pub(crate) struct Flow<'c> {
    client: &'c Client,
    body: ureq::BodyReader<'static>,
    pub from: Uri,
    since: Instant,
    bytes: u64,
}

impl<'c> Flow<'c> {
    pub fn new(client: &'c Client, answer: Answer) -> Self {
        let body = answer.response.into_body().into_with_config().limit(u64::MAX).reader();
        Self { client, body, from: answer.from, since: Instant::now(), bytes: 0 }
    }

    /// Reads what is there, at least a byte; nothing at the end.
    pub fn read(&mut self, piece: &mut [u8]) -> Result<usize, Failure> {
        self.client.stop.check()?;
        let read = self.body.read(piece).map_err(|error| self.client.failure(error.into(), &self.from))?;
        self.bytes += read as u64;
        let Tuning { window, slowest, .. } = self.client.tuning;
        if self.since.elapsed() >= window {
            if self.bytes < slowest {
                let secs = window.as_secs_f32();
                return Err(Failure::passing(format!("too slow: {} bytes arrived in {secs} s", self.bytes)));
            }
            (self.since, self.bytes) = (Instant::now(), 0);
        }
        Ok(read)
    }
}

/// Returns a header's text.
pub(crate) fn header(headers: &HeaderMap, name: &str) -> Option<String> {
    Some(headers.get(name)?.to_str().ok()?.trim().to_owned())
}

fn not_found(code: &str, what: &str, repo: &str) -> String {
    match code {
        "EntryNotFound" => format!("file `{what}` in `{repo}`"),
        "RevisionNotFound" => format!("such revision of `{repo}`"),
        _ if what == repo => format!("`{repo}`, or not at this revision"),
        _ => format!("`{what}` in `{repo}`, or not at this revision"),
    }
}

fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split_once(" (os error").map_or(text.clone(), |(words, _)| words.to_lowercase())
}

/// Writes a part of a path for an address (RFC 3986).
pub(crate) fn encoded(part: &str) -> String {
    let mut text = String::with_capacity(part.len());
    for byte in part.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            text.push(char::from(byte));
        } else {
            text.push_str(&format!("%{byte:02X}"));
        }
    }
    text
}
