//! The care board's desk: it approves what the policy gives it to approve, once the trusts have said yes.

use fallow_api::v1;
use fallow_api::v1::answer::State as Said;

use super::voice::Voice;

/// Looks at what waits for an approval and gives it where every trust has agreed.
pub(super) async fn look(board: &Voice) {
    for proposal in board.waiting().await {
        if have_agreed(&proposal) {
            board.approve(&proposal.id).await;
        }
    }
}

/// Says whether every trust that is asked has said yes.
fn have_agreed(proposal: &v1::Proposal) -> bool {
    let team = proposal.team.as_ref().and_then(|team| team.answer.as_ref());
    let said_yes = |side: &v1::Answer| side.state() == Said::Accepted;
    [proposal.home.as_ref(), proposal.supporting.as_ref()].into_iter().all(|side| side.is_some_and(said_yes))
        && team.is_none_or(said_yes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_board_decides_after_the_trusts() {
        let side = |said: Said| Some(v1::Answer { state: said.into(), ..Default::default() });
        let mut proposal = v1::Proposal {
            home: side(Said::Accepted),
            supporting: side(Said::Pending),
            ..Default::default()
        };
        assert!(!have_agreed(&proposal));
        proposal.supporting = side(Said::Accepted);
        assert!(have_agreed(&proposal));
        proposal.team = Some(v1::LentTeam { answer: side(Said::Provisional), ..Default::default() });
        assert!(!have_agreed(&proposal));
    }
}
