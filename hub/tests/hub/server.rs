//! A hub of a few files on this machine, with a store on a second port where large files lie. A script may spoil any answer.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::ops::Range;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use serde_json::json;
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

/// Files of this many bytes and more lie in the store.
pub const LARGE: usize = 1000;

pub const COMMIT: &str = "0123456789abcdef0123456789abcdef01234567";

/// What was asked.
#[derive(Debug, Clone)]
pub struct Asked {
    pub method: String,
    pub path: String,
    /// It was asked of the store.
    pub store: bool,
    pub headers: BTreeMap<String, String>,
    /// How many times this path was asked for before, by this method and on this port.
    pub before: usize,
}

impl Asked {
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).map(String::as_str)
    }
}

/// What is done about it.
#[derive(Debug, Clone)]
pub enum Act {
    /// What a hub does.
    Well,
    /// A status with headers, and no body.
    Status(u16, Vec<(&'static str, String)>),
    /// A redirect.
    To(String),
    /// The first bytes of the answer's body, then the connection ends.
    Cut(usize),
    /// The whole file, whatever range was asked for.
    IgnoreRange,
    /// As `IgnoreRange`, cut after so many bytes.
    IgnoreRangeAndCut(usize),
    /// Another Content-Length than there is, and so many bytes.
    Length(usize),
    /// A Content-Range with this total.
    Total(usize),
    /// The right number of wrong bytes.
    Damage,
    /// Another ETag.
    Tag(&'static str),
    /// So many bytes, each after the pause.
    Drip(usize, Duration),
    /// Nothing at all, for so long.
    Silence(Duration),
}

type Script = Box<dyn FnMut(&Asked) -> Act + Send>;

struct Inner {
    files: Mutex<BTreeMap<String, Vec<u8>>>,
    commit: Mutex<String>,
    script: Mutex<Script>,
    asked: Mutex<Vec<Asked>>,
    served: AtomicU64,
    store: u16,
    pace: Mutex<Option<(usize, Duration)>>,
}

/// A server; it lives as long as the process.
#[derive(Clone)]
pub struct Server {
    inner: Arc<Inner>,
    port: u16,
}

impl Server {
    /// Serves `o/n` with these files.
    pub fn new(files: &[(&str, Vec<u8>)]) -> Self {
        let (hub, store) = (TcpListener::bind("127.0.0.1:0"), TcpListener::bind("127.0.0.1:0"));
        let (hub, store) = (hub.expect("a port"), store.expect("a port"));
        let port = |listener: &TcpListener| listener.local_addr().expect("a port").port();
        let files = files.iter().map(|(name, bytes)| ((*name).to_owned(), bytes.clone())).collect();
        let inner = Arc::new(Inner {
            files: Mutex::new(files),
            commit: Mutex::new(COMMIT.to_owned()),
            script: Mutex::new(Box::new(|_| Act::Well)),
            asked: Mutex::default(),
            served: AtomicU64::new(0),
            store: port(&store),
            pace: Mutex::default(),
        });
        let server = Self { port: port(&hub), inner };
        server.listen(hub, false);
        server.listen(store, true);
        server
    }

    fn listen(&self, listener: TcpListener, store: bool) {
        let inner = Arc::clone(&self.inner);
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let inner = Arc::clone(&inner);
                thread::spawn(move || {
                    // A client that goes away is what some tests want.
                    let _ = inner.talk(&stream, store);
                });
            }
        });
    }

    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub fn store(&self) -> String {
        format!("http://127.0.0.1:{}", self.inner.store)
    }

    /// Spoils answers from now on.
    pub fn script(&self, script: impl FnMut(&Asked) -> Act + Send + 'static) {
        *self.inner.script.lock().expect("sound") = Box::new(script);
    }

    /// Sends bodies in pieces, each after a pause.
    pub fn pace(&self, piece: usize, pause: Duration) {
        *self.inner.pace.lock().expect("sound") = Some((piece, pause));
    }

    /// Puts another version of a file under another commit.
    pub fn change(&self, file: &str, bytes: Vec<u8>, commit: &str) {
        self.inner.files.lock().expect("sound").insert(file.to_owned(), bytes);
        *self.inner.commit.lock().expect("sound") = commit.to_owned();
    }

    pub fn asked(&self) -> Vec<Asked> {
        self.inner.asked.lock().expect("sound").clone()
    }

