//! Rooms that the server mixes for everyone.

use std::time::Duration;

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::{
    failure,
    mix::{ask, choose, mix, own_layout, take},
    sfu::{kinds, links, published, subscribe},
    yard::{Yard, camera, hello},
};

fn with_codecs(name: &str, video: &str) -> Hello {
    let mut hello = hello(name);
    hello.capabilities.codecs.video = video.split_whitespace().map(str::to_owned).collect();
    hello
}

fn publish_in(codecs: &str) -> ClientMessage {
    let codecs = codecs.split_whitespace().map(str::to_owned).collect();
    ClientMessage::Publish(Publish { track: PublishTrack { codecs, ..camera("c") } })
}

/// What a client sends, and what it gets the mix in.
fn codecs(yard: &Yard, who: usize) -> (Option<&str>, Option<&str>) {
    let open = &yard.media.links[&yard.server_link(who)].open;
    (open.video_codec.as_deref(), open.mix_codec.as_deref())
}

#[test]
fn everyone_finds_the_mix_in_their_welcome_and_it_is_the_same() {
    let mut yard = Yard::with_policy(2, Settings::default(), TopologyPolicy::Mcu);
    yard.join(0, Hello { tracks: vec![camera("c1")], ..hello("Mina") }, Grant::default());
    yard.join(1, hello("Juno"), Grant::default());
    let heard = yard.clients[1].heard();
    let ServerMessage::Welcome(welcome) = &*heard[0] else { panic!("a welcome") };
    let given = welcome.mix.clone().expect("a mix");
    assert_eq!((welcome.topology, welcome.links[0].kind), (Topology::Mcu, Topology::Mcu));
    assert_eq!((given.layout.clone(), given.hide_self), (MixLayout::Auto, false));
    assert_eq!(mix(&yard, 0), given);
    let commands = yard.media.commands();
    assert_eq!(kinds(&commands), ["open", "add", "open"]);
    assert!(matches!(&commands[2], MediaCommand::OpenLink(open) if open.mix.as_ref() == Some(&given)));
    yard.check();
}

#[test]
fn people_with_no_picture_codec_in_common_are_together() {
    let mut yard = Yard::with_policy(5, Settings::default(), TopologyPolicy::Mcu);
    for (who, video) in ["VP8 H264", "VP9", "H264", "AV1 H264 VP8", ""].into_iter().enumerate() {
        yard.join(who, with_codecs("a", video), Grant::default());
        assert!(yard.clients[who].connection.is_some(), "{video}");
    }
    assert_eq!(codecs(&yard, 0), (Some("VP8"), Some("VP8")));
    assert_eq!(codecs(&yard, 1), (Some("VP9"), None), "it hears the mix");
    assert_eq!(codecs(&yard, 2), (Some("H264"), Some("H264")));
    assert_eq!(codecs(&yard, 3), (Some("AV1"), Some("VP8")));
    assert_eq!(codecs(&yard, 4), (None, None));
    assert!(yard.clients[0].picture().room.codecs.video.is_empty(), "nothing is common to all");
    assert_eq!(ask(&mut yard, 0, choose(TopologyPolicy::Sfu)), Err(ErrorCode::CodecUnsupported));
    assert_eq!(ask(&mut yard, 0, choose(TopologyPolicy::Mesh)), Err(ErrorCode::CodecUnsupported));
    yard.check();
    for who in [1, 2, 3] {
        yard.say(who, ClientMessage::Leave(Leave {}));
    }
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Sfu)).is_ok());
    yard.check();
}

#[test]
fn sound_has_to_be_one_that_the_mixer_knows() {
    let mut yard = Yard::with_policy(1, Settings::default(), TopologyPolicy::Mcu);
    let mut newcomer = hello("Mina");
    newcomer.capabilities.codecs.audio = vec!["PCMU".into()];
    yard.join(0, newcomer, Grant::default());
    assert_eq!(failure(&yard.clients[0].heard()).code, ErrorCode::CodecUnsupported);
}

