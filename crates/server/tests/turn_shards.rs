//! TURN on two shards: who lives where is read from the lines of accounting, which each shard's
//! thread writes for its own allocations.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod raw_support;
mod support;
mod turn_support;

use std::{
    io,
    net::{SocketAddr, UdpSocket},
    sync::Arc,
    time::{Duration, Instant},
};

use madang_server::Server;
use madang_wire::stun::{
    ALLOCATE, AttributeWrite, Lifetime, MOBILITY_TICKET, REFRESH, RawAttribute, RequestedTransport,
};
use parking_lot::{Mutex, MutexGuard};
use raw_support::{
    Wire, ask, bind, challenged, channel_data, on_channel, permit,
    world::{Answer, Client},
};
use support::{config, metric, start};
use turn_support::{WHOLE, nothing_is_lost};

const PATIENCE: Duration = Duration::from_secs(5);

/// What the server of this process writes about allocations. One test at a time looks at it.
struct Books {
    lines: Arc<Mutex<Vec<u8>>>,
    _alone: MutexGuard<'static, ()>,
}

#[derive(Clone)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl io::Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.lock().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl Books {
    fn open() -> Self {
        static ALONE: Mutex<()> = Mutex::new(());
        static LINES: std::sync::LazyLock<Arc<Mutex<Vec<u8>>>> = std::sync::LazyLock::new(|| {
            let lines = Arc::new(Mutex::new(Vec::new()));
            let writer = Lines(lines.clone());
            let subscriber = tracing_subscriber::fmt().with_thread_names(true).with_ansi(false);
            subscriber.with_env_filter("madang::accounting=info").with_writer(move || writer.clone()).init();
            lines
        });
        let alone = ALONE.lock();
        LINES.lock().clear();
        Self { lines: LINES.clone(), _alone: alone }
    }

    /// How many lines of each shard hold these words.
    fn count(&self, words: &str) -> [usize; 2] {
        let lines = self.lines.lock();
        let text = String::from_utf8_lossy(&lines);
        ["shard-0", "shard-1"]
            .map(|shard| text.lines().filter(|line| line.contains(shard) && line.contains(words)).count())
    }

    /// Allocates, and says on which shard.
    fn allocate(&self, socket: &mut UdpSocket, extra: &[&dyn AttributeWrite]) -> (Client, Answer, usize) {
        let before = self.count("begins");
        let client = challenged(socket);
        let udp = RequestedTransport::new(17);
        let attributes: Vec<&dyn AttributeWrite> = [&udp as _].into_iter().chain(extra.iter().copied()).collect();
        let answer = ask(socket, &client, ALLOCATE, &attributes);
        assert_eq!(answer.code(), 0);
        let end = Instant::now() + PATIENCE;
        loop {
            let now = self.count("begins");
            if now != before {
                return (client, answer, usize::from(now[1] != before[1]));
            }
            assert!(Instant::now() < end, "no line of the allocation");
            std::thread::sleep(Duration::from_millis(1));
        }
    }

    /// One client on each shard: the kernel's hash of addresses decides, so more may be needed.
    fn one_on_each(&self, server: &Server) -> [Allocated; 2] {
        let mut found = [None, None];
        while found.iter().any(Option::is_none) {
            let mut socket = udp(server);
            let (client, answer, shard) = self.allocate(&mut socket, &[]);
            found[shard].get_or_insert(Allocated { socket, client, relayed: answer.relayed() });
        }
        found.map(Option::unwrap)
    }
}

struct Allocated {
    socket: UdpSocket,
    client: Client,
    relayed: SocketAddr,
}

impl Allocated {
    fn refresh(&mut self) -> u16 {
        ask(&mut self.socket, &self.client, REFRESH, &[&Lifetime::new(600)]).code()
    }
}

fn udp(server: &Server) -> UdpSocket {
    raw_support::udp(server.addresses().turn[0])
}

