//! The RTCP that str0m writes, before it is sealed: sender reports get the figures of what was
//! really sent, which str0m has not seen.

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

/// Writes the figures into each sender report of a compound packet. A report of a stream that has
/// sent nothing is taken out, as `account` has none for its SSRC.
pub(super) fn amend(compound: &[u8], account: impl Fn(u32) -> Option<Account>) -> Vec<u8> {
    let mut amended = Vec::with_capacity(compound.len());
    let mut rest = compound;
    while let Some((packet, after)) = split(rest) {
        rest = after;
        if packet[1] != SENDER_REPORT || packet.len() < REPORT {
            amended.extend_from_slice(packet);
            continue;
        }
        let ssrc = u32::from_be_bytes([packet[4], packet[5], packet[6], packet[7]]);
        let Some(Account { timestamp, packets, bytes }) = account(ssrc) else { continue };
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
    fn reports_get_their_figures_and_those_of_silent_streams_go() {
        let other = [0x81, 201, 0, 1, 0, 0, 0, 9];
        let compound = [&report(7)[..], &other, &report(8)].concat();
        let account = |ssrc| (ssrc == 7).then_some(Account { timestamp: 0x0A0B_0C0D, packets: 3, bytes: 0x0102_0304 });
        let amended = amend(&compound, account);
        let mut first = report(7);
        first[16..].copy_from_slice(&[0x0A, 0x0B, 0x0C, 0x0D, 0, 0, 0, 3, 1, 2, 3, 4]);
        assert_eq!(amended, [&first[..], &other].concat());
    }

    #[test]
    fn what_is_cut_off_is_left_out() {
        assert!(amend(&report(7)[..20], |_| None).is_empty());
        assert!(amend(&[], |_| None).is_empty());
    }
}
