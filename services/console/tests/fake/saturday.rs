//! What concerns three trusts or several cases at once: a team that is lent to a theatre, and a Saturday list.

use fallow_api::v1::*;

use super::Records;
use super::day::Day;

/// A case of Brackwater, a theatre of Aldermoor that lacks an anaesthetist, and Calverleigh's anaesthetist.
pub(crate) fn lend_a_team(day: &Day, records: &mut Records) {
    let mut session = day.offer("o-20", "ZA101", "MAIN", [240, 135, 105, 0, 0], 20, Source::Sheet);
    session.window = Some(Window { from: day.at(1_500), until: day.at(1_740) });
    session.team = Some(Team { staffed: false, needs: vec!["ANAESTHETIST".to_owned()] });
    let team = day.offer("o-21", "ZA301", "ANAESTHETIST", [1, 0, 1, 0, 0], 20, Source::Sheet);
    let mut need = day.need("n-20", "ZA201", "MAIN", 1, "BW-60", Priority::P2);
    need.minutes_per_case = 90;
    let mut proposal = day.proposal("p-20", &need, &session, 50);
    proposal.minutes = 105;
    proposal.team = Some(LentTeam {
        offer: team.id.clone(),
        trust: team.trust.clone(),
        units: 1,
        roles: vec!["ANAESTHETIST".to_owned()],
        travel_minutes: 38,
        others: 0,
        phone: "0555 0103".to_owned(),
        answer: Some(Answer { state: answer::State::Pending.into(), ..Answer::default() }),
    });
    proposal.home = yes(day);
    records.offers.extend([session, team]);
    records.needs.push(need);
    records.proposals.push(proposal);
}

/// The hub's Saturday list with cases of Brackwater and Eastholme, which Garrow gives.
pub(crate) fn offer_a_list(day: &Day, records: &mut Records) {
    let mut list = day.offer("o-22", "ZA601", "COLONOSCOPY", [6, 4, 2, 0, 0], 20, Source::Sheet);
    list.campaign = "Saturday list".to_owned();
    for (number, (site, case_ref)) in [("ZA201", "BW-61"), ("ZA501", "EH-61")].into_iter().enumerate() {
        let need = day.need(&format!("n-3{number}"), site, "COLONOSCOPY", 1, case_ref, Priority::P3);
        let mut proposal = day.proposal(&format!("p-3{number}"), &need, &list, 400);
        proposal.block = Some(Block { site: list.site.clone(), campaign: list.campaign.clone() });
        proposal.home = yes(day);
        records.needs.push(need);
        records.proposals.push(proposal);
    }
    records.offers.push(list);
}

fn yes(day: &Day) -> Option<Answer> {
    Some(Answer { state: answer::State::Accepted.into(), at: day.at(-2), ..Answer::default() })
}
