//! Servers that fail for a while, answer oddly, or slowly.

use std::fs;
use std::time::Duration;

use darkroom_hub::HubFault;
use darkroom_hub::progress::Nobody;

use crate::room::{CHUNK, Room, address};
use crate::server::{Act, Asked, Server, dead_endpoint, noise};

const FILE: &str = "hub://o/n/x.safetensors";

fn one_file() -> Server {
    Server::new(&[("x.safetensors", noise(35_000, 1))])
}

fn is_whole(room: &Room, server: &Server) {
    let path = room.hub().find(&address(FILE)).expect("there");
    assert_eq!(fs::read(path).expect("there"), server.bytes("x.safetensors"));
}

/// Tells whether it is the n-th range that was asked of the store.
fn nth(asked: &Asked, n: usize) -> bool {
    asked.store && asked.before == n
}

#[test]
fn row_50_a_body_that_is_cut_goes_on_where_it_was() {
    let server = one_file();
    server.script(|asked| if nth(asked, 1) || nth(asked, 3) { Act::Cut(1234) } else { Act::Well });
    let room = Room::new(&server);
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
    assert_eq!(server.served(), 35_000, "what arrived is not asked for again");
    assert!(server.asked().iter().any(|asked| asked.header("if-range").is_some_and(|tag| tag.starts_with('"'))));
    assert!(room.seen.has("Retrying"));
}

#[test]
fn row_51_a_wrong_hash_is_fetched_anew_once() {
    let server = one_file();
    server.script(|asked| if nth(asked, 0) { Act::Damage } else { Act::Well });
    let room = Room::new(&server);
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
    assert_eq!(server.served(), 70_000);
}

#[test]
fn row_51_a_hash_that_stays_wrong_is_a_fault_and_never_seen() {
    let server = Server::new(&[("x.safetensors", noise(35_000, 1)), ("config.json", noise(100, 2))]);
    server.script(|asked| if asked.method == "GET" { Act::Damage } else { Act::Well });
    let room = Room::new(&server);
    for file in ["x.safetensors", "config.json"] {
        let fault = room.pull(&format!("hub://o/n/{file}")).expect_err("damaged");
        assert!(matches!(fault, HubFault::Damaged { .. }), "{fault}");
        assert!(room.hub().find(&address(&format!("hub://o/n/{file}"))).is_err());
    }
    assert_eq!(server.served(), 2 * 35_100);
    assert_eq!(crate::room::names(&room.repo().join("blobs")), Vec::<String>::new());
}

#[test]
fn row_52_a_server_without_ranges_is_read_from_the_start() {
    let server = one_file();
    server.script(|asked| if asked.store { Act::IgnoreRange } else { Act::Well });
    let room = Room::new(&server);
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
    assert_eq!(server.served(), 35_000, "the answer to the first range was the file");
}

#[test]
fn row_52_a_server_without_ranges_that_cuts_is_asked_again() {
    let server = one_file();
    server.script(|asked| match asked.before {
        0 if asked.store => Act::IgnoreRangeAndCut(20_000),
        _ if asked.store => Act::IgnoreRange,
        _ => Act::Well,
    });
    let room = Room::new(&server);
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
    assert_eq!(server.served(), 55_000);
}

#[test]
fn row_52_a_server_that_always_cuts_is_given_up() {
    let server = one_file();
    server.script(|asked| if asked.store { Act::IgnoreRangeAndCut(20_000) } else { Act::Well });
    let room = Room::new(&server);
    let fault = room.pull(FILE).expect_err("it never ends");
    assert!(matches!(fault, HubFault::GaveUp { .. }), "{fault}");
    assert_eq!(server.served(), 4 * 20_000);
}

#[test]
fn row_52_a_range_that_turns_into_a_whole_file_begins_anew() {
    let server = one_file();
    server.script(|asked| if nth(asked, 2) { Act::IgnoreRange } else { Act::Well });
    let mut room = Room::new(&server);
    room.tuning.ranges = 1;
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
}

/// What is done to every answer.
type Spoil = fn(&Asked) -> Act;

