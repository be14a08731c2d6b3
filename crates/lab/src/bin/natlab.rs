//! A user-space NAT between two TUN interfaces, of any kind that RFC 4787 knows.
//!
//!     natlab --inside lan0 --outside wan0 --outer 198.51.100.1 \
//!         --mapping endpoint-independent --filtering address-dependent
//!
//! It makes both interfaces in the network namespace that it was started in, says `ready`, and
//! translates what the kernel sends by the one until it leaves by the other. Whoever started it
//! may move the interfaces to other namespaces. On standard input it takes `reboot`, `block` and
//! `unblock`, a line each; when that ends, so does it.

#[cfg(target_os = "linux")]
fn main() -> Result<(), Box<dyn std::error::Error>> {
    let options = natlab::Options::parse(std::env::args().skip(1))?;
    natlab::run(options)
}

#[cfg(not(target_os = "linux"))]
fn main() {
    eprintln!("natlab needs network namespaces, which Linux alone has");
    std::process::exit(1);
}

#[cfg(target_os = "linux")]
mod natlab {
    use std::{
        error::Error,
        io::{self, Read},
        net::{IpAddr, Ipv4Addr},
        str::FromStr,
        time::{Duration, Instant},
    };

    use madang_lab::{
        LinkConfig, Loss, Router, Side,
        nat::{Dependence, NatConfig, PortAllocation},
        tun::Tun,
    };
    use rustix::event::{PollFd, PollFlags, Timespec, poll};

    pub(crate) struct Options {
        inside: String,
        outside: String,
        nat: NatConfig,
        link: LinkConfig,
        seed: u64,
    }

    fn parsed<T: FromStr>(name: &str, value: Option<String>) -> Result<T, String>
    where
        T::Err: std::fmt::Display,
    {
        let value = value.ok_or_else(|| format!("{name} needs a value"))?;
        value.parse().map_err(|why| format!("{name} {value}: {why}"))
    }

    impl Options {
        pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, String> {
            let kind = Dependence::EndpointIndependent;
            let nat = NatConfig { outer: Vec::new(), ..NatConfig::new(kind, kind, Ipv4Addr::UNSPECIFIED) };
            let link = LinkConfig::default();
            let mut options = Self { inside: "inside".into(), outside: "outside".into(), nat, link, seed: 1 };
            let mut ports = None;
            while let Some(word) = words.next() {
                let mut ms = |name| parsed(name, words.next()).map(Duration::from_millis);
                match word.as_str() {
                    "--delay-ms" => options.link.delay = ms("--delay-ms")?,
                    "--jitter-ms" => options.link.jitter = ms("--jitter-ms")?,
                    "--queue-ms" => options.link.queue = ms("--queue-ms")?,
                    "--loss" => options.link.loss = Loss::Random(parsed(&word, words.next())?),
                    "--reordered" => options.link.reordered = parsed(&word, words.next())?,
                    "--rate" => options.link.rate = Some(parsed(&word, words.next())?),
                    "--inside" => options.inside = parsed(&word, words.next())?,
                    "--outside" => options.outside = parsed(&word, words.next())?,
                    "--outer" => options.nat.outer.push(parsed::<IpAddr>(&word, words.next())?),
                    "--mapping" => options.nat.mapping = parsed(&word, words.next())?,
                    "--filtering" => options.nat.filtering = parsed(&word, words.next())?,
                    "--lifetime-s" => options.nat.lifetime = Duration::from_secs(parsed(&word, words.next())?),
                    "--seed" => options.seed = parsed(&word, words.next())?,
                    "--hairpinning" => options.nat.hairpinning = true,
                    "--udp-blocked" => options.nat.blocked = true,
                    "--preserved-ports" => ports = Some(PortAllocation::Preserved),
                    "--random-ports" => ports = Some(PortAllocation::Random),
                    other => return Err(format!("{other} is no option; see the start of natlab.rs")),
                }
            }
            if options.nat.outer.is_empty() {
                return Err("--outer needs a value".into());
            }
            let usual = NatConfig::new(options.nat.mapping, options.nat.filtering, Ipv4Addr::UNSPECIFIED).ports;
            options.nat.ports = ports.unwrap_or(usual);
            Ok(options)
        }
    }

    pub(crate) fn run(options: Options) -> Result<(), Box<dyn Error>> {
        let inside = Tun::create(&options.inside)?;
        let outside = Tun::create(&options.outside)?;
        let mut router = Router::new(options.nat, options.link, options.link, options.seed);
        println!("ready");
        let mut packet = vec![0; 65_536];
        loop {
            if wait(&router, &inside, &outside)? && !obey(&mut router)? {
                return Ok(());
            }
            for (side, tun) in [(Side::Inside, &inside), (Side::Outside, &outside)] {
                while let Some(length) = tun.receive(&mut packet)? {
                    router.handle_input(Instant::now(), side, packet[..length].to_vec());
                }
            }
            while let Some((side, packet)) = router.poll(Instant::now()) {
                let tun = if side == Side::Inside { &inside } else { &outside };
                // One that the kernel will not have is lost, as in any network.
                let _ = tun.send(&packet);
            }
        }
    }

    /// Waits for a packet, a time-out or a command. Returns whether there is a command.
    fn wait(router: &Router, inside: &Tun, outside: &Tun) -> io::Result<bool> {
        let left = router.timeout().map(|at| at.saturating_duration_since(Instant::now()));
        let left = left.and_then(|left| Timespec::try_from(left).ok());
        let stdin = io::stdin();
        let mut files = [
            PollFd::new(&stdin, PollFlags::IN),
            PollFd::new(inside, PollFlags::IN),
            PollFd::new(outside, PollFlags::IN),
        ];
        match poll(&mut files, left.as_ref()) {
            Ok(_) => Ok(!files[0].revents().is_empty()),
            Err(rustix::io::Errno::INTR) => Ok(false),
            Err(why) => Err(why.into()),
        }
    }

    /// Does what standard input says. Returns false when that has ended.
    fn obey(router: &mut Router) -> io::Result<bool> {
        let mut said = [0; 256];
        let length = io::stdin().read(&mut said)?;
        for line in String::from_utf8_lossy(&said[..length]).lines() {
            match line.trim() {
                "reboot" => router.reboot(),
                "block" => router.block_udp(true),
                "unblock" => router.block_udp(false),
                other => eprintln!("natlab: {other:?} is no command"),
            }
        }
        Ok(length > 0)
    }
}
