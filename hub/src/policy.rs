//! Where a redirect may lead: never from https to http, nor into a network that the endpoint itself is not in.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::OnceLock;

use ureq::http::Uri;

/// Where an address of the network is, seen from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Zone {
    /// Anywhere in the world.
    Public,
    /// This machine.
    Loopback,
    /// A private network.
    Private,
    /// What no download comes from: link-local (there, clouds keep their keys), multicast, reserved.
    Closed,
}

/// What is allowed, seen from the endpoint.
#[derive(Debug)]
pub(crate) struct Policy {
    endpoint: Uri,
    /// Where the endpoint turned out to be.
    home: OnceLock<Zone>,
}

impl Policy {
    pub fn new(endpoint: Uri) -> Self {
        Self { endpoint, home: OnceLock::new() }
    }

    /// Tells whether the endpoint is on this machine, where no proxy leads.
    pub fn is_local(&self) -> bool {
        self.endpoint.host().and_then(literal_zone) == Some(Zone::Loopback)
    }

    /// Tells whether an address is on the endpoint's own origin: there alone the token goes.
    pub fn is_home(&self, uri: &Uri) -> bool {
        uri.scheme() == self.endpoint.scheme() && self.is_home_host(uri) && port(uri) == port(&self.endpoint)
    }

    fn is_home_host(&self, uri: &Uri) -> bool {
        let host = |uri: &Uri| uri.host().unwrap_or_default().to_ascii_lowercase();
        host(uri) == host(&self.endpoint)
    }

    /// Says what is wrong with following a redirect to an address, as far as its letters tell.
    pub fn objection(&self, to: &Uri) -> Option<String> {
        let shown = shown(to);
        let host = to.host().filter(|host| !host.is_empty());
        let (Some(scheme), Some(host)) = (to.scheme_str(), host) else {
            return Some(format!("it leads to `{shown}`, which is no address"));
        };
        if to.authority().is_some_and(|authority| authority.as_str().contains('@')) {
            return Some("it leads to an address with a password".to_owned());
        }
        if !matches!(scheme, "http" | "https") {
            return Some(format!("it leads to `{shown}`, which is neither http nor https"));
        }
        if scheme == "http" && !self.allows_plain(to) {
            return Some(format!("it leads to `{shown}`, where anybody on the way could read and change the file"));
        }
        let zone = literal_zone(host)?;
        (!self.allows(to, zone)).then(|| format!("it leads to `{shown}`, which is no public address"))
    }

    /// Plain http is fine where the endpoint itself is plain: on its host, and beside it in a closed network.
    fn allows_plain(&self, to: &Uri) -> bool {
        let plain = self.endpoint.scheme_str() == Some("http");
        let beside = || {
            let zone = literal_zone(to.host()?)?;
            Some(zone != Zone::Public && Some(&zone) == self.home.get())
        };
        plain && (self.is_home_host(to) || beside() == Some(true))
    }

    fn allows(&self, to: &Uri, zone: Zone) -> bool {
        let home = self.home.get().copied();
        self.is_home_host(to) || zone == Zone::Public || (zone != Zone::Closed && home == Some(zone))
    }

    /// Tells whether a connection may be made, now that the address of the host is known. A name may lead anywhere.
    pub fn may_connect(&self, to: &Uri, ip: IpAddr) -> bool {
        if self.is_home_host(to) {
            self.home.get_or_init(|| zone(ip));
        }
        self.allows(to, zone(ip))
    }
}

fn port(uri: &Uri) -> Option<u16> {
    uri.port_u16().or(match uri.scheme_str() {
        Some("http") => Some(80),
        Some("https") => Some(443),
        _ => None,
    })
}

/// Writes an address without its query, which may hold a signature.
pub(crate) fn shown(uri: &Uri) -> String {
    let authority = uri.authority().map_or("", |authority| authority.as_str());
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    format!("{}://{host}{}", uri.scheme_str().unwrap_or("?"), uri.path())
}

/// Follows the `Location` of an answer: a whole address, or a part that goes on from where the answer came from.
pub(crate) fn join(from: &Uri, location: &str) -> Option<Uri> {
    let scheme = from.scheme_str()?;
    let whole = if location.contains("://") {
        location.to_owned()
    } else if let Some(rest) = location.strip_prefix("//") {
        format!("{scheme}://{rest}")
    } else if location.starts_with('/') {
        format!("{scheme}://{}{location}", from.authority()?)
    } else {
        let folder = from.path().rsplit_once('/').map_or("", |(folder, _)| folder);
        format!("{scheme}://{}{folder}/{location}", from.authority()?)
    };
    let whole = whole.split_once('#').map_or(whole.as_str(), |(before, _)| before);
    whole.parse().ok()
}

fn literal_zone(host: &str) -> Option<Zone> {
    if host.eq_ignore_ascii_case("localhost") {
        return Some(Zone::Loopback);
    }
    host.trim_start_matches('[').trim_end_matches(']').parse().ok().map(zone)
}

pub(crate) fn zone(ip: IpAddr) -> Zone {
    match ip {
        IpAddr::V4(ip) => zone_v4(ip),
        IpAddr::V6(ip) => zone_v6(ip),
    }
}

