//! Rooms that the server forwards for: one link each, and what the media server is told.

use std::{sync::Arc, time::Duration};

use madang_protocol::*;
use madang_room::{Grant, Input, Settings};

use crate::{
    failure,
    yard::{Yard, camera, delivery, desc, hello, ice, publish},
};

fn restart(yard: &Yard, who: usize, replace: bool) -> ClientMessage {
    let link = yard.clients[who].picture().server_link();
    ClientMessage::Restart(Restart { link: link.link.clone(), epoch: link.epoch, replace })
}

fn answer(yard: &Yard, who: usize, n: u32) -> ClientMessage {
    let link = yard.clients[who].picture().server_link();
    ClientMessage::Desc(Description { epoch: link.epoch, ..desc(&link.link, SdpType::Answer, n) })
}

fn subscribe(track: &TrackId, height: u32) -> Subscribe {
    Subscribe { track: track.clone(), on: true, width: Some(height * 2), height: Some(height), fps: None, priority: 3 }
}

fn offers(messages: &[Arc<ServerMessage>]) -> Vec<Description> {
    let offer = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Desc(desc) => Some(desc.clone()),
        _ => None,
    };
    messages.iter().filter_map(offer).collect()
}

fn links(messages: &[Arc<ServerMessage>]) -> Vec<&'static str> {
    let op = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Link(LinkEvent::Open(_)) => Some("open"),
        ServerMessage::Link(LinkEvent::Close { .. }) => Some("close"),
        ServerMessage::Topology(_) => Some("topology"),
        _ => None,
    };
    messages.iter().filter_map(op).collect()
}

/// The kinds of commands, in order.
fn kinds(commands: &[MediaCommand]) -> Vec<&'static str> {
    let kind = |command: &MediaCommand| match command {
        MediaCommand::OpenLink(_) => "open",
        MediaCommand::CloseLink { .. } => "close",
        MediaCommand::Answer { .. } => "answer",
        MediaCommand::Candidate { .. } => "candidate",
        MediaCommand::RestartIce { .. } => "restart",
        MediaCommand::AddTrack { .. } => "add",
        MediaCommand::RemoveTrack { .. } => "remove",
        MediaCommand::MuteTrack { .. } => "mute",
        MediaCommand::Watch { .. } => "watch",
        MediaCommand::Limit { .. } => "limit",
        MediaCommand::End => "end",
    };
    commands.iter().map(kind).collect()
}

fn published(yard: &mut Yard, who: usize) -> TrackId {
    let track = yard.ask(who, publish("c1")).expect("it may").track.expect("an id");
    yard.clear();
    track
}

fn bitrates(messages: &[Arc<ServerMessage>]) -> Vec<Bitrate> {
    let bitrate = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Bitrate(bitrate) => Some(bitrate.clone()),
        _ => None,
    };
    messages.iter().filter_map(bitrate).collect()
}

#[test]
fn a_newcomer_finds_its_link_in_the_welcome_and_the_media_server_knows_its_tracks() {
    let mut yard = Yard::with_policy(1, Settings::default(), TopologyPolicy::Sfu);
    let mut hello = Hello { tracks: vec![camera("c1"), camera("c2")], ..hello("Mina") };
    hello.capabilities.simulcast = true;
    yard.join(0, hello, Grant::default());
    let ServerMessage::Welcome(welcome) = &*yard.clients[0].heard()[0] else { panic!("a welcome") };
    assert_eq!((welcome.topology, welcome.epoch), (Topology::Sfu, Epoch(0)));
    let link = &welcome.links[0];
    assert_eq!((link.kind, &link.peer, link.offerer), (Topology::Sfu, &None, Offerer::Peer));
    let expected = OpenMediaLink {
        link: link.link.clone(),
        participant: welcome.me.id.clone(),
        video_codec: Some("VP8".into()),
        simulcast: true,
    };
    let commands = yard.media.commands();
    assert_eq!(commands[0], MediaCommand::OpenLink(expected));
    assert_eq!(kinds(&commands), ["open", "add", "add"]);
    yard.check();
}

#[test]
fn whoever_creates_a_room_chooses_its_topology_and_nobody_after() {
    let mut yard = Yard::with_policy(2, Settings::default(), TopologyPolicy::Auto);
    yard.join(0, Hello { topology: Some(TopologyPolicy::Sfu), ..hello("a") }, Grant::default());
    yard.join(1, Hello { topology: Some(TopologyPolicy::Mesh), ..hello("b") }, Grant::default());
    assert_eq!(yard.room.census().topology, Topology::Sfu);
    assert_eq!(yard.room.census().links, 2);
    yard.check();
}

