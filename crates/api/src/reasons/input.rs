//! Reasons of what was sent being wrong in itself.

super::section!("What was sent is wrong":
    INVALID [InvalidArgument]
        "Several fields are wrong, for more than one reason."
        user: "Mend each field that is named."
        operator: "Nothing."
        developer: "Show every violation of BadRequest beside its field; do not retry unchanged."
    REQUIRED [InvalidArgument]
        "The field must be given."
        user: "Fill it in."
        operator: "Nothing."
        developer: "Send the field; an absent message or an unspecified enum value counts as not given."
    OUT_OF_RANGE [InvalidArgument]
        "A number, time or length of time is outside its range."
        user: "Enter a value in the range that the message names."
        operator: "Nothing."
        developer: "Check the range in the proto's comment before sending."
    BAD_TEXT [InvalidArgument]
        "The text is too long, or holds control, direction or invisible characters."
        user: "Type it again as plain text; text pasted from documents often holds invisible characters."
        operator: "Nothing."
        developer: "Strip control, zero-width and bidirectional characters and bound the length in characters."
    BAD_ID [InvalidArgument]
        "The id is empty, longer than 64 characters, or holds spaces, control characters or curly brackets."
        user: "Open the record from a list instead of typing its id."
        operator: "Nothing."
        developer: "Send ids exactly as they were received."
    BAD_CODE [InvalidArgument]
        "The code has the wrong shape or stands in no list of this region."
        user: "Choose a code from the list."
        operator: "If the code is right, add it to the region file."
        developer: "ODS codes are capitals and digits, three for a trust and five for a site; codes are in GetRegion and the glossary."
    UNKNOWN_VALUE [InvalidArgument]
        "The enum value does not exist."
        user: "Choose a value from the list."
        operator: "Nothing."
        developer: "Make the client from the current protos; send names of this version only."
    WINDOW [InvalidArgument]
        "The window ends before it starts, has passed, is too long or begins too far ahead."
        user: "Correct the two times."
        operator: "Nothing."
        developer: "`until` is after `from` and in the future; sessions last up to 31 days, rolling offers up to 400."
    AMBIGUOUS_LOCAL_TIME [InvalidArgument]
        "The local time exists twice or not at all, because the clocks change."
        user: "Say which: write the time with its offset, such as 01:30+01:00."
        operator: "Nothing."
        developer: "Send RFC 3339 times with an offset."
    DUPLICATE [InvalidArgument]
        "The same key stands twice in one batch; nothing of it was applied."
        user: "Remove one of the two rows."
        operator: "Nothing."
        developer: "Make keys unique within a batch."
    TOO_MANY [InvalidArgument]
        "There are more than allowed: items of a list, or feeds of a trust."
        user: "Split a list; report by a feed that is known."
        operator: "Nothing."
        developer: "Send batches within the limit in the proto's comment, and name a feed for its system, not for each report."
    SERVER_FIELD [InvalidArgument]
        "The field is written by the server and must be left out."
        user: "Leave it empty."
        operator: "Nothing."
        developer: "Do not send back what the server derived: id, state, revision, held, committed, free, short."
    NOT_APPLICABLE [InvalidArgument]
        "The field does not go with the others that were given."
        user: "Leave it empty."
        operator: "Nothing."
        developer: "Read the field's comment: it belongs to another kind of resource or another verdict."
    SITE_NOT_OF_TRUST [InvalidArgument]
        "The site belongs to another trust, or is in no region file."
        user: "Choose one of your own sites."
        operator: "If the site is right, add it to the region file."
        developer: "Take sites from GetRegion."
    SAME_TRUST [InvalidArgument]
        "A trust cannot help itself, or ask itself."
        user: "Choose another trust."
        operator: "Nothing."
        developer: "Leave the caller's own trust out of the choice."
    SOURCE_KEY_REQUIRED [InvalidArgument]
        "An item of a whole state has no key of its own."
        user: "Give every row its own key."
        operator: "Nothing."
        developer: "Send a stable `source_key` with every item of ReplaceOffers."
    REASON_REQUIRED [InvalidArgument]
        "The action needs a reason in words."
        user: "Say why; the trusts concerned will see it."
        operator: "Nothing."
        developer: "Ask for the reason before sending."
    NO_RESERVE_FOR_THEATRE [InvalidArgument]
        "A theatre takes no reserve."
        user: "Keep a session back by not offering it."
        operator: "Nothing."
        developer: "Do not offer THEATRE where reserves are set."
    NO_SUCH_ITEM [InvalidArgument]
        "The transfer's checklist has no item of that name."
        user: "Open the transfer again and mark what it shows."
        operator: "Nothing."
        developer: "Send names from the transfer's own checklist."
    PATIENT_IDENTIFIER_SUSPECTED [InvalidArgument]
        "The text looks as if it could identify a patient; it was not stored."
        user: "Take names, numbers, dates of birth and postcodes out; Fallow needs none of them."
        operator: "Nothing; the text was not logged."
        developer: "Do not send the text elsewhere either; the violation names the rule and the place."
    BAD_REQUEST_ID [InvalidArgument]
        "The request id is missing or is no UUID."
        user: "Try again; if it comes back, report it to whoever supplies your screen."
        operator: "Nothing."
        developer: "Make one UUID for each change and keep it for all retries of that change."
    BAD_PAGE_TOKEN [InvalidArgument]
        "The page token was not made for this list."
        user: "Open the list again."
        operator: "Nothing."
        developer: "Send the token of the last answer with the same filter, or none."
    BAD_CURSOR [InvalidArgument]
        "The cursor was not made for this watch."
        user: "Open the page again."
        operator: "Nothing."
        developer: "Send the cursor of the last message with the same filter, or none."
    INVALID_REGION [InvalidArgument]
        "The region file does not hold; every problem is named."
        user: "Nothing."
        operator: "Mend each problem and apply again; with --dry-run nothing is changed."
        developer: "The field of each violation is the place in the file."
    MALFORMED_MESSAGE [InvalidArgument]
        "The bytes are no message of this call."
        user: "Report it to whoever supplies your screen."
        operator: "See which client sent it; its version may be wrong."
        developer: "Make the client from the protos of this server; strings are UTF-8."
    MISSING_MESSAGE [InvalidArgument]
        "The call came without its message."
        user: "Report it to whoever supplies your screen."
        operator: "See whether a proxy cuts bodies."
        developer: "Send exactly one message with a unary call."
    CARDINALITY [InvalidArgument]
        "A unary call came with more than one message; nothing was done."
        user: "Report it to whoever supplies your screen."
        operator: "Nothing."
        developer: "Send exactly one message with a unary call."
    BAD_FRAME [InvalidArgument]
        "The frame around the message is not gRPC's."
        user: "Report it to whoever supplies your screen."
        operator: "See whether a proxy rewrites bodies."
        developer: "Use a gRPC library."
    BAD_METADATA [InvalidArgument]
        "A binary header is not base64."
        user: "Report it to whoever supplies your screen."
        operator: "See whether a proxy rewrites headers."
        developer: "Encode headers that end in -bin."
    BAD_DEADLINE [InvalidArgument]
        "The deadline is not written as gRPC writes it."
        user: "Report it to whoever supplies your screen."
        operator: "Nothing."
        developer: "grpc-timeout is at most eight digits and one unit."
    DEADLINE_TOO_SHORT [InvalidArgument]
        "The deadline of a change is shorter than 100 ms; nothing was done."
        user: "Try again."
        operator: "Nothing."
        developer: "Give changes 100 ms to 30 s; 10 s is usual."
);
