//! Reporters: how operators hear of tasks that have failed for good. Failures are grouped as TaskTiger groups
//! them for Rollbar: by queue, function and exception, where all subqueues count as one queue.

mod sentry;
mod webhook;

pub use sentry::Sentry;
pub use webhook::Webhook;

use std::collections::BTreeMap;
use std::time::Duration;

use tracing::warn;
use ureq::Agent;
use ureq::http::{HeaderMap, HeaderName, HeaderValue, Uri};
use worker::TaskFailure;

/// What every report says beside its failure.
#[derive(Clone)]
pub struct Letterhead {
    /// What titles begin with.
    pub prefix: String,
    /// Which of several installations this is.
    pub environment: Option<String>,
}

impl Letterhead {
    fn title(&self, failure: &TaskFailure) -> String {
        let [queue, func, kind] = fingerprint(failure);
        format!("{}: task error func={func} exception_name={kind} queue={queue}", self.prefix)
    }
}

/// What makes two failures one problem: the queue's name up to its first dot, the function, the exception.
fn fingerprint(failure: &TaskFailure) -> [&str; 3] {
    let root = failure.queue.split('.').next().unwrap_or_default();
    [root, &failure.func, &failure.kind]
}

/// A service that takes reports by HTTP POST.
struct Receiver {
    /// Its name in log messages: an address may hold a secret.
    name: &'static str,
    agent: Agent,
    uri: Uri,
    headers: HeaderMap,
}

/// The longest that one try may take.
const TIMEOUT: Duration = Duration::from_secs(5);
/// How long to wait before each further try.
const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(2)];

impl Receiver {
    /// A receiver at this address. The error says what is wrong with it.
    fn new(name: &'static str, url: &str, headers: HeaderMap) -> Result<Receiver, String> {
        let uri: Uri = url.parse().map_err(|error| format!("it is not an address: {error}"))?;
        if !matches!(uri.scheme_str(), Some("http" | "https")) || uri.host().is_none_or(str::is_empty) {
            return Err("it is not an address of HTTP".to_owned());
        }
        let agent = Agent::config_builder()
            .timeout_global(Some(TIMEOUT))
            .http_status_as_error(false)
            // Secret headers are for this address only.
            .max_redirects(0)
            .user_agent(concat!("margay/", env!("CARGO_PKG_VERSION")))
            .build()
            .new_agent();
        Ok(Receiver { name, agent, uri, headers })
    }

    /// Posts one report. It tries again where the service is away or in trouble, and says what it could not do.
    fn post(&self, task_id: &str, body: &[u8]) {
        let mut pauses = PAUSES.iter();
        loop {
            let Err((reason, lasting)) = self.try_post(body) else { return };
            match pauses.next() {
                Some(pause) if !lasting => std::thread::sleep(*pause),
                _ => return warn!(receiver = self.name, task_id, reason, "could not send an error report"),
            }
        }
    }

    /// The reason for a failure, and whether it would be the same next time.
    fn try_post(&self, body: &[u8]) -> Result<(), (String, bool)> {
        let mut request = self.agent.post(&self.uri);
        for (name, value) in &self.headers {
            request = request.header(name, value);
        }
        let answer = request.send(body).map_err(|error| (error.to_string(), false))?;
        match answer.status() {
            status if status.is_success() => Ok(()),
            status => Err((format!("it answered {status}"), !status.is_server_error())),
        }
    }
}

/// Headers as a configuration writes them. The error names the one that is none.
fn headers(written: &BTreeMap<String, String>) -> Result<HeaderMap, String> {
    let mut headers = HeaderMap::new();
    for (name, value) in written {
        let header = HeaderName::try_from(name).map_err(|_| format!("`{name}` is not a header's name"))?;
        let value =
            HeaderValue::try_from(value).map_err(|_| format!("the value of `{name}` cannot be a header"))?;
        headers.insert(header, value);
    }
    Ok(headers)
}

#[cfg(test)]
mod tests {
    use super::*;

    pub(super) fn failure() -> TaskFailure {
        TaskFailure {
            task_id: "a".to_owned(),
            func: "mail:send".to_owned(),
            queue: "mail.acme.eu".to_owned(),
            kind: "smtp".to_owned(),
            message: "no route".to_owned(),
            traceback: Some("smtp: no route".to_owned()),
            host: "host".to_owned(),
            time_started: 1.5,
            time_failed: 2.5,
            executions: 3,
            args: "[7, 1.50]".to_owned(),
            kwargs: "{}".to_owned(),
        }
    }

    pub(super) fn letterhead() -> Letterhead {
        Letterhead { prefix: "Margay".to_owned(), environment: Some("production".to_owned()) }
    }

    #[test]
    fn failures_are_grouped_by_the_root_of_their_queue() {
        assert_eq!(fingerprint(&failure()), ["mail", "mail:send", "smtp"]);
        assert_eq!(
            letterhead().title(&failure()),
            "Margay: task error func=mail:send exception_name=smtp queue=mail"
        );
    }

    #[test]
    fn what_is_no_address_of_http_is_refused() {
        for url in ["", "nonsense", "ftp://host/", "http://", "/path", "http://a b/"] {
            assert!(Receiver::new("test", url, HeaderMap::new()).is_err(), "`{url}` was taken");
        }
        assert!(Receiver::new("test", "https://host:8443/path?token=a", HeaderMap::new()).is_ok());
    }

    #[test]
    fn headers_that_are_none_are_named() {
        let refused = |name: &str, value: &str| {
            let written = BTreeMap::from([(name.to_owned(), value.to_owned())]);
            headers(&written).expect_err("refused")
        };
        assert!(refused("my header", "x").contains("`my header`"));
        assert!(refused("x-key", "a\nb").contains("`x-key`"));
    }
}
