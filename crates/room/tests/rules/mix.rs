//! The mix: who gets it, how it looks, and what the media server is told of it.

use std::{sync::Arc, time::Duration};

use madang_protocol::*;
use madang_room::Settings;

use crate::{
    failure,
    sfu::{kinds, links, published, subscribe},
    yard::{Yard, delivery, hello},
};

const PACE: Duration = Duration::from_millis(500);

pub(crate) fn take(on: bool, layout: Option<MixLayout>, hide_self: Option<bool>) -> ClientMessage {
    ClientMessage::TakeMix(TakeMix { on, layout, hide_self })
}

/// Asks once one's mix, and the room, have rested long enough to change at once.
pub(crate) fn ask(yard: &mut Yard, who: usize, message: ClientMessage) -> Result<Done, ErrorCode> {
    yard.elapse(Duration::from_secs(1));
    yard.ask(who, message)
}

pub(crate) fn choose(policy: TopologyPolicy) -> ClientMessage {
    ClientMessage::Mod(Moderation::Topology { policy })
}

/// A layout that nobody else has.
pub(crate) fn own_layout(left: f32) -> Option<MixLayout> {
    let region = MixRegion { left, top: 0.0, width: 0.5, height: 1.0, z: 0, fill: MixFill::Speaker, fit: None };
    Some(MixLayout::Custom { regions: vec![region] })
}

pub(crate) fn mix(yard: &Yard, who: usize) -> Mix {
    yard.clients[who].mix().expect("it gets the mix").clone()
}

fn mixes(messages: &[Arc<ServerMessage>]) -> Vec<Option<Mix>> {
    let mix = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Mix(event) => Some(event.mix.clone()),
        _ => None,
    };
    messages.iter().filter_map(mix).collect()
}

fn full(why: Option<&str>) -> MediaEvent {
    MediaEvent::MixFull { why: why.map(str::to_owned) }
}

fn settings(pictures: u32) -> Settings {
    let mut settings = Settings::default();
    settings.mix.pictures = pictures;
    settings
}

#[test]
fn one_takes_the_mix_and_gives_it_up_and_the_others_see_no_change() {
    let mut yard = Yard::forwarded(3);
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    let taken = mix(&yard, 1);
    assert_eq!((&taken.layout, taken.hide_self), (&MixLayout::Auto, false));
    assert_ne!(taken.audio, taken.video);
    let command = |mix| MediaCommand::Mix { link: yard.server_link(1), mix };
    let (on, off) = (command(Some(taken.clone())), command(None));
    assert_eq!(yard.media.commands(), [on]);
    assert_eq!(mixes(&yard.clients[1].heard()), [Some(taken.clone())]);
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    assert!(yard.clients[1].inbox.is_empty() && yard.media.commands().is_empty(), "nothing changed");
    assert!(ask(&mut yard, 2, take(true, None, None)).is_ok());
    assert_eq!(mix(&yard, 2), taken, "there is one mix");
    yard.media.commands();
    assert!(ask(&mut yard, 1, take(false, None, None)).is_ok());
    assert_eq!(mixes(&yard.clients[1].heard()), [None]);
    assert_eq!(yard.media.commands(), [off]);
    assert!(yard.clients[0].inbox.is_empty());
    yard.check();
}

#[test]
fn the_layout_and_ones_own_tile_change_by_themselves_and_stay_when_the_mix_is_given_up() {
    let mut yard = Yard::forwarded(2);
    assert!(ask(&mut yard, 0, take(true, Some(MixLayout::Speaker), None)).is_ok());
    assert!(ask(&mut yard, 0, take(true, None, Some(true))).is_ok());
    assert!(ask(&mut yard, 0, take(false, None, None)).is_ok());
    assert!(ask(&mut yard, 0, take(true, None, None)).is_ok());
    let looks: Vec<_> = mixes(&yard.clients[0].heard()).into_iter().map(|mix| mix.map(|mix| mix.hide_self)).collect();
    assert_eq!(looks, [Some(false), Some(true), None, Some(true)]);
    assert_eq!(mix(&yard, 0).layout, MixLayout::Speaker);
    assert_eq!(kinds(&yard.media.commands()), ["mix", "mix", "mix", "mix"]);
    let regions = vec![];
    assert_eq!(ask(&mut yard, 0, take(true, Some(MixLayout::Custom { regions }), None)), Err(ErrorCode::BadRequest));
    yard.check();
}

