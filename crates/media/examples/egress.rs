//! What forwarding costs in memory, without a kernel: one publisher, many subscribers, each a
//! real session. Prints the forwarder's own time per forwarded packet; the subscribers' is not
//! counted. Run under callgrind for instructions.
//!
//! `cargo run --release -p madang-media --example egress -- SUBSCRIBERS SECONDS GATHER_MS`

#[path = "../tests/yard/mod.rs"]
mod yard;

use std::time::Duration;

use madang_media::session::LayerId;
use madang_protocol::TrackKind;
use yard::{Frame, Yard};

fn main() {
    let argument = |place, default| std::env::args().nth(place).and_then(|text| text.parse().ok()).unwrap_or(default);
    let (subscribers, seconds, gather): (usize, usize, u64) = (argument(1, 50), argument(2, 3), argument(3, 0) as u64);
    let mut yard = Yard::gathering(Duration::from_millis(gather));
    yard.join("pub");
    for subscriber in 0..subscribers {
        yard.join(&format!("s{subscriber}"));
    }
    let track = yard.publish("pub", TrackKind::Video);
    yard.run(Duration::from_secs(3));
    yard.spent = Duration::ZERO;
    let before = yard.sfu.counters();
    let mut number = 0;
    // 260 packets a second: 9 a frame, spread over 13 of every 33 milliseconds.
    for frame in 0..seconds * 30 {
        for part in 0..33 {
            if part % 3 != 0 || part > 26 {
                yard.run(Duration::from_millis(1));
                continue;
            }
            number += 1;
            let picture = Frame::picture(frame as u32 * 3000, number, frame == 0, 0, 1200);
            yard.send("pub", &track, LayerId(2), picture);
            yard.run(Duration::from_millis(1));
        }
    }
    let forwarded = yard.sfu.counters().forwarded - before.forwarded;
    println!(
        "{subscribers} subscribers, gather {gather} ms: {forwarded} packets, {:.2} us each",
        yard.spent.as_secs_f64() * 1e6 / forwarded as f64
    );
}
