//! One question to one name server, and what came of it; no cache, no search list, no second server.
//!
//! The messages are hickory's. The sockets are our own, and connected: so the kernel tells at once when nothing
//! listens, which a resolver would report as a time-out.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use hickory_resolver::proto::op::{Edns, Message, MessageType, Query, ResponseCode};
use hickory_resolver::proto::rr::{Name, RecordType as WireType};
use periscope_documents::{Lookup, Network, Outcome, Protocol, RecordType};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpStream, UdpSocket};
use tokio::time::{Instant, timeout};

/// How long one question may take. Two of them, UDP and TCP, stay below what an analysis waits for.
const TIMEOUT: Duration = Duration::from_secs(2);

/// The datagram that is announced to be acceptable: what fits everywhere (DNS flag day 2020).
const UDP_PAYLOAD: u16 = 1232;

/// The datagram that is read: room for servers that send more than was announced; what is larger still is no answer.
const UDP_BUFFER: usize = 4096;

/// Most records of an answer that are kept.
const MAX_ANSWERS: usize = 16;

/// What is asked.
#[derive(Debug, Clone)]
pub(super) struct Question {
    /// The name, fully qualified.
    pub(super) name: Name,
    pub(super) record_type: RecordType,
}

impl Question {
    /// The record of this question, not asked yet: of a server, who named it, and the network it would be asked from.
    pub(super) fn unasked(&self, server: String, named_by: Vec<String>, from: Network) -> Lookup {
        Lookup {
            server,
            named_by,
            from,
            name: self.name.to_string(),
            record_type: self.record_type,
            protocol: Protocol::Udp,
            millis: 0,
            outcome: Outcome::NotAsked,
            error: None,
            answers: Vec::new(),
            truncated: false,
        }
    }
}

/// Asks over UDP and, where the answer was cut or did not come, over TCP too. `unasked` is the record of the question,
/// to be completed. Takes at most twice [`TIMEOUT`].
pub(super) async fn ask(server: SocketAddr, question: &Question, unasked: &Lookup) -> Vec<Lookup> {
    let first = ask_over(Protocol::Udp, server, question, unasked).await;
    let again = first.truncated
        || matches!(
            first.outcome,
            Outcome::Timeout | Outcome::Failed | Outcome::ConnectionRefused
        );
    if again {
        vec![first, ask_over(Protocol::Tcp, server, question, unasked).await]
    } else {
        vec![first]
    }
}

async fn ask_over(protocol: Protocol, server: SocketAddr, question: &Question, unasked: &Lookup) -> Lookup {
    let started = Instant::now();
    let answer = timeout(TIMEOUT, exchange(protocol, server, question)).await;
    let mut lookup = Lookup {
        server: server.to_string(),
        protocol,
        millis: u64::try_from(started.elapsed().as_millis()).unwrap_or(u64::MAX),
        outcome: Outcome::Timeout,
        ..unasked.clone()
    };
    match answer {
        Err(_) => {}
        Ok(Err(error)) => {
            lookup.outcome = match error.kind() {
                io::ErrorKind::ConnectionRefused => Outcome::ConnectionRefused,
                _ => Outcome::Failed,
            };
            lookup.error = Some(error.to_string());
        }
        Ok(Ok(message)) => {
            lookup.truncated = message.metadata.truncation;
            lookup.answers = message
                .answers
                .iter()
                .take(MAX_ANSWERS)
                .map(|record| record.data.to_string())
                .collect();
            lookup.outcome = match message.metadata.response_code {
                ResponseCode::NoError => Outcome::NoError,
                ResponseCode::NXDomain => Outcome::NxDomain,
                ResponseCode::ServFail => Outcome::ServFail,
                ResponseCode::Refused => Outcome::Refused,
                other => {
                    lookup.error = Some(other.to_string());
                    Outcome::OtherCode
                }
            };
        }
    }
    lookup
}