fn zone_v4(ip: Ipv4Addr) -> Zone {
    let [a, b, ..] = ip.octets();
    // 100.64/10 is shared by carriers (RFC 6598), 198.18/15 measures (RFC 2544), 192.0.0/24 and 240/4 are reserved.
    let shared = a == 100 && (64..128).contains(&b);
    let reserved = a == 0 || a >= 240 || (a == 198 && (b == 18 || b == 19)) || ip.octets()[..3] == [192, 0, 0];
    if ip.is_loopback() {
        Zone::Loopback
    } else if ip.is_private() || shared {
        Zone::Private
    } else if ip.is_link_local() || ip.is_multicast() || reserved {
        Zone::Closed
    } else {
        Zone::Public
    }
}

fn zone_v6(ip: Ipv6Addr) -> Zone {
    let segments = ip.segments();
    // An IPv4 address in other clothes: mapped, or behind the well-known translation prefix (RFC 6052).
    let [.., high, low] = segments;
    let inner = Ipv4Addr::from((u32::from(high) << 16) | u32::from(low));
    if ip.to_ipv4_mapped().is_some() || segments[..6] == [0x64, 0xff9b, 0, 0, 0, 0] {
        return zone_v4(inner);
    }
    if ip.is_loopback() {
        Zone::Loopback
    } else if ip.is_unique_local() {
        Zone::Private
    } else if ip.is_unicast_link_local() || ip.is_multicast() || ip.is_unspecified() {
        Zone::Closed
    } else {
        Zone::Public
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn uri(text: &str) -> Uri {
        text.parse().expect("an address")
    }

    #[test]
    fn row_54_zones_of_addresses() {
        for (ip, expected) in [
            ("18.1.2.3", Zone::Public),
            ("127.0.0.1", Zone::Loopback),
            ("10.1.2.3", Zone::Private),
            ("172.16.0.1", Zone::Private),
            ("192.168.1.1", Zone::Private),
            ("100.64.0.1", Zone::Private),
            ("169.254.169.254", Zone::Closed),
            ("0.0.0.0", Zone::Closed),
            ("224.0.0.1", Zone::Closed),
            ("::1", Zone::Loopback),
            ("::", Zone::Closed),
            ("fd00::1", Zone::Private),
            ("fe80::1", Zone::Closed),
            ("::ffff:10.0.0.1", Zone::Private),
            ("64:ff9b::7f00:1", Zone::Loopback),
            ("2606:4700::1", Zone::Public),
        ] {
            assert_eq!(zone(ip.parse().expect("an address")), expected, "{ip}");
        }
    }

    #[test]
    fn row_54_a_public_hub_leads_to_public_https_only() {
        let policy = Policy::new(uri("https://huggingface.co"));
        assert!(policy.may_connect(&uri("https://huggingface.co/x"), "18.1.2.3".parse().expect("an address")));
        assert_eq!(policy.objection(&uri("https://cdn-lfs.hf.co/a?b=c")), None);
        for bad in [
            "http://cdn-lfs.hf.co/a",
            "http://huggingface.co/a",
            "https://10.0.0.1/a",
            "https://127.0.0.1/a",
            "https://localhost/a",
            "https://[::1]/a",
            "https://169.254.169.254/latest",
            "https://me:pw@cdn.hf.co/a",
            "ftp://cdn.hf.co/a",
        ] {
            let why = policy.objection(&uri(bad)).expect(bad);
            assert!(!why.contains("pw"), "{why}");
        }
        assert!(!policy.may_connect(&uri("https://rebound.example/a"), "192.168.0.1".parse().expect("an address")));
    }

    #[test]
    fn row_54_a_hub_on_this_machine_leads_to_this_machine() {
        let policy = Policy::new(uri("http://127.0.0.1:80"));
        assert!(policy.may_connect(&uri("http://127.0.0.1:80/x"), "127.0.0.1".parse().expect("an address")));
        assert_eq!(policy.objection(&uri("http://127.0.0.1:8080/a")), None);
        assert_eq!(policy.objection(&uri("http://localhost:8080/a")), None);
        for bad in ["http://10.0.0.1/a", "http://169.254.169.254/a", "http://example.org/a"] {
            assert!(policy.objection(&uri(bad)).is_some(), "{bad}");
        }
    }

    #[test]
    fn the_token_goes_to_the_endpoint_alone() {
        let policy = Policy::new(uri("https://huggingface.co"));
        assert!(policy.is_home(&uri("https://HuggingFace.co:443/a")));
        for other in ["http://huggingface.co/a", "https://huggingface.co:444/a", "https://huggingface.co.evil.org/a"] {
            assert!(!policy.is_home(&uri(other)), "{other}");
        }
    }

    #[test]
    fn a_location_is_whole_or_goes_on_from_here() {
        let from = uri("https://a.org/b/c?d=e");
        let joined = |location: &str| join(&from, location).map(|uri| uri.to_string());
        assert_eq!(joined("http://x.org/y").as_deref(), Some("http://x.org/y"));
        assert_eq!(joined("//x.org/y").as_deref(), Some("https://x.org/y"));
        assert_eq!(joined("/y?z=1#part").as_deref(), Some("https://a.org/y?z=1"));
        assert_eq!(joined("y").as_deref(), Some("https://a.org/b/y"));
        assert_eq!(joined("http://x y"), None);
    }
}
