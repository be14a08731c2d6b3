//! Relays packets in memory, for `benches/turn/instructions.sh` to count instructions:
//! `relay DIRECTION ALLOCATIONS PACKETS`, where the direction is `client-to-peer`, `peer-to-client` or
//! `client-to-client`. A real client core allocates and binds a channel for each relay.

use std::{
    collections::HashMap,
    error::Error,
    net::{IpAddr, SocketAddr},
    time::Instant,
};

use madang_turn::{
    Config, Credentials, Input, Limits, Output, PeerPolicy, Rate, RelayId, Route, Server,
    client::{Client, ClientConfig, ClientInput, ClientOutput, Wishes},
};
use madang_wire::{FiveTuple, Transport};

const PAYLOAD: usize = 200;
const NAME: &str = "load";

struct Endpoint {
    tuple: FiveTuple,
    client: Client,
    relay: Option<(RelayId, SocketAddr)>,
    /// A packet as the client sends it, once its channel is bound.
    framed: Option<Vec<u8>>,
}

struct World {
    server: Server,
    now: Instant,
    relays: HashMap<SocketAddr, RelayId>,
    next_port: u16,
}

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [direction, allocations, packets] = &arguments[..] else {
        return Err("usage: relay DIRECTION ALLOCATIONS PACKETS".into());
    };
    let (allocations, packets): (u8, u64) = (allocations.parse()?, packets.parse()?);
    let mut world = World::new()?;
    let mut endpoints = (0..allocations).map(endpoint).collect::<Result<Vec<_>, _>>()?;
    for endpoint in &mut endpoints {
        world.talk(endpoint, ClientInput::Timeout)?;
    }
    let outside: SocketAddr = "9.9.9.9:5000".parse()?;
    let relayed: Vec<SocketAddr> = endpoints.iter().filter_map(|each| Some(each.relay?.1)).collect();
    for (index, endpoint) in endpoints.iter_mut().enumerate() {
        let partner = if direction == "client-to-client" { relayed.get(index ^ 1).copied() } else { Some(outside) };
        let peer = partner.ok_or("an even number of allocations, please")?;
        // The first asks for permission, the second goes by the channel.
        for _ in 0..2 {
            world.talk(endpoint, ClientInput::Send { peer, data: &[7; PAYLOAD] })?;
        }
    }
    let relayed = world.run(direction, &endpoints, outside, packets)?;
    println!("{relayed} packets relayed");
    if relayed == packets { Ok(()) } else { Err(format!("of {packets}").into()) }
}

fn endpoint(index: u8) -> Result<Endpoint, Box<dyn Error>> {
    let client = SocketAddr::new(IpAddr::from([192, 0, 2, index]), 4000);
    let tuple = FiveTuple { client, server: "198.51.100.1:3478".parse()?, transport: Transport::Udp };
    let config = ClientConfig {
        username: NAME.into(),
        password: NAME.into(),
        transport: Transport::Udp,
        seed: [index; 32],
        server: None,
        wishes: Wishes::default(),
    };
    Ok(Endpoint { tuple, client: Client::new(config), relay: None, framed: None })
}

impl World {
    fn new() -> Result<Self, Box<dyn Error>> {
        let now = Instant::now();
        let config = Config {
            credentials: Credentials { users: HashMap::from([(NAME.into(), NAME.into())]), ..Credentials::default() },
            policy: PeerPolicy { own: vec!["198.51.100.1".parse()?], ..PeerPolicy::default() },
            limits: Limits {
                allocations_per_user: 1000,
                unauthenticated: Rate { per_second: 1e6, burst: 1e6 },
                ..Limits::default()
            },
            ..Config::new(NAME, now)
        };
        let server = Server::new(config, [7; 32], now, 1_700_000_000);
        Ok(Self { server, now, relays: HashMap::new(), next_port: 50_000 })
    }

    /// Hands everything over between one client and the server until both are quiet.
    fn talk(&mut self, endpoint: &mut Endpoint, input: ClientInput<'_>) -> Result<(), Box<dyn Error>> {
        endpoint.client.handle_input(self.now, input);
        loop {
            match endpoint.client.poll_output() {
                ClientOutput::Transmit(bytes) => {
                    if bytes.first().is_some_and(|first| first & 0xC0 == 0x40) {
                        endpoint.framed = Some(bytes);
                        continue;
                    }
                    for answer in self.answers(endpoint.tuple, &bytes) {
                        endpoint.client.handle_input(self.now, ClientInput::Packet(&answer));
                    }
                }
                ClientOutput::Allocated { relayed, .. } => {
                    let relay = self.relays.get(&relayed).ok_or("a relay that nobody opened")?;
                    endpoint.relay = Some((*relay, relayed));
                }
                ClientOutput::Timeout(_) => return Ok(()),
                ClientOutput::Data { .. } => {}
                other => return Err(format!("{other:?}").into()),
            }
        }
    }

    fn answers(&mut self, from: FiveTuple, data: &[u8]) -> Vec<Vec<u8>> {
        let mut answers = Vec::new();
        self.server.handle_input(self.now, Input::Client { from, data });
        loop {
            match self.server.poll_output() {
                Output::Transmit(transmit) if transmit.route == Route::Client(from) => {
                    let mut bytes = Vec::new();
                    transmit.write(data, &mut bytes);
                    answers.push(bytes);
                }
                Output::OpenRelay(wish) => {
                    let relayed = SocketAddr::new(wish.server.ip(), self.next_port);
                    self.next_port += 1;
                    self.relays.insert(relayed, wish.relay);
                    let opened = Input::RelayOpened { relay: wish.relay, relayed: Some(relayed) };
                    self.server.handle_input(self.now, opened);
                }
                Output::Timeout(_) => return answers,
                _ => {}
            }
        }
    }

    /// How many came out at the other end.
    fn run(
        &mut self,
        direction: &str,
        endpoints: &[Endpoint],
        outside: SocketAddr,
        packets: u64,
    ) -> Result<u64, Box<dyn Error>> {
        let mut relayed = 0;
        for endpoint in endpoints.iter().cycle().take(usize::try_from(packets)?) {
            let (relay, _) = endpoint.relay.ok_or("no relay")?;
            let framed = endpoint.framed.as_deref().ok_or("no channel")?;
            let input = match direction {
                "client-to-peer" | "client-to-client" => Input::Client { from: endpoint.tuple, data: framed },
                "peer-to-client" => Input::Peer { relay, from: outside, data: &[7; PAYLOAD] },
                other => return Err(format!("no direction is {other}").into()),
            };
            self.server.handle_input(self.now, input);
            while let Output::Transmit(transmit) = self.server.poll_output() {
                let to_client = matches!(transmit.route, Route::Client(_));
                relayed += u64::from(transmit.is_data() && to_client == (direction != "client-to-peer"));
            }
        }
        Ok(relayed)
    }
}
