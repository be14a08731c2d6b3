//! Reports, and the bit rates and qualities that follow from them.

use std::{sync::Arc, time::Duration};

use madang_protocol::*;
use madang_room::{Grant, Settings};

use crate::yard::{Yard, hello};

fn report(yard: &Yard, who: usize, available: u64, rtt_ms: f64) -> ClientMessage {
    let one = |link: &LinkId| LinkStats {
        link: link.clone(),
        path: Some(LinkPath::Direct),
        rtt_ms: Some(rtt_ms),
        loss_down: Some(0.0),
        loss_up: Some(0.0),
        up_bps: BitsPerSecond(available),
        down_bps: BitsPerSecond(0),
        available_up_bps: Some(BitsPerSecond(available)),
    };
    ClientMessage::Stats(Stats { links: yard.clients[who].picture().links.keys().map(one).collect() })
}

fn limits(messages: &[Arc<ServerMessage>]) -> Vec<(Option<u64>, BitrateReason)> {
    let limit = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Bitrate(bitrate) => Some((bitrate.max_send_bps.map(|most| most.0), bitrate.reason)),
        _ => None,
    };
    messages.iter().filter_map(limit).collect()
}

fn qualities(messages: &[Arc<ServerMessage>]) -> Vec<ConnectionQuality> {
    let quality = |message: &Arc<ServerMessage>| match &**message {
        ServerMessage::Quality(quality) => Some(quality.quality),
        _ => None,
    };
    messages.iter().filter_map(quality).collect()
}

#[test]
fn a_short_uplink_is_shared_between_its_links() {
    let mut yard = Yard::with_people(3);
    for _ in 0..3 {
        yard.say(0, report(&yard, 0, 400_000, 20.0));
        yard.elapse(Duration::from_secs(2));
    }
    let share = (Some(380_000), BitrateReason::Congestion);
    assert_eq!(limits(&yard.clients[0].heard()), [share, share]);
    assert!(limits(&yard.clients[1].heard()).is_empty());
}

#[test]
fn bit_rates_are_told_at_most_once_a_second_and_the_newest_is_told_in_the_end() {
    let settings = Settings { max_send_bps: Some(BitsPerSecond(1_000_000)), ..Settings::default() };
    let mut yard = Yard::with_settings(2, settings);
    yard.elapse(Duration::from_secs(5));
    yard.clear();
    let limit =
        |most| ClientMessage::Mod(Moderation::Bitrate { participant: None, max_send_bps: Some(BitsPerSecond(most)) });
    yard.say(0, limit(800_000));
    yard.say(0, limit(600_000));
    yard.say(0, limit(400_000));
    assert_eq!(limits(&yard.clients[1].heard()), [(Some(800_000), BitrateReason::RoomLimit)]);
    yard.elapse(Duration::from_millis(999));
    assert!(limits(&yard.clients[1].heard()).is_empty());
    yard.elapse(Duration::from_millis(1));
    assert_eq!(limits(&yard.clients[1].heard()), [(Some(400_000), BitrateReason::RoomLimit)]);
    yard.elapse(Duration::from_secs(60));
    assert!(limits(&yard.clients[1].heard()).is_empty());
}

#[test]
fn a_limit_is_shared_anew_when_somebody_comes_or_goes() {
    let settings = Settings { max_send_bps: Some(BitsPerSecond(600_000)), ..Settings::default() };
    let mut yard = Yard::with_settings(2, settings);
    yard.clients.push(Default::default());
    yard.elapse(Duration::from_secs(5));
    yard.clear();
    yard.join(2, hello("c"), Grant::default());
    let half = (Some(300_000), BitrateReason::RoomLimit);
    assert_eq!(limits(&yard.clients[0].heard()), [half, half]);
    assert_eq!(limits(&yard.clients[2].heard()), [half, half]);
    yard.elapse(Duration::from_secs(5));
    yard.say(2, ClientMessage::Leave(Leave {}));
    assert_eq!(limits(&yard.clients[0].heard()), [(Some(600_000), BitrateReason::RoomLimit)]);
}

#[test]
fn a_tokens_limit_holds_for_its_bearer() {
    let mut yard = Yard::new(2, Settings::default());
    yard.join(0, hello("a"), Grant::default());
    yard.join(1, hello("b"), Grant { max_send_bps: Some(BitsPerSecond(500_000)), ..Grant::default() });
    assert_eq!(limits(&yard.clients[1].heard()), [(Some(500_000), BitrateReason::ParticipantLimit)]);
    assert!(limits(&yard.clients[0].heard()).is_empty());
}

#[test]
fn a_limit_set_while_somebody_was_away_is_told_on_their_return() {
    let mut yard = Yard::with_people(2);
    yard.lose(1);
    let most = Some(BitsPerSecond(400_000));
    yard.say(0, ClientMessage::Mod(Moderation::Bitrate { participant: None, max_send_bps: most }));
    yard.elapse(Duration::from_secs(5));
    yard.resume(1, true);
    assert_eq!(limits(&yard.clients[1].heard()), [(Some(400_000), BitrateReason::RoomLimit)]);
}

#[test]
fn quality_is_told_to_everyone_and_takes_two_reports_to_change() {
    let mut yard = Yard::with_people(2);
    yard.say(0, report(&yard, 0, 5_000_000, 20.0));
    assert_eq!(qualities(&yard.clients[1].heard()), [ConnectionQuality::Excellent]);
    yard.say(0, report(&yard, 0, 5_000_000, 900.0));
    assert!(yard.clients[1].heard().is_empty());
    yard.say(0, report(&yard, 0, 5_000_000, 900.0));
    assert_eq!(qualities(&yard.clients[1].heard()), [ConnectionQuality::Poor]);
    assert_eq!(qualities(&yard.clients[0].heard()), [ConnectionQuality::Excellent, ConnectionQuality::Poor]);
}

#[test]
fn somebody_away_is_lost_and_as_before_on_return() {
    let mut yard = Yard::with_people(2);
    yard.say(0, report(&yard, 0, 5_000_000, 20.0));
    yard.clear();
    yard.lose(0);
    assert_eq!(qualities(&yard.clients[1].heard()), [ConnectionQuality::Lost]);
    yard.resume(0, true);
    assert_eq!(qualities(&yard.clients[1].heard()), [ConnectionQuality::Excellent]);
}

#[test]
fn a_newcomer_is_told_the_qualities_there_are() {
    let mut yard = Yard::with_people(2);
    yard.clients.push(Default::default());
    yard.say(0, report(&yard, 0, 5_000_000, 20.0));
    yard.lose(1);
    yard.join(2, hello("c"), Grant::default());
    assert_eq!(qualities(&yard.clients[2].heard()), [ConnectionQuality::Excellent, ConnectionQuality::Lost]);
}

#[test]
fn reports_about_links_of_others_count_for_nothing() {
    let mut yard = Yard::with_people(2);
    yard.clients.push(Default::default());
    let foreign = report(&yard, 0, 10_000, 900.0);
    yard.join(2, hello("c"), Grant::default());
    yard.clear();
    for _ in 0..3 {
        yard.say(2, foreign.clone());
        yard.elapse(Duration::from_secs(2));
    }
    assert!(yard.clients.iter().all(|client| client.inbox.is_empty()));
}