#[test]
fn two_are_a_mesh_and_a_third_moves_the_room_to_the_server() {
    let mut yard = Yard::with_policy(3, Settings::default(), TopologyPolicy::Auto).filled(2);
    published(&mut yard, 0);
    assert_eq!((yard.room.census().topology, yard.room.census().links), (Topology::Mesh, 1));
    assert!(yard.media.commands().is_empty());
    yard.join(2, hello("c"), Grant::default());
    let heard = yard.clients[0].heard();
    assert_eq!(links(&heard), ["topology", "open", "close"]);
    assert!(heard.iter().any(|message| matches!(&**message, ServerMessage::Topology(event)
        if event.kind == Topology::Sfu && event.epoch == Epoch(1) && event.phase == TopologyPhase::Commit
            && !event.reason.is_empty())));
    let newcomer = yard.clients[2].heard();
    assert!(links(&newcomer).is_empty(), "it finds everything in its welcome");
    assert_eq!(kinds(&yard.media.commands()), ["open", "add", "open", "open"]);
    yard.check();
}

#[test]
fn a_room_that_moved_to_the_server_stays_when_people_leave() {
    let mut yard = Yard::with_policy(3, Settings::default(), TopologyPolicy::Auto).filled(3);
    yard.say(2, ClientMessage::Leave(Leave {}));
    yard.say(1, ClientMessage::Leave(Leave {}));
    assert_eq!((yard.room.census().topology, yard.room.census().links), (Topology::Sfu, 1));
    yard.check();
}

#[test]
fn a_host_moves_the_room_there_and_back_and_wishes_go_along() {
    let mut yard = Yard::with_people(3);
    let track = published(&mut yard, 0);
    yard.watch(1, subscribe(&track, 180));
    yard.clear();
    let choose = |policy| ClientMessage::Mod(Moderation::Topology { policy });
    assert_eq!(yard.ask(0, choose(TopologyPolicy::Mcu)), Err(ErrorCode::BadRequest));
    assert!(yard.ask(0, choose(TopologyPolicy::Sfu)).is_ok());
    yard.check();
    assert_eq!(yard.media.wishes[&(yard.server_link(1), track.clone())], subscribe(&track, 180));
    yard.clear();
    assert!(yard.ask(0, choose(TopologyPolicy::Mesh)).is_ok());
    assert_eq!(links(&yard.clients[1].heard()), ["topology", "open", "open", "close"]);
    assert_eq!(yard.clients[1].picture().epoch, Epoch(2));
    let told = bitrates(&yard.clients[0].heard());
    assert!(told.iter().any(|bitrate| bitrate.track.as_ref() == Some(&track) && bitrate.max_height == Some(180)));
    assert_eq!(kinds(&yard.media.commands()), ["close", "close", "close"]);
    yard.check();
    yard.clear();
    assert!(yard.ask(0, choose(TopologyPolicy::Mesh)).is_ok());
    assert!(yard.clients[1].inbox.is_empty(), "it is a mesh already");
}

#[test]
fn who_cannot_take_part_keeps_an_automatic_room_a_mesh_and_is_kept_out_of_others() {
    let only = |topology| {
        let mut hello = hello("Juno");
        hello.capabilities.topologies = vec![topology];
        hello
    };
    let mut yard = Yard::with_policy(4, Settings::default(), TopologyPolicy::Auto).filled(2);
    yard.join(2, only(Topology::Mesh), Grant::default());
    assert_eq!(yard.room.census().topology, Topology::Mesh);
    let choose = |policy| ClientMessage::Mod(Moderation::Topology { policy });
    assert_eq!(yard.ask(0, choose(TopologyPolicy::Sfu)), Err(ErrorCode::BadRequest));
    yard.check();
    let mut yard = Yard::forwarded(1);
    yard.clients.push(Default::default());
    yard.join(1, only(Topology::Mesh), Grant::default());
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::BadRequest);
    yard.join(1, only(Topology::Sfu), Grant::default());
    assert!(yard.clients[1].connection.is_some());
    yard.check();
}

#[test]
fn the_servers_offer_reaches_its_client_alone_and_the_answer_the_server() {
    let mut yard = Yard::forwarded(2);
    published(&mut yard, 0);
    yard.offer(1);
    assert!(yard.clients[0].inbox.is_empty());
    let offer = offers(&yard.clients[1].heard()).remove(0);
    assert_eq!((offer.kind, offer.n, &offer.from, offer.tracks.len()), (SdpType::Offer, Negotiation(1), &None, 1));
    assert_eq!(yard.ask(1, answer(&yard, 1, 2)), Err(ErrorCode::ConflictStale));
    assert!(yard.ask(1, answer(&yard, 1, 1)).is_ok());
    assert_eq!(yard.ask(1, answer(&yard, 1, 1)), Err(ErrorCode::ConflictStale));
    let link = yard.server_link(1);
    assert!(yard.ask(1, ClientMessage::Ice(ice(&link, 1))).is_ok());
    assert_eq!(kinds(&yard.media.commands()), ["answer", "candidate"]);
    assert_eq!(yard.ask(0, ClientMessage::Ice(ice(&link, 1))), Err(ErrorCode::NotFound));
}

