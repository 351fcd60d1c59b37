use margay_sdk::task;

#[task(retry = custom(backoff))]
fn send() {}

fn backoff(retry: u32) -> Option<f64> {
    (retry < 5).then(|| f64::from(retry) * 1.5)
}

fn main() {}
