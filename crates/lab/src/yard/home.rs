//! A host, and the routers between it and the internet.

use std::{
    io::{self, BufRead, BufReader, Write},
    net::Ipv4Addr,
    path::Path,
    process::Stdio,
};

use super::{Namespace, Process, namespace};
use crate::{
    LinkConfig, Loss,
    nat::{NatConfig, PortAllocation},
};

/// A router with a NAT.
#[derive(Clone, Debug, PartialEq)]
pub enum Layer {
    /// One of this crate's; its outer address is chosen for it. Links are like that in both
    /// directions, before and behind it taken together.
    Lab(NatConfig, LinkConfig),
    /// The kernel's.
    Kernel(Masquerade),
}

/// How the kernel chooses ports; it filters by address and port in any case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Masquerade {
    /// The inner one where it is free: as good as one mapping for each inner endpoint.
    Preserving,
    /// Any for each flow: a mapping for each remote endpoint.
    FullyRandom,
}

/// A host behind NATs, or on the internet itself.
#[derive(Debug)]
pub struct Home {
    // Processes end before the namespaces that they are in.
    nats: Vec<Process>,
    host: Namespace,
    between: Vec<Namespace>,
    routers: Vec<Namespace>,
    address: Ipv4Addr,
    outer: Ipv4Addr,
}

impl Home {
    pub(super) fn new(natlab: &Path, internet: &Namespace, number: u8, layers: &[Layer]) -> io::Result<Self> {
        let host = Namespace::new("host")?;
        let outer = Ipv4Addr::new(198, 51, 100, number);
        let address = if layers.is_empty() { outer } else { Ipv4Addr::new(192, 168, number, 2) };
        let mut home = Self { nats: Vec::new(), host, between: Vec::new(), routers: Vec::new(), address, outer };
        if layers.is_empty() {
            cable(&home.host, internet, number, outer)?;
        }
        for (depth, layer) in layers.iter().enumerate() {
            let last = depth + 1 == layers.len();
            // A router of a carrier gives addresses of RFC 6598.
            let shown = if depth == 0 { outer } else { Ipv4Addr::new(100, 64 + depth as u8, number, 2) };
            let below = if last { None } else { Some(Namespace::new("between")?) };
            let own = if last { address } else { Ipv4Addr::new(100, 64 + depth as u8, number, 1) };
            if let Some(between) = below {
                between.forward()?;
                home.between.push(between);
            }
            let lower = if last { &home.host } else { &home.between[depth] };
            let upper = if depth == 0 { internet } else { &home.between[depth - 1] };
            match layer {
                Layer::Lab(config, link) => {
                    let config = NatConfig { outer: vec![shown.into()], ..config.clone() };
                    home.nats.push(lab(natlab, (upper, lower), (number, own), &config, link)?);
                }
                Layer::Kernel(kind) => {
                    home.routers.push(kernel((upper, lower), (number, own, shown), *kind)?);
                }
            }
        }
        Ok(home)
    }

    /// Where programs of the people at home run.
    #[must_use]
    pub fn host(&self) -> &Namespace {
        &self.host
    }

    /// The host's own address.
    #[must_use]
    pub fn address(&self) -> Ipv4Addr {
        self.address
    }

    /// The address that the internet sees.
    #[must_use]
    pub fn outer(&self) -> Ipv4Addr {
        self.outer
    }

    /// Says something to each NAT of this crate's on the way: `reboot`, `block` or `unblock`.
    ///
    /// # Errors
    /// One of them has ended.
    pub fn tell(&mut self, command: &str) -> io::Result<()> {
        for nat in &mut self.nats {
            let Some(stdin) = nat.child().stdin.as_mut() else { continue };
            writeln!(stdin, "{command}")?;
        }
        Ok(())
    }
}

/// Upper and lower namespace.
type Between<'a> = (&'a Namespace, &'a Namespace);