#[test]
fn the_servers_usual_layout_is_for_those_who_choose_none() {
    let mut settings = Settings::default();
    settings.mix.layout = MixLayout::Grid;
    let mut yard = Yard::with_policy(1, settings, TopologyPolicy::Sfu).filled(1);
    assert!(ask(&mut yard, 0, take(true, None, None)).is_ok());
    assert_eq!(mix(&yard, 0).layout, MixLayout::Grid);
}

#[test]
fn what_is_watched_of_others_is_kept_and_said_again_when_the_mix_is_given_up() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    yard.watch(1, subscribe(&track, 180));
    yard.watch(1, subscribe(&mix(&yard, 1).video, 720));
    let video = mix(&yard, 1).video;
    let link = yard.server_link(1);
    assert_eq!(yard.media.wishes[&(link.clone(), video.clone())], subscribe(&video, 720));
    yard.clear();
    assert!(ask(&mut yard, 1, take(false, None, None)).is_ok());
    let watch = MediaCommand::Watch { link: link.clone(), wish: subscribe(&track, 180) };
    assert_eq!(yard.media.commands(), [MediaCommand::Mix { link, mix: None }, watch]);
    assert_eq!(yard.ask(1, ClientMessage::Subscribe(subscribe(&video, 720))), Err(ErrorCode::NotFound));
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    assert!(!yard.media.wishes.contains_key(&(yard.server_link(1), video)), "that wish ended with the mix");
    yard.check();
}

#[test]
fn the_sound_of_the_mix_is_always_heard() {
    let mut yard = Yard::forwarded(1);
    assert!(ask(&mut yard, 0, take(true, None, None)).is_ok());
    let audio = mix(&yard, 0).audio;
    assert_eq!(yard.ask(0, ClientMessage::Subscribe(subscribe(&audio, 1))), Err(ErrorCode::NotFound));
}

#[test]
fn a_replaced_link_gets_the_mix_from_the_beginning_and_how_it_is_watched() {
    let mut yard = Yard::forwarded(2);
    assert!(ask(&mut yard, 1, take(true, own_layout(0.25), Some(true))).is_ok());
    let taken = mix(&yard, 1);
    yard.watch(1, subscribe(&taken.video, 360));
    yard.elapse(Duration::from_secs(1));
    yard.clear();
    yard.media_says(MediaEvent::Failed { link: yard.server_link(1), why: "no checks".into() });
    let commands = yard.media.commands();
    assert_eq!(kinds(&commands), ["close", "open", "watch"]);
    assert!(matches!(&commands[1], MediaCommand::OpenLink(open) if open.mix.as_ref() == Some(&taken)));
    assert!(mixes(&yard.clients[1].heard()).is_empty(), "it is the same mix");
    yard.check();
}

#[test]
fn the_mix_stays_over_resumes_of_every_kind() {
    let settings = Settings { ring_events: 3, ..Settings::default() };
    let mut yard = Yard::with_policy(2, settings, TopologyPolicy::Sfu).filled(2);
    assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Speaker), None)).is_ok());
    let taken = mix(&yard, 1);
    for (chats, keep_state) in [(0, true), (9, true), (0, false)] {
        yard.lose(1);
        for _ in 0..chats {
            yard.say(0, ClientMessage::Chat(ChatLine { text: "hello".into(), to: vec![] }));
        }
        yard.resume(1, keep_state);
        assert_eq!(mix(&yard, 1), taken);
        yard.check();
    }
}

#[test]
fn a_change_of_the_mix_is_replayed_to_those_who_missed_it() {
    let mut yard = Yard::forwarded(1);
    yard.deafen(0);
    yard.say(0, take(true, None, None));
    yard.lose(0);
    yard.resume(0, true);
    assert!(mix(&yard, 0).layout == MixLayout::Auto);
    yard.check();
}

