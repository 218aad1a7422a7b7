//! One HTTP/1.1 `HEAD` request without credentials over a stream that is already there; follows no redirect and reads
//! no body.

use std::io;

use periscope_documents::HttpPhase;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};

/// Most bytes of a response's head that are read.
const MAX_HEAD_BYTES: usize = 16 * 1024;
/// Longest `Server` header that is kept.
const MAX_SERVER_CHARS: usize = 128;

/// Asks for `path`. The time it took is for the caller to say.
pub(super) async fn head(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    host: &str,
    path: &str,
) -> io::Result<HttpPhase> {
    let host = if host.contains(':') {
        format!("[{host}]")
    } else {
        host.to_owned()
    };
    let request = format!(
        "HEAD {path} HTTP/1.1\r\nHost: {host}\r\nUser-Agent: aks-periscope\r\nAccept: */*\r\nConnection: close\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).await?;
    stream.flush().await?;
    let mut head = Vec::new();
    let mut chunk = [0; 1024];
    while !head.windows(4).any(|end| end == b"\r\n\r\n") && head.len() < MAX_HEAD_BYTES {
        match stream.read(&mut chunk).await {
            Ok(0) => break,
            Ok(read) => head.extend_from_slice(chunk.get(..read).unwrap_or_default()),
            // Many servers close without the farewell that TLS asks for; what came before counts.
            Err(_) if !head.is_empty() => break,
            Err(error) => return Err(error),
        }
    }
    parse(&String::from_utf8_lossy(&head)).ok_or_else(|| io::Error::other("what came back is no HTTP response"))
}

fn parse(head: &str) -> Option<HttpPhase> {
    let mut lines = head.lines();
    let mut words = lines.next()?.split_ascii_whitespace();
    words.next().filter(|version| version.starts_with("HTTP/"))?;
    let status = words.next()?.parse().ok()?;
    let server = lines.take_while(|line| !line.is_empty()).find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("server")
            .then(|| value.trim().chars().take(MAX_SERVER_CHARS).collect())
    });
    Some(HttpPhase {
        millis: 0,
        status: Some(status),
        server,
        error: None,
    })
}

#[cfg(test)]
mod tests {
    use rstest::rstest;

    use super::parse;

    #[rstest]
    #[case::plain("HTTP/1.1 200 OK\r\nServer: nginx\r\n\r\n", Some((200, Some("nginx"))))]
    #[case::lower_case("HTTP/1.1 401 Unauthorized\r\nserver:  x y \r\n\r\n", Some((401, Some("x y"))))]
    #[case::no_server("HTTP/1.0 403 Forbidden\r\n\r\n", Some((403, None)))]
    #[case::no_reason("HTTP/1.1 503\r\n\r\n", Some((503, None)))]
    #[case::in_the_body("HTTP/1.1 200 OK\r\n\r\nServer: not\r\n", Some((200, None)))]
    #[case::empty("", None)]
    #[case::other_protocol("SSH-2.0-OpenSSH_9.2\r\n", None)]
    #[case::no_status("HTTP/1.1 abc\r\n\r\n", None)]
    fn heads(#[case] head: &str, #[case] expected: Option<(u16, Option<&str>)>) {
        let found = parse(head);
        let found = found
            .as_ref()
            .map(|phase| (phase.status.unwrap(), phase.server.as_deref()));
        assert_eq!(found, expected);
    }
}
