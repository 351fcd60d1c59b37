use margay_sdk::{Result, task};

#[task(qeue = "email")]
fn misspelt() {}

#[task(colour = "red")]
fn unknown() {}

#[task(retry_method = fixed("1s", 3))]
fn the_name_tasktiger_has() {}

#[task(queue = "a", queue = "b")]
fn twice() {}

#[task(queue)]
fn without_a_value() {}

#[task(queue("email"))]
fn with_parentheses() {}

#[task("email")]
fn without_a_name() {}

#[task(queue = email)]
fn without_quotes() {}

#[task(queue = "email..acme")]
fn bad_queue() {}

#[task(unique = "yes")]
fn bad_flag() {}

#[task(max_queue_size = -1)]
fn bad_count() {}

#[task(priority = 3000000000)]
fn bad_priority() {}

#[task(on_worker_lost = "requeue")]
fn bad_word() {}

#[task(retry_on = "smtp", lock_key = [])]
fn lists() {}

#[task(hard_timeout = "soon", expires = 30)]
fn two_mistakes() -> Result<()> {
    Ok(())
}

margay_sdk::export!(misspelt, two_mistakes);

fn main() {}
