//! The report for people.

use std::fmt::{self, Write};

use super::report::{Report, TRANSPORTS, TransportReport, WebReport};

/// Marks and colours, where somebody looks at them.
#[derive(Clone, Copy)]
pub(super) struct Style {
    pub(super) colours: bool,
}

impl Style {
    fn mark(self, good: bool) -> &'static str {
        match (self.colours, good) {
            (true, true) => "\x1b[32m✔\x1b[0m",
            (true, false) => "\x1b[31m✘\x1b[0m",
            (false, true) => "✔",
            (false, false) => "✘",
        }
    }

    fn bold(self, text: &str) -> String {
        if self.colours { format!("\x1b[1m{text}\x1b[0m") } else { text.to_owned() }
    }
}

/// The whole report.
pub(super) fn write(report: &Report, style: Style) -> Result<String, fmt::Error> {
    let mut text = String::new();
    let out = &mut text;
    writeln!(out)?;
    let address = report.public_address.map_or_else(|| "not known".to_owned(), |address| address.to_string());
    line(out, "Public address", &address)?;
    line(out, "NAT", mapping(report.nat.mapping))?;
    line(out, "Lets in", filtering(report.nat.filtering))?;
    if let Some(hairpins) = report.nat.hairpinning {
        let words = if hairpins {
            "two devices here reach each other by the public address as well"
        } else {
            "two devices here reach each other by their private addresses alone"
        };
        line(out, "Hairpinning", words)?;
    }
    if let Some(why) = &report.nat.why {
        line(out, "", &format!("({why})"))?;
    }
    writeln!(out)?;
    if let Some(web) = &report.web {
        self::web(out, web, style)?;
    }
    for transport in TRANSPORTS {
        if let Some(found) = report.transports.get(transport.name()) {
            self::transport(out, &transport.name().to_uppercase(), found, style)?;
        }
    }
    writeln!(out)?;
    let verdict = &report.verdict;
    writeln!(out, "  {} {}\n", style.mark(verdict.calls_work), style.bold(&verdict.text))?;
    Ok(text)
}

fn line(out: &mut String, name: &str, words: &str) -> fmt::Result {
    writeln!(out, "  {name:<16}{words}")
}

fn mapping(name: &str) -> &'static str {
    match name {
        "none" => "none: the server sees this machine's own address",
        "endpoint-independent" => {
            "yes, a friendly one: one public port for everybody, so direct calls work with most people"
        }
        "address-dependent" => {
            "yes, a symmetric one: another public port for each address, so most calls need the relay"
        }
        "address-and-port-dependent" => {
            "yes, a symmetric one: another public port for each destination, so most calls need the relay"
        }
        _ => "not known",
    }
}

fn filtering(name: &str) -> &'static str {
    match name {
        "none" => "everybody: there is no firewall in front of this machine",
        "endpoint-independent" => "everybody, once something was sent to anybody",
        "address-dependent" => "whoever something was sent to, from any of their ports",
        "address-and-port-dependent" => "whoever something was sent to, from that port alone",
        _ => "not known",
    }
}

fn web(out: &mut String, web: &WebReport, style: Style) -> fmt::Result {
    let words = |why: Option<super::obstacle::Obstacle>| why.map_or("", super::obstacle::Obstacle::words);
    let mark = |good| style.mark(good);
    match (web.http, web.web_socket) {
        (true, true) => writeln!(out, "  {} {:<14}{} answers, and WebSockets open", mark(true), "Web", web.url)?,
        (true, false) => {
            let why = words(web.web_socket_why);
            writeln!(out, "  {} {:<14}{} answers, but no WebSocket opens: {why}", mark(false), "Web", web.url)?;
        }
        (false, _) => writeln!(out, "  {} {:<14}{}: {}", mark(false), "Web", web.url, words(web.http_why))?,
    }
    match web.servers_why {
        Some(why) if web.http => line(out, "", &format!("  {why}, so only STUN is tried")),
        _ => Ok(()),
    }
}

fn transport(out: &mut String, name: &str, found: &TransportReport, style: Style) -> fmt::Result {
    if !found.offered {
        return writeln!(out, "  - {name:<14}not tried: the server's list does not have it");
    }
    let good = found.reachable && found.relay != Some(false);
    let server = found.server.as_deref().unwrap_or_default();
    write!(out, "  {} {name:<14}", style.mark(good))?;
    match (found.why, found.round_trip_ms) {
        (Some(why), _) => return writeln!(out, "{server} is not reached: {}", why.words()),
        (None, Some(took)) => write!(out, "reaches {server} in {took} ms")?,
        (None, None) => write!(out, "reaches {server}")?,
    }
    match (found.relay_round_trip_ms, &found.relay_words, found.relay_lost) {
        (Some(took), _, Some(0) | None) => writeln!(out, "; through the relay and back in {took} ms"),
        (Some(took), _, Some(lost)) => {
            writeln!(out, "; through the relay and back in {took} ms, {lost} of 10 packets lost")
        }
        (None, Some(why), _) => writeln!(out, "; relay: {why}"),
        (None, None, _) => writeln!(out),
    }
}