async fn exchange(protocol: Protocol, server: SocketAddr, question: &Question) -> io::Result<Message> {
    let mut message = Message::query();
    let wire_type = match question.record_type {
        RecordType::A => WireType::A,
        RecordType::Aaaa => WireType::AAAA,
    };
    message.add_query(Query::query(question.name.clone(), wire_type));
    message.metadata.recursion_desired = true;
    let mut edns = Edns::new();
    edns.set_max_payload(UDP_PAYLOAD);
    message.set_edns(edns);
    let bytes = message.to_vec().map_err(io::Error::other)?;
    match protocol {
        Protocol::Udp => over_udp(server, &message, &bytes).await,
        Protocol::Tcp => over_tcp(server, &message, &bytes).await,
    }
}

async fn over_udp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let any: IpAddr = match server {
        SocketAddr::V4(_) => Ipv4Addr::UNSPECIFIED.into(),
        SocketAddr::V6(_) => Ipv6Addr::UNSPECIFIED.into(),
    };
    let socket = UdpSocket::bind((any, 0)).await?;
    socket.connect(server).await?;
    socket.send(bytes).await?;
    let mut buffer = vec![0; UDP_BUFFER];
    loop {
        let len = socket.recv(&mut buffer).await?;
        // What does not answer this question may be forged, and the answer may still come.
        if let Ok(message) = Message::from_vec(buffer.get(..len).unwrap_or_default())
            && answers(&message, question)
        {
            return Ok(message);
        }
    }
}

async fn over_tcp(server: SocketAddr, question: &Message, bytes: &[u8]) -> io::Result<Message> {
    let mut stream = TcpStream::connect(server).await?;
    let len = u16::try_from(bytes.len()).map_err(io::Error::other)?;
    stream.write_u16(len).await?;
    stream.write_all(bytes).await?;
    let len = stream.read_u16().await?;
    let mut buffer = vec![0; usize::from(len)];
    stream.read_exact(&mut buffer).await?;
    let message = Message::from_vec(&buffer).map_err(io::Error::other)?;
    if answers(&message, question) {
        Ok(message)
    } else {
        Err(io::Error::other("what came back answers another question"))
    }
}

