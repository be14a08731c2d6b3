//! Single packets of TURN over real connections.
#![allow(dead_code, reason = "each test binary uses its own part")]

#[path = "../../../turn/tests/world/mod.rs"]
pub(crate) mod world;

use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream, UdpSocket},
    time::{Duration, SystemTime},
};

use madang_wire::{
    ChannelData, StreamFramer,
    stun::{
        ALLOCATE, AttributeWrite, CHANNEL_BIND, CREATE_PERMISSION, ChannelNumberAttribute, Message, MessageClass,
        MessageType, MessageWrite, MessageWriteVec, Method, Nonce, RequestedTransport, TransactionId, XorPeerAddress,
    },
};
use world::{Answer, Client};

use crate::turn_support::SECRET;

const PATIENCE: Duration = Duration::from_secs(5);

/// Messages over a real connection.
pub(crate) trait Wire {
    fn send(&mut self, bytes: &[u8]);
    fn receive(&mut self) -> Vec<u8>;
}

impl Wire for UdpSocket {
    fn send(&mut self, bytes: &[u8]) {
        UdpSocket::send(self, bytes).expect("sent");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut bytes = [0; 2048];
        let length = self.recv(&mut bytes).expect("an answer");
        bytes[..length].to_vec()
    }
}

pub(crate) struct Stream<S = TcpStream> {
    pub(crate) stream: S,
    pub(crate) framer: StreamFramer,
}

impl<S> Stream<S> {
    pub(crate) fn new(stream: S) -> Self {
        Self { stream, framer: StreamFramer::new(65_536) }
    }
}

impl<S: Read + Write> Wire for Stream<S> {
    fn send(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).expect("sent");
    }

    fn receive(&mut self) -> Vec<u8> {
        let mut bytes = [0; 2048];
        loop {
            if let Some(frame) = self.framer.next_frame().expect("STUN") {
                return frame.to_vec();
            }
            let length = self.stream.read(&mut bytes).expect("an answer");
            assert_ne!(length, 0, "the server has closed");
            self.framer.push(&bytes[..length]);
        }
    }
}

pub(crate) fn udp(server: SocketAddr) -> UdpSocket {
    let socket = UdpSocket::bind((server.ip(), 0)).expect("a free port");
    socket.connect(server).expect("loopback");
    socket.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    socket
}

pub(crate) fn tcp(server: SocketAddr) -> Stream {
    let stream = TcpStream::connect(server).expect("the server accepts");
    stream.set_read_timeout(Some(PATIENCE)).expect("a time-out");
    Stream::new(stream)
}

/// A request without attributes.
pub(crate) fn bare(method: Method) -> Vec<u8> {
    let kind = MessageType::from_class_method(MessageClass::Request, method);
    Message::builder(kind, TransactionId::generate(), MessageWriteVec::new()).finish()
}

pub(crate) fn ask(wire: &mut impl Wire, client: &Client, method: Method, attributes: &[&dyn AttributeWrite]) -> Answer {
    wire.send(&client.request(method, TransactionId::generate(), attributes));
    Answer(wire.receive())
}

/// A client that has been challenged, with credentials of its own.
pub(crate) fn challenged_as(wire: &mut impl Wire, (username, password): (String, String)) -> Client {
    let mut client = Client::new("127.0.0.1:1", &username, &password);
    wire.send(&bare(ALLOCATE));
    let answer = Answer(wire.receive());
    assert_eq!(answer.code(), 401);
    client.nonce = answer.message().attribute::<Nonce>().expect("a nonce").nonce().into();
    client
}

/// A client that has been challenged, with credentials of the test secret.
pub(crate) fn challenged(wire: &mut impl Wire) -> Client {
    challenged_as(wire, credentials("alice"))
}

/// Credentials of the test secret, for a minute.
pub(crate) fn credentials(user: &str) -> (String, String) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).expect("after 1970");
    madang_turn::mint(SECRET, user, now.as_secs() + 60)
}

pub(crate) fn allocated(wire: &mut impl Wire) -> (Client, SocketAddr) {
    let client = challenged(wire);
    let answer = ask(wire, &client, ALLOCATE, &[&RequestedTransport::new(17)]);
    assert_eq!(answer.code(), 0);
    (client, answer.relayed())
}

/// Binds the channel 0x4000.
pub(crate) fn bind(wire: &mut impl Wire, client: &Client, peer: SocketAddr) {
    let transaction = TransactionId::generate();
    let peer = XorPeerAddress::new(peer, transaction);
    wire.send(&client.request(CHANNEL_BIND, transaction, &[&ChannelNumberAttribute::new(0x4000), &peer]));
    assert_eq!(Answer(wire.receive()).code(), 0);
}

/// Asks for a permission; gives back the code of the answer, 0 for a success.
pub(crate) fn permit(wire: &mut impl Wire, client: &Client, peer: SocketAddr) -> u16 {
    let transaction = TransactionId::generate();
    let peer = XorPeerAddress::new(peer, transaction);
    wire.send(&client.request(CREATE_PERMISSION, transaction, &[&peer]));
    Answer(wire.receive()).code()
}

/// Data on the channel 0x4000.
pub(crate) fn on_channel(data: &[u8]) -> Vec<u8> {
    let mut packet = ChannelData::header(world::channel(0x4000), data.len()).expect("short").to_vec();
    packet.extend_from_slice(data);
    packet
}

/// What came on a channel.
pub(crate) fn channel_data(packet: &[u8]) -> Vec<u8> {
    ChannelData::parse(packet).expect("ChannelData").data.to_vec()
}
