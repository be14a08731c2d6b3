//! Batches between sockets on loopback, with and without the kernel's merging.

use std::{
    io,
    net::SocketAddr,
    time::{Duration, Instant, SystemTime},
};

use madang_udp::{Options, ReceiveBatch, SendBatch, UdpSocket};

const HEADROOM: usize = 48;
const ADDRESSES: [&str; 2] = ["127.0.0.1:0", "[::1]:0"];

fn open(address: &str, options: Options) -> UdpSocket {
    UdpSocket::bind(address.parse().expect("an address"), options).expect("loopback")
}

fn merging(on: bool) -> Options {
    Options { gro: on, gso: on, ..Options::default() }
}

/// Receives until `count` datagrams have come.
fn receive(socket: &UdpSocket, count: usize) -> Vec<(SocketAddr, Vec<u8>)> {
    let mut batch = ReceiveBatch::new(8, HEADROOM);
    let mut received = Vec::new();
    let patience = Instant::now() + Duration::from_secs(10);
    while received.len() < count {
        match batch.receive(socket) {
            Ok(messages) => assert!((1..=8).contains(&messages)),
            Err(why) => assert_eq!(why.kind(), io::ErrorKind::WouldBlock),
        }
        received.extend(batch.datagrams().map(|datagram| (datagram.from, datagram.data().to_vec())));
        assert!(Instant::now() < patience, "{} of {count} have come", received.len());
    }
    received
}

#[test]
fn interleaved_packets_arrive_whole_and_in_order_however_they_are_merged() {
    for address in ADDRESSES {
        for (sends, receives) in [(true, true), (true, false), (false, true), (false, false)] {
            let sender = open(address, merging(sends));
            let receivers: Vec<UdpSocket> = (0..5).map(|_| open(address, merging(receives))).collect();
            let mut batch = SendBatch::new(256 << 10, 1024);
            // Runs of equal size, now and then a shorter or longer one, an empty one at last.
            let length = |index: usize| match index % 12 {
                7 => 300,
                9 => 1300,
                11 => 0,
                _ => 1200,
            };
            for index in 0..24 {
                for (which, receiver) in receivers.iter().enumerate() {
                    let head = [index as u8, which as u8];
                    let parts = [&head[..], &vec![index as u8; length(index)][..]];
                    batch.push(receiver.local_addr(), &parts).expect("room for 120 packets");
                }
            }
            let sent = batch.flush(&sender);
            assert_eq!((sent.packets, sent.dropped, sent.calls), (120, 0, 1));
            for (which, receiver) in receivers.iter().enumerate() {
                for (index, (from, data)) in receive(receiver, 24).into_iter().enumerate() {
                    assert_eq!(from, sender.local_addr());
                    assert_eq!(data[..2], [index as u8, which as u8]);
                    assert_eq!(data[2..], vec![index as u8; length(index)]);
                }
            }
        }
    }
}

#[test]
fn a_burst_to_one_destination_is_one_message_where_the_kernel_merges() {
    for address in ADDRESSES {
        let (sender, receiver) = (open(address, merging(true)), open(address, merging(true)));
        if !(sender.merges_sent() && receiver.merges_received()) {
            return;
        }
        let mut batch = SendBatch::new(0, 64);
        (0..8).for_each(|index| batch.push(receiver.local_addr(), &[&[index; 1200]]).expect("room"));
        assert_eq!(batch.flush(&sender).packets, 8);
        let mut received = ReceiveBatch::new(8, HEADROOM);
        assert_eq!(received.receive(&receiver).expect("loopback delivers at once"), 1);
        let rooms: Vec<_> = received.datagrams().map(|each| (each.headroom(), each.data()[0])).collect();
        let expected: Vec<_> = (0..8).map(|index| (if index == 0 { HEADROOM } else { 0 }, index)).collect();
        assert_eq!(rooms, expected);
    }
}

