//! The limit: forwards without looking at more than where each packet goes, by the calls that
//! `madang-udp` makes, one socket for all.

use std::{error::Error, io::Write, net::SocketAddr, os::fd::AsRawFd};

use clap::Args;
use madang_udp::{ReceiveBatch, SendBatch, UdpSocket};
use mio::{Events, Interest, Poll, Token, unix::SourceFd};

use super::{
    super::cpu,
    flow::{self, MARK},
};

#[derive(Args)]
pub(crate) struct Options {
    /// Where it receives.
    #[arg(long)]
    listen: SocketAddr,
    /// Where each flow goes, in their order.
    #[arg(long, value_delimiter = ',', required = true)]
    to: Vec<SocketAddr>,
    /// Packets come with ChannelData's header, which is taken off.
    #[arg(long)]
    unframe: bool,
    /// Packets leave with ChannelData's header.
    #[arg(long)]
    frame: bool,
    /// The core it is pinned to.
    #[arg(long)]
    core: Option<usize>,
}

/// Until it is killed.
pub(crate) fn run(options: &Options) -> Result<(), Box<dyn Error>> {
    if let Some(core) = options.core {
        cpu::pin(core)?;
    }
    let socket = UdpSocket::bind(options.listen, madang_udp::Options::default())?;
    let (mut poll, mut events) = (Poll::new()?, Events::with_capacity(4));
    poll.registry().register(&mut SourceFd(&socket.as_raw_fd()), Token(0), Interest::READABLE)?;
    let (mut receive, mut send) = (ReceiveBatch::new(64, 0), SendBatch::new(1 << 20, 1024));
    println!("ready {}", socket.local_addr());
    std::io::stdout().flush()?;
    let skipped = if options.unframe { 4 } else { 0 };
    loop {
        while receive.receive(&socket).is_ok() {
            for datagram in receive.datagrams() {
                let Some(payload) = datagram.data().get(skipped..).filter(|payload| payload.len() >= MARK) else {
                    continue;
                };
                let Some(to) = flow::flow_of(payload).and_then(|flow| options.to.get(flow)) else { continue };
                let [high, low] = (payload.len() as u16).to_be_bytes();
                let head = [0x40, 0, high, low];
                let head = if options.frame { &head[..] } else { &[] };
                if send.push(*to, &[head, payload]).is_err() {
                    send.flush(&socket);
                    let _ = send.push(*to, &[head, payload]);
                }
            }
            send.flush(&socket);
        }
        poll.poll(&mut events, None)?;
    }
}
