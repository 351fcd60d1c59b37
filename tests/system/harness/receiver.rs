//! A service that takes what is posted to it over HTTP, on a port of this machine.

use serde_json::Value;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::timeout;

use super::PATIENCE;

/// The service.
pub struct Receiver {
    pub port: u16,
    posts: mpsc::UnboundedReceiver<Post>,
}

/// What was posted.
#[derive(Debug)]
pub struct Post {
    /// The first line and the headers, in lower case.
    pub head: String,
    pub body: String,
}

impl Receiver {
    /// Answers 200 to everything.
    pub async fn start() -> Receiver {
        Receiver::answering(&[]).await
    }

    /// Answers with these codes first, and with 200 from then on.
    pub async fn answering(codes: &'static [u16]) -> Receiver {
        let (listener, port) = listen().await;
        let (sender, posts) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let mut codes = codes.iter();
            while let Ok((connection, _)) = listener.accept().await {
                let code = *codes.next().unwrap_or(&200);
                if let Some(post) = answer(connection, code).await {
                    // The test may have seen enough.
                    let _ = sender.send(post);
                }
            }
        });
        Receiver { port, posts }
    }

    /// Takes connections and never answers. The port is its own until the test ends.
    pub async fn hanging() -> Receiver {
        let (listener, port) = listen().await;
        let (sender, posts) = mpsc::unbounded_channel();
        tokio::spawn(async move {
            let (mut connections, _open) = (Vec::new(), sender);
            while let Ok((connection, _)) = listener.accept().await {
                connections.push(connection);
            }
        });
        Receiver { port, posts }
    }

    /// Waits for the next post.
    pub async fn next(&mut self) -> Post {
        let post = timeout(PATIENCE, self.posts.recv()).await.expect("something is posted");
        post.expect("the service goes on")
    }
}

impl Post {
    /// The body as JSON.
    pub fn json(&self) -> Value {
        serde_json::from_str(&self.body).expect("JSON")
    }
}

async fn listen() -> (TcpListener, u16) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a free port");
    let port = listener.local_addr().expect("its address").port();
    (listener, port)
}

/// Reads one request, answers it and hangs up.
async fn answer(connection: TcpStream, code: u16) -> Option<Post> {
    let mut connection = BufReader::new(connection);
    let mut head = String::new();
    while !head.ends_with("\r\n\r\n") {
        if connection.read_line(&mut head).await.ok()? == 0 {
            return None;
        }
    }
    let head = head.to_lowercase();
    let length = head.lines().find_map(|line| line.strip_prefix("content-length: "))?;
    let mut body = vec![0; length.parse().ok()?];
    connection.read_exact(&mut body).await.ok()?;
    let answer = format!("HTTP/1.1 {code} As Asked\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    connection.get_mut().write_all(answer.as_bytes()).await.ok()?;
    Some(Post { head, body: String::from_utf8(body).ok()? })
}
