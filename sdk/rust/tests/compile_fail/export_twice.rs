use margay_sdk::task;

mod other {
    #[margay_sdk::task]
    pub fn send() {}
}

#[task]
fn send() {}

margay_sdk::export!(send, other::send);

fn main() {}
