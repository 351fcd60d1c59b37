use margay_sdk::task;

#[task(retry = true)]
fn a_flag() {}

#[task(retry = fibonacci("1s"))]
fn unknown() {}

#[task(retry = fixed("1s"))]
fn too_little() {}

#[task(retry = exponential("1s", 0.5, 5))]
fn ever_faster() {}

#[task(retry = exponential("1", 2.0, 5))]
fn bad_delay() {}

#[task(retry = custom("backoff"))]
fn a_text() {}

fn main() {}
