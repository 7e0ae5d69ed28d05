//! Reasons of who is asking.

super::section!("Who is asking":
    NO_CREDENTIALS [Unauthenticated]
        "The call carries no credential."
        user: "Sign in."
        operator: "Nothing."
        developer: "Send `authorization: Bearer …` with every call."
    AMBIGUOUS_CREDENTIALS [Unauthenticated]
        "The call carries more than one credential."
        user: "Sign in again."
        operator: "See whether a proxy adds a header."
        developer: "Send exactly one authorization header."
    TOKEN_MALFORMED [Unauthenticated]
        "The credential is no signed token of the right form and size."
        user: "Sign in again."
        operator: "Nothing."
        developer: "Send the token as it was given, at most 8 KiB."
    TOKEN_ALG [Unauthenticated]
        "The token is not signed as its issuer signs."
        user: "Sign in again."
        operator: "Somebody may be forging tokens: look at the audit log."
        developer: "Never choose the algorithm from the token."
    TOKEN_KEY [Unauthenticated]
        "The token is signed by a key that is not known."
        user: "Sign in again."
        operator: "After a change of keys, see that every process has the new one."
        developer: "Fetch a new token."
    TOKEN_EXPIRED [Unauthenticated]
        "The token has ended."
        user: "Sign in again."
        operator: "Nothing."
        developer: "Renew the token before its `exp`."
    TOKEN_NOT_YET [Unauthenticated]
        "The token begins in the future."
        user: "Try again in a minute."
        operator: "Check the clocks of both sides."
        developer: "Use a synchronised clock."
    TOKEN_ISSUER [Unauthenticated]
        "The token comes from elsewhere."
        user: "Sign in again."
        operator: "Check the issuer in the settings."
        developer: "Use a token of this region's issuer."
    TOKEN_AUDIENCE [Unauthenticated]
        "The token is meant for somebody else."
        user: "Sign in again."
        operator: "Check the audience in the settings."
        developer: "Ask for a token with audience `fallow` alone."
    TOKEN_CLAIMS [Unauthenticated]
        "The token lacks something it must say."
        user: "Sign in again."
        operator: "Check what the issuer puts into its tokens."
        developer: "sub, iat, exp, role, kind and region are required."
    TOKEN_REGION [Unauthenticated]
        "The credential is of another region."
        user: "Sign in to this region."
        operator: "Check the address that the trust was given."
        developer: "Keep one credential for each region."
    TOKEN_BINDING [Unauthenticated]
        "The token was made for another client."
        user: "Sign in again."
        operator: "The token may be stolen: end the session."
        developer: "Use a token only from where it was fetched."
    SESSION_ENDED [Unauthenticated]
        "The session was ended."
        user: "Sign in again."
        operator: "Nothing."
        developer: "Go to the sign-in page."
    AAL_TOO_LOW [Unauthenticated, PermissionDenied]
        "This needs a stronger sign-in."
        user: "Sign in with your card or security key."
        operator: "Nothing."
        developer: "Start the step-up that the identity provider offers."
    USERINFO_MALFORMED [Unauthenticated]
        "What the identity provider says of the person cannot be read."
        user: "Ask your registration authority to check your profile."
        operator: "Compare with the identity provider's notes of change."
        developer: "Nothing."
    CERT_IDENTITY_MISSING [Unauthenticated]
        "The certificate names nobody that Fallow knows how to read."
        user: "Nothing."
        operator: "Issue a certificate with the one URI that names trust and system."
        developer: "Use the certificate that the region issued."
    CERT_IDENTITY_AMBIGUOUS [Unauthenticated]
        "The certificate names more than one identity."
        user: "Nothing."
        operator: "Issue a certificate with exactly one URI."
        developer: "Use the certificate that the region issued."
    CERT_IDENTITY_MALFORMED [Unauthenticated]
        "The certificate's identity is not written as it must be."
        user: "Nothing."
        operator: "Issue the certificate again."
        developer: "Use the certificate that the region issued."
    CERT_WRONG_DOMAIN [Unauthenticated]
        "The certificate is of another region or environment."
        user: "Nothing."
        operator: "Check which environment the trust's system was given."
        developer: "Keep test and live certificates apart."
    TRUST_MISMATCH [PermissionDenied]
        "The request names a trust that the credential does not act for."
        user: "Choose the right trust, or sign in for it."
        operator: "Nothing; the attempt is in the audit log."
        developer: "Leave the trust out: it is taken from the credential."
    TRUST_NOT_ACTIVE [PermissionDenied]
        "The trust is not, or no longer, a member of this region."
        user: "Ask your coordinator."
        operator: "Check the trust in the region file; a merged trust names its successor."
        developer: "Nothing."
    NO_ROLE [PermissionDenied]
        "The person has no role in Fallow."
        user: "Ask your registration authority for one."
        operator: "Nothing."
        developer: "Show the message; do not retry."
    ROLE_NOT_SELECTED [PermissionDenied]
        "No role was chosen at sign-in."
        user: "Sign in again and choose a role."
        operator: "Nothing."
        developer: "Ask the identity provider for the chosen role."
    ROLE_FORBIDS [PermissionDenied]
        "The role does not allow this."
        user: "Ask a colleague who has the role."
        operator: "Nothing; the attempt is in the audit log."
        developer: "Hide what the role cannot do; the matrix of rights is in the docs."
    WRONG_SIDE [PermissionDenied]
        "This is for another side to do."
        user: "Ring the other trust."
        operator: "Nothing; the attempt is in the audit log."
        developer: "Offer each side its own actions only."
);