fn answers(message: &Message, question: &Message) -> bool {
    message.metadata.message_type == MessageType::Response
        && message.metadata.id == question.metadata.id
        // A server that could not read the question may leave it out.
        && (message.queries.is_empty() || message.queries == question.queries)
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use hickory_resolver::proto::op::{Message, ResponseCode};
    use hickory_resolver::proto::rr::rdata::A;
    use hickory_resolver::proto::rr::{Name, RData, Record};
    use periscope_documents::{Lookup, Network, Outcome, Protocol, RecordType};
    use rstest::rstest;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::{TcpListener, UdpSocket};

    use super::{Question, ask};

    /// What a scripted server does with a question over UDP and over TCP; `None` is silence.
    type Script = fn(&Message) -> Option<Message>;

    fn respond(question: &Message) -> Message {
        let mut response = Message::response(question.metadata.id, question.metadata.op_code);
        response.add_queries(question.queries.iter().cloned());
        response
    }

    fn code(question: &Message, code: ResponseCode) -> Message {
        let mut response = respond(question);
        response.metadata.response_code = code;
        response
    }

    fn addresses(question: &Message, count: u8) -> Message {
        let mut response = respond(question);
        for n in 0..count {
            let name = question.queries[0].name().clone();
            response.add_answer(Record::from_rdata(name, 60, RData::A(A::new(10, 0, 0, n))));
        }
        response
    }

    fn cut(question: &Message) -> Message {
        let mut response = respond(question);
        response.metadata.truncation = true;
        response
    }

    fn forged(question: &Message) -> Message {
        let mut response = addresses(question, 1);
        response.metadata.id = question.metadata.id.wrapping_add(1);
        response
    }

    /// A name server on loopback, the same port for both protocols. It lives as long as the test's runtime.
    async fn serve(udp: Script, tcp: Script) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let socket = UdpSocket::bind(address).await.unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 2048];
            loop {
                let (len, from) = socket.recv_from(&mut buffer).await.unwrap();
                if let Some(answer) = udp(&Message::from_vec(&buffer[..len]).unwrap()) {
                    socket.send_to(&answer.to_vec().unwrap(), from).await.unwrap();
                }
            }
        });
        tokio::spawn(async move {
            loop {
                let (mut stream, _) = listener.accept().await.unwrap();
                let len = stream.read_u16().await.unwrap();
                let mut buffer = vec![0; usize::from(len)];
                stream.read_exact(&mut buffer).await.unwrap();
                if let Some(answer) = tcp(&Message::from_vec(&buffer).unwrap()) {
                    let bytes = answer.to_vec().unwrap();
                    stream.write_u16(u16::try_from(bytes.len()).unwrap()).await.unwrap();
                    stream.write_all(&bytes).await.unwrap();
                }
            }
        });
        address
    }

    async fn lookups(server: SocketAddr) -> Vec<Lookup> {
        let question = Question {
            name: Name::from_ascii("mcr.microsoft.com.").unwrap(),
            record_type: RecordType::A,
        };
        let unasked = question.unasked(String::new(), Vec::new(), Network::Node);
        ask(server, &question, &unasked).await
    }

    #[rstest]
    #[case::answered(|q: &Message| Some(addresses(q, 2)), Outcome::NoError, 2)]
    #[case::many_answers(|q: &Message| Some(addresses(q, 40)), Outcome::NoError, 16)]
    #[case::no_such_record(|q: &Message| Some(code(q, ResponseCode::NoError)), Outcome::NoError, 0)]
    #[case::no_such_name(|q: &Message| Some(code(q, ResponseCode::NXDomain)), Outcome::NxDomain, 0)]
    #[case::server_failure(|q: &Message| Some(code(q, ResponseCode::ServFail)), Outcome::ServFail, 0)]
    #[case::refused(|q: &Message| Some(code(q, ResponseCode::Refused)), Outcome::Refused, 0)]
    #[case::other(|q: &Message| Some(code(q, ResponseCode::NotImp)), Outcome::OtherCode, 0)]
    #[tokio::test]
    async fn codes(#[case] udp: Script, #[case] outcome: Outcome, #[case] answers: usize) {
        let found = lookups(serve(udp, |_| None).await).await;
        assert_eq!(found.len(), 1, "one question is enough: {found:?}");
        assert_eq!((found[0].outcome, found[0].answers.len()), (outcome, answers));
        assert_eq!(
            (found[0].protocol, found[0].name.as_str()),
            (Protocol::Udp, "mcr.microsoft.com.")
        );
    }

    #[tokio::test]
    async fn a_cut_answer_is_asked_for_again_over_tcp() {
        let found = lookups(serve(|q| Some(cut(q)), |q| Some(addresses(q, 3))).await).await;
        assert!(found[0].truncated);
        assert_eq!(found[1].protocol, Protocol::Tcp);
        assert_eq!(
            (found[1].outcome, &*found[1].answers[2]),
            (Outcome::NoError, "10.0.0.2")
        );
    }

    #[tokio::test]
    async fn nothing_listening_is_told_from_silence() {
        let closed = UdpSocket::bind("127.0.0.1:0").await.unwrap().local_addr().unwrap();
        let outcomes: Vec<_> = lookups(closed).await.iter().map(|found| found.outcome).collect();
        assert_eq!(outcomes, [Outcome::ConnectionRefused, Outcome::ConnectionRefused]);
    }

    #[tokio::test]
    async fn silence_and_forged_answers_end_in_a_timeout() {
        let server = serve(|q| Some(forged(q)), |_| None).await;
        tokio::time::pause();
        let found = lookups(server).await;
        // Over TCP the server closes the connection without an answer.
        assert_eq!(
            found.iter().map(|f| f.outcome).collect::<Vec<_>>(),
            [Outcome::Timeout, Outcome::Failed]
        );
        assert!(
            (2000..2500).contains(&found[0].millis),
            "on the paused clock: {}",
            found[0].millis
        );
    }

    #[tokio::test]
    async fn an_answer_to_another_question_is_none() {
        let found = lookups(serve(|q| Some(cut(q)), |q| Some(forged(q))).await).await;
        assert_eq!(found[1].outcome, Outcome::Failed);
        assert_eq!(
            found[1].error.as_deref(),
            Some("what came back answers another question")
        );
    }
}