#[test]
fn a_client_offers_nothing_on_a_link_to_the_server() {
    let mut yard = Yard::forwarded(1);
    let offer = desc(&yard.server_link(0), SdpType::Offer, 1);
    assert_eq!(yard.ask(0, ClientMessage::Desc(offer)), Err(ErrorCode::Forbidden));
    assert!(yard.media.commands().is_empty());
}

#[test]
fn an_offer_leaves_out_tracks_that_have_gone_and_a_late_one_is_dropped() {
    let mut yard = Yard::forwarded(2);
    let track = published(&mut yard, 0);
    let link = yard.server_link(1);
    let offer = yard.media.offer(&link);
    yard.say(0, ClientMessage::Unpublish(Unpublish { track }));
    yard.clear();
    yard.media_says(offer.clone());
    assert!(offers(&yard.clients[1].heard())[0].tracks.is_empty());
    yard.media_says(offer);
    assert!(yard.clients[1].inbox.is_empty(), "the same number again");
    yard.elapse(Duration::from_secs(1));
    yard.say(1, restart(&yard, 1, true));
    yard.clear();
    let late = yard.media.offer(&link);
    yard.media_says(late);
    assert!(yard.clients[1].inbox.is_empty(), "the link is closed");
}

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
fn a_replaced_link_has_its_tracks_and_all_wishes_again() {
    let mut yard = Yard::forwarded(3);
    let (mine, theirs) = (published(&mut yard, 0), published(&mut yard, 1));
    yard.watch(0, subscribe(&theirs, 90));
    yard.watch(1, subscribe(&mine, 180));
    let former = yard.server_link(0);
    assert_eq!(yard.ask(0, restart(&yard, 0, true)), Err(ErrorCode::RateLimited), "it has just been opened");
    yard.elapse(Duration::from_secs(1));
    yard.clear();
    assert!(yard.ask(0, restart(&yard, 0, true)).is_ok());
    assert_ne!(yard.server_link(0), former);
    assert_eq!(kinds(&yard.media.commands()), ["close", "open", "add", "watch", "watch"]);
    assert_eq!(yard.media.wishes[&(yard.server_link(0), theirs.clone())], subscribe(&theirs, 90));
    assert_eq!(yard.media.wishes[&(yard.server_link(1), mine.clone())], subscribe(&mine, 180));
    assert!(links(&yard.clients[1].heard()).is_empty(), "nobody else's link changes");
    yard.check();
}

#[test]
fn a_restart_is_the_media_servers_to_make() {
    let mut yard = Yard::forwarded(1);
    assert!(yard.ask(0, restart(&yard, 0, false)).is_ok());
    assert_eq!(yard.media.commands(), [MediaCommand::RestartIce { link: yard.server_link(0) }]);
}

#[test]
fn somebody_away_keeps_the_link_and_gets_the_offer_on_return() {
    let mut yard = Yard::forwarded(2);
    let link = yard.server_link(1);
    yard.lose(1);
    assert!(yard.media.commands().is_empty(), "media goes on");
    let offer = yard.media.offer(&link);
    yard.media_says(offer);
    yard.elapse(Duration::from_secs(59));
    yard.resume(1, true);
    assert_eq!(yard.server_link(1), link);
    assert_eq!(offers(&yard.clients[1].heard())[0].n, Negotiation(1));
    assert!(yard.ask(1, answer(&yard, 1, 1)).is_ok());
    yard.check();
}

#[test]
fn an_unanswered_offer_is_sent_again_to_somebody_who_missed_too_much() {
    let settings = Settings { ring_events: 4, ..Settings::default() };
    let mut yard = Yard::with_policy(2, settings, TopologyPolicy::Sfu).filled(2);
    for answered in [false, true] {
        yard.lose(1);
        if !answered {
            let offer = yard.media.offer(&yard.server_link(1));
            yard.media_says(offer);
        }
        for _ in 0..10 {
            yard.say(0, ClientMessage::Chat(ChatLine { text: "hello".into(), to: vec![] }));
        }
        yard.clear();
        yard.resume(1, true);
        let heard = yard.clients[1].heard();
        assert!(heard.iter().any(|message| matches!(**message, ServerMessage::Welcome(_))));
        assert_eq!(offers(&heard).len(), usize::from(!answered));
        assert!(yard.media.commands().is_empty(), "its link was not lost");
        if !answered {
            assert!(yard.ask(1, answer(&yard, 1, 1)).is_ok());
        }
        yard.check();
    }
}

