//! Codes in plain words, the same wherever people read them. The table walks the whole enumeration, so a new code cannot be
//! forgotten.

use crate::v1::Objection;

/// Returns why an offer was not used, in words that go after a count: `6 too far`.
#[must_use]
pub const fn objection(value: Objection) -> &'static str {
    match value {
        Objection::Unspecified => "for another reason",
        Objection::SameTrust => "of the same trust",
        Objection::NoAgreement => "without an agreement between the trusts",
        Objection::WrongResource => "of another kind",
        Objection::SpecialtyMismatch => "for another specialty",
        Objection::CapabilityMissing => "without what is required",
        Objection::Isolation => "without isolation",
        Objection::CareLevel => "at a lower level of care",
        Objection::SecurityLevel => "at another level of security",
        Objection::AgeOrSex => "with an age or sex limit that rules it out",
        Objection::BmiOrAsaLimit => "with a BMI or ASA limit that rules it out",
        Objection::TooFar => "too far",
        Objection::TooLate => "that start too late",
        Objection::TooEarly => "that end too early",
        Objection::TooShort => "too short for the case",
        Objection::TeamMissing => "without a team",
        Objection::Stale => "stale: nobody has confirmed them",
        Objection::Suspended => "suspended",
        Objection::TrustUnderPressure => "at a trust that is itself under pressure",
        Objection::BelowReserve => "with nothing free above the trust\u{2019}s reserve",
        Objection::DeclinedBefore => "declined before, and nothing has changed",
        Objection::HeldForAnother => "held for another need",
        Objection::LostToHigherPriority => "used for a more urgent need",
        Objection::CheaperElsewhere => "that cost more than what is proposed",
        Objection::RingFenced => "ring-fenced for planned work",
    }
}
