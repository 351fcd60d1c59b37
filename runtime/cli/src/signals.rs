//! Requests to stop.

use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};

/// Waits for Ctrl-C or SIGTERM, or until the time is up. No signal is missed from the call on.
pub fn stop(time: Option<Duration>) -> std::io::Result<impl Future<Output = ()>> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            () = tokio::time::sleep(time.unwrap_or_default()), if time.is_some() => {}
        }
    })
}
