//! Networks out of Linux network namespaces: an internet with servers on it, and homes behind
//! NATs, of this crate's kinds or the kernel's own.
//!
//! Nothing outside those namespaces is touched, and they are gone when a [`Yard`] and its
//! [`Home`]s are dropped. Addresses are those of RFC 5737, for documentation, and of RFC 6598 and
//! RFC 1918 behind NATs.

mod home;
mod namespace;
mod process;

use std::{
    io::{self, Write},
    net::Ipv4Addr,
    path::{Path, PathBuf},
};

pub use home::{Home, Layer, Masquerade};
pub use namespace::Namespace;
pub use process::{Finished, Process, finish};

use crate::{LinkConfig, matrix::Access, nat::NatKind};

/// The addresses that servers may have.
pub const SERVERS: [Ipv4Addr; 2] = [Ipv4Addr::new(203, 0, 113, 1), Ipv4Addr::new(203, 0, 113, 2)];

/// An internet, and what is needed to put homes on it.
#[derive(Debug)]
pub struct Yard {
    natlab: PathBuf,
    internet: Namespace,
    homes: u8,
}

impl Yard {
    /// An internet with the addresses of [`SERVERS`], for tests; `natlab` is the path of that
    /// program. `None` where network namespaces are not permitted, which is said on standard
    /// error.
    ///
    /// # Panics
    /// When they are not permitted and `NATLAB_REQUIRED` is 1.
    #[must_use]
    pub fn open(natlab: impl AsRef<Path>) -> Option<Self> {
        match Self::new(natlab.as_ref()) {
            Ok(yard) => Some(yard),
            Err(why) => {
                skip(&format!("network namespaces can't be made here: {why}"));
                None
            }
        }
    }

    /// The same.
    ///
    /// # Errors
    /// Something is not permitted, or a tool is missing.
    pub fn new(natlab: &Path) -> io::Result<Self> {
        namespace::remove_abandoned()?;
        // NATs need it; to know now is better than in the midst of a test.
        std::fs::File::open("/dev/net/tun")?;
        let internet = Namespace::new("internet")?;
        internet.forward()?;
        for server in SERVERS {
            internet.run(&format!("ip addr add {server}/32 dev lo"))?;
        }
        Ok(Self { natlab: natlab.into(), internet, homes: 0 })
    }

    /// Where servers run.
    #[must_use]
    pub fn internet(&self) -> &Namespace {
        &self.internet
    }

    /// A home behind such NATs, the outermost first; with none of them it has a public address.
    ///
    /// # Errors
    /// Something is not permitted, or a tool is missing.
    pub fn home(&mut self, layers: &[Layer]) -> io::Result<Home> {
        self.homes += 1;
        Home::new(&self.natlab, &self.internet, self.homes, layers)
    }

    /// A home with that way into the internet, by perfect links.
    ///
    /// # Errors
    /// Something is not permitted, or a tool is missing.
    pub fn home_with(&mut self, access: Access) -> io::Result<Home> {
        let lab = |kind: NatKind| Layer::Lab(kind.config(Ipv4Addr::UNSPECIFIED), LinkConfig::default());
        match access {
            Access::Behind(kind) => self.home(&[lab(kind)]),
            Access::Double => self.home(&[lab(NatKind::Symmetric), lab(NatKind::PortRestricted)]),
        }
    }
}

/// Says loudly that a test did not run.
///
/// # Panics
/// When `NATLAB_REQUIRED` is 1.
pub fn skip(why: &str) {
    let required = std::env::var("NATLAB_REQUIRED").is_ok_and(|value| value == "1");
    assert!(!required, "NATLAB_REQUIRED=1, but {why}");
    let name = std::thread::current().name().unwrap_or("a test").to_owned();
    // Not by eprintln!, which test runners keep to themselves.
    let _ = writeln!(io::stderr(), "SKIPPED: {name}: {why}");
}
