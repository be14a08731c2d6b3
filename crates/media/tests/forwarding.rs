//! What one participant sends, the others get.

mod yard;

use std::time::Duration;

use madang_media::session::{DataChannel, LayerId, Transport};
use madang_protocol::{MediaCommand, MediaEvent, TrackKind};
use yard::{Frame, Yard};

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

#[test]
fn three_people_hear_each_other_and_nobody_hears_themselves() {
    let mut yard = Yard::new();
    let names = ["ada", "bo", "cy"];
    for name in names {
        yard.join(name);
    }
    let tracks = names.map(|name| yard.publish(name, TrackKind::Audio));
    yard.run(ms(2000));
    assert!(yard.people.values().all(|person| person.connected));
    for step in 0..50 {
        for (name, track) in names.iter().zip(&tracks) {
            yard.send(name, track, LayerId(0), Frame::sound(step * 960));
        }
        yard.run(ms(20));
    }
    for (name, own) in names.iter().zip(&tracks) {
        for track in &tracks {
            let got = yard.people[*name].got.iter().filter(|got| got.track == *track).count();
            assert_eq!(got, if track == own { 0 } else { 50 }, "{name} of {track}");
        }
    }
    let speakers = yard
        .events
        .iter()
        .filter(|event| matches!(event, MediaEvent::Speakers { participants } if participants.len() == 3));
    assert!(speakers.count() > 0, "all three speak");
}

#[test]
fn a_check_that_is_faster_than_the_answer_proves_its_address_all_the_same() {
    let mut yard = Yard::new();
    yard.answers_take = ms(100);
    yard.join("ada");
    yard.publish("ada", TrackKind::Audio);
    yard.run(ms(50));
    // Its check has come, and waits for the answer with the password.
    yard.withhold = |_| true;
    let (ada, server) = (yard.people["ada"].address, yard.server);
    assert!(!yard.sfu.knows(Transport::Udp, ada, server));
    yard.run(ms(60));
    assert!(yard.sfu.knows(Transport::Udp, ada, server));
}

#[test]
fn a_picture_in_three_layers_arrives_as_one_stream_without_holes() {
    let mut yard = Yard::new();
    yard.join("ada");
    yard.join("bo");
    let track = yard.publish("ada", TrackKind::Video);
    yard.run(ms(2000));
    for number in 0..300_u16 {
        let wanted = std::mem::take(&mut yard.people.get_mut("ada").expect("ada").keyframes_wanted) > 0;
        for (layer, size) in [(0, 300), (1, 800), (2, 1100)] {
            let frame = Frame::picture(u32::from(number) * 3000, number, wanted || number == 0, 0, size);
            yard.send("ada", &track, LayerId(layer), frame);
        }
        yard.run(ms(33));
    }
    let got = &yard.people["bo"].got;
    assert!(got.len() > 250, "{} frames", got.len());
    for pair in got.windows(2) {
        assert_eq!(pair[1].seq, pair[0].seq + 1);
        assert!(pair[1].timestamp > pair[0].timestamp);
        let id = |payload: &[u8]| u16::from_be_bytes([payload[2] & 0x7f, payload[3]]);
        assert_eq!(id(&pair[1].payload), (id(&pair[0].payload) + 1) & 0x7fff);
    }
    assert_eq!(yard.layer("bo", &track).as_ref().map(|rid| rid.as_str()), Some("h"));
}

#[test]
fn data_reaches_everyone_or_those_named_with_its_sender_in_front() {
    let mut yard = Yard::new();
    for name in ["ada", "bo", "cy"] {
        yard.join(name);
    }
    yard.run(ms(2000));
    let ada = &mut yard.people.get_mut("ada").expect("ada").session;
    assert!(ada.send_data(DataChannel::Reliable, &[0, 0, b'x']));
    assert!(ada.send_data(DataChannel::Reliable, b"\x01\x04p_cy\x00y"));
    yard.run(ms(200));
    assert_eq!(yard.people["bo"].data, [b"\x05p_ada\x00x".to_vec()]);
    assert_eq!(yard.people["cy"].data, [b"\x05p_ada\x00x".to_vec(), b"\x05p_ada\x00y".to_vec()]);
    assert!(yard.people["ada"].data.is_empty());
}

#[test]
fn a_burst_passes_at_once() {
    let mut yard = Yard::new();
    yard.join("ada");
    yard.join("bo");
    let track = yard.publish("ada", TrackKind::Video);
    yard.run(ms(2000));
    let start = yard.now;
    for number in 0..30 {
        let frame = Frame::picture(u32::from(number) * 3000, number, number == 0, 0, 1100);
        yard.send("ada", &track, LayerId(2), frame);
    }
    yard.run(ms(300));
    let got: Vec<u128> = yard.people["bo"].got.iter().map(|got| (got.at - start).as_millis()).collect();
    assert_eq!(got.len(), 30, "{got:?}");
    assert!(got.iter().all(|at| *at <= 3), "{got:?}");
}

#[test]
fn a_track_that_takes_over_the_line_of_another_goes_on_with_its_numbers() {
    for kind in [TrackKind::Audio, TrackKind::Video] {
        let mut yard = Yard::new();
        yard.join("ada");
        yard.join("bo");
        for _ in 0..3 {
            let track = yard.publish("ada", kind);
            yard.run(ms(2000));
            let before = yard.people["bo"].got.len();
            for number in 0..300_u16 {
                let timestamp = u32::from(number) * 960;
                let frame = match kind {
                    TrackKind::Audio => Frame::sound(timestamp),
                    TrackKind::Video => Frame::picture(timestamp, number, number == 0, 0, 300),
                };
                yard.send("ada", &track, LayerId(0), frame);
                yard.run(ms(10));
            }
            let got = yard.people["bo"].got.len() - before;
            assert!(got >= 295, "{got} of 300 {kind:?} packets of a track");
            yard.command(MediaCommand::RemoveTrack { track });
            yard.run(ms(200));
        }
        let got = &yard.people["bo"].got;
        assert!(got.windows(2).all(|pair| pair[0].seq < pair[1].seq), "a number came twice");
        assert!(got.windows(2).all(|pair| pair[0].timestamp < pair[1].timestamp), "time went back");
    }
}
