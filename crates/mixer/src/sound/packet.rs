//! What comes into the mixer: packets of sound, and what can be known of them before decoding.

use crate::codec::SAMPLE_RATE;

/// Names something that sends sound into the mixer. The caller chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SourceId(pub u64);

/// Names somebody who hears the mix. The caller chooses.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ListenerId(pub u64);

/// What kind of sound a source has.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SourceKind {
    /// A person: mono, among the loudest or not mixed, its level balanced with that of others.
    Voice,
    /// A shared screen: stereo, mixed whenever it sounds, as loud as it was sent.
    Screen,
}

/// A packet of sound as it came. Its RTP clock is at [`SAMPLE_RATE`], as Opus has it (RFC 7587 §4.1).
#[derive(Clone, Copy, Debug)]
pub struct SoundPacket<'a> {
    /// RTP sequence number.
    pub sequence: u16,
    /// RTP timestamp.
    pub timestamp: u32,
    /// What the decoder takes.
    pub payload: &'a [u8],
    /// How loud, in dBov from −127 (silence) to 0, as the header says (RFC 6464 §3); None when it
    /// does not say.
    pub level: Option<i8>,
    /// Whether the header says that this is a voice (bit V of RFC 6464 §3).
    pub voice: bool,
}

/// What can be known of a payload without decoding it, in samples at [`SAMPLE_RATE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct PayloadInfo {
    /// How long it sounds, from 120 (2.5 ms) to 5760 (120 ms).
    pub duration: u32,
    /// How much of what came right before it can be made up for with it (in-band FEC); 0 for none.
    pub fec: u32,
    /// Nothing is said in it: a packet of discontinuous transmission.
    pub dtx: bool,
}

const LONGEST: u32 = SAMPLE_RATE / 1000 * 120;

/// Reads the head of an Opus packet (RFC 6716 §3.1, §3.2, §4.2.3 and §4.2.4). None when no Opus
/// decoder would take it.
#[must_use]
pub fn inspect_opus(payload: &[u8]) -> Option<PayloadInfo> {
    let toc = *payload.first()?;
    let config = toc >> 3;
    let frame = frame_duration(config);
    let frames = match toc & 3 {
        0 => 1,
        1 | 2 => 2,
        _ => u32::from(payload.get(1)? & 0x3f),
    };
    let duration = frame * frames;
    if duration == 0 || duration > LONGEST {
        return None;
    }
    let fec = if config < 16 && has_lbrr(payload) { frame } else { 0 };
    Some(PayloadInfo { duration, fec, dtx: payload.len() <= 2 })
}

const fn frame_duration(config: u8) -> u32 {
    match (config, config & 3) {
        (0..12, 3) => 2880,
        (0..12, length) => 480 << length,
        (12..16, length) => 480 << (length & 1),
        (_, length) => 120 << length,
    }
}

/// Whether the first SILK frame comes with low bit-rate redundancy. Its flag follows those of
/// voice activity, each one bit (RFC 6716 §4.2.3): for each channel one per 20 ms, then the flag.
fn has_lbrr(payload: &[u8]) -> bool {
    let Some(first) = first_frame(payload).and_then(|at| payload.get(at)) else { return false };
    let silk_frames = frame_duration(payload[0] >> 3).div_ceil(960);
    let channels = if payload[0] & 4 == 0 { 1 } else { 2 };
    (1..=channels).any(|channel| first & (0x80_u8 >> (channel * (silk_frames + 1) - 1)) != 0)
}

