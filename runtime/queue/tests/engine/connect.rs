use queue::{Address, Client, Error};
use test_support::RedisServer;

async fn refused(url: &str) -> Error {
    let address = Address { url: url.to_owned(), prefix: "t".to_owned() };
    Client::connect(&address).await.expect_err("connected")
}

#[tokio::test]
async fn an_address_that_is_none_says_how_to_write_one() {
    let message = refused("ftp://nowhere").await.to_string();
    assert!(message.contains("`ftp://nowhere`") && message.contains("redis://host:6379"), "{message}");
}

#[tokio::test]
async fn a_redis_that_is_away_is_named() {
    let message = refused("redis+unix:///nowhere/redis.sock").await.to_string();
    assert!(message.contains("/nowhere/redis.sock") && message.contains("--redis"), "{message}");
}

#[tokio::test]
async fn a_redis_with_a_password_says_where_to_write_it() {
    let server = RedisServer::start_with(&["--requirepass", "secret"]);
    let error = refused(&server.url()).await;
    assert!(matches!(error, Error::Password { .. }), "{error:?}");
    let error = refused(&format!("{}?pass=wrong", server.url())).await;
    assert!(matches!(error, Error::Password { .. }), "{error:?}");
    assert!(!error.to_string().contains("wrong"), "{error}");
    let address = Address { url: format!("{}?pass=secret", server.url()), prefix: "t".to_owned() };
    Client::connect(&address).await.expect("the password is right");
}
