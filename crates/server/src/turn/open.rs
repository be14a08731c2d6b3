//! Opening what clients reach, before the shards that will own it.

use std::net::{IpAddr, SocketAddr};

use madang_turn::{Address, Alternates};
use madang_udp::UdpSocket;

use super::{
    addresses::{RelayAddresses, expand},
    handle::StartError,
    listener::{Pair, open_pair, open_tcp, open_udp},
    relay_socket::is_local,
};
use crate::{addresses::PublicAddresses, config::TurnConfig};

/// How often port 0 is tried.
const TRIES: usize = 8;

/// Opens UDP and TCP on each entry of `turn.listen`.
pub(super) fn open_pairs(
    config: &TurnConfig,
    interfaces: &[IpAddr],
    shards: usize,
) -> Result<(Vec<Pair>, Vec<SocketAddr>), StartError> {
    let (mut pairs, mut bound) = (Vec::new(), Vec::new());
    for &listen in config.listen.iter() {
        // Port 0 has to become one port that is free on every address, which may take a few tries.
        let tries = if listen.port() == 0 { TRIES } else { 1 };
        let mut opened = open_entry(listen, interfaces, shards);
        for _ in 1..tries {
            if opened.is_ok() {
                break;
            }
            opened = open_entry(listen, interfaces, shards);
        }
        let opened = opened?;
        bound.extend(opened.first().map(|pair| SocketAddr::new(listen.ip(), pair.address.port())));
        pairs.extend(opened);
    }
    Ok((pairs, bound))
}

/// Opens one entry of `turn.listen`, on the same port of every address that it stands for.
fn open_entry(listen: SocketAddr, interfaces: &[IpAddr], shards: usize) -> Result<Vec<Pair>, StartError> {
    let key = "turn.listen";
    let addresses = expand(listen, interfaces);
    if addresses.is_empty() {
        return Err(StartError::NoAddress { key, address: listen });
    }
    let mut pairs: Vec<Pair> = Vec::new();
    for mut address in addresses {
        address.set_port(pairs.first().map_or(listen.port(), |first| first.address.port()));
        pairs.push(open_pair(address, shards).map_err(|source| StartError::Open { key, address, source })?);
    }
    Ok(pairs)
}

pub(super) type TlsListeners = (Vec<std::net::TcpListener>, Vec<SocketAddr>);

pub(super) fn open_tls(config: &TurnConfig) -> Result<TlsListeners, StartError> {
    let (mut listeners, mut bound) = (Vec::new(), Vec::new());
    for &address in config.tls_listen.iter() {
        let open = |source| StartError::Open { key: "turn.tls_listen", address, source };
        let listener = open_tcp(address).map_err(open)?;
        bound.push(listener.local_addr().map_err(open)?);
        listeners.push(listener);
    }
    Ok((listeners, bound))
}

pub(super) fn relay_addresses(
    config: &TurnConfig,
    pairs: &[Pair],
    tls: &[std::net::TcpListener],
    public: &PublicAddresses,
    interfaces: &[IpAddr],
) -> Result<RelayAddresses, StartError> {
    let configured = config.relay_addresses.0.clone();
    for &ip in &configured {
        let address = SocketAddr::new(ip, 0);
        is_local(ip).map_err(|source| StartError::Open { key: "turn.relay_addresses", address, source })?;
    }
    let mut listeners: Vec<IpAddr> = pairs.iter().map(|pair| pair.address.ip()).collect();
    for address in tls.iter().filter_map(|listener| listener.local_addr().ok()) {
        listeners.extend(expand(address, interfaces).iter().map(SocketAddr::ip));
    }
    Ok(RelayAddresses { configured, listeners, public: public.clone() })
}

