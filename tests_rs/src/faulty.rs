//! A server that does what a script says, down to the bytes.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

/// A request as it has arrived, without its body.
#[derive(Debug, Clone)]
pub struct Request {
    /// `GET`.
    pub method: String,
    /// The path with what follows a `?`.
    pub target: String,
    /// The whole head.
    pub head: String,
    /// How many requests there were before.
    pub number: usize,
}

/// What the server does about a request. It closes the connection afterwards.
#[derive(Debug, Clone)]
pub enum Step {
    /// Sends bytes.
    Send(Vec<u8>),
    /// Sends bytes again and again until the client hangs up.
    Flood(Vec<u8>),
    /// Does nothing until the client gives up.
    Stall,
}

/// An answer with a status, further lines of the head (each ending in `\r\n`) and a body.
#[must_use]
pub fn answer(status: u16, head: &str, body: impl AsRef<[u8]>) -> Vec<Step> {
    let body = body.as_ref();
    let length = body.len();
    let head = format!(
        "HTTP/1.1 {status} Status\r\n{head}Content-Length: {length}\r\nConnection: close\r\n\r\n"
    );
    vec![Step::Send([head.as_bytes(), body].concat())]
}

/// An object as S3 sends it.
#[must_use]
pub fn object(data: &[u8]) -> Vec<Step> {
    answer(200, OBJECT, data)
}

/// The lines that the head of every object has.
pub const OBJECT: &str = "ETag: \"1\"\r\nLast-Modified: Tue, 01 Jul 2025 00:00:00 GMT\r\n";

type Script = dyn Fn(&Request) -> Vec<Step> + Send + Sync;

struct Shared {
    script: Box<Script>,
    requests: Mutex<Vec<Request>>,
    stopped: AtomicBool,
    /// How long it waits before it reads each 64 KiB of a body.
    reading_pause: Duration,
}

/// The server; it stops taking connections when dropped.
pub struct Faulty {
    port: u16,
    shared: Arc<Shared>,
}

impl Faulty {
    /// Starts a server that answers as `script` says.
    #[must_use]
    pub fn start(script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static) -> Self {
        Self::start_slow(Duration::ZERO, script)
    }

    /// Starts one that reads slowly: 64 KiB of a body, and a pause.
    #[must_use]
    pub fn start_slow(
        reading_pause: Duration,
        script: impl Fn(&Request) -> Vec<Step> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).expect("a free port");
        let port = listener.local_addr().expect("a bound port").port();
        let shared = Arc::new(Shared {
            script: Box::new(script),
            requests: Mutex::default(),
            stopped: AtomicBool::new(false),
            reading_pause,
        });
        let accepting = Arc::clone(&shared);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                if accepting.stopped.load(Ordering::SeqCst) {
                    break;
                }
                let shared = Arc::clone(&accepting);
                // What goes wrong here is the client's breaking off, which is what is tested.
                thread::spawn(move || drop(serve(&shared, connection)));
            }
        });
        Self { port, shared }
    }

    /// Where it answers.
    #[must_use]
    pub fn endpoint(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// The requests so far, in the order of their arrival.
    #[must_use]
    pub fn requests(&self) -> Vec<Request> {
        self.shared.requests.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Drop for Faulty {
    fn drop(&mut self) {
        self.shared.stopped.store(true, Ordering::SeqCst);
        let _ = TcpStream::connect(("127.0.0.1", self.port));
    }
}

fn serve(shared: &Shared, mut connection: TcpStream) -> std::io::Result<()> {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        connection.read_exact(&mut byte)?;
        head.push(byte[0]);
    }
    let head = String::from_utf8_lossy(&head).into_owned();
    let length = head.lines().find_map(|line| {
        let (name, value) = line.split_once(':')?;
        name.eq_ignore_ascii_case("content-length").then(|| value.trim().parse::<usize>().ok())?
    });
    let mut left = length.unwrap_or(0);
    let mut piece = vec![0; 64 << 10];
    while left > 0 {
        thread::sleep(shared.reading_pause);
        let part = left.min(piece.len());
        connection.read_exact(&mut piece[..part])?;
        left -= part;
    }
    let mut words = head.split(' ').map(str::to_owned);
    let request = {
        let mut requests = shared.requests.lock().unwrap_or_else(PoisonError::into_inner);
        let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
        let request = Request { method, target, head, number: requests.len() };
        requests.push(request.clone());
        request
    };
    for step in (shared.script)(&request) {
        match step {
            Step::Send(bytes) => connection.write_all(&bytes)?,
            Step::Flood(bytes) => loop {
                connection.write_all(&bytes)?;
            },
            Step::Stall => drop(connection.read_to_end(&mut Vec::new())?),
        }
    }
    Ok(())
}
