//! An API server on loopback that answers as a function says, however many ask at once, and notes what it was asked.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::sleep;

/// One answer.
#[derive(Debug, Clone)]
pub struct ApiAnswer {
    status: u16,
    header: Option<String>,
    body: String,
    slowness: Duration,
}

impl ApiAnswer {
    /// This status and this JSON.
    pub fn new(status: u16, body: &impl ToString) -> Self {
        Self {
            status,
            header: None,
            body: body.to_string(),
            slowness: Duration::ZERO,
        }
    }

    /// The same with a header line, such as `Retry-After: 1`.
    #[must_use]
    pub fn header(mut self, line: &str) -> Self {
        self.header = Some(line.to_owned());
        self
    }

    /// The same so much later, and its second half once more so much later.
    #[must_use]
    pub fn slow(mut self, slowness: Duration) -> Self {
        self.slowness = slowness;
        self
    }
}

/// Answers a request by its path and query.
type Script = dyn Fn(&str) -> ApiAnswer + Send + Sync;

/// The server. It stops when this is dropped.
pub struct ScriptedApi {
    address: SocketAddr,
    asked: Arc<Mutex<Vec<String>>>,
    serving: JoinHandle<()>,
}

impl ScriptedApi {
    /// Serves until dropped.
    ///
    /// # Panics
    /// When no port on loopback is free.
    pub async fn start(script: impl Fn(&str) -> ApiAnswer + Send + Sync + 'static) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0")
            .await
            .expect("a port of loopback is free");
        let address = listener.local_addr().expect("it listens");
        let asked: Arc<Mutex<Vec<String>>> = Arc::default();
        let (noted, script): (_, Arc<Script>) = (Arc::clone(&asked), Arc::new(script));
        let serving = tokio::spawn(async move {
            // Dropped with the task, and with it every connection.
            let mut connections = JoinSet::new();
            loop {
                let (connection, _) = listener.accept().await.expect("it listens");
                connections.spawn(serve(connection, Arc::clone(&script), Arc::clone(&noted)));
            }
        });
        Self {
            address,
            asked,
            serving,
        }
    }

    /// A kubeconfig that leads here.
    pub fn kubeconfig(&self) -> String {
        format!(
            "apiVersion: v1\nkind: Config\nclusters: [{{name: c, cluster: {{server: 'http://{}'}}}}]\nusers: [{{name: u, user: {{}}}}]\ncontexts: [{{name: x, context: {{cluster: c, user: u}}}}]\ncurrent-context: x\n",
            self.address
        )
    }

    /// The path and query of every request so far.
    pub fn asked(&self) -> Vec<String> {
        self.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for ScriptedApi {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

/// One connection, request after request. The client may be gone at any time: that is its own affair.
async fn serve(connection: TcpStream, script: Arc<Script>, asked: Arc<Mutex<Vec<String>>>) {
    let mut connection = BufReader::new(connection);
    loop {
        let mut path = String::new();
        loop {
            let mut line = String::new();
            match connection.read_line(&mut line).await {
                Ok(1..) => {}
                Ok(0) | Err(_) => return,
            }
            if path.is_empty() {
                path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            } else if line == "\r\n" {
                break;
            }
        }
        asked.lock().unwrap_or_else(PoisonError::into_inner).push(path.clone());
        let answer = script(&path);
        if send(&mut connection, &answer).await.is_err() {
            return;
        }
    }
}

async fn send(connection: &mut BufReader<TcpStream>, answer: &ApiAnswer) -> std::io::Result<()> {
    let ApiAnswer {
        status,
        header,
        body,
        slowness,
    } = answer;
    let header = header.as_ref().map(|line| format!("{line}\r\n")).unwrap_or_default();
    let head = format!(
        "HTTP/1.1 {status} Scripted\r\nContent-Type: application/json\r\n{header}Content-Length: {}\r\n\r\n",
        body.len()
    );
    sleep(*slowness).await;
    let (first, second) = body.as_bytes().split_at(body.len() / 2);
    connection.write_all(head.as_bytes()).await?;
    connection.write_all(first).await?;
    connection.flush().await?;
    sleep(*slowness).await;
    connection.write_all(second).await?;
    connection.flush().await
}
