//! Which topology a room has, and its moves from one to another.

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::{
    failure,
    mix::ask,
    sfu::{bitrates, kinds, links, published, subscribe},
    yard::{Yard, hello},
};

#[test]
fn whoever_creates_a_room_chooses_its_topology_and_nobody_after() {
    let mut yard = Yard::with_policy(3, Settings::default(), TopologyPolicy::Auto);
    yard.join(0, Hello { topology: Some(TopologyPolicy::Sfu), ..hello("a") }, Grant::default());
    yard.join(1, Hello { topology: Some(TopologyPolicy::Mesh), ..hello("b") }, Grant::default());
    yard.join(2, Hello { topology: Some(TopologyPolicy::Mcu), ..hello("c") }, Grant::default());
    assert_eq!(yard.room.census().topology, Topology::Sfu);
    assert_eq!(yard.room.census().links, 3);
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
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Sfu)).is_ok());
    yard.check();
    assert_eq!(yard.media.wishes[&(yard.server_link(1), track.clone())], subscribe(&track, 180));
    yard.clear();
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Mesh)).is_ok());
    assert_eq!(links(&yard.clients[1].heard()), ["topology", "open", "open", "close"]);
    assert_eq!(yard.clients[1].picture().epoch, Epoch(2));
    let told = bitrates(&yard.clients[0].heard());
    assert!(told.iter().any(|bitrate| bitrate.track.as_ref() == Some(&track) && bitrate.max_height == Some(180)));
    assert_eq!(kinds(&yard.media.commands()), ["close", "close", "close"]);
    yard.check();
    yard.clear();
    assert!(ask(&mut yard, 0, choose(TopologyPolicy::Mesh)).is_ok());
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
    assert_eq!(ask(&mut yard, 0, choose(TopologyPolicy::Sfu)), Err(ErrorCode::BadRequest));
    yard.check();
    let mut yard = Yard::forwarded(1);
    yard.clients.push(Default::default());
    yard.join(1, only(Topology::Mesh), Grant::default());
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::BadRequest);
    yard.join(1, only(Topology::Sfu), Grant::default());
    assert!(yard.clients[1].connection.is_some());
    yard.lose(1);
    let reloaded = Hello { resume: yard.resume_hello(1, false).resume, ..only(Topology::Mesh) };
    yard.clear();
    yard.join(1, reloaded, Grant::default());
    assert_eq!(failure(&yard.clients[1].heard()).code, ErrorCode::BadRequest);
    yard.check();
}
