//! Whether the hub can be reached.

use std::time::Duration;

use darkroom_hub::Reach;
use darkroom_hub::settings::Token;

use crate::room::Room;
use crate::server::{Act, Server, dead_endpoint};

fn reached(act: impl Fn() -> Act + Send + 'static) -> (Reach, Server) {
    let server = Server::new(&[]);
    server.script(move |_| act());
    let mut room = Room::new(&server);
    room.settings.token = Token::new("canary-7");
    room.tuning.window = Duration::from_millis(200);
    (room.hub().reach().expect("the settings are sound"), server)
}

#[test]
fn any_answer_will_do_and_nothing_is_followed() {
    for act in
        [Act::Well, Act::Status(503, Vec::new()), Act::Status(401, Vec::new()), Act::To("http://[::1]:1/".into())]
    {
        let (reach, server) = reached(move || act.clone());
        assert!(reach.answer.is_ok() && reach.proxy.is_none(), "{reach:?}");
        let asked = server.asked();
        assert_eq!((asked.len(), asked[0].method.as_str(), asked[0].header("authorization")), (1, "HEAD", None));
    }
}

#[test]
fn a_hub_that_is_silent_or_not_there_is_asked_once() {
    let (silent, server) = reached(|| Act::Silence(Duration::from_secs(1)));
    assert!(silent.answer.as_ref().is_err_and(|why| why.contains("was silent for")), "{silent:?}");
    assert_eq!(server.asked().len(), 1);
    let room = Room::at(&dead_endpoint());
    let dead = room.hub().reach().expect("the settings are sound");
    assert!(dead.answer.as_ref().is_err_and(|why| why.contains("refused")), "{dead:?}");
}
