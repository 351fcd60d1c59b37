fn post_card() {}

margay_sdk::export!(post_card);

fn main() {}
