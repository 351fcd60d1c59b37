//! Sentry: each failure as an event. Nothing else of this process is sent: no panics, no environment.

use std::borrow::Cow;
use std::time::{Duration, UNIX_EPOCH};

use sentry::Envelope;
use sentry::protocol::{Event, Exception, Level, Value};
use sentry::types::Dsn;
use ureq::http::header::{CONTENT_TYPE, HeaderName, HeaderValue};
use worker::{Reporter, TaskFailure};

use super::{Letterhead, Receiver, fingerprint};

/// Sends failures to one project of Sentry's.
pub struct Sentry {
    receiver: Receiver,
    letterhead: Letterhead,
}

const CLIENT: &str = concat!("margay/", env!("CARGO_PKG_VERSION"));

impl Sentry {
    /// The project that a DSN names; the error says what is wrong with it.
    pub fn new(dsn: &str, letterhead: Letterhead) -> Result<Sentry, String> {
        let dsn: Dsn = dsn.parse().map_err(|error| format!("it is not a DSN: {error}"))?;
        let auth = HeaderValue::try_from(dsn.to_auth(Some(CLIENT)).to_string())
            .map_err(|_| "its key cannot be a header".to_owned())?;
        let headers = [
            (CONTENT_TYPE, HeaderValue::from_static("application/x-sentry-envelope")),
            (HeaderName::from_static("x-sentry-auth"), auth),
        ];
        let url = dsn.envelope_api_url().to_string();
        Ok(Sentry { receiver: Receiver::new("sentry", &url, headers.into_iter().collect())?, letterhead })
    }

    fn event(&self, failure: &TaskFailure) -> Event<'static> {
        let exception = Exception {
            ty: failure.kind.clone(),
            value: Some(failure.message.clone()),
            ..Exception::default()
        };
        let fingerprint: Vec<_> =
            fingerprint(failure).into_iter().map(|part| Cow::Owned(part.to_owned())).collect();
        let tags = [("queue", &failure.queue), ("func", &failure.func), ("host", &failure.host)];
        Event {
            level: Level::Error,
            fingerprint: fingerprint.into(),
            message: Some(self.letterhead.title(failure)),
            exception: vec![exception].into(),
            logger: Some("margay".to_owned()),
            transaction: Some(failure.func.clone()),
            timestamp: UNIX_EPOCH + Duration::try_from_secs_f64(failure.time_failed).unwrap_or_default(),
            server_name: Some(failure.host.clone().into()),
            release: Some(CLIENT.into()),
            environment: self.letterhead.environment.clone().map(Cow::Owned),
            tags: tags.into_iter().map(|(name, value)| (name.to_owned(), value.clone())).collect(),
            extra: extra(failure).into_iter().map(|(name, value)| (name.to_owned(), value)).collect(),
            ..Event::default()
        }
    }
}

fn extra(failure: &TaskFailure) -> [(&'static str, Value); 6] {
    let json = |text: &str| serde_json::from_str(text).unwrap_or_else(|_| Value::from(text));
    [
        ("task_id", failure.task_id.as_str().into()),
        ("args", json(&failure.args)),
        ("kwargs", json(&failure.kwargs)),
        ("executions", failure.executions.into()),
        ("time_started", failure.time_started.into()),
        ("traceback", failure.traceback.clone().into()),
    ]
}

impl Reporter for Sentry {
    fn report(&self, failure: &TaskFailure) {
        let mut body = Vec::new();
        let envelope = Envelope::from(self.event(failure));
        envelope.to_writer(&mut body).expect("an event has only plain fields, and memory takes them");
        self.receiver.post(&failure.task_id, &body);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::{failure, letterhead};

    #[test]
    fn an_event_is_grouped_and_tagged() {
        let sentry = Sentry::new("https://key@example.org/1", letterhead()).expect("a DSN");
        let event = serde_json::to_value(sentry.event(&failure())).expect("JSON");
        assert_eq!(event["fingerprint"], serde_json::json!(["mail", "mail:send", "smtp"]));
        assert_eq!(event["exception"]["values"][0]["type"], "smtp");
        assert_eq!(event["exception"]["values"][0]["value"], "no route");
        assert_eq!(event["tags"]["queue"], "mail.acme.eu");
        assert_eq!(event["extra"]["args"], serde_json::json!([7, 1.5]));
        assert_eq!((event["timestamp"].as_f64(), &event["environment"]), (Some(2.5), &"production".into()));
    }

    #[test]
    fn what_is_no_dsn_is_refused() {
        for dsn in ["", "nonsense", "https://example.org/1", "https://key@example.org"] {
            assert!(Sentry::new(dsn, letterhead()).is_err(), "`{dsn}` was taken");
        }
    }
}
