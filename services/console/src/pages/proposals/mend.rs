//! What a no was about, and the way to where it is mended, so that nobody is asked in vain again.

use fallow_api::v1::{DeclineReason, Proposal};

use crate::app::encoded;

/// What is said after a no beside that it was recorded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Mend {
    /// The sentence.
    pub(super) said: &'static str,
    /// Address of the very control, and what the way there is called.
    pub(super) way: (String, &'static str),
}

/// Returns how trust `own` mends what its no was about; `None` where there is nothing to mend, or the form has mended it.
pub(super) fn mend(reason: DeclineReason, is_mended: bool, proposal: &Proposal, own: &str) -> Option<Mend> {
    let (said, way) = if proposal.supporting_trust == own {
        of_offer(reason, is_mended, proposal)
    } else if proposal.home_trust == own {
        of_need(reason, proposal)
    } else {
        // Who lends a team has neither the offer nor the need in hand.
        None
    }?;
    Some(Mend { said, way })
}

type Way = (&'static str, (String, &'static str));

fn of_offer(reason: DeclineReason, is_mended: bool, proposal: &Proposal) -> Option<Way> {
    let offer = encoded(&proposal.offer);
    let (said, address, name) = match reason {
        DeclineReason::CapacityChanged | DeclineReason::Staffing if !is_mended => {
            // The minutes of a session are no number of the board.
            let is_session = proposal.minutes > 0;
            let address = if is_session {
                format!("/capacity/offer/{offer}/change#count")
            } else {
                format!("/capacity#free-{offer}")
            };
            ("Is the number no longer true?", address, "Change the number")
        }
        DeclineReason::InfectionControl => (
            "While it lasts nothing new needs to be proposed of it.",
            format!("/capacity/offer/{offer}#suspend-until"),
            "Pause this offer",
        ),
        DeclineReason::CaseMix => (
            "Limits of an offer keep such cases away.",
            format!("/capacity/offer/{offer}/change#age-min"),
            "Change whom it can take",
        ),
        DeclineReason::Equipment => (
            "What an offer says that the place can do keeps such cases away.",
            format!("/capacity/offer/{offer}/change#capabilities"),
            "Change what it can do",
        ),
        DeclineReason::CapacityChanged
        | DeclineReason::Staffing
        | DeclineReason::Finance
        | DeclineReason::PatientDeclined
        | DeclineReason::NotFit
        | DeclineReason::TreatedElsewhere
        | DeclineReason::TooFarForPatient
        | DeclineReason::NoTransport
        | DeclineReason::Other
        | DeclineReason::NoAnswer
        | DeclineReason::Unspecified => return None,
    };
    Some((said, (address, name)))
}

fn of_need(reason: DeclineReason, proposal: &Proposal) -> Option<Way> {
    let (said, control, name) = match reason {
        DeclineReason::TooFarForPatient => {
            ("A shorter travel limit keeps it nearer.", "travel-limit", "Change the travel limit")
        }
        DeclineReason::TreatedElsewhere => ("Is it over?", "resolve-note", "Say how it was resolved"),
        DeclineReason::NotFit => {
            ("Until they are fit nothing needs to be looked for.", "park-until", "Park this need")
        }
        DeclineReason::PatientDeclined => (
            "Are they willing to be treated elsewhere at all?",
            "standing-title",
            "Say whether it still stands",
        ),
        DeclineReason::CapacityChanged
        | DeclineReason::Staffing
        | DeclineReason::CaseMix
        | DeclineReason::Equipment
        | DeclineReason::InfectionControl
        | DeclineReason::Finance
        | DeclineReason::NoTransport
        | DeclineReason::Other
        | DeclineReason::NoAnswer
        | DeclineReason::Unspecified => return None,
    };
    Some((said, (format!("/needs?why={}#{control}", encoded(&proposal.need)), name)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::words::codes::{DECLINES, HOME_DECLINES, SUPPORTING_DECLINES};

    fn proposal(minutes: i64) -> Proposal {
        Proposal {
            need: "n-1".to_owned(),
            offer: "o-1".to_owned(),
            home_trust: "ZA4".to_owned(),
            supporting_trust: "ZA1".to_owned(),
            minutes,
            ..Proposal::default()
        }
    }

    fn way(reason: DeclineReason, own: &str) -> Option<String> {
        mend(reason, false, &proposal(0), own).map(|mend| mend.way.0)
    }

    #[test]
    fn a_no_leads_to_the_control_that_mends_its_cause() {
        for (reason, own, expected) in [
            (DeclineReason::Staffing, "ZA1", Some("/capacity#free-o-1")),
            (DeclineReason::InfectionControl, "ZA1", Some("/capacity/offer/o-1#suspend-until")),
            (DeclineReason::CaseMix, "ZA1", Some("/capacity/offer/o-1/change#age-min")),
            (DeclineReason::Equipment, "ZA1", Some("/capacity/offer/o-1/change#capabilities")),
            (DeclineReason::TooFarForPatient, "ZA4", Some("/needs?why=n-1#travel-limit")),
            (DeclineReason::TreatedElsewhere, "ZA4", Some("/needs?why=n-1#resolve-note")),
            (DeclineReason::NotFit, "ZA4", Some("/needs?why=n-1#park-until")),
            (DeclineReason::Finance, "ZA1", None),
            (DeclineReason::NoTransport, "ZA4", None),
        ] {
            assert_eq!(way(reason, own).as_deref(), expected, "{reason:?} of {own}");
        }
    }

    #[test]
    fn nobody_is_led_to_what_is_another_trusts() {
        for reason in DECLINES {
            assert_eq!(way(reason, "ZA9"), None, "{reason:?}");
        }
        for reason in HOME_DECLINES.iter().filter(|one| !SUPPORTING_DECLINES.contains(one)) {
            assert_eq!(way(*reason, "ZA1"), None, "{reason:?}");
        }
    }

    #[test]
    fn what_the_form_has_mended_is_not_asked_again_and_minutes_are_changed_with_their_session() {
        assert_eq!(mend(DeclineReason::Staffing, true, &proposal(0), "ZA1"), None);
        let session = mend(DeclineReason::Staffing, false, &proposal(90), "ZA1").unwrap();
        assert_eq!(session.way.0, "/capacity/offer/o-1/change#count");
    }
}