/// A NAT of this crate's. Its process is in the lower namespace, and its outer interface is moved
/// to the upper one.
fn lab(
    natlab: &Path,
    (upper, lower): Between<'_>,
    (number, own): (u8, Ipv4Addr),
    config: &NatConfig,
    link: &LinkConfig,
) -> io::Result<Process> {
    let there = format!("nat{number}");
    let mut command = lower.command(natlab);
    command.args(["--inside", "wan", "--outside", &there]);
    command.args(["--seed", &number.to_string()]).args(words(config, link));
    let mut nat = Process::start(command.stdin(Stdio::piped()).stdout(Stdio::piped()))?;
    let mut line = String::new();
    if let Some(stdout) = nat.child().stdout.take() {
        BufReader::new(stdout).read_line(&mut line)?;
    }
    if line.trim() != "ready" {
        return Err(io::Error::other(format!("{command:?} did not start")));
    }
    lower.run(&format!("ip link set {there} netns {}", upper.name()))?;
    lower.run(&format!("ip addr add {own}/32 dev wan"))?;
    lower.run("ip link set wan up")?;
    lower.run(&format!("ip route add default dev wan src {own}"))?;
    upper.run(&format!("ip link set {there} up"))?;
    for outer in &config.outer {
        upper.run(&format!("ip route add {outer}/32 dev {there}"))?;
    }
    Ok(nat)
}

fn words(config: &NatConfig, link: &LinkConfig) -> Vec<String> {
    let mut words: Vec<String> = Vec::new();
    let mut option = |name: &str, value: String| words.extend([format!("--{name}"), value]);
    option("mapping", config.mapping.to_string());
    option("filtering", config.filtering.to_string());
    option("lifetime-s", config.lifetime.as_secs().to_string());
    option("delay-ms", link.delay.as_millis().to_string());
    option("jitter-ms", link.jitter.as_millis().to_string());
    option("queue-ms", link.queue.as_millis().to_string());
    option("reordered", link.reordered.to_string());
    for outer in &config.outer {
        option("outer", outer.to_string());
    }
    if let Loss::Random(share) = link.loss {
        option("loss", share.to_string());
    }
    if let Some(rate) = link.rate {
        option("rate", rate.to_string());
    }
    words.push(match config.ports {
        PortAllocation::Preserved => "--preserved-ports".into(),
        PortAllocation::Random => "--random-ports".into(),
    });
    let switches = [(config.hairpinning, "--hairpinning"), (config.blocked, "--udp-blocked")];
    words.extend(switches.into_iter().filter(|(on, _)| *on).map(|(_, word)| word.to_owned()));
    words
}

/// The gateway that every upper end of a cable has.
const GATEWAY: Ipv4Addr = Ipv4Addr::new(169, 254, 0, 1);

/// A cable from `lower`, which has that address, up to `upper`.
fn cable(lower: &Namespace, upper: &Namespace, number: u8, address: Ipv4Addr) -> io::Result<()> {
    let there = format!("veth{number}");
    let peer = format!("ip link add wan type veth peer name {there} netns {}", upper.name());
    lower.run(&peer)?;
    lower.run(&format!("ip addr add {address}/32 dev wan"))?;
    lower.run("ip link set wan up")?;
    upper.run(&format!("ip addr add {GATEWAY}/32 dev {there}"))?;
    upper.run(&format!("ip link set {there} up"))?;
    lower.run(&format!("ip route add default via {GATEWAY} dev wan onlink src {address}"))?;
    upper.run(&format!("ip route add {address}/32 dev {there}")).map(|_| ())
}

/// A router of the kernel's, in a namespace of its own.
fn kernel(
    (upper, lower): Between<'_>,
    (number, own, shown): (u8, Ipv4Addr, Ipv4Addr),
    kind: Masquerade,
) -> io::Result<Namespace> {
    let router = Namespace::new("router")?;
    router.forward()?;
    cable(&router, upper, number, shown)?;
    cable(lower, &router, number, own)?;
    let how = match kind {
        Masquerade::Preserving => "",
        Masquerade::FullyRandom => "fully-random",
    };
    // What is unsolicited must be dropped: if the router itself took it in, its flow would hold
    // the port that the host's next packet to there needs, and hole punching would fail.
    let rules = format!(
        "table ip lab {{
            chain out {{ type nat hook postrouting priority srcnat; oifname \"wan\" masquerade {how}; }}
            chain own {{ type filter hook input priority filter; iifname \"wan\" ct state != {{ established, related }} drop; }}
            chain through {{ type filter hook forward priority filter; iifname \"wan\" ct state != {{ established, related }} drop; }}
        }}"
    );
    namespace::run(router.command("nft").arg(rules))?;
    Ok(router)
}