#[test]
fn row_52_wrong_lengths_are_tried_anew_once_and_then_told() {
    let wrong: [(&str, Spoil); 4] =
        [
            ("416", |asked| {
                if asked.store { Act::Status(416, vec![("content-range", "bytes */17".into())]) } else { Act::Well }
            }),
            ("total", |asked| if asked.store { Act::Total(17) } else { Act::Well }),
            ("too long", |asked| if asked.store { Act::Length(35_001) } else { Act::Well }),
            ("no range", |asked| if asked.store { Act::Status(206, vec![]) } else { Act::Well }),
        ];
    for (name, script) in wrong {
        let server = one_file();
        let mut room = Room::new(&server);
        // In one piece, the length of the answer is that of the file.
        room.tuning.chunk = if name == "too long" { 1 << 20 } else { CHUNK };
        server.script(move |asked| if asked.before == 0 { script(asked) } else { Act::Well });
        room.pull(FILE).unwrap_or_else(|fault| panic!("{name}: {fault}"));
        is_whole(&room, &server);
        let server = one_file();
        let mut other = Room::new(&server);
        other.tuning.chunk = room.tuning.chunk;
        server.script(script);
        let fault = other.pull(FILE).expect_err(name);
        let told = matches!(fault, HubFault::Length { .. } | HubFault::Answer { .. });
        assert!(told && other.hub().find(&address(FILE)).is_err(), "{name}: {fault}");
        assert_eq!(server.asked().iter().filter(|asked| asked.store).count(), 2, "{name}");
    }
}

#[test]
fn row_52_another_version_on_the_way_begins_anew() {
    let server = one_file();
    server.script(|asked| if nth(asked, 2) { Act::Tag("\"other\"") } else { Act::Well });
    let mut room = Room::new(&server);
    room.tuning.ranges = 1;
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
}

#[test]
fn row_53_failures_are_waited_out_as_the_server_asks() {
    let server = one_file();
    server.script(|asked| match asked.before {
        0 if asked.store => Act::Status(429, vec![("retry-after", "17".into())]),
        1 if asked.store => Act::Status(503, vec![("retry-after", "Wed, 21 Oct 2015 07:27:00 GMT".into())]),
        2 if asked.store => Act::Status(500, vec![]),
        _ => Act::Well,
    });
    let room = Room::new(&server);
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
    let waits = room.clock.all();
    assert_eq!(waits[..2], [17, 20].map(Duration::from_secs));
    // The third failure: half of 100 ms doubled twice, to all of it.
    assert!((200..=400).contains(&waits[2].as_millis()), "{waits:?}");
}

#[test]
fn row_53_every_passing_status_is_tried_again_and_given_up_in_the_end() {
    for status in [408, 425, 429, 500, 502, 503, 504] {
        let server = one_file();
        server.script(move |_| Act::Status(status, vec![]));
        let room = Room::new(&server);
        let fault = room.pull(FILE).expect_err("it never gets better");
        assert!(fault.to_string().contains(&status.to_string()), "{fault}");
        assert_eq!((server.asked().len(), room.clock.all().len()), (4, 3), "{status}");
    }
}

#[test]
fn row_53_a_wait_beyond_the_budget_is_not_waited() {
    let server = one_file();
    server.script(|_| Act::Status(429, vec![("retry-after", "3600".into())]));
    let room = Room::new(&server);
    let fault = room.pull(FILE).expect_err("an hour is too long");
    assert!(fault.to_string().contains("3600 s"), "{fault}");
    assert_eq!((server.asked().len(), room.clock.all()), (1, vec![]));
}

#[test]
fn row_53_a_hub_that_is_not_there_is_tried_again() {
    let room = Room::at(&dead_endpoint());
    let fault = room.pull(FILE).expect_err("nobody is there");
    assert!(matches!(fault, HubFault::GaveUp { .. }), "{fault}");
    assert_eq!(room.clock.all().len(), 3);
}

#[test]
fn row_55_a_server_that_drips_is_too_slow() {
    let server = one_file();
    server.script(|asked| match asked.before {
        0 if asked.store => Act::Drip(usize::MAX, Duration::from_millis(20)),
        _ => Act::Well,
    });
    let mut room = Room::new(&server);
    (room.tuning.window, room.tuning.slowest) = (Duration::from_millis(400), 1000);
    let began = std::time::Instant::now();
    room.pull(FILE).expect("pulled");
    is_whole(&room, &server);
    assert!(room.seen.has("too slow"));
    // At its pace the file would take 700 s.
    assert!(began.elapsed() < Duration::from_secs(20), "{:?}", began.elapsed());
}

#[test]
fn row_55_a_server_that_says_nothing_is_left() {
    let server = one_file();
    server.script(|asked| if asked.before == 0 { Act::Silence(Duration::from_secs(30)) } else { Act::Well });
    let mut room = Room::new(&server);
    room.tuning.window = Duration::from_millis(300);
    room.hub().pull(&address(FILE), &Nobody).expect("pulled");
    is_whole(&room, &server);
}