/// Asks for an allocation from new ports until both shards have surely been asked; the codes.
fn codes_of_newcomers(server: &Server) -> Vec<u16> {
    let ask_once = |_| {
        let mut socket = udp(server);
        let client = challenged(&mut socket);
        ask(&mut socket, &client, ALLOCATE, &[&RequestedTransport::new(17)]).code()
    };
    (0..24).map(ask_once).collect()
}

/// Sends numbered messages on the channel and checks that all come, in order.
fn all_come(from: &mut UdpSocket, mut receive: impl FnMut() -> Vec<u8>) {
    for burst in 0..50_u32 {
        let numbers = burst * 8..burst * 8 + 8;
        for number in numbers.clone() {
            Wire::send(from, &on_channel(&number.to_be_bytes().repeat(50)));
        }
        for number in numbers {
            assert_eq!(receive(), number.to_be_bytes().repeat(50));
        }
    }
}

fn crosses(from: &mut UdpSocket, to: &mut UdpSocket) {
    all_come(from, || channel_data(&to.receive()));
}

fn reaches(from: &mut UdpSocket, peer: &mut UdpSocket) {
    all_come(from, || peer.receive());
}

fn peer() -> UdpSocket {
    let peer = UdpSocket::bind("127.0.0.1:0").unwrap();
    peer.set_read_timeout(Some(PATIENCE)).unwrap();
    peer
}

#[tokio::test(flavor = "multi_thread")]
async fn allocations_land_on_both_shards_over_udp_and_over_streams() {
    let (books, server) = (Books::open(), start(WHOLE).await);
    let _pair = books.one_on_each(&server);
    let before = books.count("begins");
    let mut streams: Vec<_> = (0..4).map(|_| raw_support::tcp(server.addresses().turn[0])).collect();
    streams.iter_mut().for_each(|stream| drop(raw_support::allocated(stream)));
    assert_ne!(metric(&server, "madang_turn_allocations{transport=\"tcp\"}").await, 0);
    let after = books.count("begins");
    assert_eq!([after[0] - before[0], after[1] - before[1]], [2, 2], "connections go to the shards in turn");
}

