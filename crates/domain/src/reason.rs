//! The coded reasons why an offer does not serve a need.

use crate::resource::coded;

coded!(
    /// Why an offer was not used for a need. Declared in the order of the table of eligibility: the first that objects
    /// is the one counted.
    NotUsed {
        /// The offer is the home trust's own.
        SameTrust = "SAME_TRUST",
        /// No collaborative joins the two for this kind.
        NoAgreement = "NO_AGREEMENT",
        /// Another kind or code.
        WrongResource = "WRONG_RESOURCE",
        /// None of the need's specialties is the offer's.
        SpecialtyMismatch = "SPECIALTY_MISMATCH",
        /// A required capability is missing.
        CapabilityMissing = "CAPABILITY_MISSING",
        /// Isolation is required and missing.
        Isolation = "ISOLATION",
        /// The offer's level is below the need's.
        CareLevel = "CARE_LEVEL",
        /// Another level of security.
        SecurityLevel = "SECURITY_LEVEL",
        /// The patient's age or sex breaks a limit.
        AgeOrSex = "AGE_OR_SEX",
        /// The patient's body mass index or ASA status breaks a limit.
        BmiOrAsaLimit = "BMI_OR_ASA_LIMIT",
        /// Travel is longer than the need allows.
        TooFar = "TOO_FAR",
        /// The offer starts after the need's time.
        TooLate = "TOO_LATE",
        /// The offer ends, or starts, before the need's time.
        TooEarly = "TOO_EARLY",
        /// The session is too short for the case.
        TooShort = "TOO_SHORT",
        /// The session has no team.
        TeamMissing = "TEAM_MISSING",
        /// The site is ring-fenced for planned work, and this is an emergency.
        RingFenced = "RING_FENCED",
        /// The figures are too old.
        Stale = "STALE",
        /// The offer takes no new holds.
        Suspended = "SUSPENDED",
        /// The supporting trust has declared too high an OPEL.
        TrustUnderPressure = "TRUST_UNDER_PRESSURE",
        /// Nothing is free above the trust's reserve.
        BelowReserve = "BELOW_RESERVE",
        /// The pair was declined, and neither has changed since.
        DeclinedBefore = "DECLINED_BEFORE",
        /// Its units are held for another need.
        HeldForAnother = "HELD_FOR_ANOTHER",
        /// Its units went to a more urgent need.
        LostToHigherPriority = "LOST_TO_HIGHER_PRIORITY",
        /// It would do, and another does at less burden.
        CheaperElsewhere = "CHEAPER_ELSEWHERE",
    }
);
