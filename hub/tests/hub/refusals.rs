//! What is not tried again, redirects that are not followed, and the token.

use std::fmt::Debug;

use darkroom_hub::settings::Token;
use darkroom_hub::{HubFault, Kind};

use crate::room::Room;
use crate::server::{Act, Server, noise};

const FILE: &str = "hub://o/n/x.safetensors";
const TOKEN: &str = "hf_canarycanarycanarycanary";

fn server() -> Server {
    Server::new(&[("x.safetensors", noise(25_000, 1)), ("config.json", noise(100, 2))])
}

/// Nothing that is shown holds the token, or the signature of an address.
fn tells_no_secret(fault: &(impl Debug + ToString), room: &Room) {
    let all = format!("{fault:?} {} {:?} {:?}", fault.to_string(), room.hub(), room.seen.events.lock().expect("sound"));
    assert!(!all.contains("canary"), "{all}");
}

#[test]
fn row_53_no_leave_is_not_asked_for_twice() {
    for (status, part) in [(401, "HF_TOKEN"), (403, "licence"), (404, "capital")] {
        for given in ["hub://o/n", FILE] {
            let server = server();
            server.script(move |_| Act::Status(status, vec![]));
            let mut room = Room::new(&server);
            room.settings.token = Token::new(TOKEN);
            let fault = room.pull(given).expect_err("refused");
            let hint = fault.hint().expect("a way out");
            assert!(hint.contains(part), "{status}: {hint}");
            assert_eq!((fault.kind(), server.asked().len(), room.clock.all()), (Kind::File, 1, vec![]), "{status}");
            tells_no_secret(&fault, &room);
        }
    }
}

#[test]
fn row_53_what_does_not_exist_is_named() {
    let server = server();
    let room = Room::new(&server);
    for (given, part) in [
        ("hub://o/n/none.json", "file `none.json` in `o/n`"),
        ("hub://o/n@v9", "such revision of `o/n`"),
        ("hub://o/other/x", "`x` in `o/other`"),
    ] {
        let fault = room.pull(given).expect_err("not there");
        assert!(fault.to_string().contains(part), "{fault}");
    }
}

#[test]
fn row_54_the_token_stays_at_the_hub() {
    let server = server();
    let mut room = Room::new(&server);
    room.settings.token = Token::new(TOKEN);
    room.pull("hub://o/n").expect("pulled");
    room.pull(FILE).expect("pulled");
    let (at_store, at_hub): (Vec<_>, Vec<_>) = server.asked().into_iter().partition(|asked| asked.store);
    assert!(at_store.iter().all(|asked| asked.header("authorization").is_none()) && !at_store.is_empty());
    let bearer = format!("Bearer {TOKEN}");
    assert!(at_hub.iter().all(|asked| asked.header("authorization") == Some(&bearer)));
}

#[test]
fn row_54_a_token_that_was_dropped_does_not_come_back() {
    let server = server();
    let (home, store) = (server.endpoint(), server.store());
    server.script(move |asked| match (asked.store, asked.path.as_str()) {
        (false, "/o/n/resolve/main/config.json") if asked.method == "GET" => Act::To(format!("{store}/bounce")),
        (false, path) if path.starts_with("/o/n/resolve/0") => Act::To(format!("{store}/bounce")),
        (true, "/bounce") => Act::To(format!("{home}/o/n/resolve/main/config.json?back")),
        _ => Act::Well,
    });
    let mut room = Room::new(&server);
    room.settings.token = Token::new(TOKEN);
    room.pull("hub://o/n/config.json").expect("pulled");
    let back: Vec<_> = server.asked().into_iter().filter(|asked| asked.path.ends_with("?back")).collect();
    assert!(back.len() == 1 && back[0].header("authorization").is_none(), "{back:?}");
}

#[test]
fn row_54_a_circle_of_redirects_is_refused() {
    let server = server();
    let store = server.store();
    server.script(move |asked| match asked.path.as_str() {
        _ if asked.method == "HEAD" => Act::Well,
        "/a" => Act::To(format!("{store}/b")),
        _ => Act::To(format!("{store}/a")),
    });
    let room = Room::new(&server);
    let fault = room.pull(FILE).expect_err("it leads nowhere");
    assert!(matches!(&fault, HubFault::Redirect { why } if why.contains("circle")), "{fault}");
    assert_eq!(room.clock.all(), vec![]);
}

#[test]
fn row_54_redirects_that_never_end_are_refused() {
    let server = server();
    server.script(|asked| {
        let number: u64 = asked.path.trim_start_matches('/').parse().unwrap_or_default();
        if asked.method == "HEAD" { Act::Well } else { Act::To(format!("/{}", number + 1)) }
    });
    let room = Room::new(&server);
    let fault = room.pull(FILE).expect_err("it leads nowhere");
    assert!(matches!(&fault, HubFault::Redirect { .. }), "{fault}");
    assert!(server.asked().len() < 12);
}

#[test]
fn row_54_redirects_into_other_networks_are_refused() {
    for to in [
        "http://169.254.169.254/latest/meta-data",
        "http://10.0.0.1/x",
        "https://192.168.1.1/x",
        "http://example.org/x",
        "http://[fe80::1]/x",
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http://me:canary@127.0.0.1/x",
    ] {
        let server = server();
        server.script(move |asked| if asked.method == "HEAD" { Act::Well } else { Act::To(to.to_owned()) });
        let room = Room::new(&server);
        let fault = room.pull(FILE).expect_err(to);
        assert!(matches!(&fault, HubFault::Redirect { .. }), "{to}: {fault}");
        assert_eq!((fault.kind(), room.clock.all()), (Kind::File, vec![]));
        tells_no_secret(&fault, &room);
    }
}

#[test]
fn row_76_no_fault_tells_the_signature_of_an_address() {
    let server = server();
    server.script(|asked| if asked.store { Act::Status(418, vec![]) } else { Act::Well });
    let room = Room::new(&server);
    let fault = room.pull(FILE).expect_err("a teapot");
    assert!(fault.to_string().contains("418"), "{fault}");
    tells_no_secret(&fault, &room);
}
