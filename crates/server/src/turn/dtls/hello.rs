//! The first message of a client, read before anything is known about it, and the answer that asks
//! it to prove its address.

use std::ops::Range;

const RECORD_HEADER: usize = 13;
const MESSAGE_HEADER: usize = 12;
const HANDSHAKE: u8 = 22;
const CLIENT_HELLO: u8 = 1;
const HELLO_VERIFY_REQUEST: u8 = 3;
const DTLS_1_0: [u8; 2] = [0xFE, 0xFF];
const DTLS_1_2: [u8; 2] = [0xFE, 0xFD];

/// Bytes of a cookie of ours.
pub(super) const COOKIE: usize = 32;

/// Bytes of a HelloVerifyRequest: less than the shortest ClientHello has (RFC 6347 §4.2.1 wants no
/// amplification).
pub(super) const VERIFY_REQUEST: usize = RECORD_HEADER + MESSAGE_HEADER + 2 + 1 + COOKIE;

/// How often a client may be asked anew, as when its cookie has become too old.
const MOST_ASKED: u16 = 3;

/// A ClientHello in one piece, RFC 6347 §4.2.1. One that is in fragments is not read: nothing is
/// kept about a client whose address isn't proven, and no ClientHello of DTLS 1.2 is that long.
#[derive(Clone, Debug)]
pub(super) struct ClientHello<'a> {
    record: &'a [u8],
    body: &'a [u8],
    /// In the body.
    cookie: Range<usize>,
    pub(super) record_sequence: u64,
    pub(super) message_sequence: u16,
}

impl<'a> ClientHello<'a> {
    /// Reads the datagram's first record.
    pub(super) fn parse(datagram: &'a [u8]) -> Option<Self> {
        let mut header = Reader(datagram);
        let [kind, major, _, epoch_high, epoch_low] = header.array()?;
        if [kind, major, epoch_high, epoch_low] != [HANDSHAKE, DTLS_1_2[0], 0, 0] {
            return None;
        }
        let record_sequence = header.number(6)?;
        let mut message = Reader(header.vector(2)?);
        let record = datagram.get(..datagram.len() - header.0.len())?;
        let [kind] = message.array()?;
        let length = message.number(3)?;
        let message_sequence = u16::try_from(message.number(2)?).ok()?;
        let (offset, fragment) = (message.number(3)?, message.number(3)?);
        let body = message.0;
        let whole = offset == 0 && fragment == length && body.len() as u64 == length;
        if kind != CLIENT_HELLO || !whole || message_sequence > MOST_ASKED {
            return None;
        }
        let cookie = cookie_of(body)?;
        Some(Self { record, body, cookie, record_sequence, message_sequence })
    }

    /// The record that it came in.
    pub(super) fn record(&self) -> &'a [u8] {
        self.record
    }

    /// What tells this attempt of the client from its others.
    pub(super) fn random(&self) -> &'a [u8] {
        &self.body[2..34]
    }

    /// What the client may not change once it has been asked for the cookie: version, random and
    /// session.
    pub(super) fn parameters(&self) -> &'a [u8] {
        &self.body[..self.cookie.start - 1]
    }

    /// Empty in a client's first attempt.
    pub(super) fn cookie(&self) -> &'a [u8] {
        &self.body[self.cookie.clone()]
    }

    /// The HelloVerifyRequest that answers it, with its numbers (RFC 6347 §4.2.1), so that no
    /// state has to count them.
    pub(super) fn verify_request(&self, cookie: &[u8; COOKIE]) -> [u8; VERIFY_REQUEST] {
        let mut body = [0; 2 + 1 + COOKIE];
        // RFC 6347 §4.2.1: the version is that of DTLS 1.0, whatever will be agreed on.
        body[..2].copy_from_slice(&DTLS_1_0);
        body[2] = COOKIE as u8;
        body[3..].copy_from_slice(cookie);
        let mut answer = [0; VERIFY_REQUEST];
        let headers = headers(HELLO_VERIFY_REQUEST, DTLS_1_0, self.record_sequence, self.message_sequence, body.len());
        answer[..headers.len()].copy_from_slice(&headers);
        answer[headers.len()..].copy_from_slice(&body);
        answer
    }

    /// The same message as it was before the client was asked for a cookie.
    pub(super) fn without_cookie(&self, message_sequence: u16) -> Vec<u8> {
        let length = self.body.len() - self.cookie.len();
        let headers = headers(CLIENT_HELLO, DTLS_1_0, u64::from(message_sequence), message_sequence, length);
        [&headers, self.parameters(), &[0], &self.body[self.cookie.end..]].concat()
    }
}

/// Where the cookie is in a ClientHello whose every length is as it should be.
fn cookie_of(body: &[u8]) -> Option<Range<usize>> {
    let mut reader = Reader(body);
    let version: [u8; 2] = reader.array()?;
    let _random: [u8; 32] = reader.array()?;
    let session = reader.vector(1)?;
    let cookie = reader.vector(1)?;
    let end = body.len() - reader.0.len();
    let (suites, compression) = (reader.vector(2)?, reader.vector(1)?);
    if !reader.0.is_empty() {
        let _extensions = reader.vector(2)?;
    }
    let proper = version == DTLS_1_2
        && session.len() <= 32
        && !suites.is_empty()
        && suites.len().is_multiple_of(2)
        && !compression.is_empty()
        && reader.0.is_empty();
    proper.then_some(end - cookie.len()..end)
}

