//! `fallow demand wait`, for scripts.

use std::time::Duration;

use fallow_api::client::Client;
use fallow_api::v1::{Need, NeedFilter, WatchNeedsRequest, need};
use tokio::time::timeout;

use super::args::{Milestone, Wait};
use super::{find, get};
use crate::cli::failure::{Exit, Failure};
use crate::cli::session::Session;
use crate::cli::time;
use crate::cli::watch::{Feed, Happening};

/// Runs `fallow demand wait`: 0 when it came, 7 when time ran out, 9 when it can no longer come.
pub(super) async fn wait(session: &mut Session<'_>, args: Wait) -> Result<Exit, Failure> {
    let limit: Duration = time::duration(&args.timeout)?.try_into().unwrap_or(Duration::MAX);
    let need = find(session, &args.id).await?;
    let Ok(ended) = timeout(limit, until(session, need, args.milestone)).await else {
        return Err(Failure::new(
            Exit::TimedOut,
            "TIMED_OUT",
            format!("nothing came within {}", args.timeout),
        )
        .next(format!("fallow why-not {}", args.id)));
    };
    let (need, came) = ended?;
    session.show_one(&need)?;
    if came { Ok(Exit::Ok) } else { Ok(Exit::NothingMatched) }
}

/// Watches a need until it reached the milestone (true) or ended without it (false).
async fn until(session: &mut Session<'_>, need: Need, milestone: Milestone) -> Result<(Need, bool), Failure> {
    let id = need.id.clone();
    if let Some(ended) = ended(&need, milestone) {
        return Ok((need, ended));
    }
    let filter =
        NeedFilter { case_refs: vec![need.case_ref], trusts: vec![need.trust], ..NeedFilter::default() };
    let mut feed = Feed::new(String::new(), move |client: Client, cursor| {
        let request = WatchNeedsRequest { cursor, filter: Some(filter.clone()) };
        async move { client.demand().watch_needs(request).await.map(tonic::Response::into_inner) }
    });
    loop {
        let notice = match feed.next().await? {
            Happening::Opens => feed.open_by(session.lasting().await)?,
            Happening::Notice(notice) => Some(notice),
            Happening::Event(_) => {
                session.lasting().await?;
                None
            }
        };
        if let Some(notice) = notice {
            session.terminal.say(&notice)?;
            continue;
        }
        // Whatever was said, the record itself decides: one that left the filter has ended.
        let need = get(session, &id).await?;
        if let Some(ended) = ended(&need, milestone) {
            return Ok((need, ended));
        }
    }
}

/// Says whether a need reached the milestone, or never will; `None` while it still may.
fn ended(need: &Need, milestone: Milestone) -> Option<bool> {
    let reached = match need.state() {
        need::State::Unspecified | need::State::Open | need::State::OnHold => None,
        need::State::Proposed | need::State::PartAgreed => Some(Milestone::Proposed),
        need::State::Agreed => Some(Milestone::Agreed),
        need::State::Met => Some(Milestone::Met),
        need::State::Withdrawn | need::State::Expired | need::State::Unmet | need::State::ResolvedOutside => {
            return Some(false);
        }
    };
    reached.filter(|reached| *reached >= milestone).map(|_| true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_need_reaches_a_milestone_or_ends_without_it() {
        let at = |state: need::State| Need { state: state.into(), ..Need::default() };
        let outcome = |state, milestone| ended(&at(state), milestone);
        assert_eq!(outcome(need::State::Open, Milestone::Proposed), None);
        assert_eq!(outcome(need::State::Proposed, Milestone::Proposed), Some(true));
        assert_eq!(outcome(need::State::PartAgreed, Milestone::Agreed), None);
        assert_eq!(outcome(need::State::Met, Milestone::Agreed), Some(true));
        assert_eq!(outcome(need::State::Unmet, Milestone::Proposed), Some(false));
    }
}
