//! One connection: made only where the policy allows, and left as soon as the pull is stopped.
//!
//! ureq waits for a socket until a timeout; here every wait is cut into short ones, with a look at the flag in between.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream, ToSocketAddrs as _};
use std::sync::Arc;
use std::time::{Duration, Instant};

use ureq::config::Config;
use ureq::http::Uri;
use ureq::unversioned::resolver::{ResolvedSocketAddrs, Resolver};
use ureq::unversioned::transport::{
    Buffers, ConnectProxyConnector, ConnectionDetails, Connector, LazyBuffers, NextTimeout, RustlsConnector, Transport,
};
use ureq::{Agent, Error, Timeout};

use crate::policy::{Policy, shown};
use crate::stop::{LOOK, Stop};

/// Makes the agent whose connections stop and keep to the policy.
pub(crate) fn agent(config: Config, policy: Arc<Policy>, stop: Stop) -> Agent {
    let names = Names { stop: stop.clone() };
    let gate = Gate { policy, stop };
    let chain = ().chain(ConnectProxyConnector::default()).chain(gate).chain(RustlsConnector::default());
    Agent::with_parts(config, chain, names)
}

/// A connection that the policy forbids.
#[derive(Debug, thiserror::Error)]
#[error("it leads to `{0}`, which is no public address")]
pub(crate) struct Forbidden(String);

/// The flag went up.
#[derive(Debug, thiserror::Error)]
#[error("stopped on request")]
struct Stopped;

fn stopped() -> Error {
    Error::Other(Box::new(Stopped))
}

/// Looks names up without waiting longer than the flag allows.
#[derive(Debug)]
struct Names {
    stop: Stop,
}

impl Resolver for Names {
    fn resolve(&self, uri: &Uri, _: &Config, timeout: NextTimeout) -> Result<ResolvedSocketAddrs, Error> {
        let host = uri.host().unwrap_or_default().trim_start_matches('[').trim_end_matches(']').to_owned();
        let port = uri.port_u16().unwrap_or(if uri.scheme_str() == Some("https") { 443 } else { 80 });
        let look_up = move || (host.as_str(), port).to_socket_addrs().map(Iterator::collect::<Vec<_>>);
        let found = self.stop.wait_for(*timeout.after, look_up);
        if self.stop.is_asked() {
            return Err(stopped());
        }
        let found = found.ok_or(Error::Timeout(Timeout::Resolve))?.map_err(|_| Error::HostNotFound)?;
        let mut addresses = self.empty();
        found.into_iter().take(16).for_each(|address| addresses.push(address));
        if addresses.is_empty() { Err(Error::HostNotFound) } else { Ok(addresses) }
    }
}

/// Connects, if the policy allows.
#[derive(Debug)]
struct Gate {
    policy: Arc<Policy>,
    stop: Stop,
}

impl<In: Transport> Connector<In> for Gate {
    type Out = Box<dyn Transport>;

    fn connect(&self, details: &ConnectionDetails<'_>, chained: Option<In>) -> Result<Option<Self::Out>, Error> {
        if let Some(chained) = chained {
            // A proxy that the environment names made the connection; where it leads is the proxy's affair.
            return Ok(Some(Box::new(chained)));
        }
        let proxy = ureq::Proxy::try_from_env();
        let to_proxy = proxy.is_some_and(|proxy| Some(proxy.host()) == details.uri.host());
        let allowed = |address: &&SocketAddr| to_proxy || self.policy.may_connect(details.uri, address.ip());
        let addresses: Vec<_> = details.addrs.iter().filter(allowed).copied().collect();
        if addresses.is_empty() {
            return Err(Error::Other(Box::new(Forbidden(shown(details.uri)))));
        }
        let limit = *details.timeout.after;
        let dial = move || {
            let each = limit / u32::try_from(addresses.len()).unwrap_or(1);
            let mut last = Err(ErrorKind::AddrNotAvailable.into());
            for address in addresses {
                last = TcpStream::connect_timeout(&address, each.max(LOOK));
                if last.is_ok() {
                    break;
                }
            }
            last
        };
        let stream = self.stop.wait_for(limit, dial);
        if self.stop.is_asked() {
            return Err(stopped());
        }
        let stream = stream.ok_or(Error::Timeout(Timeout::Connect))??;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(LOOK))?;
        stream.set_write_timeout(Some(LOOK))?;
        let buffers = LazyBuffers::new(details.config.input_buffer_size(), details.config.output_buffer_size());
        Ok(Some(Box::new(Wire { stream, buffers, stop: self.stop.clone() })))
    }
}

/// A socket that looks at the flag while it waits.
struct Wire {
    stream: TcpStream,
    buffers: LazyBuffers,
    stop: Stop,
}

impl std::fmt::Debug for Wire {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Wire").field("stream", &self.stream).finish_non_exhaustive()
    }
}

impl Transport for Wire {
    fn buffers(&mut self) -> &mut dyn Buffers {
        &mut self.buffers
    }

    fn transmit_output(&mut self, amount: usize, timeout: NextTimeout) -> Result<(), Error> {
        let patience = Patience::new(&self.stop, timeout.for_write());
        let mut left = &self.buffers.output()[..amount];
        while !left.is_empty() {
            match self.stream.write(left) {
                Ok(0) => return Err(std::io::Error::from(ErrorKind::WriteZero).into()),
                Ok(written) => left = &left[written..],
                Err(error) => patience.forgive(error)?,
            }
        }
        Ok(())
    }

    fn await_input(&mut self, timeout: NextTimeout) -> Result<bool, Error> {
        let patience = Patience::new(&self.stop, timeout.for_read());
        loop {
            match self.stream.read(self.buffers.input_append_buf()) {
                Ok(amount) => {
                    self.buffers.input_appended(amount);
                    return Ok(amount > 0);
                }
                Err(error) => patience.forgive(error)?,
            }
        }
    }

    fn is_open(&mut self) -> bool {
        if self.stream.set_nonblocking(true).is_err() {
            return false;
        }
        // An idle connection has nothing to say: bytes, an end or a fault make it useless.
        let silent = matches!(self.stream.peek(&mut [0]), Err(error) if error.kind() == ErrorKind::WouldBlock);
        silent && self.stream.set_nonblocking(false).is_ok()
    }
}

/// How long a wait may go on.
struct Patience<'s> {
    stop: &'s Stop,
    start: Instant,
    limit: Duration,
    reason: Timeout,
}

impl<'s> Patience<'s> {
    fn new(stop: &'s Stop, timeout: NextTimeout) -> Self {
        Self { stop, start: Instant::now(), limit: *timeout.after, reason: timeout.reason }
    }

    /// Takes a short wait that brought nothing for what it is; any other fault, and the end of patience, comes back.
    fn forgive(&self, error: std::io::Error) -> Result<(), Error> {
        if self.stop.is_asked() {
            return Err(stopped());
        }
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut if self.start.elapsed() >= self.limit => {
                Err(Error::Timeout(self.reason))
            }
            ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted => Ok(()),
            _ => Err(error.into()),
        }
    }
}
