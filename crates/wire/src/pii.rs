//! What identifies a person is not written to logs by accident.

use std::{
    fmt,
    net::{IpAddr, SocketAddr},
};

/// A value that identifies a person: an address, a user name.
///
/// `Debug` and `Display` show only as much of it as is needed to tell networks apart (the /24 or
/// /48 of an address and its port). [`Pii::reveal`] gives the value itself.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Pii<T>(pub T);

impl<T> Pii<T> {
    /// The value in full, for those who may see it.
    pub const fn reveal(&self) -> &T {
        &self.0
    }
}

fn write_network(ip: IpAddr, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    if ip.is_loopback() || ip.is_unspecified() {
        return write!(f, "{ip}");
    }
    match ip {
        IpAddr::V4(ip) => {
            let [a, b, c, _] = ip.octets();
            write!(f, "{a}.{b}.{c}.x")
        }
        IpAddr::V6(ip) => {
            let [a, b, c, ..] = ip.segments();
            write!(f, "{a:x}:{b:x}:{c:x}:x")
        }
    }
}

impl fmt::Display for Pii<IpAddr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_network(self.0, f)
    }
}

impl fmt::Display for Pii<SocketAddr> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[")?;
        write_network(self.0.ip(), f)?;
        write!(f, "]:{}", self.0.port())
    }
}

impl fmt::Display for Pii<&str> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "<{} bytes>", self.0.len())
    }
}

impl<T> fmt::Debug for Pii<T>
where
    Self: fmt::Display,
{
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_shows_its_network_and_port_only() {
        let v4: SocketAddr = "198.51.100.17:4000".parse().expect("an address");
        assert_eq!(Pii(v4).to_string(), "[198.51.100.x]:4000");
        let v6: SocketAddr = "[2001:db8:1:2::3]:4000".parse().expect("an address");
        assert_eq!(format!("{:?}", Pii(v6)), "[2001:db8:1:x]:4000");
    }

    #[test]
    fn loopback_is_nobodys_secret() {
        assert_eq!(Pii(IpAddr::from([127, 0, 0, 1])).to_string(), "127.0.0.1");
    }
}
