//! SIGTERM and SIGINT: the first asks for an orderly stop, the second ends at once.

use anyhow::{Context as _, Result};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// The exit status after a second signal: what shells show for SIGINT.
const EXIT_AT_ONCE: i32 = 130;

/// The signals that end the server.
pub(super) struct Signals {
    terminate: Signal,
    interrupt: Signal,
}

impl Signals {
    /// Takes the signals over from the operating system's default.
    ///
    /// # Errors
    /// When the system does not allow that.
    pub(super) fn listen() -> Result<Self> {
        let listen = |kind| signal(kind).context("signals cannot be received");
        Ok(Self {
            terminate: listen(SignalKind::terminate())?,
            interrupt: listen(SignalKind::interrupt())?,
        })
    }

    /// Waits for the next signal.
    pub(super) async fn stop(&mut self) {
        tokio::select! {
            _ = self.terminate.recv() => {}
            _ = self.interrupt.recv() => {}
        }
    }

    /// Ends the process when another signal comes.
    pub(super) fn exit_at_the_next(mut self) {
        tokio::spawn(async move {
            self.stop().await;
            tracing::warn!("ended at once by a second signal");
            std::process::exit(EXIT_AT_ONCE);
        });
    }
}
