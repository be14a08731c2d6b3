//! Relays for a load: allocated, and their channels bound, by the client core.

use std::{
    error::Error,
    io,
    net::SocketAddr,
    thread,
    time::{Duration, Instant},
};

use madang_turn::client::{Client, ClientConfig, ClientInput, ClientOutput, Wishes};
use madang_udp::{Options, ReceiveBatch, SendBatch, UdpSocket};
use madang_wire::Transport;

/// How long nothing may happen before setting up is given up.
const PATIENCE: Duration = Duration::from_secs(30);
/// Goes out until the channel is there; too short to be taken for a packet of the load.
const PROBE: &[u8] = b"?";

/// Who the clients say they are.
#[derive(Clone)]
pub(super) struct Credentials {
    pub(super) username: String,
    pub(super) password: String,
}

/// One client with its relay.
pub(super) struct Allocation {
    pub(super) socket: UdpSocket,
    pub(super) relayed: Option<SocketAddr>,
    /// The header's first half, once packets go out as ChannelData.
    pub(super) channel: Option<[u8; 2]>,
    server: SocketAddr,
    client: Client,
    peer: Option<SocketAddr>,
    due: Option<Instant>,
    failed: Option<String>,
}

impl Allocation {
    pub(super) fn open(
        server: SocketAddr,
        local: SocketAddr,
        credentials: &Credentials,
        options: Options,
    ) -> io::Result<Self> {
        let config = ClientConfig {
            username: credentials.username.clone(),
            password: credentials.password.clone(),
            transport: Transport::Udp,
            seed: rand::random(),
            server: None,
            wishes: Wishes::default(),
        };
        let socket = UdpSocket::bind(local, options)?;
        let client = Client::new(config);
        Ok(Self { socket, server, client, relayed: None, channel: None, peer: None, due: None, failed: None })
    }

    fn input(&mut self, now: Instant, input: ClientInput<'_>, out: &mut SendBatch) {
        self.client.handle_input(now, input);
        loop {
            match self.client.poll_output() {
                ClientOutput::Transmit(bytes) => {
                    // RFC 8656 §12: channel numbers begin with 01, STUN messages with 00.
                    if let Some([first, second]) = bytes.first_chunk::<2>().filter(|head| head[0] & 0xC0 == 0x40) {
                        self.channel = Some([*first, *second]);
                    }
                    // What a full buffer drops is sent again.
                    let _ = out.push(self.server, &[&bytes]);
                    out.flush(&self.socket);
                }
                ClientOutput::Allocated { relayed, .. } => self.relayed = Some(relayed),
                ClientOutput::PeerRefused { peer, code } => self.failed = Some(format!("{peer} is refused ({code})")),
                ClientOutput::Failed(why) => self.failed = Some(why.to_string()),
                ClientOutput::Redirected { .. } => self.failed = Some("the server names another one".into()),
                ClientOutput::Data { .. }
                | ClientOutput::FamilyRefused { .. }
                | ClientOutput::Moved
                | ClientOutput::Icmp { .. } => {}
                ClientOutput::Timeout(due) => {
                    self.due = due;
                    return;
                }
            }
        }
    }

    fn send_probe(&mut self, now: Instant, out: &mut SendBatch) {
        if let (Some(peer), None) = (self.peer, self.channel) {
            self.input(now, ClientInput::Send { peer, data: PROBE }, out);
        }
    }

    /// Whether anything came.
    fn step(&mut self, now: Instant, batches: &mut Batches) -> bool {
        let mut heard = false;
        while batches.receive.receive(&self.socket).is_ok() {
            for datagram in batches.receive.datagrams() {
                heard = true;
                self.input(now, ClientInput::Packet(datagram.data()), &mut batches.send);
            }
        }
        if heard {
            self.send_probe(now, &mut batches.send);
        }
        if self.due.is_some_and(|due| due <= now) {
            self.input(now, ClientInput::Timeout, &mut batches.send);
        }
        heard
    }
}

/// Buffers that all clients share while they are set up.
pub(super) struct Batches {
    receive: ReceiveBatch,
    send: SendBatch,
}

impl Batches {
    pub(super) fn new() -> Self {
        Self { receive: ReceiveBatch::new(4, 0), send: SendBatch::new(1 << 16, 8) }
    }
}

/// Asks for all relays at once, and waits for them.
pub(super) fn allocate(clients: &mut [Allocation], batches: &mut Batches) -> Result<(), Box<dyn Error>> {
    let now = Instant::now();
    for client in &mut *clients {
        client.input(now, ClientInput::Timeout, &mut batches.send);
    }
    drive(clients, batches, |client| client.relayed.is_some())
}

/// Gives each client one peer, and a channel to it.
pub(super) fn bind(
    clients: &mut [Allocation],
    peers: impl Iterator<Item = SocketAddr>,
    batches: &mut Batches,
) -> Result<(), Box<dyn Error>> {
    let now = Instant::now();
    for (client, peer) in clients.iter_mut().zip(peers) {
        client.peer = Some(peer);
        client.send_probe(now, &mut batches.send);
    }
    drive(clients, batches, |client| client.channel.is_some())
}

fn drive(
    clients: &mut [Allocation],
    batches: &mut Batches,
    done: impl Fn(&Allocation) -> bool,
) -> Result<(), Box<dyn Error>> {
    let mut heard_at = Instant::now();
    loop {
        let now = Instant::now();
        let (mut waiting, mut heard) = (0, false);
        for client in clients.iter_mut().filter(|client| !done(client)) {
            heard |= client.step(now, batches);
            if let Some(why) = &client.failed {
                return Err(why.clone().into());
            }
            waiting += 1;
        }
        if waiting == 0 {
            return Ok(());
        }
        if heard {
            heard_at = now;
        } else if now.duration_since(heard_at) > PATIENCE {
            return Err(format!("{waiting} of {} clients got no answer", clients.len()).into());
        } else {
            thread::sleep(Duration::from_micros(200));
        }
    }
}
