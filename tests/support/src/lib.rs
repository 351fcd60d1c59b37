//! What the tests share: a private Redis for each test, the invariants that every test must leave true, and
//! the way to the guests.

mod guests;
mod invariants;
mod redis_server;

pub use guests::guest;
pub use invariants::check_invariants;
pub use redis_server::RedisServer;