/// The listeners that RFC 5780 needs beside `turn.listen`, and what the core is told of them. For
/// each family: a listener of `turn.listen` and the alternate address stand for two addresses and
/// two ports, and all four combinations are served. Behind 1:1 NAT the first `public_ip` of the
/// family is that of the listener and the second that of the alternate address.
pub(super) fn open_alternates(
    config: &TurnConfig,
    pairs: &[Pair],
    public: &PublicAddresses,
    shards: usize,
) -> Result<(Vec<Vec<UdpSocket>>, Vec<Alternates>), StartError> {
    let key = "turn.alternate_addresses";
    let (mut opened, mut alternates) = (Vec::new(), Vec::new());
    for alternate in config.alternate_addresses.iter() {
        let other = alternate.ip();
        let fits = |pair: &&Pair| {
            let address = pair.address.ip();
            address.is_ipv4() == other.is_ipv4() && address.is_loopback() == other.is_loopback() && address != other
        };
        let none = StartError::NoAddress { key, address: SocketAddr::new(other, 0) };
        let first = pairs.iter().find(fits).ok_or(none)?.address;
        // Of several, nobody could say which one the first public address stands for.
        if public.of(first.ip()) != first.ip() && pairs.iter().filter(fits).count() > 1 {
            return Err(StartError::ListenerBehindNat(other));
        }
        let ports = [first.port(), alternate.port().unwrap_or(first.port().wrapping_add(1).max(1))];
        for (ip, port) in [(first.ip(), ports[1]), (other, ports[0]), (other, ports[1])] {
            let address = SocketAddr::new(ip, port);
            if pairs.iter().all(|pair| pair.address != address) {
                opened.push(open_udp(address, shards).map_err(|source| StartError::Open { key, address, source })?);
            }
        }
        alternates.push(Alternates { addresses: seen_as([first.ip(), other], public)?, ports });
    }
    Ok((opened, alternates))
}

/// Two addresses of this machine, and what the world sees of each.
fn seen_as(local: [IpAddr; 2], public: &PublicAddresses) -> Result<[Address; 2], StartError> {
    let seen = local.map(|local| Address { local, public: public.of(local) });
    if seen[0].public == seen[1].public { Err(StartError::AlternateBehindNat(local[1])) } else { Ok(seen) }
}

/// UDP on the addresses of `turn.tls_listen`, for DTLS alone, where they aren't open anyway.
pub(super) fn open_dtls(
    addresses: &[SocketAddr],
    pairs: &[Pair],
    interfaces: &[IpAddr],
    shards: usize,
) -> Result<Vec<Vec<UdpSocket>>, StartError> {
    let all = addresses.iter().flat_map(|address| expand(*address, interfaces));
    let new = all.filter(|address| pairs.iter().all(|pair| pair.address != *address));
    new.map(|address| {
        let failed = |source| StartError::Open { key: "turn.tls_listen", address, source };
        open_udp(address, shards).map_err(failed)
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(local: [&str; 2], public: &[&str]) -> Option<[String; 2]> {
        let ip = |text: &&str| text.parse::<IpAddr>().expect("an address");
        let public: Vec<IpAddr> = public.iter().map(ip).collect();
        let public = PublicAddresses::new(&public, std::iter::once(ip(&local[1])));
        let seen = seen_as([ip(&local[0]), ip(&local[1])], &public).ok()?;
        Some(seen.map(|address| address.public.to_string()))
    }

    #[test]
    fn alternate_addresses_are_told_as_the_world_sees_them() {
        let private = ["10.0.0.1", "10.0.0.2"];
        let told = |addresses: [&str; 2]| Some(addresses.map(str::to_owned));
        assert_eq!(seen(private, &[]), told(private));
        assert_eq!(seen(private, &["203.0.113.1", "203.0.113.2"]), told(["203.0.113.1", "203.0.113.2"]));
        assert_eq!(seen(private, &["203.0.113.1"]), None, "nobody would know the second");
        assert_eq!(seen(private, &["2001:db8::1"]), told(private), "another family's says nothing");
        let public = ["203.0.113.1", "203.0.113.2"];
        assert_eq!(seen(public, &["203.0.113.1", "203.0.113.2"]), told(public));
        assert_eq!(seen(["127.0.0.1", "127.0.0.2"], &["203.0.113.1"]), told(["127.0.0.1", "127.0.0.2"]));
    }
}
