//! The worker loop: fetch, execute, settle, and the services on a timer.