#[test]
fn the_servers_offer_and_word_of_delivery_may_name_the_mix() {
    let mut yard = Yard::forwarded(2);
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    yard.clear();
    let taken = mix(&yard, 1);
    let link = yard.server_link(1);
    yard.offer(1);
    let heard = yard.clients[1].heard();
    let ServerMessage::Desc(offer) = &*heard[0] else { panic!("an offer") };
    let named: Vec<_> = offer.tracks.values().collect();
    assert!(named.contains(&&taken.audio) && named.contains(&&taken.video));
    let word = delivery(&link, &taken.video, false);
    let told = |yard: &mut Yard| {
        let heard = yard.clients[1].heard();
        heard.iter().filter(|message| matches!(&***message, ServerMessage::Delivery(told) if *told == word)).count()
    };
    yard.media_says(MediaEvent::Delivery(word.clone()));
    assert_eq!(told(&mut yard), 1);
    yard.lose(1);
    yard.resume(1, true);
    assert_eq!(told(&mut yard), 1, "again after a resume");
    assert!(ask(&mut yard, 1, take(false, None, None)).is_ok());
    yard.media_says(MediaEvent::Delivery(word.clone()));
    yard.lose(1);
    yard.resume(1, true);
    assert_eq!(told(&mut yard), 0, "the mix was given up");
}

#[test]
fn what_is_forwarded_is_not_told_again_to_somebody_who_took_the_mix_since() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    let word = MediaEvent::Delivery(delivery(&yard.server_link(1), &track, false));
    yard.media_says(word.clone());
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    yard.media_says(word);
    yard.lose(1);
    yard.clear();
    yard.resume(1, true);
    assert!(!yard.clients[1].heard().iter().any(|message| matches!(**message, ServerMessage::Delivery(_))));
}

#[test]
fn how_the_mix_is_made_is_told_to_whoever_gets_it_without_those_who_have_left() {
    let mut yard = Yard::forwarded(3);
    let (link, other) = (yard.server_link(1), yard.server_link(0));
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    let place = |participant| MixPlace {
        participant,
        source: TrackSource::Camera,
        left: 0.0,
        top: 0.0,
        width: 0.5,
        height: 1.0,
    };
    let places = vec![place(yard.clients[0].id()), place(yard.clients[2].id()), place(ParticipantId::from("p_gone"))];
    let state = MixState { places: places.clone(), fps: 30, ..MixState::default() };
    let told = |yard: &mut Yard, who: usize| {
        let heard = yard.clients[who].heard();
        let places = |message: &Arc<ServerMessage>| match &**message {
            ServerMessage::MixState(state) => Some(state.places.clone()),
            _ => None,
        };
        heard.iter().filter_map(places).collect::<Vec<_>>()
    };
    for link in [&link, &other] {
        yard.media_says(MediaEvent::MixState { link: link.clone(), state: state.clone() });
    }
    assert_eq!(told(&mut yard, 1), [&places[..2]]);
    assert!(told(&mut yard, 0).is_empty(), "they get no mix");
    yard.say(2, ClientMessage::Leave(Leave {}));
    yard.lose(1);
    yard.resume(1, true);
    assert_eq!(told(&mut yard, 1), [&places[..1]], "again after a resume");
    assert!(ask(&mut yard, 1, take(false, None, None)).is_ok());
    yard.media_says(MediaEvent::MixState { link, state });
    yard.lose(1);
    yard.resume(1, true);
    assert!(told(&mut yard, 1).is_empty(), "the mix was given up");
}

#[test]
fn so_many_different_pictures_are_made_and_no_more() {
    let mut yard = Yard::with_policy(4, settings(2), TopologyPolicy::Sfu).filled(4);
    assert!(ask(&mut yard, 0, take(true, None, None)).is_ok());
    assert!(ask(&mut yard, 1, take(true, None, Some(true))).is_ok());
    yard.clear();
    yard.say(2, take(true, Some(MixLayout::Grid), None));
    let refused = failure(&yard.clients[2].heard());
    assert!(refused.code == ErrorCode::TooLarge && refused.message.contains("may, 2;"), "{}", refused.message);
    assert_eq!(
        ask(&mut yard, 2, take(true, None, Some(true))),
        Err(ErrorCode::TooLarge),
        "without oneself is one more"
    );
    assert!(ask(&mut yard, 2, take(true, None, None)).is_ok(), "somebody has that one");
    assert_eq!(ask(&mut yard, 2, take(true, Some(MixLayout::Grid), None)), Err(ErrorCode::TooLarge));
    assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Grid), Some(false))).is_ok(), "one goes where another comes");
    assert!(ask(&mut yard, 2, take(true, Some(MixLayout::Grid), None)).is_ok());
    assert!(ask(&mut yard, 2, take(false, None, None)).is_ok() && ask(&mut yard, 1, take(false, None, None)).is_ok());
    assert!(ask(&mut yard, 3, take(true, own_layout(0.5), None)).is_ok(), "nobody has the other any more");
    yard.check();
}

