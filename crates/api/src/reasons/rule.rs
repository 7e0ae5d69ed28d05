//! Reasons of a rule saying no to what was asked in good order.

super::section!("A rule says no":
    ILLEGAL_TRANSITION [FailedPrecondition]
        "The record's state does not allow this any more, or not yet."
        user: "Look at the record again: somebody may have been faster."
        operator: "Nothing."
        developer: "Offer only what the state allows; the numbers name the state and the command."
    HOLD_EXPIRED [FailedPrecondition]
        "The hold ran out before the answer."
        user: "Wait for the next suggestion; it comes by itself."
        operator: "If it is common, look at the hold times of the policy."
        developer: "Count down to `held_until` by the server's time."
    HOLD_NOT_EXPIRED [FailedPrecondition]
        "The hold has not run out yet."
        user: "Nothing."
        operator: "Check the engine's clock."
        developer: "Only the engine lapses holds, and never before their time."
    HOLD_TOO_LONG [FailedPrecondition]
        "The extension is longer than the policy allows."
        user: "Ask for less time."
        operator: "Nothing."
        developer: "The number `latest` is the latest time allowed."
    ALREADY_ACCEPTED [FailedPrecondition]
        "This side has said yes before."
        user: "Nothing: your yes stands."
        operator: "Nothing."
        developer: "Treat it as done after reading the proposal."
    ALREADY_ANSWERED [FailedPrecondition]
        "A trust has answered, so the proposal can no longer be set aside."
        user: "Speak to the trust that answered."
        operator: "Nothing."
        developer: "Offer the bypass only while both sides are pending."
    ALREADY_EXTENDED [FailedPrecondition]
        "This side has used its one extension."
        user: "Answer before the hold runs out."
        operator: "Nothing."
        developer: "Hide the extension once the answer says `extended`; a provisional yes uses it."
    TOO_LATE_TO_RETRACT [FailedPrecondition]
        "Ten seconds have passed, or the other side has answered."
        user: "Abort the transfer instead, or ring the other trust."
        operator: "Nothing."
        developer: "Offer the way back for ten seconds only."
    NOT_INCIDENT_MODE [FailedPrecondition]
        "No collaborative that joins trusts of the proposal is in incident mode."
        user: "Switch the collaborative to incident mode first, with a reason."
        operator: "Nothing."
        developer: "Offer the bypass in incident mode only."
    SECOND_PERSON_REQUIRED [FailedPrecondition]
        "The same person cannot do both steps."
        user: "Ask a colleague."
        operator: "Nothing."
        developer: "Show who did the first step."
    CAPACITY_COMMITTED [FailedPrecondition]
        "Answered holds or committed units stand on the offer; the numbers name them."
        user: "Abort those transfers first, or suspend the offer so that nothing new is added."
        operator: "Nothing."
        developer: "Link to the proposals and transfers that are named."
    UNITS_BOUND [FailedPrecondition]
        "Answered holds or agreed units stand on the need; the numbers name them."
        user: "Abort those transfers first, or keep at least as many units."
        operator: "Nothing."
        developer: "Link to the proposals and transfers that are named."
    NOT_ENOUGH_UNITS [FailedPrecondition]
        "Fewer units are free, or wanted, than asked for."
        user: "Ask for fewer."
        operator: "Nothing."
        developer: "The numbers say how many there are; read again before asking."
    BELOW_RESERVE [FailedPrecondition]
        "It would take the trust below what it keeps for itself."
        user: "Lower the reserve first, if that is right."
        operator: "Nothing."
        developer: "The numbers say free, reserve and asked."
    STALE [FailedPrecondition]
        "The offer's figures are too old to be used."
        user: "Ask the trust to say whether they are still true."
        operator: "See whether the trust's feed is silent."
        developer: "Compare the age with twice the cadence."
    SUSPENDED [FailedPrecondition]
        "The offer takes no new holds."
        user: "Wait until its suspension ends, or ring the trust."
        operator: "Nothing."
        developer: "The offer says until when and why."
    NOT_RELEASED [FailedPrecondition]
        "The theatre session is not released yet."
        user: "Wait for the trust's release week."
        operator: "Nothing."
        developer: "The number `release_at` says from when."
    NOT_ELIGIBLE [FailedPrecondition]
        "The offer cannot serve the need; the numbers name each objection."
        user: "Choose another offer."
        operator: "Nothing."
        developer: "ExplainNeed says which offers can."
    DECLINED_BEFORE [FailedPrecondition]
        "This pair was declined and neither side has changed since."
        user: "Nothing; another is suggested."
        operator: "Nothing."
        developer: "The pair comes back by itself when the offer or the need changes."
    SOURCE_STALE [FailedPrecondition]
        "The report is older than two cadences, or than the last from its source."
        user: "Report again with the present figures."
        operator: "See why the feed is late."
        developer: "Send `reported_at` as the time the figures were true."
    SOURCE_AHEAD [FailedPrecondition]
        "The report is dated more than a minute ahead."
        user: "Check the clock of your computer."
        operator: "Check the clock of the feed."
        developer: "Send UTC times from a synchronised clock."
    LARGE_CHANGE [FailedPrecondition]
        "The figures change by more than half and more than ten within five minutes."
        user: "Check the figure; confirm it if it is meant."
        operator: "If nobody at the trust meant it, its credential may be stolen."
        developer: "Ask the person, then send again with `confirm_large_change`."
    NOT_YET [FailedPrecondition]
        "The time for this has not come."
        user: "Wait until then."
        operator: "Nothing."
        developer: "The number `not_before` says when."
    CHECKLIST_OPEN [FailedPrecondition]
        "Something on the transfer's checklist is not done."
        user: "Do it and mark it."
        operator: "Nothing."
        developer: "The number `open` names what is open."
    CALENDAR_ENDS [FailedPrecondition]
        "The working calendar ends before the hold would."
        user: "Tell whoever runs Fallow."
        operator: "Add the coming year's holidays."
        developer: "Nothing."
    AGREEMENT_ENDS [FailedPrecondition]
        "The standing agreement by which staff or an item were lent ends before that."
        user: "Ask the trust that lends them: it can put the return off itself."
        operator: "Have a longer agreement put into the region file."
        developer: "The number `until` is when it ends, or the later time that the lender gave."
    OVERRIDE_REASON [FailedPrecondition]
        "Acting for another trust needs a reason from the list."
        user: "Choose the reason."
        operator: "Nothing."
        developer: "Send the reason with the action."
    OVERRIDE_EXPIRED [FailedPrecondition]
        "The action was not confirmed within its time."
        user: "Propose it again."
        operator: "Nothing."
        developer: "Show `expires_at`."
    OVERRIDE_LIMIT [FailedPrecondition]
        "The right to act for another trust was used too often today."
        user: "Ring the trust."
        operator: "Review why it is needed so often."
        developer: "Nothing."
    CHANGED_MEANWHILE [Aborted]
        "The record changed after it was read, or others kept changing it while this was tried."
        user: "Look at it as it is now, and decide again."
        operator: "If it is common, see which records are fought over."
        developer: "Read again, show both, send with the new revision; the number `current` is that revision."
    OUT_OF_ORDER_FEED [Aborted]
        "The source has sent a later report before."
        user: "Nothing: the later figures stand."
        operator: "See why the feed repeats itself."
        developer: "Send growing numbers; the number `last` is the last one taken."
    REQUEST_ID_REUSED [AlreadyExists]
        "The request id was used within 72 hours for something else; nothing was done."
        user: "Try again."
        operator: "Nothing."
        developer: "Make a new UUID for each change; keep it only for retries of the very same request."
    NOT_FOUND [NotFound]
        "There is no such record, or it is not yours to know."
        user: "Check the reference; it may belong to a collaborative you are not in."
        operator: "Nothing; the two cases are told apart in the audit log."
        developer: "Treat both cases alike."
    CURSOR_GONE [OutOfRange]
        "The place in the log from which to go on is no longer kept, or is of another history."
        user: "Nothing: the page starts again by itself."
        operator: "If it is common, keep the log longer."
        developer: "Watch again without a cursor and replace what you hold by the snapshot."
    REVISION_GONE [OutOfRange]
        "That revision or time is no longer kept, or the page token is of another history of the ledger."
        user: "Choose a later time, or open the list again."
        operator: "Nothing."
        developer: "Start from the newest revision; of a list, from the first page."
    CLIENT_TOO_OLD [FailedPrecondition]
        "The client is older than this server supports."
        user: "Install the current version."
        operator: "Tell the trusts which version to use."
        developer: "Make the client from the current protos."
);
