//! Reasons of limits, of the store, and of bugs.

super::section!("Limits, the store, bugs":
    RATE_LIMITED [ResourceExhausted]
        "Too many calls in too short a time."
        user: "Wait a moment."
        operator: "If the trust needs more, raise its limit."
        developer: "Wait as long as RetryInfo says; use a watch instead of asking again and again."
    CONCURRENCY [ResourceExhausted]
        "Too many calls at once on one connection."
        user: "Wait a moment."
        operator: "Nothing."
        developer: "Bound the calls in flight."
    WATCH_LIMIT [ResourceExhausted]
        "The trust has too many watches open."
        user: "Close pages that you do not need."
        operator: "If the trust needs more, raise its limit."
        developer: "Share one watch in a process; close those that nobody reads."
    SLOW_CONSUMER [ResourceExhausted]
        "The watcher did not read fast enough and was cut off."
        user: "Nothing: the page starts again by itself."
        operator: "Nothing."
        developer: "Read without waiting for others; go on from the last cursor."
    MESSAGE_TOO_LARGE [ResourceExhausted]
        "The message is larger than the call allows."
        user: "Send less at once."
        operator: "Nothing."
        developer: "Split it, or use the stream."
    NOT_READY [Unavailable]
        "The process has not read the whole log yet, or is stopping."
        user: "Try again in a moment."
        operator: "If it lasts, look at the process's log."
        developer: "Retry with the same request id; health says when it serves."
    PROVIDER_AWAY [Unavailable]
        "The identity provider does not answer, so nobody can be signed in; nothing was done."
        user: "Try again in a moment; who is signed in stays so for up to five minutes."
        operator: "See whether the provider can be reached from the monitor service; its log says why not."
        developer: "Retry after the wait that RetryInfo says."
    STORE_AWAY [Unavailable]
        "The store cannot be reached; surely nothing was written."
        user: "Try again; ring if it is urgent."
        operator: "See to the store: nothing can be written until it is back."
        developer: "Retry with the same request id, after the wait that RetryInfo says."
    OUTCOME_UNKNOWN [Unavailable, DeadlineExceeded]
        "The change may or may not have been written."
        user: "Try again: the same change is never made twice."
        operator: "See to the store or the network between."
        developer: "Retry with the same request id and body: the answer says what happened."
    STORE_SEALED [Unavailable]
        "The store may be behind what was acknowledged, so it is closed to changes until that is settled."
        user: "Work by telephone until it is open; what you see is as of the time shown."
        operator: "See `fallow ledger status`; open it when a witness shows that nothing is missing."
        developer: "Go on reading; retry changes rarely."
    STORE_MISCONFIGURED [Unavailable]
        "The store is set up so that it could lose changes, so it takes none."
        user: "Tell whoever runs Fallow."
        operator: "Set what the message names, then the store opens by itself."
        developer: "Go on reading; retry changes rarely."
    DEADLINE_PASSED [DeadlineExceeded]
        "The answer did not come in time; nothing was to be written."
        user: "Try again."
        operator: "If it is common, look at the times of the store."
        developer: "Retry, perhaps with a longer deadline."
    IDLE_STREAM [DeadlineExceeded]
        "Nothing came on the stream for too long."
        user: "Nothing."
        operator: "Nothing."
        developer: "Close streams that are not used; go on from the last acknowledgement."
    UNKNOWN_METHOD [Unimplemented]
        "This server has no such call."
        user: "Install the current version."
        operator: "Check that client and server are of one version and that the call goes to the right service."
        developer: "See reflection for what this server has."
    COMPRESSION_UNSUPPORTED [Unimplemented]
        "The message is compressed in a way that this server does not take."
        user: "Nothing."
        operator: "Nothing."
        developer: "Send without compression."
    BUG [Internal]
        "Fallow made a mistake; the trace id finds it."
        user: "Try again; if it comes back, report the trace id."
        operator: "Find the trace and report it."
        developer: "Do not retry without end."
);