/// Where the first frame's data begins (RFC 6716 §3.2.1 to §3.2.5).
fn first_frame(payload: &[u8]) -> Option<usize> {
    let length_size = |at: usize| payload.get(at).map(|&first| if first < 252 { 1 } else { 2 });
    match payload[0] & 3 {
        0 | 1 => Some(1),
        2 => Some(1 + length_size(1)?),
        _ => {
            let count = *payload.get(1)?;
            let mut at = 2;
            if count & 0x40 != 0 {
                while *payload.get(at)? == 255 {
                    at += 1;
                }
                at += 1;
            }
            if count & 0x80 != 0 {
                for _ in 1..count & 0x3f {
                    at += length_size(at)?;
                }
            }
            Some(at)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_toc_byte_says_how_long_a_packet_sounds() {
        let duration = |payload: &[u8]| inspect_opus(payload).map(|info| info.duration);
        assert_eq!(duration(&[0 << 3, 0]), Some(480), "SILK, 10 ms");
        assert_eq!(duration(&[11 << 3, 0]), Some(2880), "SILK, 60 ms");
        assert_eq!(duration(&[13 << 3, 0]), Some(960), "hybrid, 20 ms");
        assert_eq!(duration(&[16 << 3, 0]), Some(120), "CELT, 2.5 ms");
        assert_eq!(duration(&[31 << 3 | 1, 0]), Some(1920), "two of CELT, 20 ms");
        assert_eq!(duration(&[31 << 3 | 3, 6]), Some(5760), "six of CELT, 20 ms");
        assert_eq!(duration(&[31 << 3 | 3, 7]), None, "more than 120 ms");
        assert_eq!(duration(&[31 << 3 | 3, 0]), None, "no frame");
        assert_eq!(duration(&[31 << 3 | 3]), None, "cut off");
        assert_eq!(duration(&[]), None);
    }

    /// What two decoders make of a lost packet, one with redundancy and one without, is the same
    /// only if there was none.
    #[test]
    fn redundancy_is_seen_exactly_where_a_decoder_finds_it() {
        use opus::{Application, Bitrate, Channels, Decoder, Encoder};
        let shapes = [
            (480, Channels::Mono),
            (960, Channels::Mono),
            (960, Channels::Stereo),
            (1920, Channels::Mono),
            (2880, Channels::Mono),
        ];
        for (length, channels) in shapes {
            let count = channels as usize;
            let mut encoder = Encoder::new(48_000, channels, Application::Voip).expect("an encoder");
            encoder.set_bitrate(Bitrate::Bits(24_000)).expect("a bit rate");
            encoder.set_inband_fec(true).expect("a switch");
            encoder.set_packet_loss_perc(20).expect("a percentage");
            let packets: Vec<_> = (0..48_000 / length)
                .map(|packet| {
                    let voiced = |at: usize| {
                        let seconds = (packet * length + at / count) as f32 / 48_000.0;
                        ((seconds * 150.0).fract() - 0.5) * 0.5 * (seconds * 5.0).sin().max(0.0)
                    };
                    let samples: Vec<f32> = (0..length * count).map(voiced).collect();
                    let mut out = [0; 1500];
                    let length = encoder.encode_float(&samples, &mut out).expect("a frame");
                    out[..length].to_vec()
                })
                .collect();
            let decoder = || Decoder::new(48_000, channels).expect("a decoder");
            let mut seen = [0; 2];
            for lost in 3..packets.len() - 1 {
                let [mut with, mut without] = [(); 2].map(|()| vec![0.0_f32; length * count]);
                let (mut one, mut other) = (decoder(), decoder());
                for packet in &packets[lost - 3..lost] {
                    one.decode_float(packet, &mut with, false).expect("a packet");
                    other.decode_float(packet, &mut without, false).expect("a packet");
                }
                let next = &packets[lost + 1];
                one.decode_float(next, &mut with, true).expect("redundancy");
                other.decode_float(&[], &mut without, false).expect("concealment");
                let fec = inspect_opus(next).expect("an Opus packet").fec;
                // Longer ones are made up for in pieces, and so differ anyhow.
                let differ = with != without && (length <= 960 || fec > 0);
                assert_eq!(fec > 0, differ, "{length} samples, {count} channels, packet {lost}");
                assert!(fec == 0 || fec as usize == length);
                seen[usize::from(fec > 0)] += 1;
            }
            assert!(seen[1] > 0, "{length} samples, {count} channels: {seen:?}");
        }
    }

    proptest::proptest! {
        #[test]
        fn no_bytes_make_the_inspection_panic(payload in proptest::collection::vec(0_u8.., 0..12)) {
            if let Some(info) = inspect_opus(&payload) {
                proptest::prop_assert!(info.duration >= 120 && info.duration <= LONGEST && info.fec <= 2880);
            }
        }
    }
}
