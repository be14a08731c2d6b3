//! What those who mean harm get.

mod world;

use madang_wire::stun::{AdditionalAddressFamily, AddressFamily};
use world::{Client, World};

/// Sixty ways to spell an address that nobody outside has any business with.
const FORBIDDEN: [&str; 60] = [
    // Unspecified and "this network".
    "0.0.0.0",
    "0.0.0.1",
    "0.255.255.255",
    "::",
    "::ffff:0.0.0.0",
    // Loopback.
    "127.0.0.1",
    "127.0.0.2",
    "127.1.2.3",
    "127.255.255.254",
    "::1",
    "::ffff:127.0.0.1",
    "::127.0.0.1",
    "::ffff:0:127.0.0.1",
    "64:ff9b::127.0.0.1",
    "64:ff9b:1::127.0.0.1",
    "2002:7f00:1::",
    "2600::5efe:127.0.0.1",
    // Private.
    "10.0.0.1",
    "10.255.255.255",
    "172.16.0.1",
    "172.31.255.254",
    "192.168.0.1",
    "192.168.255.255",
    "::ffff:10.0.0.1",
    "::10.0.0.1",
    "64:ff9b::10.0.0.1",
    "2002:a00:1::1",
    "2002:c0a8:1::1",
    "::ffff:192.168.1.1",
    "2001:0:1::1",
    "2600::200:5efe:192.168.1.1",
    // Carrier-grade NAT.
    "100.64.0.1",
    "100.127.255.255",
    "::ffff:100.64.0.1",
    // Link-local, and what clouds keep there and elsewhere.
    "169.254.0.1",
    "169.254.169.254",
    "::ffff:169.254.169.254",
    "64:ff9b::169.254.169.254",
    "2002:a9fe:a9fe::1",
    "100.100.100.200",
    "192.0.0.192",
    "fd00:ec2::254",
    "fe80::1",
    "febf::1",
    // Unique-local and site-local.
    "fc00::1",
    "fdff::1",
    "fec0::1",
    // Multicast, broadcast, reserved.
    "224.0.0.1",
    "239.255.255.255",
    "ff02::1",
    "255.255.255.255",
    "240.0.0.1",
    "::ffff:224.0.0.1",
    // Documentation, benchmarking, discard.
    "192.0.2.1",
    "198.18.0.1",
    "203.0.113.1",
    "2001:db8::2",
    "100::1",
    // The server itself.
    "::ffff:198.51.100.1",
    "64:ff9b::198.51.100.1",
];

#[test]
fn sixty_spellings_of_forbidden_peers_are_refused_everywhere() {
    let mut world = World::new();
    // The world's relays are on addresses of the server, which therefore can be reached; these
    // sixty are none of them.
    let mut alice = Client::alice("192.0.2.1:1000");
    alice.allocate_with(&mut world, &[&AdditionalAddressFamily::new(AddressFamily::IPV6)]);
    for (number, ip) in (0x4000..).zip(FORBIDDEN) {
        let peer = if ip.contains(':') { format!("[{ip}]:80") } else { format!("{ip}:80") };
        assert_eq!(alice.permit(&mut world, &[&peer]).code(), 403, "{peer}");
        assert_eq!(alice.permit(&mut world, &[world::PEER, &peer]).code(), 403, "{peer} beside another");
        assert_eq!(alice.bind(&mut world, number, &peer).code(), 403, "{peer}");
        alice.indicate(&mut world, &peer, b"x");
        alice.channel_data(&mut world, number, b"x");
        assert!(world.to_peers.is_empty() && world.to_clients.is_empty(), "{peer}");
    }
    alice.indicate(&mut world, world::PEER, b"x");
    assert!(world.to_peers.is_empty(), "a refused CreatePermission installs nothing of it");
    assert_eq!(world.server.counters().forbidden_peers, 180);
}
