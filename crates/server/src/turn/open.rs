//! Opening what clients reach, before the shards that will own it.

use std::net::{IpAddr, SocketAddr};

use madang_turn::Alternates;
use madang_udp::UdpSocket;

use super::{
    addresses::{RelayAddresses, expand},
    handle::StartError,
    listener::{Pair, open_pair, open_tcp, open_udp},
    relay_socket::is_local,
};
use crate::config::TurnConfig;

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
    public_ip: &[IpAddr],
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
    Ok(RelayAddresses { configured, listeners, public: public_ip.to_vec() })
}

/// The listeners that RFC 5780 needs beside `turn.listen`, and what the core is told of them. For
/// each family: a listener of `turn.listen` and the alternate address stand for two addresses and
/// two ports, and all four combinations are served.
pub(super) fn open_alternates(
    config: &TurnConfig,
    pairs: &[Pair],
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
        let ports = [first.port(), alternate.port().unwrap_or(first.port().wrapping_add(1).max(1))];
        for (ip, port) in [(first.ip(), ports[1]), (other, ports[0]), (other, ports[1])] {
            let address = SocketAddr::new(ip, port);
            if pairs.iter().all(|pair| pair.address != address) {
                opened.push(open_udp(address, shards).map_err(|source| StartError::Open { key, address, source })?);
            }
        }
        alternates.push(Alternates { addresses: [first.ip().into(), other.into()], ports });
    }
    Ok((opened, alternates))
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