#[test]
fn a_header_is_written_in_front_of_a_single_datagram_without_a_copy() {
    let (sender, receiver) = (open(ADDRESSES[0], merging(true)), open(ADDRESSES[0], merging(true)));
    let mut batch = SendBatch::new(0, 64);
    batch.push(receiver.local_addr(), &[b"media"]).expect("room");
    batch.flush(&sender);
    let mut received = ReceiveBatch::new(1, 4);
    assert_eq!(received.capacity(), 1);
    received.receive(&receiver).expect("loopback delivers at once");
    let mut datagram = received.datagrams().next().expect("one");
    datagram.data_mut()[0] = b'M';
    assert!(datagram.tailroom() >= 3);
    assert_eq!(datagram.with_room(5, 0), None);
    let room = datagram.with_room(4, 3).expect("room on both sides");
    room[..4].copy_from_slice(b"head");
    room[9..].copy_from_slice(b"pad");
    assert_eq!(room, b"headMediapad");
    assert_eq!(datagram.data(), b"Media");
}

#[test]
fn an_empty_socket_would_block_and_leaves_nothing_of_the_last_call() {
    let (sender, receiver) = (open(ADDRESSES[0], merging(true)), open(ADDRESSES[0], merging(true)));
    let mut batch = SendBatch::new(0, 64);
    batch.push(receiver.local_addr(), &[b"once"]).expect("room");
    batch.flush(&sender);
    let mut received = ReceiveBatch::new(4, 0);
    received.receive(&receiver).expect("loopback delivers at once");
    assert_eq!(received.datagrams().count(), 1);
    let why = received.receive(&receiver).expect_err("nothing waits");
    assert_eq!(why.kind(), io::ErrorKind::WouldBlock);
    assert_eq!(received.datagrams().count(), 0);
}

#[test]
fn one_destination_that_is_refused_costs_the_others_nothing() {
    for on in [true, false] {
        let (sender, receiver) = (open(ADDRESSES[0], merging(on)), open(ADDRESSES[0], merging(on)));
        let other_family: SocketAddr = "[::1]:9".parse().expect("an address");
        // Not allowed without SO_BROADCAST.
        let broadcast: SocketAddr = "255.255.255.255:9".parse().expect("an address");
        let mut batch = SendBatch::new(0, 64);
        for index in 0..3 {
            batch.push(other_family, &[&[index; 10]]).expect("room");
            batch.push(receiver.local_addr(), &[&[index; 10]]).expect("room");
            batch.push(broadcast, &[&[index; 10]]).expect("room");
        }
        let sent = batch.flush(&sender);
        assert_eq!((sent.packets, sent.dropped), (3, 6));
        let data: Vec<_> = receive(&receiver, 3).into_iter().map(|(_, data)| data[0]).collect();
        assert_eq!(data, [0, 1, 2]);
    }
}

#[test]
fn a_batch_is_as_good_after_a_thousand_flushes() {
    let (sender, receiver) = (open(ADDRESSES[1], merging(true)), open(ADDRESSES[1], merging(true)));
    let mut batch = SendBatch::new(0, 8);
    for round in 0..1000_u32 {
        for _ in 0..4 {
            batch.push(receiver.local_addr(), &[&round.to_be_bytes()]).expect("room");
        }
        assert_eq!(batch.flush(&sender).packets, 4);
        let received = receive(&receiver, 4);
        assert!(received.iter().all(|(_, data)| *data == round.to_be_bytes()));
    }
}

#[test]
fn the_largest_datagram_arrives() {
    let (sender, receiver) = (open(ADDRESSES[0], merging(true)), open(ADDRESSES[0], merging(true)));
    let largest = vec![7; madang_udp::LARGEST_DATAGRAM];
    let mut batch = SendBatch::new(0, 64);
    batch.push(receiver.local_addr(), &[&largest]).expect("room");
    assert_eq!(batch.flush(&sender).packets, 1);
    assert_eq!(receive(&receiver, 1)[0].1, largest);
}