#[test]
fn in_a_forwarded_room_the_mix_comes_in_what_is_forwarded_where_the_mixer_makes_that() {
    for (video, forwarded, mixed) in
        [("VP8 H264", "VP8", Some("VP8")), ("H264 VP9", "H264", Some("H264")), ("VP9", "VP9", None)]
    {
        let mut yard = Yard::with_policy(1, Settings::default(), TopologyPolicy::Sfu);
        yard.join(0, with_codecs("Mina", video), Grant::default());
        assert_eq!(codecs(&yard, 0), (Some(forwarded), mixed));
    }
    let mut settings = Settings::default();
    settings.codecs.video = vec!["VP9".into()];
    let mut yard = Yard::with_policy(1, settings, TopologyPolicy::Sfu);
    yard.join(0, with_codecs("Mina", "VP8 VP9 H264"), Grant::default());
    assert_eq!(codecs(&yard, 0), (Some("VP9"), Some("VP8")));
}

#[test]
fn a_track_that_cannot_be_sent_in_the_codec_of_its_publishers_link_has_the_link_replaced() {
    let mut yard = Yard::with_policy(2, Settings::default(), TopologyPolicy::Mcu);
    yard.join(0, with_codecs("Mina", "VP8 VP9 H264"), Grant::default());
    yard.join(1, hello("Juno"), Grant::default());
    let video = mix(&yard, 0).video;
    yard.watch(0, subscribe(&video, 360));
    yard.clear();
    assert!(yard.ask(0, publish_in("")).is_ok() && yard.ask(0, publish_in("H264 VP8")).is_ok());
    assert_eq!(kinds(&yard.media.commands()), ["add", "add"]);
    yard.elapse(Duration::from_secs(1));
    let narrow = yard.ask(0, publish_in("h264")).expect("it may").track.expect("an id");
    assert_eq!(kinds(&yard.media.commands()), ["add", "close", "open", "add", "add", "add", "watch"]);
    assert_eq!(codecs(&yard, 0).0, Some("H264"));
    assert_eq!(links(&yard.clients[0].heard()), ["close", "open"]);
    assert!(links(&yard.clients[1].heard()).is_empty(), "nobody else's link changes");
    assert_eq!(yard.ask(0, publish_in("VP8")), Err(ErrorCode::CodecUnsupported), "another needs H264");
    yard.say(0, ClientMessage::Unpublish(Unpublish { track: narrow }));
    assert_eq!(codecs(&yard, 0).0, Some("H264"), "what is in use changes only where it has to");
    yard.elapse(Duration::from_secs(1));
    assert!(yard.ask(0, publish_in("VP8")).is_ok());
    assert_eq!(codecs(&yard, 0).0, Some("VP8"));
    assert_eq!(yard.ask(0, publish_in("AV1")), Err(ErrorCode::CodecUnsupported), "it can't send that at all");
    yard.check();
}

#[test]
fn however_often_its_tracks_change_a_link_is_replaced_once_a_second_at_most_and_in_the_codec_that_is_right_then() {
    let mut yard = Yard::with_policy(1, Settings::default(), TopologyPolicy::Mcu);
    yard.join(0, with_codecs("Mina", "VP8 VP9 H264"), Grant::default());
    let (tick, turn) = (Duration::from_millis(20), ["VP9", "VP8", "H264"]);
    let first = yard.server_link(0);
    let publish = |yard: &mut Yard, codec| yard.ask(0, publish_in(codec)).expect("it may").track.expect("an id");
    let unpublish = |track| ClientMessage::Unpublish(Unpublish { track });
    for round in 0..100 {
        let track = publish(&mut yard, turn[round % 3]);
        assert!(round >= 49 || yard.server_link(0) == first, "it is young");
        yard.elapse(tick);
        yard.say(0, unpublish(track));
        yard.check();
    }
    let opened = kinds(&yard.media.commands()).into_iter().filter(|kind| *kind == "open").count();
    assert!((2..=3).contains(&opened), "{opened} links in two seconds");
    let wrong = if codecs(&yard, 0).0 == Some("VP9") { "H264" } else { "VP9" };
    publish(&mut yard, wrong);
    yard.elapse(Duration::from_secs(1));
    assert_eq!(codecs(&yard, 0).0, Some(wrong));
    yard.clear();
    yard.elapse(Duration::from_secs(5));
    assert!(yard.media.commands().is_empty() && yard.timeout.is_none(), "nothing is left to do");
    yard.check();
}

