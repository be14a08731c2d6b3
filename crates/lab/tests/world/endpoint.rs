//! A world with a server of two addresses and two ports (RFC 5780 §6), and what is said in it.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    time::{Duration, Instant},
};

use madang_lab::{Datagram, LinkConfig, Node, World};

/// What is sent around: of a Binding request and its answer, what counts here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Word {
    /// Tell me who I am, from your other address or port if so wanted.
    Who {
        change_address: bool,
        change_port: bool,
    },
    /// You look like this.
    YouAre(SocketAddr),
    /// A connectivity check, and its answer.
    Check,
    Answer,
}

pub(crate) const ADDRESSES: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];
pub(crate) const PORTS: [u16; 2] = [3478, 3479];

/// One way of any link here.
pub(crate) const LINK: LinkConfig = LinkConfig {
    rate: None,
    queue: Duration::ZERO,
    delay: Duration::from_millis(10),
    jitter: Duration::ZERO,
    loss: madang_lab::Loss::Nothing,
    reordered: 0.0,
    duplicated: 0.0,
};

/// The server's endpoint with the address and port of these places.
pub(crate) fn server(address: usize, port: usize) -> SocketAddr {
    SocketAddr::new(ADDRESSES[address].into(), PORTS[port])
}

/// The world, its clock, and the server in it.
pub(crate) struct Stage {
    pub(crate) world: World<Word>,
    pub(crate) now: Instant,
    servers: [Node; 2],
}

impl Stage {
    pub(crate) fn new(seed: u64) -> Self {
        let mut world = World::new(seed);
        let servers = ADDRESSES.map(|address| world.host(Node::INTERNET, address.into(), LINK, LINK));
        Self { world, now: Instant::now(), servers }
    }

    pub(crate) fn host(&mut self, above: Node, address: [u8; 4]) -> Node {
        self.world.host(above, IpAddr::from(address), LINK, LINK)
    }

    pub(crate) fn say(&mut self, host: Node, src: SocketAddr, dst: SocketAddr, payload: Word) {
        self.world.send(self.now, host, Datagram { src, dst, bytes: 100, payload });
    }

    /// The next word that reaches a client before `end`; time moves there.
    pub(crate) fn hear(&mut self, end: Instant) -> Option<(Node, Datagram<Word>)> {
        while let Some(at) = self.world.timeout().filter(|at| *at <= end) {
            self.now = at;
            while let Some((host, datagram)) = self.world.poll(at) {
                if !self.servers.contains(&host) {
                    return Some((host, datagram));
                }
                self.serve(datagram);
            }
        }
        self.now = end;
        None
    }

    fn serve(&mut self, asked: Datagram<Word>) {
        let Word::Who { change_address, change_port } = asked.payload else { return };
        let address = usize::from(IpAddr::from(ADDRESSES[1]) == asked.dst.ip()) ^ usize::from(change_address);
        let port = usize::from(PORTS[1] == asked.dst.port()) ^ usize::from(change_port);
        let answer = Word::YouAre(asked.src);
        self.say(self.servers[address], server(address, port), asked.src, answer);
    }

    /// Asks the server, and says what it answered and from where, if that comes within a second.
    pub(crate) fn ask(
        &mut self,
        host: Node,
        own: SocketAddr,
        to: SocketAddr,
        change: (bool, bool),
    ) -> Option<SocketAddr> {
        let (change_address, change_port) = change;
        self.say(host, own, to, Word::Who { change_address, change_port });
        let end = self.now + Duration::from_secs(1);
        while let Some((heard_by, datagram)) = self.hear(end) {
            if let (true, Word::YouAre(outer)) = (heard_by == host && datagram.dst == own, datagram.payload) {
                self.hear(end);
                return Some(outer);
            }
        }
        None
    }
}
