//! Clients with their relays and channels, and the peer: everything that is there before the
//! load begins.

use std::{
    error::Error,
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr},
    rc::Rc,
    thread,
    time::{Duration, Instant},
};

use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput};
use madang_udp::{Options as Socket, ReceiveBatch, SendBatch, UdpSocket};
use madang_wire::Transport;

use super::{Direction, Options};

/// How long everything may take to be set up, for each step.
const PATIENCE: Duration = Duration::from_secs(10);

/// Who sends what to whom, and who receives.
pub(super) struct Flows {
    pub(super) senders: Vec<Sender>,
    pub(super) receivers: Vec<Receiver>,
}

/// A flow's sending end.
pub(super) struct Sender {
    /// The place of its socket among the sockets that send.
    pub(super) socket: Rc<UdpSocket>,
    pub(super) to: SocketAddr,
    /// What goes in front of the data.
    pub(super) head: Vec<u8>,
}

/// A socket at which data arrives.
pub(super) struct Receiver {
    pub(super) socket: Rc<UdpSocket>,
    /// Bytes in front of the data.
    pub(super) head: usize,
}

pub(super) struct Rig {
    pub(super) flows: Flows,
}

/// A client with a relay.
pub(super) struct Allocated {
    socket: Rc<UdpSocket>,
    client: Client,
    relayed: SocketAddr,
    server: SocketAddr,
}

pub(super) fn open(options: &Options, ip: IpAddr) -> io::Result<UdpSocket> {
    let wanted = Socket { gso: options.gso > 1, ..Socket::default() };
    UdpSocket::bind(SocketAddr::new(ip, 0), wanted)
}

impl Rig {
    pub(super) fn build(options: &Options, server: SocketAddr) -> Result<Self, Box<dyn Error>> {
        let local = local(server);
        let between_clients = options.direction == Direction::ClientToClient;
        let count = if between_clients { 2 * options.allocations } else { options.allocations };
        let mut clients = (0..count).map(|_| Allocated::new(options, server, local)).collect::<Result<Vec<_>, _>>()?;
        let peer = Rc::new(open(options, local)?);
        let mut flows = Flows { senders: Vec::new(), receivers: Vec::new() };
        match options.direction {
            Direction::ClientToPeer => {
                for client in &mut clients {
                    let head = client.channel(peer.local_addr(), options.size)?;
                    flows.senders.push(Sender { socket: client.socket.clone(), to: server, head });
                }
                flows.receivers.push(Receiver { socket: peer, head: 0 });
            }
            Direction::PeerToClient => {
                for client in &mut clients {
                    client.channel(peer.local_addr(), options.size)?;
                    flows.senders.push(Sender { socket: peer.clone(), to: client.relayed, head: Vec::new() });
                    flows.receivers.push(Receiver { socket: client.socket.clone(), head: 4 });
                }
            }
            Direction::ClientToClient => {
                let relayed: Vec<SocketAddr> = clients.iter().map(|client| client.relayed).collect();
                for (index, client) in clients.iter_mut().enumerate() {
                    // Both ends need a channel; only the even ones send.
                    let head = client.channel(relayed[index ^ 1], options.size)?;
                    if index % 2 == 0 {
                        flows.senders.push(Sender { socket: client.socket.clone(), to: server, head });
                    } else {
                        flows.receivers.push(Receiver { socket: client.socket.clone(), head: 4 });
                    }
                }
            }
        }
        Ok(Self { flows })
    }
}

/// An address of this machine that reaches the server.
pub(super) fn local(server: SocketAddr) -> IpAddr {
    match server.ip() {
        IpAddr::V4(ip) if ip.is_loopback() => Ipv4Addr::LOCALHOST.into(),
        ip => ip,
    }
}

impl Allocated {
    pub(super) fn new(options: &Options, server: SocketAddr, local: IpAddr) -> Result<Self, Box<dyn Error>> {
        let socket = Rc::new(open(options, local)?);
        let config = ClientConfig {
            username: options.username.clone(),
            password: options.password.clone(),
            transport: Transport::Udp,
            seed: rand::random(),
        };
        let relayed = SocketAddr::new(local, 0);
        let mut allocated = Self { socket, client: Client::new(config), relayed, server };
        allocated.relayed = allocated.talk(
            |_, _| {},
            |output| match output {
                ClientOutput::Allocated { relayed, .. } => Some(*relayed),
                _ => None,
            },
        )?;
        Ok(allocated)
    }

    /// Talks to the server, with something to do in each round, until an output is what is looked
    /// for.
    fn talk<T>(
        &mut self,
        mut before: impl FnMut(&mut Client, Instant),
        look: impl Fn(&ClientOutput) -> Option<T>,
    ) -> Result<T, Box<dyn Error>> {
        let (mut batch, mut out) = (ReceiveBatch::new(4, 0), SendBatch::new(0, 16));
        let patience = Instant::now() + PATIENCE;
        loop {
            let now = Instant::now();
            before(&mut self.client, now);
            if batch.receive(&self.socket).is_ok() {
                for datagram in batch.datagrams() {
                    self.client.handle_input(now, ClientInput::Packet(datagram.data()));
                }
            }
            self.client.handle_input(now, ClientInput::Timeout);
            let mut found = None;
            loop {
                let output = self.client.poll_output();
                found = found.or_else(|| look(&output));
                match output {
                    ClientOutput::Transmit(bytes) => drop(out.push(self.server, &[&bytes])),
                    ClientOutput::Failed(why) => return Err(why.into()),
                    ClientOutput::PeerRefused { peer, code } => {
                        return Err(format!("the server refuses the peer {peer} ({code}): allow it").into());
                    }
                    ClientOutput::Timeout(_) => break,
                    _ => {}
                }
            }
            out.flush(&self.socket);
            if let Some(found) = found {
                return Ok(found);
            }
            if now > patience {
                return Err("the server does not answer".into());
            }
            thread::sleep(Duration::from_micros(200));
        }
    }

    /// Binds a channel to a peer; gives the header of a packet with so much data.
    fn channel(&mut self, peer: SocketAddr, size: u16) -> Result<Vec<u8>, Box<dyn Error>> {
        let [high, low] = size.to_be_bytes();
        self.talk(
            |client, now| client.handle_input(now, ClientInput::Send { peer, data: &[] }),
            |output| match output {
                // Once the channel is bound, data goes by it.
                ClientOutput::Transmit(bytes) => match bytes[..] {
                    [first @ 0x40..=0x7F, second, ..] => Some(vec![first, second, high, low]),
                    _ => None,
                },
                _ => None,
            },
        )
    }
}
