//! Chat, data, names and hands.

use madang_protocol::*;
use madang_room::Grant;

use crate::yard::{Yard, hello};

fn chat(text: &str, to: Vec<ParticipantId>) -> ClientMessage {
    ClientMessage::Chat(ChatLine { text: text.to_owned(), to })
}

fn data(payload: &str, topic: Option<&str>, to: Vec<ParticipantId>) -> ClientMessage {
    ClientMessage::Data(DataMessage { payload: payload.to_owned(), to, topic: topic.map(str::to_owned) })
}

#[test]
fn a_chat_line_reaches_everyone_and_its_writer() {
    let mut yard = Yard::with_people(3);
    yard.say(0, chat("hello", vec![]));
    let from = yard.clients[0].id();
    let line = ChatEvent { from, text: "hello".into(), at_ms: 1_750_000_000_000, private: false };
    for client in &mut yard.clients {
        assert_eq!(*client.heard()[0], ServerMessage::Chat(line.clone()));
    }
}

#[test]
fn a_private_line_reaches_those_named_and_its_writer() {
    let mut yard = Yard::with_people(3);
    let to = vec![yard.clients[1].id(), yard.clients[1].id()];
    yard.say(0, chat("psst", to));
    for (who, lines) in [(0, 1), (1, 1), (2, 0)] {
        let heard = yard.clients[who].heard();
        assert_eq!(heard.len(), lines);
        assert!(heard.iter().all(|message| matches!(&**message, ServerMessage::Chat(line) if line.private)));
    }
}

#[test]
fn a_line_to_somebody_who_is_not_here_reaches_nobody() {
    let mut yard = Yard::with_people(2);
    let to = vec![yard.clients[1].id(), ParticipantId::from("p_none")];
    assert_eq!(yard.ask(0, chat("hello", to.clone())), Err(ErrorCode::NotFound));
    assert_eq!(yard.ask(0, data("AAAA", None, to)), Err(ErrorCode::NotFound));
    assert!(yard.clients[1].inbox.is_empty());
}

#[test]
fn lines_are_neither_empty_nor_too_long() {
    let mut yard = Yard::with_people(1);
    assert_eq!(yard.ask(0, chat(" \n", vec![])), Err(ErrorCode::BadRequest));
    assert_eq!(yard.ask(0, chat(&"x".repeat(4097), vec![])), Err(ErrorCode::TooLarge));
    assert!(yard.ask(0, chat(&"x".repeat(4096), vec![])).is_ok());
}

#[test]
fn data_reaches_the_others_and_not_its_sender() {
    let mut yard = Yard::with_people(3);
    yard.say(0, data("AAEC/w==", Some("cursor"), vec![]));
    assert!(yard.clients[0].inbox.is_empty());
    let event = DataEvent { from: yard.clients[0].id(), payload: "AAEC/w==".into(), topic: Some("cursor".into()) };
    for who in [1, 2] {
        assert_eq!(*yard.clients[who].heard()[0], ServerMessage::Data(event.clone()));
    }
}

#[test]
fn data_is_base64_and_bounded() {
    let mut yard = Yard::with_people(2);
    assert_eq!(yard.ask(0, data("no base64!", None, vec![])), Err(ErrorCode::BadRequest));
    assert_eq!(yard.ask(0, data(&"AAAA".repeat(10_923), None, vec![])), Err(ErrorCode::TooLarge));
    assert_eq!(yard.ask(0, data("AAAA", Some(&"x".repeat(65)), vec![])), Err(ErrorCode::TooLarge));
    assert!(yard.ask(0, data(&"AAAA".repeat(10_922), None, vec![])).is_ok());
}

#[test]
fn hands_and_names_change_for_everyone_and_only_when_they_change() {
    let mut yard = Yard::with_people(2);
    let state = |hand, name: Option<&str>| ClientMessage::State(State { hand, name: name.map(str::to_owned) });
    yard.say(0, state(Some(true), None));
    yard.say(0, state(Some(true), None));
    yard.say(0, state(None, Some(" Mina K. ")));
    assert_eq!(yard.clients[1].heard().len(), 2);
    let me = yard.clients[0].id();
    let seen = &yard.clients[1].picture().people[&me];
    assert_eq!((seen.hand, seen.name.as_str()), (true, "Mina K."));
    assert_eq!(yard.ask(0, state(None, Some(""))), Err(ErrorCode::BadRequest));
    yard.check();
}

#[test]
fn a_name_that_a_token_gave_stays() {
    let mut yard = Yard::with_people(2);
    let grant = Grant { name: Some("Ada Lovelace".into()), ..Grant::default() };
    yard.clients.push(Default::default());
    yard.join(2, hello("Somebody else"), grant);
    let rename = |name: &str| ClientMessage::State(State { hand: Some(true), name: Some(name.into()) });
    assert_eq!(yard.ask(2, rename("The host")), Err(ErrorCode::Forbidden));
    assert!(yard.ask(2, rename("Ada Lovelace")).is_ok());
    yard.say(0, rename("Another name"));
    let names: Vec<_> = yard.room.roster();
    assert_eq!(names, ["Another name", "client 1", "Ada Lovelace"]);
}
