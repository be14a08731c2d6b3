//! What the media server is told of tracks and of who watches them, and what it says of them.

use std::time::Duration;

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::{
    mix::{ask, choose},
    sfu::{bitrates, kinds, published, subscribe},
    yard::{Yard, camera, delivery, hello, publish},
};

#[test]
fn tracks_come_and_go_and_are_muted_at_the_media_server() {
    let mut yard = Yard::forwarded(2);
    let track = yard.ask(0, publish("c1")).expect("it may").track.expect("an id");
    assert_eq!(yard.media.tracks[&track].0, yard.server_link(0));
    yard.say(0, ClientMessage::Mute(Mute { track: track.clone(), muted: true }));
    yard.say(0, ClientMessage::Mute(Mute { track: track.clone(), muted: true }));
    yard.say(0, ClientMessage::Unpublish(Unpublish { track }));
    assert_eq!(kinds(&yard.media.commands()), ["add", "mute", "remove"]);
    assert!(
        yard.clients
            .iter()
            .all(|client| !client.inbox.iter().any(|frame| { matches!(*frame.message, ServerMessage::Negotiate(_)) }))
    );
    yard.check();
}

#[test]
fn what_is_watched_reaches_the_media_server_once_and_whole() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    let wish = subscribe(&track, 180);
    yard.say(1, ClientMessage::Subscribe(wish.clone()));
    yard.say(1, ClientMessage::Subscribe(wish.clone()));
    let link = yard.server_link(1);
    assert_eq!(yard.media.commands(), [MediaCommand::Watch { link, wish }]);
    assert!(yard.clients[0].inbox.is_empty(), "the media server tells what is wanted");
}

#[test]
fn demand_is_told_to_the_publisher_and_again_when_it_comes_back() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    let demand = |layers: Option<&[&str]>, max_height| MediaEvent::Demand {
        track: track.clone(),
        layers: layers.map(|layers| layers.iter().map(|rid| Rid::from(*rid)).collect()),
        max_height,
    };
    let told = |link: LinkId, layers: Option<&[&str]>, max_height, most: Option<u64>, reason| Bitrate {
        link: Some(link),
        track: Some(track.clone()),
        max_send_bps: most.map(BitsPerSecond),
        max_height,
        layers: layers.map(|layers| layers.iter().map(|rid| Rid::from(*rid)).collect()),
        reason,
    };
    yard.media_says(demand(Some(&["m", "l"]), Some(360)));
    yard.media_says(demand(None, None));
    yard.media_says(demand(Some(&[]), None));
    let link = yard.server_link(0);
    let nobody = told(link.clone(), Some(&[]), None, Some(0), BitrateReason::NotWatched);
    let expected = [
        told(link.clone(), Some(&["m", "l"]), Some(360), None, BitrateReason::Unlimited),
        told(link, None, None, None, BitrateReason::Unlimited),
        nobody.clone(),
    ];
    assert_eq!(bitrates(&yard.clients[0].heard()), expected);
    assert!(yard.clients[1].inbox.is_empty());
    yard.lose(0);
    yard.resume(0, true);
    assert_eq!(bitrates(&yard.clients[0].heard()), [nobody]);
    yard.say(0, ClientMessage::Unpublish(Unpublish { track: track.clone() }));
    yard.media_says(demand(Some(&[]), None));
    yard.lose(0);
    yard.clear();
    yard.resume(0, true);
    assert!(bitrates(&yard.clients[0].heard()).is_empty(), "the track is gone");
}

#[test]
fn delivery_is_told_to_its_receiver_alone_and_again_when_it_comes_back() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    let link = yard.server_link(1);
    yard.media_says(MediaEvent::Delivery(delivery(&link, &track, false)));
    yard.media_says(MediaEvent::Delivery(delivery(&link, &track, true)));
    assert!(yard.clients[0].inbox.is_empty());
    let paused = ServerMessage::Delivery(delivery(&link, &track, true));
    let heard = yard.clients[1].heard();
    assert_eq!((heard.len(), &*heard[1]), (2, &paused));
    yard.lose(1);
    yard.resume(1, true);
    assert!(yard.clients[1].heard().iter().any(|message| **message == paused));
    yard.say(0, ClientMessage::Leave(Leave {}));
    yard.clear();
    yard.media_says(MediaEvent::Delivery(delivery(&link, &track, false)));
    yard.lose(1);
    yard.resume(1, true);
    assert!(!yard.clients[1].heard().iter().any(|message| matches!(**message, ServerMessage::Delivery(_))));
}

#[test]
fn speakers_are_told_to_everyone_when_they_change() {
    let mut yard = Yard::forwarded(2);
    let ids = vec![yard.clients[1].id(), ParticipantId::from("p_gone")];
    yard.media_says(MediaEvent::Speakers { participants: ids.clone() });
    yard.media_says(MediaEvent::Speakers { participants: ids.clone() });
    for client in &mut yard.clients {
        let expected = ServerMessage::Speakers(Speakers { participants: vec![ids[0].clone()] });
        assert_eq!(client.heard().iter().map(|message| (**message).clone()).collect::<Vec<_>>(), [expected]);
    }
    yard.clients.push(Default::default());
    yard.join(2, hello("c"), Grant::default());
    assert!(yard.clients[2].heard().iter().any(|message| matches!(&**message, ServerMessage::Speakers(speakers)
        if speakers.participants == ids[..1])));
}