fn headers(
    kind: u8,
    version: [u8; 2],
    record_sequence: u64,
    message_sequence: u16,
    length: usize,
) -> [u8; RECORD_HEADER + MESSAGE_HEADER] {
    let mut bytes = [0; RECORD_HEADER + MESSAGE_HEADER];
    let length = length as u64;
    let record_length = length + MESSAGE_HEADER as u64;
    bytes[0] = HANDSHAKE;
    bytes[1..3].copy_from_slice(&version);
    bytes[5..11].copy_from_slice(&record_sequence.to_be_bytes()[2..]);
    bytes[11..13].copy_from_slice(&record_length.to_be_bytes()[6..]);
    bytes[13] = kind;
    bytes[14..17].copy_from_slice(&length.to_be_bytes()[5..]);
    bytes[17..19].copy_from_slice(&message_sequence.to_be_bytes());
    bytes[22..25].copy_from_slice(&length.to_be_bytes()[5..]);
    bytes
}

/// Adds to the sequence number of each record that isn't encrypted.
pub(super) fn renumber(mut datagram: &mut [u8], by: u64) {
    while let Some((header, rest)) = datagram.split_first_chunk_mut::<RECORD_HEADER>() {
        if header[3..5] == [0, 0] {
            let mut number = [0; 8];
            number[2..].copy_from_slice(&header[5..11]);
            let number = u64::from_be_bytes(number).wrapping_add(by);
            header[5..11].copy_from_slice(&number.to_be_bytes()[2..]);
        }
        let length = usize::from(u16::from_be_bytes([header[11], header[12]]));
        datagram = rest.get_mut(length..).unwrap_or_default();
    }
}

/// What of some bytes has not been read yet.
struct Reader<'a>(&'a [u8]);

impl<'a> Reader<'a> {
    fn array<const N: usize>(&mut self) -> Option<[u8; N]> {
        let (bytes, rest) = self.0.split_first_chunk()?;
        self.0 = rest;
        Some(*bytes)
    }

    fn take(&mut self, length: usize) -> Option<&'a [u8]> {
        let (bytes, rest) = self.0.split_at_checked(length)?;
        self.0 = rest;
        Some(bytes)
    }

    /// A number of this many bytes.
    fn number(&mut self, bytes: usize) -> Option<u64> {
        Some(self.take(bytes)?.iter().fold(0, |number, byte| number << 8 | u64::from(*byte)))
    }

    /// Bytes after their own length, which has this many bytes.
    fn vector(&mut self, length: usize) -> Option<&'a [u8]> {
        let length = usize::try_from(self.number(length)?).ok()?;
        self.take(length)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The shortest ClientHello that there can be.
    fn shortest(cookie: &[u8]) -> Vec<u8> {
        let mut body = [&DTLS_1_2[..], &[7; 32], &[0], &[cookie.len() as u8], cookie].concat();
        body.extend([0, 2, 0xC0, 0x2B, 1, 0]);
        [&headers(CLIENT_HELLO, DTLS_1_0, 5, 1, body.len())[..], &body].concat()
    }

    #[test]
    fn the_answer_is_shorter_than_the_shortest_question() {
        let question = shortest(&[]);
        assert!(ClientHello::parse(&question).is_some());
        assert!(VERIFY_REQUEST < question.len(), "{VERIFY_REQUEST} for {}", question.len());
        for length in 0..question.len() {
            assert!(ClientHello::parse(&question[..length]).is_none(), "{length} bytes of it were understood");
        }
    }

    #[test]
    fn the_answer_has_the_numbers_of_the_question() {
        let question = shortest(&[]);
        let answer = ClientHello::parse(&question).expect("a ClientHello").verify_request(&[9; COOKIE]);
        assert_eq!(answer[..13], [22, 0xFE, 0xFF, 0, 0, 0, 0, 0, 0, 0, 5, 0, 47]);
        assert_eq!(answer[13..25], [3, 0, 0, 35, 0, 1, 0, 0, 0, 0, 0, 35]);
        assert_eq!(answer[25..28], [0xFE, 0xFF, 32]);
        assert_eq!(answer[28..], [9; 32]);
    }

    #[test]
    fn without_its_cookie_a_message_is_what_it_was_before() {
        let (before, after) = (shortest(&[]), shortest(&[3; COOKIE]));
        let hello = ClientHello::parse(&after).expect("a ClientHello");
        assert_eq!(hello.cookie(), [3; COOKIE]);
        assert_eq!(hello.random(), [7; 32]);
        let (first, expected) = (hello.without_cookie(1), ClientHello::parse(&before).expect("a ClientHello"));
        let first = ClientHello::parse(&first).expect("a ClientHello");
        assert_eq!((first.body, first.message_sequence), (expected.body, 1));
    }

    #[test]
    fn fragments_other_versions_and_other_epochs_are_no_hello() {
        for (at, to) in [(0, 23), (1, 0x03), (4, 1), (13, 2), (18, 4), (21, 1), (24, 1), (26, 0xFF)] {
            let mut other = shortest(&[]);
            other[at] = to;
            assert!(ClientHello::parse(&other).is_none(), "byte {at} is {to}");
        }
    }

    #[test]
    fn only_records_in_the_clear_are_renumbered() {
        let clear = |number: u8| vec![22, 0xFE, 0xFD, 0, 0, 0, 0, 0, 0, 0, number, 0, 2, 1, 1];
        let sealed = vec![22, 0xFE, 0xFD, 0, 1, 0, 0, 0, 0, 0, 1, 0, 1, 1];
        let mut datagram = [clear(1), sealed.clone(), clear(2)].concat();
        renumber(&mut datagram, 3);
        assert_eq!(datagram, [clear(4), sealed, clear(5)].concat());
        renumber(&mut datagram[..20], u64::MAX);
        assert_eq!(datagram[10], 3);
    }
}