#[test]
fn a_mixer_that_is_full_takes_nobody_more_and_makes_no_more_pictures() {
    let mut yard = Yard::forwarded(3);
    assert!(ask(&mut yard, 0, take(true, None, None)).is_ok());
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    yard.clear();
    yard.media_says(full(Some("its processors are busy")));
    yard.say(2, take(true, None, None));
    let refused = failure(&yard.clients[2].heard());
    assert!(refused.code == ErrorCode::RoomFull && !refused.fatal);
    assert!(refused.message.contains("its processors are busy"), "{}", refused.message);
    assert_eq!(
        ask(&mut yard, 1, take(true, Some(MixLayout::Grid), None)),
        Err(ErrorCode::RoomFull),
        "one more picture"
    );
    assert_eq!(ask(&mut yard, 0, choose(TopologyPolicy::Mcu)), Err(ErrorCode::RoomFull), "more viewers");
    assert!(yard.media.commands().is_empty());
    assert!(ask(&mut yard, 0, take(false, None, None)).is_ok());
    assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Grid), None)).is_ok(), "as many pictures as before");
    assert_eq!(ask(&mut yard, 0, take(true, None, None)), Err(ErrorCode::RoomFull));
    yard.media_says(full(None));
    assert!(ask(&mut yard, 0, take(true, None, None)).is_ok());
    yard.check();
}

#[test]
fn taking_the_mix_moves_an_automatic_mesh_to_the_server() {
    let mut yard = Yard::with_policy(2, Settings::default(), TopologyPolicy::Auto).filled(2);
    yard.media_says(full(Some("busy")));
    assert_eq!(ask(&mut yard, 1, take(true, None, None)), Err(ErrorCode::RoomFull));
    assert_eq!(yard.room.census().topology, Topology::Mesh);
    yard.media_says(full(None));
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok());
    assert_eq!(links(&yard.clients[1].heard()), ["topology", "open", "close"]);
    assert!(yard.clients[0].heard().iter().any(|message| matches!(&**message, ServerMessage::Topology(event)
        if event.kind == Topology::Sfu && event.reason.contains("mix"))));
    let opened: Vec<_> = yard.media.links.values().filter_map(|link| link.open.mix.clone()).collect();
    assert_eq!(opened, [mix(&yard, 1)], "its link begins with the mix");
    assert_eq!(kinds(&yard.media.commands()), ["open", "open"]);
    yard.check();
}

#[test]
fn a_mesh_that_is_one_by_choice_or_need_has_no_mix() {
    let mut yard = Yard::with_people(1);
    yard.say(0, take(true, None, None));
    let refused = failure(&yard.clients[0].heard());
    assert!(refused.code == ErrorCode::Forbidden && refused.message.contains("a host can choose"));
    assert!(ask(&mut yard, 0, take(false, None, None)).is_ok(), "it has none");
    let mut yard = Yard::with_policy(2, Settings::default(), TopologyPolicy::Auto).filled(1);
    let mut only_mesh = hello("Juno");
    only_mesh.capabilities.topologies = vec![Topology::Mesh];
    yard.join(1, only_mesh, Default::default());
    assert_eq!(ask(&mut yard, 0, take(true, None, None)), Err(ErrorCode::BadRequest));
    assert_eq!(yard.room.census().topology, Topology::Mesh);
    yard.check();
}

#[test]
fn a_wish_rests_in_a_mesh_and_comes_true_again_afterwards() {
    let mut yard = Yard::forwarded(2);
    assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Speaker), Some(true))).is_ok());
    let taken = mix(&yard, 1);
    yard.clear();
    for policy in [TopologyPolicy::Mesh, TopologyPolicy::Mcu, TopologyPolicy::Sfu] {
        assert!(ask(&mut yard, 0, choose(policy)).is_ok());
        yard.check();
    }
    assert_eq!(mixes(&yard.clients[1].heard()), [None, Some(taken.clone())]);
    assert_eq!(mix(&yard, 1), taken);
    assert_eq!(yard.clients[0].mix(), None, "who never asked for it has it in a mixed room alone");
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Mesh)).is_ok());
    assert!(ask(&mut yard, 1, take(false, None, None)).is_ok());
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Sfu)).is_ok());
    assert_eq!(yard.clients[1].mix(), None);
    yard.check();
}

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