#[test]
fn who_is_away_gets_a_link_in_the_right_codec_when_they_are_back() {
    let mut yard = Yard::with_policy(2, Settings::default(), TopologyPolicy::Mcu);
    yard.join(0, with_codecs("Mina", "VP8 VP9"), Grant::default());
    yard.join(1, hello("Juno"), Grant::default());
    assert!(yard.ask(0, publish_in("VP9")).is_ok());
    yard.lose(0);
    yard.elapse(Duration::from_secs(2));
    yard.clear();
    yard.resume(0, true);
    assert_eq!(codecs(&yard, 0).0, Some("VP9"));
    assert_eq!(kinds(&yard.media.commands()), ["close", "open", "add"]);
    yard.check();
}

#[test]
fn the_tracks_of_a_hello_choose_the_codec_too() {
    let mut yard = Yard::with_policy(1, Settings::default(), TopologyPolicy::Mcu);
    let tracks = |codecs: &[&str]| {
        let track = |codec: &&str| PublishTrack { codecs: vec![(*codec).to_owned()], ..camera("c") };
        codecs.iter().map(track).collect::<Vec<_>>()
    };
    let of = |codecs| Hello { tracks: tracks(codecs), ..with_codecs("Mina", "VP8 VP9") };
    yard.join(0, of(&["VP8", "VP9"]), Grant::default());
    assert_eq!(failure(&yard.clients[0].heard()).code, ErrorCode::CodecUnsupported);
    yard.join(0, of(&["VP9", "VP9"]), Grant::default());
    assert_eq!(codecs(&yard, 0).0, Some("VP9"));
    yard.lose(0);
    let reloaded = Hello { resume: yard.resume_hello(0, false).resume, ..of(&["VP8"]) };
    yard.join(0, reloaded, Grant::default());
    assert_eq!(codecs(&yard, 0).0, Some("VP8"), "its former tracks are gone");
    yard.check();
}

#[test]
fn nobody_can_do_without_the_mix_but_everyone_chooses_how_it_looks() {
    let mut yard = Yard::mixed(2);
    yard.say(1, take(false, None, None));
    let refused = failure(&yard.clients[1].heard());
    assert!(refused.code == ErrorCode::Forbidden && refused.message.contains("mixed for everyone"));
    assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Grid), Some(true))).is_ok());
    assert_eq!(kinds(&yard.media.commands()), ["mix"]);
    assert_eq!((mix(&yard, 1).layout, mix(&yard, 0).layout), (MixLayout::Grid, MixLayout::Auto));
    assert!(yard.clients[0].inbox.is_empty());
    yard.check();
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Sfu)).is_ok());
    assert_eq!(yard.clients[1].mix(), None, "it chose a layout, not the mix");
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Mcu)).is_ok());
    assert_eq!(mix(&yard, 1).layout, MixLayout::Grid);
    yard.check();
}

#[test]
fn a_newcomer_always_finds_the_usual_picture() {
    let mut settings = Settings::default();
    settings.mix.pictures = 2;
    let mut yard = Yard::with_policy(3, settings, TopologyPolicy::Mcu).filled(2);
    assert!(ask(&mut yard, 0, take(true, Some(MixLayout::Grid), None)).is_ok());
    assert_eq!(ask(&mut yard, 1, take(true, Some(MixLayout::Speaker), None)), Err(ErrorCode::TooLarge));
    assert!(ask(&mut yard, 1, take(true, Some(MixLayout::Grid), None)).is_ok());
    yard.join(2, hello("c"), Grant::default());
    assert_eq!(mix(&yard, 2).layout, MixLayout::Auto);
    assert!(yard.media.pictures() == 2);
    assert_eq!(ask(&mut yard, 0, take(true, own_layout(0.0), None)), Err(ErrorCode::TooLarge));
    yard.check();
}

#[test]
fn in_a_room_that_becomes_mixed_those_who_had_the_mix_keep_their_picture() {
    let mut settings = Settings::default();
    settings.mix.pictures = 2;
    let mut yard = Yard::with_policy(3, settings, TopologyPolicy::Sfu).filled(3);
    assert!(ask(&mut yard, 0, take(true, Some(MixLayout::Grid), None)).is_ok());
    assert!(ask(&mut yard, 0, take(false, None, None)).is_ok());
    assert!(ask(&mut yard, 2, take(true, Some(MixLayout::Speaker), None)).is_ok());
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Mcu)).is_ok());
    let layouts = [0, 1, 2].map(|who| mix(&yard, who).layout);
    assert_eq!(layouts, [MixLayout::Auto, MixLayout::Auto, MixLayout::Speaker]);
    yard.check();
}

