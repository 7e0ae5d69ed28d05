//! Serves the pages over a made-up winter Tuesday, so that screens can be looked at without any service:
//! `cargo run -p fallow-console --example screens -- 127.0.0.1:7439`.

#[path = "../tests/fake/mod.rs"]
mod fake;
#[path = "../tests/stage/mod.rs"]
mod stage;

#[tokio::main]
async fn main() {
    let address = std::env::args().nth(1).unwrap_or_else(|| "127.0.0.1:7439".to_owned());
    let stage = stage::Stage::on(&address).await;
    println!("Fallow's screens over {} records: http://{}", stage.world.records().revision, stage.address);
    stage.tasks.stopping().await;
    stage.services.stop();
}
