//! A gRPC client for one thing: a question and its one answer over a local socket (`PROTOCOL-HTTP2.md` of grpc/grpc).
//! No TLS, no streams, no compression, no retries.

use bytes::{BufMut, Bytes, BytesMut};
use http::{HeaderMap, Method, Request, Version, header};
use http_body_util::{BodyExt, Full};
use hyper::client::conn::http2::{self, SendRequest};
use hyper_util::rt::{TokioExecutor, TokioIo};
use prost::Message;
use tokio::net::UnixStream;
use tokio_util::task::AbortOnDropHandle;

/// Most bytes of one answer: what the kubelet itself takes (`maxMsgSize` in `k8s.io/cri-client`).
const MAX_ANSWER_BYTES: usize = 16 * 1024 * 1024;
/// One byte that says whether the message is compressed, four of its length.
const PREFIX_BYTES: usize = 5;
/// Most bytes of a server's own words that are kept.
const MAX_MESSAGE_BYTES: usize = 2048;

/// The status of a call that went well.
const OK: u16 = 0;
/// The status of a method that the server does not have.
pub(super) const UNIMPLEMENTED: u16 = 12;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub(super) enum GrpcError {
    /// The connection broke, or the other side speaks something else.
    #[error("the connection failed")]
    Transport(#[from] hyper::Error),
    /// The request could not be made.
    #[error("the request is malformed")]
    Request(#[from] http::Error),
    /// An HTTP status that gRPC does not use.
    #[error("it answered with HTTP status {0}")]
    Http(u16),
    /// The server's answer is an error.
    #[error("{}{message}", name_of(*code))]
    Status {
        /// One of the codes of gRPC.
        code: u16,
        /// The server's words.
        message: String,
    },
    /// The answer is larger than what is taken.
    #[error("the answer has more than {MAX_ANSWER_BYTES} bytes")]
    TooLarge,
    /// The answer ended too early.
    #[error("the answer is incomplete")]
    Incomplete,
    /// The answer is no message of the expected kind.
    #[error("the answer cannot be decoded")]
    Decode(#[from] prost::DecodeError),
}

/// A connection. Dropping it closes the socket.
pub(super) struct Grpc {
    sender: SendRequest<Full<Bytes>>,
    _driver: AbortOnDropHandle<()>,
}

impl Grpc {
    /// Starts to speak HTTP/2 on the socket. That the server does so too is known with the first answer.
    pub(super) async fn on(stream: UnixStream) -> Result<Self, GrpcError> {
        let (sender, connection) = http2::handshake(TokioExecutor::new(), TokioIo::new(stream)).await?;
        // How the connection ends is told to each call that is under way.
        let driver = tokio::spawn(async move { drop(connection.await) });
        Ok(Self {
            sender,
            _driver: AbortOnDropHandle::new(driver),
        })
    }

    /// Asks `method`, such as `runtime.v1.RuntimeService/Version`. It waits as long as the server does: the caller has
    /// the clock.
    ///
    /// # Cancel safety
    /// When dropped, the call is cancelled at the server, and the connection can be used further.
    pub(super) async fn ask<A: Message + Default>(
        &mut self,
        method: &str,
        question: &impl Message,
    ) -> Result<A, GrpcError> {
        let request = Request::builder()
            .method(Method::POST)
            .version(Version::HTTP_2)
            .uri(format!("http://localhost/{method}"))
            .header(header::CONTENT_TYPE, "application/grpc")
            .header(header::TE, "trailers")
            .body(Full::new(framed(question)))?;
        self.sender.ready().await?;
        let response = self.sender.send_request(request).await?;
        if !response.status().is_success() {
            return Err(GrpcError::Http(response.status().as_u16()));
        }
        // Of a call without a message the status is among the headers.
        check(response.headers())?;
        let mut body = response.into_body();
        let mut answer = BytesMut::new();
        while let Some(frame) = body.frame().await {
            let frame = match frame?.into_data() {
                Ok(data) => {
                    if answer.len() + data.len() > MAX_ANSWER_BYTES + PREFIX_BYTES {
                        return Err(GrpcError::TooLarge);
                    }
                    answer.extend_from_slice(&data);
                    continue;
                }
                Err(frame) => frame,
            };
            if let Some(trailers) = frame.trailers_ref() {
                check(trailers)?;
            }
        }
        decode(&answer)
    }
}

/// The message with its prefix.
fn framed(message: &impl Message) -> Bytes {
    let encoded = message.encode_to_vec();
    let mut framed = BytesMut::with_capacity(PREFIX_BYTES + encoded.len());
    framed.put_u8(0);
    framed.put_u32(u32::try_from(encoded.len()).unwrap_or(u32::MAX));
    framed.extend_from_slice(&encoded);
    framed.freeze()
}

/// The one message of an answer. The client offers no compression, so none is used.
fn decode<A: Message + Default>(answer: &[u8]) -> Result<A, GrpcError> {
    let Some((&[_, a, b, c, d], message)) = answer.split_first_chunk::<PREFIX_BYTES>() else {
        return Err(GrpcError::Incomplete);
    };
    let length = usize::try_from(u32::from_be_bytes([a, b, c, d])).unwrap_or(usize::MAX);
    Ok(A::decode(message.get(..length).ok_or(GrpcError::Incomplete)?)?)
}

/// The error that the headers or trailers of an answer name, if they do.
fn check(headers: &HeaderMap) -> Result<(), GrpcError> {
    let word = |name| headers.get(name).and_then(|value| value.to_str().ok());
    let Some(code) = word("grpc-status").and_then(|code| code.parse().ok()) else {
        return Ok(());
    };
    if code == OK {
        return Ok(());
    }
    let message = percent_decoded(word("grpc-message").unwrap_or_default());
    Err(GrpcError::Status { code, message })
}

/// Undoes the percent encoding of `grpc-message`.
fn percent_decoded(text: &str) -> String {
    let mut bytes = text.bytes();
    let mut decoded = Vec::with_capacity(text.len().min(MAX_MESSAGE_BYTES));
    while let Some(byte) = bytes.next() {
        if decoded.len() == MAX_MESSAGE_BYTES {
            break;
        }
        let mut ahead = bytes.clone();
        let digits = (byte == b'%')
            .then(|| Some((digit(ahead.next()?)?, digit(ahead.next()?)?)))
            .flatten();
        match digits {
            Some((high, low)) => {
                decoded.push(high * 16 + low);
                bytes = ahead;
            }
            None => decoded.push(byte),
        }
    }
    String::from_utf8_lossy(&decoded).into_owned()
}

fn digit(byte: u8) -> Option<u8> {
    char::from(byte).to_digit(16).and_then(|digit| u8::try_from(digit).ok())
}

/// The name of a status, as servers' logs have it (`statuscodes.md` of grpc/grpc), and what separates it from the
/// words.
fn name_of(code: u16) -> &'static str {
    match code {
        1 => "Canceled: ",
        2 => "Unknown: ",
        3 => "InvalidArgument: ",
        4 => "DeadlineExceeded: ",
        5 => "NotFound: ",
        7 => "PermissionDenied: ",
        8 => "ResourceExhausted: ",
        9 => "FailedPrecondition: ",
        UNIMPLEMENTED => "Unimplemented: ",
        13 => "Internal: ",
        14 => "Unavailable: ",
        16 => "Unauthenticated: ",
        _ => "",
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use rstest::rstest;

    use super::{decode, framed, percent_decoded};
    use crate::container_runtime::cri::VersionResponse;

    #[rstest]
    #[case::plain("unknown service", "unknown service")]
    #[case::encoded("a%20%C3%A4%0Ab", "a ä\nb")]
    #[case::cut("a%2", "a%2")]
    #[case::no_digits("100%zz", "100%zz")]
    fn words_of_the_server(#[case] sent: &str, #[case] read: &str) {
        assert_eq!(percent_decoded(sent), read);
    }

    proptest! {
        #[test]
        fn any_answer_is_read_or_refused(answer in prop::collection::vec(any::<u8>(), 0..64)) {
            drop(decode::<VersionResponse>(&answer));
        }

        #[test]
        fn what_is_framed_is_read_back(name in ".*") {
            let sent = VersionResponse { runtime_name: name, ..VersionResponse::default() };
            prop_assert_eq!(decode::<VersionResponse>(&framed(&sent)).unwrap(), sent);
        }

        #[test]
        fn no_message_breaks_the_decoding(text in "[%0-9a-fA-F ]{0,40}") {
            prop_assert!(percent_decoded(&text).chars().count() <= text.len());
        }
    }
}