#[test]
fn somebody_who_left_speaks_no_more_and_a_move_begins_in_silence() {
    let mut yard = Yard::forwarded(3);
    let ids = [yard.clients[1].id(), yard.clients[2].id()];
    let told_on_return = |yard: &mut Yard| {
        yard.lose(0);
        yard.clear();
        yard.resume(0, true);
        let speakers = yard.clients[0].heard().into_iter().find_map(|message| match &*message {
            ServerMessage::Speakers(speakers) => Some(speakers.participants.clone()),
            _ => None,
        });
        speakers.expect("who speaks")
    };
    yard.media_says(MediaEvent::Speakers { participants: ids.to_vec() });
    assert_eq!(told_on_return(&mut yard), ids);
    yard.say(1, ClientMessage::Leave(Leave {}));
    assert_eq!(told_on_return(&mut yard), ids[1..]);
    for policy in [TopologyPolicy::Mesh, TopologyPolicy::Sfu] {
        assert!(ask(&mut yard, 0, choose(policy)).is_ok());
    }
    assert!(told_on_return(&mut yard).is_empty());
}

#[test]
fn a_limit_bounds_the_whole_uplink_and_congestion_is_left_to_the_sender() {
    let settings = Settings {
        max_send_bps: Some(BitsPerSecond(600_000)),
        max_receive_bps: Some(BitsPerSecond(2_000_000)),
        ..Settings::default()
    };
    let mut yard = Yard::with_policy(3, settings, TopologyPolicy::Sfu).filled(2);
    assert!(yard.media.links.values().all(|link| link.max_receive_bps == Some(BitsPerSecond(2_000_000))));
    yard.join(2, hello("c"), Grant::default());
    let told = bitrates(&yard.clients[2].heard());
    assert_eq!(told.len(), 1);
    assert_eq!((told[0].max_send_bps, told[0].reason), (Some(BitsPerSecond(600_000)), BitrateReason::RoomLimit));
    assert_eq!(told[0].link, Some(yard.server_link(2)));
    for _ in 0..5 {
        let report = LinkStats {
            link: yard.server_link(0),
            path: Some(LinkPath::Direct),
            rtt_ms: Some(20.0),
            loss_down: None,
            loss_up: Some(0.2),
            up_bps: BitsPerSecond(100_000),
            down_bps: BitsPerSecond(0),
            available_up_bps: Some(BitsPerSecond(100_000)),
        };
        yard.say(0, ClientMessage::Stats(Stats { links: vec![report] }));
        yard.elapse(Duration::from_secs(2));
    }
    let heard = yard.clients[0].heard();
    assert!(bitrates(&heard).is_empty());
    assert!(heard.iter().any(|message| matches!(&**message, ServerMessage::Quality(quality)
        if quality.quality == ConnectionQuality::Poor)));
}

#[test]
fn all_links_are_replaced_when_somebody_comes_without_the_codec_in_use_and_not_when_they_go() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    let former = [yard.server_link(0), yard.server_link(1)];
    yard.clients.push(Default::default());
    let mut newcomer = hello("Juno");
    newcomer.capabilities.codecs.video = vec!["H264".into()];
    yard.join(2, newcomer, Grant::default());
    assert_eq!(kinds(&yard.media.commands()), ["close", "close", "open", "add", "open", "open"]);
    assert!(yard.media.links.values().all(|link| link.open.video_codec.as_deref() == Some("H264")));
    assert!(former.iter().all(|link| !yard.media.links.contains_key(link)));
    assert_eq!(yard.media.tracks[&track].0, yard.server_link(0));
    yard.check();
    yard.clear();
    yard.say(2, ClientMessage::Leave(Leave {}));
    assert_eq!(kinds(&yard.media.commands()), ["close"]);
    assert_eq!(yard.clients[0].picture().room.codecs.video, ["H264", "VP8"], "what is in use stays first");
    yard.check();
}

#[test]
fn a_track_that_cannot_be_sent_in_the_codec_that_is_forwarded_is_refused() {
    let mut yard = Yard::forwarded(1);
    let with = |codec: &str| {
        ClientMessage::Publish(Publish { track: PublishTrack { codecs: vec![codec.into()], ..camera("c") } })
    };
    assert_eq!(yard.ask(0, with("H264")), Err(ErrorCode::CodecUnsupported), "the room has it, but forwards VP8");
    assert!(yard.ask(0, with("VP8")).is_ok());
}

#[test]
fn without_a_video_codec_the_links_carry_sound_until_somebody_brings_one() {
    let mut yard = Yard::with_policy(2, Settings::default(), TopologyPolicy::Sfu);
    let mut sound_only = hello("Mina");
    sound_only.capabilities.codecs.video = vec![];
    yard.join(0, sound_only, Grant::default());
    assert!(yard.media.links.values().all(|link| link.open.video_codec.is_none()));
    yard.join(1, hello("Juno"), Grant::default());
    assert!(yard.media.links.values().all(|link| link.open.video_codec.as_deref() == Some("VP8")));
    yard.check();
}

#[test]
fn chat_and_data_need_no_link() {
    let mut yard = Yard::forwarded(2);
    yard.say(0, ClientMessage::Data(DataMessage { payload: "AAEC".into(), to: vec![], topic: None }));
    assert!(matches!(&*yard.clients[1].heard()[0], ServerMessage::Data(data) if data.payload == "AAEC"));
}
