//! Activity: what the keyspace tells those who wait. Messages may be lost with a connection, so a listener
//! is told when that happened and looks for itself.

use std::time::Duration;

use futures_util::StreamExt;
use redis::aio::PubSub;
use task::Timestamp;

use crate::{Client, Error, Keys};

/// Something that happened in the keyspace.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// A queue has work.
    Queued(String),
    /// A queue has a task that is due at this time.
    Due(String, Timestamp),
    /// A task whose end is recorded has ended.
    Ended(String),
    /// A message on another channel of the keyspace: its name without the prefix, and the text.
    Other(String, String),
    /// The connection was lost and is back: anything may have happened between.
    Reconnected,
}

/// A subscription that outlives its connection.
pub struct Activity {
    client: Client,
    channels: Vec<String>,
    patterns: Vec<String>,
    connection: Option<PubSub>,
}

const RETRY_DELAY: Duration = Duration::from_millis(200);

impl Client {
    /// Listens to channels of this keyspace, by their full names.
    pub async fn listen(&self, channels: Vec<String>) -> Result<Activity, Error> {
        self.listen_to(channels, Vec::new()).await
    }

    /// Listens to the end of every task whose end is recorded.
    pub async fn listen_to_ends(&self) -> Result<Activity, Error> {
        self.listen_to(Vec::new(), vec![self.keys().pattern("result:*")]).await
    }

    async fn listen_to(&self, channels: Vec<String>, patterns: Vec<String>) -> Result<Activity, Error> {
        let mut activity = Activity { client: self.clone(), channels, patterns, connection: None };
        let connected = activity.subscribe().await;
        activity.connection = Some(connected.map_err(|cause| Error::Call { doing: "subscribe", cause })?);
        Ok(activity)
    }
}

impl Activity {
    /// Waits for the next event.
    pub async fn next(&mut self) -> Event {
        loop {
            let Some(connection) = &mut self.connection else {
                match self.subscribe().await {
                    Ok(connection) => {
                        self.connection = Some(connection);
                        return Event::Reconnected;
                    }
                    Err(_) => tokio::time::sleep(RETRY_DELAY).await,
                }
                continue;
            };
            let message = connection.on_message().next().await;
            let Some(message) = message else {
                self.connection = None;
                continue;
            };
            let text: String = message.get_payload().unwrap_or_default();
            return event(self.client.keys(), message.get_channel_name(), text);
        }
    }

    async fn subscribe(&self) -> Result<PubSub, redis::RedisError> {
        let mut connection = self.client.redis.get_async_pubsub().await?;
        for channel in &self.channels {
            connection.subscribe(channel).await?;
        }
        for pattern in &self.patterns {
            connection.psubscribe(pattern).await?;
        }
        Ok(connection)
    }
}

fn event(keys: &Keys, channel: &str, text: String) -> Event {
    let name = channel.strip_prefix(keys.prefix()).and_then(|rest| rest.strip_prefix(':')).unwrap_or(channel);
    if name == "activity" {
        return Event::Queued(text);
    }
    if name == "due"
        && let Some((due, queue)) = text.split_once(' ')
        && let Ok(due) = due.parse()
    {
        return Event::Due(queue.to_owned(), due);
    }
    match name.strip_prefix("result:") {
        Some(id) => Event::Ended(id.to_owned()),
        None => Event::Other(name.to_owned(), text),
    }
}
