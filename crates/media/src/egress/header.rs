//! RTP headers with their extensions (RFC 3550 §5.1, RFC 8285 §4.2).

use smallvec::SmallVec;

/// Of the one-byte form, RFC 8285 §4.2.
const ONE_BYTE: [u8; 2] = [0xBE, 0xDE];
/// Identifiers of that form; others can't be written in it.
const IDS: std::ops::RangeInclusive<u8> = 1..=14;
/// The longest value of that form, in bytes.
const LONGEST: usize = 16;

/// Under which identifier each header extension was agreed on for a media description.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Extensions {
    /// `urn:ietf:params:rtp-hdrext:sdes:mid`.
    pub mid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:rtp-stream-id`.
    pub rid: Option<u8>,
    /// `urn:ietf:params:rtp-hdrext:sdes:repaired-rtp-stream-id`.
    pub repaired_rid: Option<u8>,
    /// draft-holmer-rmcat-transport-wide-cc-extensions-01.
    pub transport_cc: Option<u8>,
    /// RFC 6464.
    pub audio_level: Option<u8>,
    /// 3GPP TS 26.114, coordination of video orientation.
    pub orientation: Option<u8>,
}

/// Which stream a packet belongs to, for a receiver that has not learnt its SSRC (RFC 9143 §9.2).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Name {
    /// MID.
    pub mid: SmallVec<[u8; LONGEST]>,
    /// RID; empty without simulcast.
    pub rid: SmallVec<[u8; LONGEST]>,
}

/// What is in a header.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Header<'a> {
    /// Payload type.
    pub(super) payload_type: u8,
    /// Marker bit.
    pub(super) marker: bool,
    /// The payload ends in padding.
    pub(super) padding: bool,
    /// Sequence number.
    pub(super) sequence: u16,
    /// Timestamp.
    pub(super) timestamp: u32,
    /// SSRC.
    pub(super) ssrc: u32,
    /// The stream, as long as its receiver needs to be told.
    pub(super) name: Option<&'a Name>,
    /// The stream is one of repeated packets.
    pub(super) repaired: bool,
    /// Transport-wide sequence number.
    pub(super) transport_cc: Option<u16>,
    /// RFC 6464, as it is on the wire.
    pub(super) audio_level: Option<u8>,
    /// CVO, as it is on the wire.
    pub(super) orientation: Option<u8>,
}

impl Header<'_> {
    /// Writes it behind `bytes`; returns its length.
    pub(super) fn write(&self, ids: &Extensions, bytes: &mut Vec<u8>) -> usize {
        let start = bytes.len();
        let first = 0x80 | u8::from(self.padding) << 5;
        let second = self.payload_type & 0x7F | u8::from(self.marker) << 7;
        bytes.extend_from_slice(&[first, second]);
        bytes.extend_from_slice(&self.sequence.to_be_bytes());
        bytes.extend_from_slice(&self.timestamp.to_be_bytes());
        bytes.extend_from_slice(&self.ssrc.to_be_bytes());

        let extensions = bytes.len();
        bytes.extend_from_slice(&[ONE_BYTE[0], ONE_BYTE[1], 0, 0]);
        if let Some(number) = self.transport_cc {
            extension(bytes, ids.transport_cc, &number.to_be_bytes());
        }
        if let Some(level) = self.audio_level {
            extension(bytes, ids.audio_level, &[level]);
        }
        if let Some(orientation) = self.orientation {
            extension(bytes, ids.orientation, &[orientation]);
        }
        if let Some(name) = self.name {
            extension(bytes, ids.mid, &name.mid);
            extension(bytes, if self.repaired { ids.repaired_rid } else { ids.rid }, &name.rid);
        }
        let length = bytes.len() - extensions - 4;
        if length == 0 {
            bytes.truncate(extensions);
        } else {
            bytes[start] |= 0x10;
            let words = length.div_ceil(4);
            bytes.resize(extensions + 4 + words * 4, 0);
            #[expect(clippy::cast_possible_truncation, reason = "two names of 17 bytes and a few bytes more")]
            bytes[extensions + 2..extensions + 4].copy_from_slice(&(words as u16).to_be_bytes());
        }
        bytes.len() - start
    }
}

/// Leaves out what was not agreed on, or does not fit.
fn extension(bytes: &mut Vec<u8>, id: Option<u8>, value: &[u8]) {
    let Some(id) = id.filter(|id| IDS.contains(id) && (1..=LONGEST).contains(&value.len())) else { return };
    #[expect(clippy::cast_possible_truncation, reason = "16 at most")]
    bytes.push(id << 4 | (value.len() - 1) as u8);
    bytes.extend_from_slice(value);
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDS: Extensions = Extensions {
        mid: Some(4),
        rid: Some(10),
        repaired_rid: Some(11),
        transport_cc: Some(3),
        audio_level: Some(1),
        orientation: None,
    };

    #[test]
    fn extensions_are_written_in_the_one_byte_form_and_padded_to_words() {
        let name = Name { mid: SmallVec::from_slice(b"ab"), rid: SmallVec::from_slice(b"h") };
        let header = Header {
            payload_type: 96,
            marker: true,
            sequence: 0x1234,
            timestamp: 0x0102_0304,
            ssrc: 7,
            name: Some(&name),
            transport_cc: Some(0xABCD),
            orientation: Some(1),
            ..Header::default()
        };
        let mut bytes = vec![9];
        assert_eq!(header.write(&IDS, &mut bytes), 12 + 4 + 8);
        let fixed = [0x90, 0xE0, 0x12, 0x34, 1, 2, 3, 4, 0, 0, 0, 7];
        assert_eq!(bytes[1..13], fixed);
        assert_eq!(bytes[13..], [0xBE, 0xDE, 0, 2, 0x31, 0xAB, 0xCD, 0x41, b'a', b'b', 0xA0, b'h']);
    }

    #[test]
    fn a_repeated_packet_names_the_stream_that_it_repairs() {
        let name = Name { mid: SmallVec::from_slice(b"0"), rid: SmallVec::from_slice(b"h") };
        let mut bytes = Vec::new();
        Header { name: Some(&name), repaired: true, ..Header::default() }.write(&IDS, &mut bytes);
        assert_eq!(bytes[12..], [0xBE, 0xDE, 0, 1, 0x40, b'0', 0xB0, b'h']);
    }

    #[test]
    fn without_extensions_there_is_no_block_of_them() {
        let mut bytes = Vec::new();
        let header = Header { audio_level: Some(30), padding: true, ..Header::default() };
        assert_eq!(header.write(&Extensions::default(), &mut bytes), 12);
        assert_eq!(bytes[0], 0xA0);
        let odd = Extensions { audio_level: Some(15), ..Extensions::default() };
        assert_eq!(header.write(&odd, &mut bytes), 12, "an identifier that the form does not have");
    }
}