#[test]
fn a_link_closes_when_its_participant_leaves_is_kicked_reloads_or_stays_away() {
    let mut yard = Yard::forwarded(5);
    let track = published(&mut yard, 4);
    yard.say(1, ClientMessage::Leave(Leave {}));
    let participant = yard.clients[2].id();
    yard.say(0, ClientMessage::Mod(Moderation::Kick { participant }));
    yard.close_page(3);
    assert_eq!(kinds(&yard.media.commands()), ["close", "close", "close"]);
    yard.lose(4);
    yard.resume(4, false);
    assert_eq!(kinds(&yard.media.commands()), ["remove", "close", "open"], "it lost its state");
    assert!(!yard.media.tracks.contains_key(&track));
    yard.lose(4);
    yard.elapse(Duration::from_secs(60));
    assert_eq!(kinds(&yard.media.commands()), ["close"]);
    yard.check();
}

#[test]
fn the_media_server_is_told_when_the_room_is_over_and_not_before() {
    let mut yard = Yard::forwarded(2);
    yard.close_page(0);
    yard.close_page(1);
    assert_eq!(kinds(&yard.media.commands()), ["close", "close"], "they may come back");
    yard.elapse(Duration::from_secs(60));
    assert_eq!(yard.media.commands(), [MediaCommand::End]);
    assert!(yard.room.is_over());
    let mut mesh = Yard::with_people(1);
    mesh.say(0, ClientMessage::Leave(Leave {}));
    assert!(mesh.media.commands().is_empty(), "it never had anything of this room");
}

#[test]
fn a_server_that_goes_down_ends_its_media_too() {
    let mut yard = Yard::forwarded(2);
    yard.input(Input::Drain { retry_after_ms: 500 });
    assert_eq!(yard.media.commands(), [MediaCommand::End]);
}

#[test]
fn a_link_that_failed_is_replaced_once_it_is_a_second_old() {
    let mut yard = Yard::forwarded(2);
    let former = yard.server_link(0);
    yard.media_says(MediaEvent::Failed { link: former.clone(), why: "no checks".into() });
    assert!(yard.media.commands().is_empty());
    yard.elapse(Duration::from_millis(999));
    assert_eq!(yard.server_link(0), former);
    yard.elapse(Duration::from_millis(1));
    assert_ne!(yard.server_link(0), former);
    assert_eq!(kinds(&yard.media.commands()), ["close", "open"]);
    yard.media_says(MediaEvent::Failed { link: former, why: "late".into() });
    yard.elapse(Duration::from_secs(5));
    assert!(yard.media.commands().is_empty());
    yard.check();
}

#[test]
fn a_link_that_failed_while_its_participant_was_away_waits_for_them() {
    let mut yard = Yard::forwarded(2);
    let former = yard.server_link(1);
    yard.elapse(Duration::from_secs(5));
    yard.lose(1);
    yard.media_says(MediaEvent::Failed { link: former.clone(), why: "no checks".into() });
    yard.elapse(Duration::from_secs(30));
    assert!(yard.media.commands().is_empty());
    yard.resume(1, true);
    assert_ne!(yard.server_link(1), former);
    assert_eq!(kinds(&yard.media.commands()), ["close", "open"]);
    yard.check();
}

#[test]
fn an_answer_that_is_refused_is_told_and_gets_one_more_try() {
    let mut yard = Yard::forwarded(1);
    yard.elapse(Duration::from_secs(1));
    let refuse = |yard: &mut Yard, n| {
        let link = yard.server_link(0);
        yard.clear();
        yard.media_says(MediaEvent::AnswerRefused { link, n: Negotiation(n), why: "no fingerprint".into() });
    };
    yard.offer(0);
    refuse(&mut yard, 7);
    assert!(yard.clients[0].inbox.is_empty(), "the newest offer alone counts");
    refuse(&mut yard, 1);
    let heard = yard.clients[0].heard();
    let told = failure(&heard);
    assert!(told.code == ErrorCode::BadRequest && !told.fatal && told.message.contains("no fingerprint"));
    assert_eq!(links(&heard), ["close", "open"]);
    yard.elapse(Duration::from_secs(1));
    yard.offer(0);
    refuse(&mut yard, 1);
    assert!(links(&yard.clients[0].heard()).is_empty(), "a client that can't do it is not asked for ever");
    yard.media_says(MediaEvent::Connected { link: yard.server_link(0) });
    yard.elapse(Duration::from_secs(1));
    refuse(&mut yard, 1);
    assert_eq!(links(&yard.clients[0].heard()), ["close", "open"], "it could, so it may try again");
    yard.check();
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
