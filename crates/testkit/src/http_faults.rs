//! An HTTP server on loopback that does wrong what a network does wrong; it understands no request.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;

/// Longest request head that is read.
const HEAD: usize = 16 * 1024;

/// What happens to one connection, after the head of its first request has come.
#[derive(Debug, Clone)]
pub enum HttpFault {
    /// It is closed without an answer.
    Closed,
    /// It is closed in the middle of the answer's head.
    CutHead,
    /// It is closed in the middle of the answer's body.
    CutBody,
    /// What comes is not HTTP, and comes as soon as anything was asked.
    Garbage,
    /// It is answered, with this status line and these header lines, and closed.
    Answered(String),
}

/// The server. It stops when this is dropped.
pub struct HttpFaults {
    /// Where it listens.
    pub address: SocketAddr,
    serving: JoinHandle<()>,
}

impl HttpFaults {
    /// Serves one connection after the other; the last fault happens to all further ones.
    ///
    /// # Panics
    /// When there are no faults, or no port on loopback is free.
    pub async fn start(faults: Vec<HttpFault>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of loopback is free");
        let address = listener.local_addr().expect("it listens");
        let last = faults.last().expect("a server of faults has one").clone();
        let serving = tokio::spawn(async move {
            for fault in faults.into_iter().chain(std::iter::repeat(last)) {
                let (connection, _) = listener.accept().await.expect("it listens");
                serve(connection, &fault).await;
            }
        });
        Self { address, serving }
    }

    /// An address at which nobody listens.
    ///
    /// # Panics
    /// When no port on loopback is free.
    pub async fn nobody() -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of loopback is free");
        listener.local_addr().expect("it listens")
    }
}

impl Drop for HttpFaults {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// The client may be gone at any time: that is its own affair.
async fn serve(mut connection: TcpStream, fault: &HttpFault) {
    let mut head = Vec::with_capacity(HEAD);
    let asked = |head: &[u8]| match fault {
        HttpFault::Garbage => !head.is_empty(),
        _ => head.windows(4).any(|end| end == b"\r\n\r\n"),
    };
    while head.len() < HEAD && !asked(&head) {
        match connection.read_buf(&mut head).await {
            Ok(1..) => {}
            Ok(0) | Err(_) => return,
        }
    }
    let answer = match fault {
        HttpFault::Closed => String::new(),
        HttpFault::CutHead => "HTTP/1.1 201 Created\r\nETag: \"0x".to_owned(),
        HttpFault::CutBody => "HTTP/1.1 403 Forbidden\r\nContent-Length: 100\r\n\r\n<?xml".to_owned(),
        HttpFault::Garbage => "SSH-2.0-OpenSSH_9.2\r\n".to_owned(),
        HttpFault::Answered(head) => format!("{head}\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"),
    };
    drop(connection.write_all(answer.as_bytes()).await);
    drop(connection.shutdown().await);
}