#[test]
fn arrivals_are_stamped_only_when_asked_for() {
    let before = SystemTime::now();
    for timestamps in [true, false] {
        let sender = open(ADDRESSES[0], merging(true));
        let receiver = open(ADDRESSES[0], Options { timestamps, ..Options::default() });
        let mut batch = SendBatch::new(0, 64);
        (0..3).for_each(|_| batch.push(receiver.local_addr(), &[b"now"]).expect("room"));
        batch.flush(&sender);
        let mut received = ReceiveBatch::new(4, 0);
        received.receive(&receiver).expect("loopback delivers at once");
        assert_eq!(received.datagrams().count(), 3);
        for datagram in received.datagrams() {
            assert_eq!(datagram.arrival().is_some(), timestamps);
            assert!(datagram.arrival().is_none_or(|arrival| arrival >= before));
        }
    }
}

#[test]
fn what_several_sockets_received_goes_on_by_several_others_without_a_copy() {
    let sockets: Vec<UdpSocket> = (0..3).map(|_| open("127.0.0.1:0", merging(true))).collect();
    let (sender, receivers) =
        (open("127.0.0.1:0", merging(true)), [open("127.0.0.1:0", merging(true)), open("127.0.0.1:0", merging(true))]);
    let mut batch = SendBatch::new(1 << 16, 64);
    for (number, socket) in sockets.iter().enumerate() {
        for part in 0..4_u8 {
            batch.push(socket.local_addr(), &[&[number as u8, part, 7, 7, 7]]).expect("room");
        }
    }
    batch.flush(&sender);
    let mut received = ReceiveBatch::new(16, 0);
    let mut places = Vec::new();
    for (number, socket) in sockets.iter().enumerate() {
        let first = received.capacity() - received.free();
        wait_for(socket);
        received.receive_more(socket, 8).expect("a burst");
        places.extend(received.places(first).map(|(_, place)| (number, place)));
    }
    assert_eq!(places.len(), 12);
    for (number, place) in &places {
        let to = receivers[place.of(received.bytes())[1] as usize % 2].local_addr();
        batch.push_by(*number as u32, to, &[b"he", b"ad"], place.part(0..2), 2).expect("room");
    }
    let sent = batch.flush_all(received.bytes(), |number| sockets.get(number as usize));
    assert_eq!((sent.packets, sent.dropped), (12, 0));
    for (parity, receiver) in receivers.iter().enumerate() {
        let got = receive(receiver, 6);
        for (number, socket) in sockets.iter().enumerate() {
            let from_it: Vec<_> =
                got.iter().filter(|(from, _)| *from == socket.local_addr()).map(|(_, data)| data).collect();
            let expect = |part: u8| [b"head", &[number as u8, part][..], &[0, 0]].concat();
            assert_eq!(from_it, [&expect(parity as u8), &expect(parity as u8 + 2)]);
        }
    }
}

#[test]
fn packets_of_a_socket_that_is_gone_are_dropped_and_counted() {
    let socket = open("127.0.0.1:0", merging(true));
    let mut received = ReceiveBatch::new(1, 0);
    let mut batch = SendBatch::new(0, 4);
    batch.push(socket.local_addr(), &[b"to itself"]).expect("room");
    batch.flush(&socket);
    wait_for(&socket);
    received.receive(&socket).expect("a datagram");
    let (_, place) = received.places(0).next().expect("one");
    batch.push_by(1, socket.local_addr(), &[], place, 0).expect("room");
    batch.push_by(2, socket.local_addr(), &[], place, 0).expect("room");
    let sent = batch.flush_all(received.bytes(), |number| (number == 2).then_some(&socket));
    assert_eq!((sent.packets, sent.dropped), (1, 1));
}

/// Until something can be read.
fn wait_for(socket: &UdpSocket) {
    let mut peek = [std::mem::MaybeUninit::uninit(); 1];
    let socket = socket2::SockRef::from(socket);
    while socket.peek(&mut peek).is_err() {
        std::thread::sleep(std::time::Duration::from_millis(1));
    }
}
