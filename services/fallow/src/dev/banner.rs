//! What a demonstration says of itself on the terminal.

use std::time::Duration;

use jiff::tz::TimeZone;

use super::{Demonstration, DevArgs};

/// Returns the banner: what this is, where it is, and how to take part.
pub(super) fn text(args: &DevArgs, shown: &Demonstration, ready_after: Duration) -> String {
    let zone = TimeZone::get("Europe/London").unwrap_or(TimeZone::UTC);
    let begins = shown.begins_at().to_zoned(zone);
    let begins = begins.strftime("%a %-d %b %Y %H:%M");
    let ledger = match shown.redis_keys() {
        Some(keys) => format!("in Redis, all keys of {{{keys}}}, which stay there"),
        None => "in this process".to_owned(),
    };
    let people = if args.no_simulator { "nobody is simulated" } else { "simulated feeds and people" };
    let first = shown.first_user();
    format!(
        "
  ┌──────────────────────────────────────────────────────────────────────────┐
  │  FALLOW, A DEMONSTRATION       NOTHING IS KEPT · NOTHING IS SECRET       │
  └──────────────────────────────────────────────────────────────────────────┘
  Region   {region}: {people}, seed {seed}. Any likeness to a real trust is chance.
  Clock    {begins} in London, {speed} times as fast as yours
  Ledger   {ledger}

  Console  {console}     {sign_in}
  gRPC     {grpc}     every service; reflection and health are on
  CLI      {inbox:<40} what waits for that trust
           {mine:<40} what it offers
           {board:<40} the region, as gold sees it

  Ready after {ready} ms. Ctrl-C ends it.

",
        region = shown.region_name(),
        inbox = format!("fallow --as {first} inbox"),
        mine = format!("fallow --as {first} mine"),
        board = "fallow --as duty-lead board",
        seed = args.seed,
        speed = args.speed,
        console = shown.console_url(),
        sign_in = shown
            .provider_url()
            .map_or_else(|| "sign in as anybody".to_owned(), |url| format!("sign in as anybody at {url}")),
        grpc = shown.grpc_url(),
        ready = ready_after.as_millis(),
    )
}