#[test]
fn a_mixer_that_is_full_lets_nobody_in_who_was_not_inside() {
    let mut yard = Yard::mixed(3);
    let identity = Grant { identity: Some("somebody".into()), ..Grant::default() };
    yard.clients.extend([Default::default(), Default::default()]);
    yard.join(3, hello("Mina"), identity.clone());
    yard.close_page(1);
    yard.lose(2);
    yard.media_says(MediaEvent::MixFull { why: Some("its processors are busy".into()) });
    yard.join(4, hello("Juno"), Grant::default());
    let refused = failure(&yard.clients[4].heard());
    assert!(refused.code == ErrorCode::RoomFull && refused.fatal && refused.message.contains("processors are busy"));
    yard.resume(1, true);
    yard.resume(2, false);
    yard.join(4, hello("Mina"), identity);
    for who in [1, 2, 4] {
        assert!(yard.clients[who].connection.is_some(), "{who} was inside");
    }
    yard.media_says(MediaEvent::MixFull { why: None });
    yard.join(3, hello("Juno"), Grant::default());
    assert!(yard.clients[3].connection.is_some());
    yard.check();
}

#[test]
fn a_host_moves_the_room_between_all_topologies_and_links_are_opened_anew() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    yard.watch(1, subscribe(&track, 180));
    yard.clear();
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Mcu)).is_ok());
    assert_eq!(links(&yard.clients[1].heard()), ["topology", "close", "open"]);
    assert_eq!(kinds(&yard.media.commands()), ["close", "close", "open", "add", "open", "watch"]);
    yard.check();
    let speaker = vec![yard.clients[0].id()];
    yard.media_says(MediaEvent::Speakers { participants: speaker.clone() });
    assert!(matches!(&*yard.clients[1].heard()[0], ServerMessage::Speakers(told) if told.participants == speaker));
    for policy in [TopologyPolicy::Sfu, TopologyPolicy::Mcu, TopologyPolicy::Mesh, TopologyPolicy::Mcu] {
        assert!(ask(&mut yard, 0, choose(policy)).is_ok());
        yard.check();
    }
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Auto)).is_ok());
    assert_eq!(yard.room.census().topology, Topology::Sfu, "by itself it does not mix");
    yard.check();
}

#[test]
fn who_cannot_be_mixed_is_kept_out_and_keeps_the_room_from_moving_there() {
    let mut only_sfu = hello("Juno");
    only_sfu.capabilities.topologies = vec![Topology::Sfu];
    let mut yard = Yard::mixed(1);
    yard.clients.push(Default::default());
    yard.join(1, only_sfu.clone(), Grant::default());
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::BadRequest);
    let mut yard = Yard::forwarded(1);
    yard.clients.push(Default::default());
    yard.join(1, only_sfu, Grant::default());
    assert_eq!(ask(&mut yard, 0, choose(TopologyPolicy::Mcu)), Err(ErrorCode::BadRequest));
    assert!(ask(&mut yard, 1, take(true, None, None)).is_ok(), "it can take the mix of a room that forwards");
    yard.check();
}

#[test]
fn hosts_move_a_room_once_a_second_at_most() {
    let mut yard = Yard::forwarded(2);
    assert!(yard.ask(0, choose(TopologyPolicy::Mcu)).is_ok(), "the first move is at once");
    yard.elapse(Duration::from_millis(600));
    yard.clear();
    yard.say(0, choose(TopologyPolicy::Mesh));
    let refused = failure(&yard.clients[0].heard());
    assert_eq!((refused.code, refused.retry_after_ms), (ErrorCode::RateLimited, Some(400)));
    assert!(yard.ask(0, choose(TopologyPolicy::Mcu)).is_ok(), "that is no move");
    assert!(yard.media.commands().is_empty());
    yard.elapse(Duration::from_millis(400));
    assert!(yard.ask(0, choose(TopologyPolicy::Mesh)).is_ok());
    yard.check();
}