#[tokio::test(flavor = "multi_thread")]
async fn clients_on_two_shards_relay_to_each_other_inside_the_process() {
    let books = Books::open();
    // Nobody may reach a peer on loopback but by the exception for live relays.
    let closed = WHOLE.lines().filter(|line| !line.starts_with("allow_peers")).collect::<Vec<_>>().join("\n");
    let server = start(&closed).await;
    let [mut left, mut right] = books.one_on_each(&server);
    bind(&mut left.socket, &left.client, right.relayed);
    bind(&mut right.socket, &right.client, left.relayed);
    crosses(&mut left.socket, &mut right.socket);
    crosses(&mut right.socket, &mut left.socket);
    for direction in ["client_to_peer", "peer_to_client"] {
        let name = format!("madang_turn_relayed_packets_total{{direction=\"{direction}\"}}");
        assert_eq!(metric(&server, &name).await, 800, "{direction}");
    }
    assert_eq!(metric(&server, "madang_turn_dropped_packets_total").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn twelve_uclients_meet_across_the_shards() {
    let (books, server) = (Books::open(), start(WHOLE).await);
    let port = server.addresses().turn[0].port().to_string();
    nothing_is_lost(&["-y", "-c", "-n", "20", "-m", "12", "-l", "400", "-p", &port, "127.0.0.1"]).await;
    let begun = books.count("begins");
    assert!(begun[0] > 0 && begun[1] > 0, "{begun:?}");
}

fn ticket(answer: &Answer) -> Vec<u8> {
    answer.message().raw_attribute(MOBILITY_TICKET).unwrap().value.to_vec()
}

/// A socket whose packets reach a shard.
fn socket_to(books: &Books, server: &Server, shard: usize) -> UdpSocket {
    loop {
        let mut socket = udp(server);
        let (client, _, landed) = books.allocate(&mut socket, &[]);
        assert_eq!(ask(&mut socket, &client, REFRESH, &[&Lifetime::new(0)]).code(), 0);
        if landed == shard {
            return socket;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_client_that_moves_to_the_other_shards_socket_keeps_its_allocation() {
    let (books, server) = (Books::open(), start(WHOLE).await);
    for home in [0, 1] {
        let mut peer = peer();
        let mut socket = socket_to(&books, &server, home);
        let wish = RawAttribute::new(MOBILITY_TICKET, &[]);
        let (client, answer, shard) = books.allocate(&mut socket, &[&wish]);
        assert_eq!(shard, home);
        bind(&mut socket, &client, peer.local_addr().unwrap());
        peer.connect(answer.relayed()).unwrap();
        reaches(&mut socket, &mut peer);
        let mut moved = socket_to(&books, &server, 1 - home);
        let client = Client { nonce: challenged(&mut moved).nonce, ..client };
        let begun = books.count("begins");
        let held = RawAttribute::new(MOBILITY_TICKET, &ticket(&answer)).into_owned();
        let refreshed = ask(&mut moved, &client, REFRESH, &[&held, &Lifetime::new(600)]);
        assert_eq!(refreshed.code(), 0);
        assert_ne!(ticket(&refreshed), ticket(&answer));
        reaches(&mut moved, &mut peer);
        for number in 0..100_u32 {
            UdpSocket::send(&peer, &number.to_be_bytes()).unwrap();
            assert_eq!(channel_data(&moved.receive()), number.to_be_bytes());
        }
        assert_eq!(books.count("begins"), begun, "it is the same allocation");
        assert_eq!(ask(&mut moved, &client, REFRESH, &[&Lifetime::new(0)]).code(), 0);
    }
    assert_eq!(metric(&server, "madang_turn_moves_total").await, 2);
    assert_eq!(metric(&server, "madang_turn_allocations{").await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_drain_keeps_allocations_of_both_shards_until_its_deadline() {
    let books = Books::open();
    let server = start(&format!("signaling.drain = \"0s\"\n{WHOLE}drain = \"2s\"\n")).await;
    let mut pair = books.one_on_each(&server);
    let listener = server.addresses().turn[0];
    let (begun, made) = (Instant::now(), books.count("begins"));
    let drained = tokio::spawn(server.drain());
    tokio::time::sleep(Duration::from_millis(500)).await;
    for _ in 0..24 {
        let mut socket = raw_support::udp(listener);
        let client = challenged(&mut socket);
        assert_eq!(ask(&mut socket, &client, ALLOCATE, &[&RequestedTransport::new(17)]).code(), 508);
    }
    assert_eq!(pair.each_mut().map(Allocated::refresh), [0, 0]);
    drained.await.unwrap();
    assert!(begun.elapsed() >= Duration::from_secs(2), "the grace is kept");
    assert!(begun.elapsed() < Duration::from_secs(6), "and no longer");
    assert_eq!(books.count("begins"), made);
    assert_eq!(books.count("an allocation ends"), made, "each has ended where it began");
    for one in &pair {
        UdpSocket::bind(one.relayed).unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_reload_reaches_both_shards_and_no_live_allocation() {
    let (books, server) = (Books::open(), start(WHOLE).await);
    let mut peer = peer();
    let at_peer = peer.local_addr().unwrap();
    let mut pair = books.one_on_each(&server);
    pair.iter_mut().for_each(|one| bind(&mut one.socket, &one.client, at_peer));
    let other = WHOLE.replace("a secret for tests", "another").replace("allow_peers", "deny_peers");
    server.reload(&config(&other)).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(codes_of_newcomers(&server).iter().all(|code| *code == 401), "the former secret still opens allocations");
    for one in &mut pair {
        reaches(&mut one.socket, &mut peer);
        assert_eq!(permit(&mut one.socket, &one.client, "127.0.0.1:9".parse().unwrap()), 403, "a new peer is let in");
        reaches(&mut one.socket, &mut peer);
    }
    server.reload(&config(WHOLE)).unwrap();
    tokio::time::sleep(Duration::from_millis(300)).await;
    assert!(codes_of_newcomers(&server).iter().all(|code| *code == 0));
}
