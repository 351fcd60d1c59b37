//! The webhook: each failure as one JSON object, posted to an address of the operator's.

use std::collections::BTreeMap;

use serde::Serialize;
use serde_json::value::RawValue;
use ureq::http::header::{CONTENT_TYPE, HeaderValue};
use worker::{Reporter, TaskFailure};

use super::{Letterhead, Receiver, fingerprint, headers};

/// Posts failures to one address.
pub struct Webhook {
    receiver: Receiver,
    letterhead: Letterhead,
}

/// What is posted. Times are in seconds since the epoch.
#[derive(Serialize)]
struct Report<'a> {
    title: String,
    level: &'static str,
    /// The queue's root, the function and the exception: equal for failures that are one problem.
    fingerprint: [&'a str; 3],
    #[serde(skip_serializing_if = "Option::is_none")]
    environment: Option<&'a str>,
    task_id: &'a str,
    func: &'a str,
    queue: &'a str,
    exception_name: &'a str,
    message: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    traceback: Option<&'a str>,
    host: &'a str,
    time_started: f64,
    time_failed: f64,
    executions: u32,
    /// An array; a text with its beginning, where it is longer than 16 KiB.
    args: Option<&'a RawValue>,
    /// An object; a text with its beginning, where it is longer than 16 KiB.
    kwargs: Option<&'a RawValue>,
}

impl Webhook {
    /// A webhook at this address; the error says what is wrong with it.
    pub fn new(url: &str, letterhead: Letterhead) -> Result<Webhook, String> {
        let json = (CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(Webhook { receiver: Receiver::new("webhook", url, [json].into_iter().collect())?, letterhead })
    }

    /// Sends these headers too; the error names the one that is none.
    pub fn with_headers(mut self, written: &BTreeMap<String, String>) -> Result<Webhook, String> {
        self.receiver.headers.extend(headers(written)?);
        Ok(self)
    }

    fn body(&self, failure: &TaskFailure) -> Vec<u8> {
        let report = Report {
            title: self.letterhead.title(failure),
            level: "error",
            fingerprint: fingerprint(failure),
            environment: self.letterhead.environment.as_deref(),
            task_id: &failure.task_id,
            func: &failure.func,
            queue: &failure.queue,
            exception_name: &failure.kind,
            message: &failure.message,
            traceback: failure.traceback.as_deref(),
            host: &failure.host,
            time_started: failure.time_started,
            time_failed: failure.time_failed,
            executions: failure.executions,
            args: serde_json::from_str(&failure.args).ok(),
            kwargs: serde_json::from_str(&failure.kwargs).ok(),
        };
        serde_json::to_vec(&report).expect("a report has only plain fields")
    }
}

impl Reporter for Webhook {
    fn report(&self, failure: &TaskFailure) {
        self.receiver.post(&failure.task_id, &self.body(failure));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reporters::tests::{failure, letterhead};

    #[test]
    fn a_report_is_one_json_object_with_the_arguments_as_they_came() {
        let webhook = Webhook::new("https://example.org/hook", letterhead()).expect("a webhook");
        let body = String::from_utf8(webhook.body(&failure())).expect("text");
        assert_eq!(
            body,
            concat!(
                r#"{"title":"Margay: task error func=mail:send exception_name=smtp queue=mail","level":"error","#,
                r#""fingerprint":["mail","mail:send","smtp"],"environment":"production","task_id":"a","#,
                r#""func":"mail:send","queue":"mail.acme.eu","exception_name":"smtp","message":"no route","#,
                r#""traceback":"smtp: no route","host":"host","time_started":1.5,"time_failed":2.5,"#,
                r#""executions":3,"args":[7, 1.50],"kwargs":{}}"#
            )
        );
    }
}
