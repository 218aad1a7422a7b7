//! What answers at the gateway of a test's network: a name server with faults, and a server with a certificate.

use std::fs;
use std::net::{Ipv4Addr, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::thread;
use std::time::Duration;

use periscope_tests::eventually;

use crate::network::{GATEWAY, Network, Running, succeed};

/// How the name server of a test behaves.
#[derive(Clone, Copy, PartialEq)]
pub(crate) enum NameServer {
    /// Knows every name, at the gateway's address.
    Answers,
    Fails,
    Late,
    Silent,
}

/// Starts a name server at the gateway of a network; it lives as long as the test's process.
pub(crate) fn serve_names(network: &Network, how: NameServer) {
    let socket = Network::inside(&network.outside, || {
        UdpSocket::bind((GATEWAY, 53)).expect("port 53 of the gateway")
    });
    thread::spawn(move || {
        let mut buffer = [0; 1500];
        while let Ok((len, from)) = socket.recv_from(&mut buffer) {
            let question = buffer[..len].to_vec();
            let socket = socket.try_clone().expect("another handle");
            thread::spawn(move || {
                if how == NameServer::Late {
                    thread::sleep(Duration::from_millis(900));
                }
                if how != NameServer::Silent {
                    socket.send_to(&response(&question, how), from).ok();
                }
            });
        }
    });
}

/// The answer to a question (RFC 1035, section 4): its header and question again, and an address where one is asked
/// for.
fn response(question: &[u8], how: NameServer) -> Vec<u8> {
    // A label for each part of the name, an empty one, type and class.
    let mut end = 12;
    while question[end] != 0 {
        end += 1 + usize::from(question[end]);
    }
    let kind = question[end + 2];
    end += 5;
    let code = if how == NameServer::Fails { 2 } else { 0 };
    let answers = u8::from(how != NameServer::Fails && kind == 1);
    let mut response = question[..end].to_vec();
    response[2..12].copy_from_slice(&[0x81, 0x80 | code, 0, 1, 0, answers, 0, 0, 0, 0]);
    if answers > 0 {
        response.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4]);
        response.extend(GATEWAY.parse::<Ipv4Addr>().expect("an address").octets());
    }
    response
}

/// The file that names the gateway as name server.
pub(crate) fn resolv_conf(folder: &tempfile::TempDir) -> PathBuf {
    let path = folder.path().join("resolv.conf");
    fs::write(&path, format!("nameserver {GATEWAY}\n")).expect("a file");
    path
}

/// A server at the gateway that has the certificate of the authority `issuer` for Microsoft's names, and that
/// authority.
pub(crate) fn serve_tls(network: &Network, folder: &Path, issuer: &str) -> (Running, PathBuf) {
    let path = |name: &str| folder.join(name).to_string_lossy().into_owned();
    let (authority, key) = (path("ca.crt"), path("ca.key"));
    let request = |words: &[&str]| {
        let mut openssl = Command::new("openssl");
        openssl.args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:prime256v1",
            "-nodes",
        ]);
        succeed(openssl.args(["-days", "90"]).args(words));
    };
    request(&["-subj", issuer, "-keyout", &key, "-out", &authority]);
    let names = "subjectAltName=DNS:mcr.microsoft.com,DNS:www.microsoft.com,DNS:azurecr.io,DNS:*.microsoft.com";
    let (certificate, own_key) = (path("server.crt"), path("server.key"));
    request(&[
        "-subj",
        "/CN=server",
        "-addext",
        "basicConstraints=critical,CA:FALSE",
        "-addext",
        names,
        "-CA",
        &authority,
        "-CAkey",
        &key,
        "-keyout",
        &own_key,
        "-out",
        &certificate,
    ]);
    let program = Path::new(env!("CARGO_MANIFEST_DIR")).join("services/outside/https.py");
    let server = Command::new("ip")
        .args(["netns", "exec", &network.outside, "python3"])
        .arg(program)
        .args([GATEWAY, "443", &certificate, &own_key, &path("nothing")])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .expect("python3 starts");
    let running = Running(server);
    let outside = network.outside.clone();
    eventually("the server listens", || {
        let connect = || std::net::TcpStream::connect((GATEWAY, 443)).ok();
        Network::inside(&outside, connect)
    });
    (running, authority.into())
}
