//! What a guest writes: stdout and stderr by line, log messages, progress.
//!
//! Writing never blocks and never fails: a guest that says too much is not heard to the end, but goes on.
//! The end of stderr is kept beside, because it explains a trap.

use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::{io, mem};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use tracing::Level;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// How much of the end of stderr is kept for the traceback.
const TAIL_BYTES: usize = 4 << 10;

/// A longer line is cut into several.
const LINE_BYTES: usize = 16 << 10;

/// A longer message of a progress report is cut.
const PROGRESS_BYTES: usize = 1 << 10;
/// What one report of progress takes off the allowance beside its words: it has its place in a log.
const PROGRESS_COST_BYTES: usize = 64;

/// Where the output of a run goes. Called while the guest waits, so an answer should be quick.
pub trait Output: Send + Sync {
    /// A line that the guest wrote, without its end.
    fn line(&self, stream: Stream, line: &str);
    /// A message that the guest logged.
    fn log(&self, level: Level, message: &str, fields: &[(String, String)]);
    /// How far the run has come, from 0 to 1.
    fn progress(&self, fraction: f64, message: Option<&str>);
}

/// Drops all output.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoOutput;

impl Output for NoOutput {
    fn line(&self, _stream: Stream, _line: &str) {}
    fn log(&self, _level: Level, _message: &str, _fields: &[(String, String)]) {}
    fn progress(&self, _fraction: f64, _message: Option<&str>) {}
}

/// Which of its two outputs a guest wrote to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stream {
    /// The standard output.
    Stdout,
    /// The standard error output.
    Stderr,
}

/// Takes what a guest writes, up to its limit, and passes it on in whole lines.
#[derive(Clone)]
pub(crate) struct Capture(Arc<Mutex<Captured>>);

struct Captured {
    output: Arc<dyn Output>,
    limit_bytes: usize,
    left_bytes: usize,
    truncated: bool,
    stdout: Vec<u8>,
    stderr: Vec<u8>,
    tail: Vec<u8>,
}

impl Capture {
    pub(crate) fn new(output: Arc<dyn Output>, limit_bytes: u64) -> Capture {
        let limit_bytes = usize::try_from(limit_bytes).unwrap_or(usize::MAX);
        Capture(Arc::new(Mutex::new(Captured {
            output,
            limit_bytes,
            left_bytes: limit_bytes,
            truncated: false,
            stdout: Vec::new(),
            stderr: Vec::new(),
            tail: Vec::new(),
        })))
    }

    pub(crate) fn pipe(&self, stream: Stream) -> Pipe {
        Pipe { capture: self.clone(), stream }
    }

    pub(crate) fn log(&self, level: Level, message: &str, fields: &[(String, String)]) {
        let mut captured = self.lock();
        // One more for each, so that there is an end to empty messages too.
        let bytes =
            fields.iter().fold(message.len() + 1, |sum, (name, value)| sum + name.len() + value.len() + 1);
        if captured.allow(bytes) == bytes {
            captured.output.log(level, message, fields);
        }
    }

    pub(crate) fn progress(&self, fraction: f64, message: Option<&str>) {
        let message = message.map(|message| &message[..message.floor_char_boundary(PROGRESS_BYTES)]);
        let fraction = if fraction.is_nan() { 0.0 } else { fraction.clamp(0.0, 1.0) };
        let mut captured = self.lock();
        let bytes = message.map_or(0, str::len) + PROGRESS_COST_BYTES;
        if captured.allow(bytes) == bytes {
            captured.output.progress(fraction, message);
        }
    }

    /// Passes on what stands in unfinished lines.
    pub(crate) fn flush(&self) {
        let mut captured = self.lock();
        for stream in [Stream::Stdout, Stream::Stderr] {
            let rest = mem::take(captured.buffer(stream));
            if !rest.is_empty() {
                captured.output.line(stream, &String::from_utf8_lossy(&rest));
            }
        }
    }

    /// The last of what came to stderr, whether it was passed on or not.
    pub(crate) fn stderr_tail(&self) -> String {
        let captured = self.lock();
        let tail = &captured.tail;
        String::from_utf8_lossy(&tail[tail.len().saturating_sub(TAIL_BYTES)..]).into_owned()
    }

    fn lock(&self) -> MutexGuard<'_, Captured> {
        // Only a panic of `Output` can poison it, and that panic ends the run.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Captured {
    fn write(&mut self, stream: Stream, bytes: &[u8]) {
        if stream == Stream::Stderr {
            self.remember(bytes);
        }
        let allowed = self.left_bytes.min(bytes.len());
        for part in bytes[..allowed].split_inclusive(|byte| *byte == b'\n') {
            self.append(stream, part);
        }
        self.allow(bytes.len());
    }

    fn append(&mut self, stream: Stream, part: &[u8]) {
        let text = part.strip_suffix(b"\n");
        for piece in text.unwrap_or(part).chunks(LINE_BYTES) {
            if self.buffer(stream).len() + piece.len() > LINE_BYTES {
                self.pass_on(stream);
            }
            self.buffer(stream).extend_from_slice(piece);
        }
        if text.is_some() {
            self.pass_on(stream);
        }
    }

    fn pass_on(&mut self, stream: Stream) {
        let mut line = mem::take(self.buffer(stream));
        self.output.line(stream, &String::from_utf8_lossy(&line));
        line.clear();
        *self.buffer(stream) = line;
    }

    /// Takes so many bytes off the allowance and answers how many of them there were. The first time that
    /// they do not suffice is marked in the output.
    fn allow(&mut self, bytes: usize) -> usize {
        let allowed = bytes.min(self.left_bytes);
        self.left_bytes -= allowed;
        if allowed < bytes && !self.truncated {
            self.truncated = true;
            let mark = format!("[output truncated after {} bytes]", self.limit_bytes);
            self.output.line(Stream::Stderr, &mark);
        }
        allowed
    }

    fn remember(&mut self, bytes: &[u8]) {
        let recent = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        if self.tail.len() + recent.len() > 2 * TAIL_BYTES {
            let keep = self.tail.len().min(TAIL_BYTES);
            self.tail.drain(..self.tail.len() - keep);
        }
        self.tail.extend_from_slice(recent);
    }

    fn buffer(&mut self, stream: Stream) -> &mut Vec<u8> {
        match stream {
            Stream::Stdout => &mut self.stdout,
            Stream::Stderr => &mut self.stderr,
        }
    }
}

/// One end of the capture, as WASI wants its outputs.
#[derive(Clone)]
pub(crate) struct Pipe {
    capture: Capture,
    stream: Stream,
}

/// How much a guest may write at once.
const WRITE_BYTES: usize = 64 << 10;

impl Pipe {
    fn take(&self, bytes: &[u8]) {
        self.capture.lock().write(self.stream, bytes);
    }
}

impl IsTerminal for Pipe {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Pipe {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        Box::new(self.clone())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Pipe {
    async fn ready(&mut self) {}
}

impl OutputStream for Pipe {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(WRITE_BYTES)
    }
}

impl AsyncWrite for Pipe {
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.take(bytes);
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}
