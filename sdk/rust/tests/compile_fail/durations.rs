use margay_sdk::task;

#[task(hard_timeout = 30)]
fn without_a_unit() {}

#[task(hard_timeout = "30 seconds")]
fn in_words() {}

#[task(hard_timeout = "1m1h")]
fn in_the_wrong_order() {}

#[task(hard_timeout = "0s")]
fn nothing() {}

#[task(jitter = [1])]
fn no_text() {}

fn main() {}
