//! The framing of data channel messages (docs/protocol.md, "Data channels"): a topic in front of
//! the bytes, and on links to the server the recipients or the sender in front of both.

use madang_protocol::ParticipantId;

/// The most that a message has in all.
const LARGEST: usize = 64 * 1024;
const LONGEST_TOPIC: usize = 64;

/// A message for the server to hand on; `None` where something is too long.
pub(super) fn to_server(recipients: &[ParticipantId], topic: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    let mut out = vec![u8::try_from(recipients.len()).ok()?];
    for recipient in recipients {
        out.push(u8::try_from(recipient.as_str().len()).ok()?);
        out.extend_from_slice(recipient.as_str().as_bytes());
    }
    out.extend(to_peer(topic, bytes)?);
    (out.len() <= LARGEST).then_some(out)
}

/// A message for the other participant of a link; `None` where something is too long.
pub(super) fn to_peer(topic: &str, bytes: &[u8]) -> Option<Vec<u8>> {
    if topic.len() > LONGEST_TOPIC {
        return None;
    }
    let length = u8::try_from(topic.len()).ok()?;
    let out = [&[length], topic.as_bytes(), bytes].concat();
    (out.len() <= LARGEST).then_some(out)
}

/// Topic and bytes of a message of the other participant of a link.
pub(super) fn from_peer(message: &[u8]) -> Option<(String, &[u8])> {
    text(message)
}

/// Sender, topic and bytes of a message that the server hands on.
pub(super) fn from_server(message: &[u8]) -> Option<(ParticipantId, String, &[u8])> {
    let (sender, rest) = text(message)?;
    let (topic, bytes) = text(rest)?;
    Some((ParticipantId(sender), topic, bytes))
}

fn text(bytes: &[u8]) -> Option<(String, &[u8])> {
    let (length, rest) = bytes.split_first()?;
    let (text, rest) = rest.split_at_checked(usize::from(*length))?;
    Some((std::str::from_utf8(text).ok()?.to_owned(), rest))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn recipients_and_topic_stand_before_the_bytes() {
        let to = [ParticipantId::from("p_a"), ParticipantId::from("p_b")];
        assert_eq!(to_server(&to, "t", b"xy").expect("short"), b"\x02\x03p_a\x03p_b\x01txy");
        assert_eq!(to_server(&[], "", b"xy").expect("short"), b"\x00\x00xy");
        assert_eq!(to_server(&[], "", &vec![0; LARGEST]), None);
        assert_eq!(to_server(&[], &"t".repeat(65), b""), None);
    }

    #[test]
    fn between_participants_the_topic_alone_stands_before_the_bytes() {
        let message = to_peer("t", b"xy").expect("short");
        assert_eq!(message, b"\x01txy");
        assert_eq!(from_peer(&message), Some(("t".to_owned(), &b"xy"[..])));
        assert_eq!(to_peer("", &vec![0; LARGEST]), None);
    }

    #[test]
    fn the_sender_is_read_from_what_the_server_hands_on() {
        let message = from_server(b"\x03p_a\x01txy");
        assert_eq!(message, Some(("p_a".into(), "t".to_owned(), &b"xy"[..])));
    }

    proptest! {
        #[test]
        fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..40)) {
            let _ = from_server(&bytes);
        }
    }
}