    /// Bytes of files that were sent, those of the index of a pipeline too.
    pub fn served(&self) -> u64 {
        self.inner.served.load(Ordering::SeqCst)
    }

    pub fn bytes(&self, file: &str) -> Vec<u8> {
        self.inner.files.lock().expect("sound")[file].clone()
    }
}

/// What the hub would call a file.
pub fn hash(bytes: &[u8]) -> String {
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    if bytes.len() >= LARGE {
        return hex(&Sha256::digest(bytes));
    }
    hex(&Sha1::new_with_prefix(format!("blob {}\0", bytes.len())).chain_update(bytes).finalize())
}

/// Bytes that look like nothing.
pub fn noise(bytes: usize, seed: u64) -> Vec<u8> {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 32) as u8
    };
    (0..bytes).map(|_| next()).collect()
}

impl Inner {
    fn talk(&self, stream: &TcpStream, store: bool) -> std::io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let mut words = line.split_whitespace();
            let (method, path) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
            let mut headers = BTreeMap::new();
            loop {
                let mut line = String::new();
                reader.read_line(&mut line)?;
                let Some((name, value)) = line.trim().split_once(':') else { break };
                headers.insert(name.to_ascii_lowercase(), value.trim().to_owned());
            }
            let mut asked = Asked { method: method.to_owned(), path: path.to_owned(), store, headers, before: 0 };
            let act = {
                let mut all = self.asked.lock().expect("sound");
                let same =
                    |other: &&Asked| (&other.path, &other.method, other.store) == (&asked.path, &asked.method, store);
                asked.before = all.iter().filter(same).count();
                all.push(asked.clone());
                (self.script.lock().expect("sound"))(&asked)
            };
            if !self.answer(&asked, &act, stream)? {
                return Ok(());
            }
        }
    }

    /// Answers; false if the connection is done for.
    fn answer(&self, asked: &Asked, act: &Act, stream: &TcpStream) -> std::io::Result<bool> {
        match act {
            Act::Status(status, headers) => return head(stream, *status, headers, Some(0)).map(|()| true),
            Act::To(location) => return head(stream, 302, &[("location", location.clone())], Some(0)).map(|()| true),
            Act::Silence(time) => {
                thread::sleep(*time);
                return Ok(false);
            }
            _ => {}
        }
        let path = asked.path.split('?').next().unwrap_or_default();
        if let Some(rest) = path.strip_prefix("/api/models/o/n/revision/") {
            let text = self.listing();
            let commit = self.commit.lock().expect("sound").clone();
            let known = rest == "main" || rest == "v1" || rest == "refs%2Fpr%2F1" || rest == commit;
            return if known { body(stream, &text) } else { missing(stream, "RevisionNotFound") };
        }
        if let Some(hash) = path.strip_prefix("/store/") {
            let files = self.files.lock().expect("sound").clone();
            let found = files.values().find(|bytes| self::hash(bytes) == hash);
            return found.map_or_else(|| missing(stream, ""), |bytes| self.file(asked, act, bytes, &[], stream));
        }
        let Some((_, file)) = path.strip_prefix("/o/n/resolve/").and_then(|rest| rest.split_once('/')) else {
            return missing(stream, "RepoNotFound");
        };
        let files = self.files.lock().expect("sound").clone();
        let Some(bytes) = files.get(&file.replace("%20", " ")) else { return missing(stream, "EntryNotFound") };
        let mut headers = vec![("x-repo-commit", self.commit.lock().expect("sound").clone())];
        if bytes.len() < LARGE {
            return self.file(asked, act, bytes, &headers, stream);
        }
        let name = hash(bytes);
        headers.push(("x-linked-etag", format!("\"{name}\"")));
        headers.push(("x-linked-size", bytes.len().to_string()));
        headers.push(("location", format!("http://127.0.0.1:{}/store/{name}?Signature=canary-signature", self.store)));
        head(stream, 302, &headers, Some(0)).map(|()| true)
    }

    fn listing(&self) -> String {
        let files = self.files.lock().expect("sound");
        let sibling = |(name, bytes): (&String, &Vec<u8>)| {
            let mut file = json!({"rfilename": name, "size": bytes.len(), "blobId": hash(bytes)});
            if bytes.len() >= LARGE {
                file["lfs"] = json!({"sha256": hash(bytes), "size": bytes.len(), "pointerSize": 130});
            }
            file
        };
        let siblings: Vec<_> = files.iter().map(sibling).collect();
        json!({"id": "o/n", "sha": *self.commit.lock().expect("sound"), "siblings": siblings}).to_string()
    }

    fn file(
        &self,
        asked: &Asked,
        act: &Act,
        bytes: &[u8],
        headers: &[(&'static str, String)],
        mut stream: &TcpStream,
    ) -> std::io::Result<bool> {
        let tag = if let Act::Tag(tag) = act { (*tag).to_owned() } else { format!("\"{}\"", hash(bytes)) };
        let ignores = matches!(act, Act::IgnoreRange | Act::IgnoreRangeAndCut(_));
        let is_other = asked.header("if-range").is_some_and(|known| known != tag);
        let range =
            asked.header("range").filter(|_| !ignores && !is_other).and_then(|range| read_range(range, bytes.len()));
        let mut headers = headers.to_vec();
        headers.push(("etag", tag));
        if let Some(range) = range.as_ref().filter(|range| range.start >= bytes.len()) {
            headers.push(("content-range", format!("bytes */{}", bytes.len())));
            return head(stream, 416, &headers, Some(0)).map(|()| range.is_empty());
        }
        let (status, sent) = range.map_or((200, 0..bytes.len()), |range| (206, range));
        if status == 206 {
            let total = if let Act::Total(total) = act { *total } else { bytes.len() };
            headers.push(("content-range", format!("bytes {}-{}/{total}", sent.start, sent.end - 1)));
        }
        let length = if let Act::Length(length) = act { *length } else { sent.len() };
        head(stream, status, &headers, Some(length))?;
        if asked.method == "HEAD" {
            return Ok(true);
        }
        let mut sent = bytes[sent].to_vec();
        let pace = *self.pace.lock().expect("sound");
        let (most, piece, pause) = match act {
            Act::Cut(most) | Act::IgnoreRangeAndCut(most) => (*most, usize::MAX, Duration::ZERO),
            Act::Drip(most, pause) => (*most, 1, *pause),
            _ => pace.map_or((usize::MAX, usize::MAX, Duration::ZERO), |(piece, pause)| (usize::MAX, piece, pause)),
        };
        if matches!(act, Act::Damage) {
            sent[0] ^= 1;
        }
        let is_whole = most >= sent.len() && length == sent.len();
        sent.truncate(most);
        for piece in sent.chunks(piece.min(sent.len().max(1))) {
            thread::sleep(pause);
            stream.write_all(piece)?;
            self.served.fetch_add(piece.len() as u64, Ordering::SeqCst);
        }
        Ok(is_whole)
    }
}

fn read_range(text: &str, size: usize) -> Option<Range<usize>> {
    let (first, last) = text.strip_prefix("bytes=")?.split_once('-')?;
    let first = first.parse().ok()?;
    let last: usize = last.parse().unwrap_or(size - 1);
    Some(first..(last + 1).min(size).max(first))
}

fn head(
    mut stream: &TcpStream,
    status: u16,
    headers: &[(&'static str, String)],
    length: Option<usize>,
) -> std::io::Result<()> {
    let mut text = format!("HTTP/1.1 {status} Status\r\n");
    for (name, value) in headers {
        let _ = write!(text, "{name}: {value}\r\n");
    }
    if let Some(length) = length {
        let _ = write!(text, "content-length: {length}\r\n");
    }
    stream.write_all(format!("{text}\r\n").as_bytes())
}

fn body(mut stream: &TcpStream, text: &str) -> std::io::Result<bool> {
    head(stream, 200, &[], Some(text.len()))?;
    stream.write_all(text.as_bytes()).map(|()| true)
}

fn missing(stream: &TcpStream, code: &str) -> std::io::Result<bool> {
    head(stream, 404, &[("x-error-code", code.to_owned())], Some(0)).map(|()| true)
}

/// A port that nobody listens on any more.
pub fn dead_endpoint() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    format!("http://{}", listener.local_addr().expect("an address"))
}

/// A port that counts who connects.
pub fn counting_endpoint() -> (String, Arc<AtomicU64>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let endpoint = format!("http://{}", listener.local_addr().expect("an address"));
    let count = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&count);
    thread::spawn(move || {
        for stream in listener.incoming() {
            counted.fetch_add(1, Ordering::SeqCst);
            let _ = stream.map(|mut stream| stream.read(&mut [0; 16]));
        }
    });
    (endpoint, count)
}
