//! A bare forwarder: takes packets by recvmmsg (merged, where the sender merges them) and sends
//! their data on by sendmmsg with GSO. No server can take less.

use std::{
    error::Error,
    io,
    os::fd::AsRawFd,
    rc::Rc,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering::Relaxed},
    },
    thread,
    time::Duration,
};

use madang_udp::{Options as Socket, ReceiveBatch, SendBatch, UdpSocket};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use super::{
    super::cpu::{self, Used},
    Direction, Options, flow,
    report::Row,
    rig::{self, Flows, Receiver, Sender},
};

/// Bytes that are taken off each packet, as a TURN server takes the header off.
const HEADER: usize = 4;

pub(super) fn measure(options: &Options) -> Result<Row, Box<dyn Error>> {
    if options.direction != Direction::ClientToPeer {
        return Err("the bare forwarder goes one way: client-to-peer".into());
    }
    let local = std::net::Ipv4Addr::LOCALHOST.into();
    let (input, output) = (open()?, open()?);
    let peer = Rc::new(rig::open(options, local)?);
    let (to, via) = (peer.local_addr(), input.local_addr());
    let stop = Arc::new(AtomicBool::new(false));
    let forwarder = {
        let (stop, core) = (stop.clone(), options.server_core);
        thread::spawn(move || -> io::Result<Used> {
            if let Some(core) = core {
                cpu::pin(core)?;
            }
            let before = cpu::of_this_thread(core)?;
            forward(&input, &output, to, &stop)?;
            before.used()
        })
    };
    if let Some(core) = options.core {
        cpu::pin(core)?;
    }
    let mut flows = Flows { senders: Vec::new(), receivers: vec![Receiver { socket: peer, head: 0 }] };
    for _ in 0..options.allocations {
        let socket = Rc::new(rig::open(options, local)?);
        flows.senders.push(Sender { socket, to: via, head: vec![0; HEADER] });
    }
    let mut outcome = flow::run(options, flows, None)?;
    stop.store(true, Relaxed);
    let mut used = forwarder.join().map_err(|_| "the forwarder has failed")??;
    // It was counted from the warm-up on, which is a tenth more.
    used.seconds /= 1.1;
    used.softirq /= 1.1;
    outcome.used = Some(used);
    Ok(Row::new(options, "bare forwarder", &outcome))
}

fn open() -> io::Result<UdpSocket> {
    UdpSocket::bind(std::net::SocketAddr::from(([127, 0, 0, 1], 0)), Socket::default())
}

fn forward(input: &UdpSocket, output: &UdpSocket, to: std::net::SocketAddr, stop: &AtomicBool) -> io::Result<()> {
    let mut poll = Poll::new()?;
    let descriptor = input.as_raw_fd();
    poll.registry().register(&mut SourceFd(&descriptor), Token(0), Interest::READABLE)?;
    let (mut events, mut received, mut out) =
        (Events::with_capacity(4), ReceiveBatch::new(64, 0), SendBatch::new(1 << 16, 4096));
    while !stop.load(Relaxed) {
        poll.poll(&mut events, Some(Duration::from_millis(50)))?;
        while let Ok(messages) = received.receive(input) {
            for (_, place) in received.places(0) {
                if out.push_by(0, to, &[], place.part(HEADER..usize::MAX), 0).is_err() {
                    out.flush_all(received.bytes(), |_| Some(output));
                }
            }
            out.flush_all(received.bytes(), |_| Some(output));
            if messages < received.capacity() {
                break;
            }
        }
    }
    Ok(())
}
