//! Which pairs of NATs let two hosts talk directly: the expectation that the ICE matrix in
//! network namespaces is held to (`madang_lab::matrix`), found here by trying.

use std::{
    collections::BTreeSet,
    net::{Ipv4Addr, SocketAddr},
    time::Duration,
};

use madang_lab::{Datagram, Node, matrix::Access, nat::NatKind};

use super::endpoint::{LINK, Stage, Word, server};

/// One of two hosts that want to talk.
struct End {
    host: Node,
    own: SocketAddr,
    reflexive: Option<SocketAddr>,
    /// Where the other one might be heard (RFC 8445 §7.3.1.3 adds to it).
    remote: BTreeSet<SocketAddr>,
    /// Where an answer came from.
    reached: Option<SocketAddr>,
}

fn end(stage: &mut Stage, access: Access, number: u8) -> End {
    let outer = Ipv4Addr::new(198, 51, 100, number);
    let above = match access {
        Access::Behind(kind) => stage.world.nat(Node::INTERNET, kind.config(outer), LINK, LINK),
        Access::Double => {
            let carrier = stage.world.nat(Node::INTERNET, NatKind::Symmetric.config(outer), LINK, LINK);
            let home = NatKind::PortRestricted.config(Ipv4Addr::new(100, 64, 0, number));
            stage.world.nat(carrier, home, LINK, LINK)
        }
    };
    let address = [192, 168, number, 2];
    let host = stage.host(above, address);
    let own = SocketAddr::from((address, 5000));
    let reflexive = stage.ask(host, own, server(0, 0), (false, false));
    End { host, own, reflexive, remote: BTreeSet::new(), reached: None }
}

/// Checks are sent both ways for a while, to what is known of the other and to what is heard.
fn meet(one: Access, other: Access) -> bool {
    let mut stage = Stage::new(3);
    let mut ends = [end(&mut stage, one, 1), end(&mut stage, other, 2)];
    for (me, you) in [(0, 1), (1, 0)] {
        let known = [Some(ends[you].own), ends[you].reflexive];
        ends[me].remote.extend(known.into_iter().flatten());
    }
    for _ in 0..8 {
        for end in &ends {
            for remote in &end.remote {
                stage.say(end.host, end.own, *remote, Word::Check);
            }
        }
        let until = stage.now + Duration::from_millis(500);
        while let Some((host, datagram)) = stage.hear(until) {
            let Some(me) = ends.iter().position(|end| end.host == host) else { continue };
            hear(&mut stage, &mut ends[me], datagram);
        }
    }
    ends.iter().all(|end| end.reached.is_some())
}

fn hear(stage: &mut Stage, end: &mut End, datagram: Datagram<Word>) {
    match datagram.payload {
        Word::Check => {
            end.remote.insert(datagram.src);
            stage.say(end.host, end.own, datagram.src, Word::Answer);
        }
        // RFC 8445 §7.2.5.2.1: an answer counts from where the check went alone.
        Word::Answer if end.remote.contains(&datagram.src) => end.reached = Some(datagram.src),
        _ => {}
    }
}

#[test]
fn the_pairs_that_can_be_direct_are_those_that_the_matrix_expects() {
    for (one, other) in madang_lab::matrix::pairs() {
        assert_eq!(meet(one, other), madang_lab::matrix::can_be_direct(one, other), "{one} and {other}");
    }
}

#[test]
fn there_are_twenty_one_pairs_and_ten_of_them_can_be_direct() {
    let pairs = madang_lab::matrix::pairs();
    assert_eq!(pairs.len(), 21);
    assert_eq!(pairs.iter().filter(|(one, other)| madang_lab::matrix::can_be_direct(*one, *other)).count(), 10);
}
