//! The RTCP that str0m writes, before it is sealed: sender reports get the figures of what was
//! really sent, which str0m has not seen.

/// RFC 3550 §6.4.2.
const RECEIVER_REPORT: u8 = 201;
/// RFC 4585 §6.4.
const PAYLOAD_FEEDBACK: u8 = 206;
/// A packet's header and its sender's SSRC.
const SENDER: usize = 8;

/// RFC 3550 §6.4.1.
const SENDER_REPORT: u8 = 200;
/// From the header to the NTP time stamp, and on to the RTP time stamp and the counts.
const RTP_TIME: usize = 16;
const REPORT: usize = 28;

/// What a sender report says of a stream.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Account {
    /// The RTP time stamp of now.
    pub(super) timestamp: u32,
    pub(super) packets: u32,
    /// Of payloads.
    pub(super) bytes: u32,
}

/// Writes the figures into each sender report of a compound packet. One of a stream that has sent
/// nothing, for whose SSRC `account` has none, is made a receiver report: others' reception reports
/// may be in it. Feedback that ends in `left_out` is left out.
pub(super) fn amend(compound: &[u8], left_out: &[u8], account: impl Fn(u32) -> Option<Account>) -> Vec<u8> {
    let mut amended = Vec::with_capacity(compound.len());
    let mut rest = compound;
    while let Some((packet, after)) = split(rest) {
        rest = after;
        if packet[1] == PAYLOAD_FEEDBACK && packet.ends_with(left_out) {
            continue;
        }
        if packet[1] != SENDER_REPORT || packet.len() < REPORT {
            amended.extend_from_slice(packet);
            continue;
        }
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let Some(Account { timestamp, packets, bytes }) = account(ssrc) else {
            let blocks = &packet[REPORT..];
            #[expect(clippy::cast_possible_truncation, reason = "shorter than the packet, which says its length so")]
            let words = ((SENDER + blocks.len()) / 4 - 1) as u16;
            amended.extend_from_slice(&[packet[0], RECEIVER_REPORT]);
            amended.extend_from_slice(&words.to_be_bytes());
            amended.extend_from_slice(&packet[4..SENDER]);
            amended.extend_from_slice(blocks);
            continue;
        };
        amended.extend_from_slice(&packet[..RTP_TIME]);
        for figure in [timestamp, packets, bytes] {
            amended.extend_from_slice(&figure.to_be_bytes());
        }
        amended.extend_from_slice(&packet[REPORT..]);
    }
    amended
}

/// The first packet of a compound, and what follows it.
fn split(compound: &[u8]) -> Option<(&[u8], &[u8])> {
    let [_, _, high, low, ..] = compound else { return None };
    compound.split_at_checked((usize::from(u16::from_be_bytes([*high, *low])) + 1) * 4)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn report(ssrc: u32) -> Vec<u8> {
        let mut report = vec![0x80, SENDER_REPORT, 0, 6];
        report.extend(ssrc.to_be_bytes());
        report.extend([1, 2, 3, 4, 5, 6, 7, 8]);
        report.extend([0; 12]);
        report
    }

    #[test]
    fn reports_get_their_figures_and_those_of_silent_streams_keep_what_they_say_of_others() {
        let block = [5; 24];
        let mut silent = report(8);
        silent[..4].copy_from_slice(&[0x81, SENDER_REPORT, 0, 12]);
        silent.extend(block);
        let question = [0x8F, PAYLOAD_FEEDBACK, 0, 3, 0, 0, 0, 1, 0, 0, 0, 1, b'w', b'h', b'y', b'?'];
        let pli = [0x81, PAYLOAD_FEEDBACK, 0, 2, 0, 0, 0, 1, 0, 0, 0, 9];
        let compound = [&silent[..], &report(7), &pli, &question].concat();
        let account = |ssrc| (ssrc == 7).then_some(Account { timestamp: 0x0A0B_0C0D, packets: 3, bytes: 0x0102_0304 });
        let amended = amend(&compound, b"why?", account);
        let mut first = report(7);
        first[16..].copy_from_slice(&[0x0A, 0x0B, 0x0C, 0x0D, 0, 0, 0, 3, 1, 2, 3, 4]);
        let receiver = [&[0x81, RECEIVER_REPORT, 0, 7, 0, 0, 0, 8][..], &block].concat();
        assert_eq!(amended, [&receiver[..], &first, &pli].concat());
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        assert!(amend(&report(7)[..20], b"why?", |_| None).is_empty());
        assert!(amend(&[], b"why?", |_| None).is_empty());
    }
}