#[test]
fn who_tries_many_layouts_gets_the_first_at_once_and_the_newest_when_its_time_has_come() {
    for mut yard in [Yard::forwarded(2), Yard::mixed(2)] {
        let layouts = [MixLayout::Grid, MixLayout::Speaker, MixLayout::Presentation, MixLayout::PictureInPicture];
        for (layout, hide_self) in layouts.into_iter().zip([None, Some(true), None, None]) {
            assert!(yard.ask(0, take(true, Some(layout), hide_self)).is_ok());
            assert_eq!(mix(&yard, 0).layout, MixLayout::Grid);
        }
        assert_eq!(kinds(&yard.media.commands()), ["mix"]);
        assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Grid), None)).is_ok());
        assert_eq!((mix(&yard, 0).layout, mix(&yard, 0).hide_self), (MixLayout::PictureInPicture, true));
        assert_eq!(kinds(&yard.media.commands()), ["mix", "mix"], "others have a pace of their own");
        yard.elapse(Duration::from_secs(9));
        assert!(yard.media.commands().is_empty() && yard.timeout.is_none());
        yard.check();
    }
}

#[test]
fn however_fast_somebody_changes_their_mix_it_changes_twice_a_second_at_most() {
    let mut yard = Yard::forwarded(1);
    for round in 0..500 {
        let layout = [MixLayout::Grid, MixLayout::Speaker][round / 2 % 2].clone();
        assert!(yard.ask(0, take(round % 5 != 0, Some(layout), Some(round % 3 == 0))).is_ok());
        yard.elapse(Duration::from_millis(20));
        yard.check();
    }
    assert!((15..=21).contains(&yard.media.commands().len()), "in ten seconds");
}

#[test]
fn who_wants_what_they_have_before_another_wish_came_true_keeps_it() {
    let mut yard = Yard::forwarded(1);
    assert!(yard.ask(0, take(true, Some(MixLayout::Grid), None)).is_ok());
    assert!(yard.ask(0, take(false, None, None)).is_ok() && yard.ask(0, take(true, None, None)).is_ok());
    assert_eq!(yard.timeout, None, "nothing waits");
    yard.elapse(PACE);
    assert_eq!(kinds(&yard.media.commands()), ["mix"]);
    assert_eq!(mix(&yard, 0).layout, MixLayout::Grid);
    yard.check();
}

#[test]
fn a_wish_that_waits_holds_no_place_and_who_finds_none_is_told() {
    let mut yard = Yard::with_policy(2, settings(2), TopologyPolicy::Sfu).filled(2);
    assert!(yard.ask(0, take(true, None, None)).is_ok() && yard.ask(1, take(true, None, None)).is_ok());
    assert!(yard.ask(0, take(true, Some(MixLayout::Grid), None)).is_ok());
    assert!(yard.ask(1, take(true, own_layout(0.5), None)).is_ok());
    yard.elapse(PACE);
    let layouts = [mix(&yard, 0).layout, mix(&yard, 1).layout];
    assert_eq!(layouts, [Some(MixLayout::Grid), own_layout(0.5)].map(Option::unwrap), "each made room");
    assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Grid), None)).is_ok());
    assert!(yard.ask(1, take(true, Some(MixLayout::Speaker), None)).is_ok());
    yard.media_says(full(Some("busy")));
    yard.clear();
    yard.elapse(PACE);
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::RoomFull);
    assert_eq!(mix(&yard, 1).layout, MixLayout::Grid);
    yard.check();
}

#[test]
fn a_wish_that_waits_outlasts_moves_and_ends_with_its_owner() {
    let mut yard = Yard::forwarded(2);
    let wishes = |yard: &mut Yard| {
        assert!(ask(yard, 1, take(true, Some(MixLayout::Grid), None)).is_ok());
        assert!(yard.ask(1, take(true, Some(MixLayout::Speaker), None)).is_ok());
    };
    wishes(&mut yard);
    assert!(yard.ask(0, choose(TopologyPolicy::Mesh)).is_ok());
    yard.elapse(PACE);
    yard.check();
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Sfu)).is_ok());
    assert_eq!(mix(&yard, 1).layout, MixLayout::Speaker);
    wishes(&mut yard);
    yard.lose(1);
    yard.elapse(PACE);
    yard.resume(1, true);
    assert_eq!(mix(&yard, 1).layout, MixLayout::Speaker, "somebody is away, their wish is not");
    wishes(&mut yard);
    yard.say(1, ClientMessage::Leave(Leave {}));
    assert_eq!(yard.timeout, None);
    yard.check();
}
