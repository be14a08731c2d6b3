//! The mix: who gets it, how it looks, and what the media server is told of it.

use madang_protocol::*;

use crate::{sfu::kinds, yard::Yard};

#[test]
fn the_media_server_knows_names_and_who_has_a_tile() {
    let mut yard = Yard::forwarded(2);
    let state = |hand, name: &str| ClientMessage::State(State { hand: Some(hand), name: Some(name.to_owned()) });
    yard.say(1, state(true, "Juno"));
    yard.say(1, state(false, "Juno"));
    let person = |is_shown| Person { name: "Juno".to_owned(), is_shown };
    let described =
        |yard: &Yard, is_shown| MediaCommand::Describe { link: yard.server_link(1), person: person(is_shown) };
    assert_eq!(yard.media.commands(), [described(&yard, true)], "a hand is no news to it");
    for role in [Role::Host, Role::Viewer, Role::Participant] {
        let participant = yard.clients[1].id();
        assert!(yard.ask(0, ClientMessage::Mod(Moderation::Role { participant, role })).is_ok());
    }
    assert_eq!(yard.media.commands(), [described(&yard, false), described(&yard, true)]);
    let mut mesh = Yard::with_people(2);
    mesh.say(1, state(false, "Juno"));
    assert!(kinds(&mesh.media.commands()).is_empty());
}
