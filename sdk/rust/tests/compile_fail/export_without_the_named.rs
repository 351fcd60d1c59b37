use margay_sdk::task;

#[task]
fn backoff(retry: u32) -> Option<f64> {
    (retry < 5).then(|| f64::from(retry) * 1.5)
}

#[task(retry = custom(backoff))]
fn send() {}

margay_sdk::export!(send);

fn main() {}
