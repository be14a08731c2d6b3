//! One port for everything: HTTP, TURN and ICE-TCP are told apart by how a connection begins.
//!
//! Before TLS: 0x16 begins TLS (RFC 8446 §5.1), a STUN message in front of which are two bytes of
//! length is ICE-TCP (RFC 4571, RFC 6544), a STUN message is TURN. Inside TLS, where clients of
//! TURN say nothing by ALPN, the first message decides likewise: a TURN client's is always STUN.
//! Everything else is HTTP.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};

use madang_wire::stun::MAGIC_COOKIE;
use tokio::{
    io::{AsyncRead, AsyncReadExt, AsyncWrite, ReadBuf},
    net::TcpStream,
    time::sleep,
};

/// As many bytes as tell what begins.
const ENOUGH: usize = 10;

/// When the rest of a beginning that came in parts is looked for: soon, then ever more rarely.
const LOOKS: [Duration; 2] = [Duration::from_millis(5), Duration::from_millis(500)];

/// What begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Beginning {
    Tls,
    Turn,
    IceTcp,
    Http,
}

impl Beginning {
    /// `None` while more has to come.
    fn of(bytes: &[u8]) -> Option<Self> {
        let cookie = MAGIC_COOKIE.to_be_bytes();
        match bytes.first()? {
            0x16 => Some(Self::Tls),
            // A STUN type begins so, and so does the length of any check.
            0x00..=0x3F if bytes.len() < ENOUGH => None,
            0x00..=0x3F if bytes[4..8] == cookie => Some(Self::Turn),
            0x00..=0x3F if bytes[6..10] == cookie => Some(Self::IceTcp),
            _ => Some(Self::Http),
        }
    }

    /// Waits for a connection's beginning and leaves it there. One that ends too soon is none.
    pub(crate) async fn peek(stream: &TcpStream) -> io::Result<Self> {
        let (mut bytes, mut wait) = ([0; ENOUGH], LOOKS[0]);
        loop {
            let length = stream.peek(&mut bytes).await?;
            if length == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(beginning) = Self::of(&bytes[..length]) {
                return Ok(beginning);
            }
            // What is there already would be found at once again.
            sleep(wait).await;
            wait = LOOKS[1].min(wait * 2);
        }
    }

    /// The same for a stream that can't be peeked into: what was read is to be read again.
    pub(crate) async fn read<S: AsyncRead + Unpin>(mut stream: S) -> io::Result<(Self, Replayed<S>)> {
        let mut bytes = Vec::with_capacity(ENOUGH);
        loop {
            if (&mut stream).take((ENOUGH - bytes.len()) as u64).read_buf(&mut bytes).await? == 0 {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            if let Some(beginning) = Self::of(&bytes) {
                return Ok((beginning, Replayed { bytes, replayed: 0, stream }));
            }
        }
    }
}

/// A stream whose first bytes were read before.
pub(crate) struct Replayed<S> {
    bytes: Vec<u8>,
    replayed: usize,
    stream: S,
}

impl<S: AsyncRead + Unpin> AsyncRead for Replayed<S> {
    fn poll_read(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let left = &self.bytes[self.replayed..];
        if left.is_empty() {
            return Pin::new(&mut self.stream).poll_read(cx, buf);
        }
        let count = left.len().min(buf.remaining());
        buf.put_slice(&left[..count]);
        self.replayed += count;
        Poll::Ready(Ok(()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Replayed<S> {
    fn poll_write(mut self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write(cx, buf)
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(cx)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(cx)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.stream).poll_write_vectored(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TURN: [u8; 12] = [0, 3, 0, 0, 0x21, 0x12, 0xA4, 0x42, 9, 9, 9, 9];
    const ICE_TCP: [u8; 12] = [0, 0x60, 0, 1, 0, 0x4C, 0x21, 0x12, 0xA4, 0x42, 9, 9];

    #[test]
    fn each_is_told_by_its_first_bytes_and_no_sooner() {
        for (bytes, beginning) in [
            (&TURN[..], Beginning::Turn),
            (&ICE_TCP[..], Beginning::IceTcp),
            (&[0x16, 3, 1][..], Beginning::Tls),
            (b"GET / HTTP/1.1", Beginning::Http),
            (&[0x40, 0, 0, 4], Beginning::Http),
            (&[0; 10], Beginning::Http),
        ] {
            assert_eq!(Beginning::of(bytes), Some(beginning), "{bytes:?}");
        }
        for length in 0..ENOUGH {
            assert_eq!(Beginning::of(&TURN[..length]), None);
            assert_eq!(Beginning::of(&ICE_TCP[..length]), None);
        }
    }

    #[tokio::test]
    async fn what_was_read_to_tell_is_read_again() {
        for torn in 1..TURN.len() {
            let (mut client, server) = tokio::io::duplex(64);
            let writing = async {
                for part in [&TURN[..torn], &TURN[torn..]] {
                    tokio::io::AsyncWriteExt::write_all(&mut client, part).await.expect("room");
                    tokio::task::yield_now().await;
                }
                drop(client);
            };
            let reading = async {
                let (beginning, mut stream) = Beginning::read(server).await.expect("enough");
                let mut all = Vec::new();
                stream.read_to_end(&mut all).await.expect("its end");
                (beginning, all)
            };
            let ((), (beginning, all)) = tokio::join!(writing, reading);
            assert_eq!((beginning, &all[..]), (Beginning::Turn, &TURN[..]), "torn at {torn}");
        }
    }

    #[tokio::test]
    async fn who_says_nothing_is_nobody() {
        let (client, server) = tokio::io::duplex(64);
        drop(client);
        assert!(Beginning::read(server).await.is_err());
    }
}
