//! HTTPS with each kind of certificate.

#![allow(clippy::unwrap_used, clippy::panic, reason = "tests")]

mod support;

use std::{path::Path, time::Duration};

use madang_server::Server;
use support::{authority, config};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::TcpStream,
};

/// The certificate that the server shows, after it answered a request.
async fn certificate(server: &Server) -> Vec<u8> {
    let mut stream = support::trust::connect(&authority(server)).await.unwrap();
    stream.write_all(b"GET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    stream.read_to_end(&mut answer).await.unwrap();
    assert!(answer.starts_with(b"HTTP/1.1 200 OK"));
    stream.get_ref().1.peer_certificates().unwrap()[0].to_vec()
}

fn with_files(mode: &str, folder: &Path) -> String {
    format!("tls.mode = \"{mode}\"\ntls.cert = \"{0}/cert.pem\"\ntls.key = \"{0}/key.pem\"", folder.display())
}

async fn start(toml: &str) -> Server {
    Server::start(config(toml)).await.unwrap()
}

#[tokio::test]
async fn a_self_signed_certificate_is_made_anew_at_each_start() {
    let server = start("tls.mode = \"self-signed\"").await;
    assert!(server.addresses().http[0].starts_with("https://127.0.0.1:"));
    let first = certificate(&server).await;
    let second = certificate(&start("tls.mode = \"self-signed\"").await).await;
    assert_ne!(first, second);
}

#[tokio::test]
async fn a_self_signed_certificate_is_kept_where_files_are_named() {
    let folder = tempfile::tempdir().unwrap();
    let toml = with_files("self-signed", folder.path());
    let first = certificate(&start(&toml).await).await;
    let second = certificate(&start(&toml).await).await;
    assert_eq!(first, second);
    use std::os::unix::fs::PermissionsExt;
    let mode = std::fs::metadata(folder.path().join("key.pem")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "nobody else reads the key");
}

#[tokio::test]
async fn files_are_read_again_when_they_change_and_bad_ones_change_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let other = tempfile::tempdir().unwrap();
    drop(start(&with_files("self-signed", folder.path())).await);
    drop(start(&with_files("self-signed", other.path())).await);
    let server = start(&with_files("files", folder.path())).await;
    let first = certificate(&server).await;

    std::fs::write(folder.path().join("cert.pem"), "no certificate").unwrap();
    tokio::time::sleep(Duration::from_millis(1500)).await;
    assert_eq!(certificate(&server).await, first);

    for name in ["cert.pem", "key.pem"] {
        std::fs::copy(other.path().join(name), folder.path().join(name)).unwrap();
    }
    let deadline = std::time::Instant::now() + support::PATIENCE;
    while certificate(&server).await == first {
        assert!(std::time::Instant::now() < deadline, "the new certificate is taken over");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

#[tokio::test]
async fn files_that_cannot_be_used_are_named_at_the_start() {
    let folder = tempfile::tempdir().unwrap();
    let toml = with_files("files", folder.path());
    let why = async || Server::start(config(&toml)).await.err().unwrap().to_string();
    assert!(why().await.contains("cert.pem"));
    std::fs::write(folder.path().join("cert.pem"), "nothing").unwrap();
    std::fs::write(folder.path().join("key.pem"), "nothing").unwrap();
    assert!(why().await.contains("holds no certificate"));
}

#[tokio::test]
async fn a_handshake_that_never_ends_is_cut_off() {
    let server = start("tls.mode = \"self-signed\"\nhttp.handshake_timeout = \"100ms\"").await;
    let mut stream = TcpStream::connect(authority(&server)).await.unwrap();
    stream.write_all(&[0x16, 3, 1]).await.unwrap();
    let mut rest = Vec::new();
    assert!(tokio::time::timeout(support::PATIENCE, stream.read_to_end(&mut rest)).await.is_ok());
}

#[tokio::test]
async fn plain_http_on_the_port_of_https_ends_without_harm() {
    let server = start("tls.mode = \"self-signed\"").await;
    let mut stream = TcpStream::connect(authority(&server)).await.unwrap();
    stream.write_all(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await.unwrap();
    let mut rest = Vec::new();
    let _ = tokio::time::timeout(support::PATIENCE, stream.read_to_end(&mut rest)).await.expect("it ends");
    certificate(&server).await;
}
