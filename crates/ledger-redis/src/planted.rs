//! Bugs that can be planted in the function that runs in Redis, see [`fallow_ledger::planted`].

use std::borrow::Cow;

/// Each bug of the function: its name, what is there, and what is there instead. What is there stands once in
/// `commit.lua`, and is found by the test below when it no longer does.
pub const IN_FUNCTION: &[(&str, &str, &str)] = &[
    (
        "absence-not-compared",
        "if revision ~= args[12 + 2 * i] then",
        "if args[12 + 2 * i] ~= '0' and revision ~= args[12 + 2 * i] then",
    ),
    ("conflict-writes", "if #differ > 1 then", "if #differ > 2 then"),
    ("deletion-forgotten", "redis.call('HDEL', live, unpack(deletions))", ""),
    ("digest-not-compared", "~= digest then", "~= digest and false then"),
    ("epoch-ignored", "if epoch ~= args[1] then", "if not epoch then"),
    ("loss-not-noticed", "if tonumber(head) < tonumber(args[2]) then", "if false then"),
    ("outcome-not-stored", "redis.call('HSET', outcomes, request, digest .. revision .. ' ' .. args[9])", ""),
    ("outcomes-forgotten-early", "decimal(now - tonumber(args[4]))", "decimal(now + 1)"),
    ("replay-answers-another", "string.sub(known, 33, space - 1)", "head"),
    ("revision-not-dense", "decimal(tonumber(head) + 1)", "decimal(tonumber(head) + 2)"),
    ("seal-skipped", "if string.sub(epoch, 1, 40) ~= replid() then", "if false then"),
    (
        "trimmed-unarchived",
        "redis.call('HSET', meta, 'revision', revision)\n",
        "redis.call('HSET', meta, 'revision', revision) redis.call('XTRIM', log, 'MAXLEN', 100)",
    ),
    (
        "ttl-used",
        "redis.call('ZADD', times, decimal(now), request)",
        "redis.call('ZADD', times, decimal(now), request) redis.call('PEXPIRE', outcomes, 1000)",
    ),
    ("version-not-compared", "if revision ~= args[12 + 2 * i] then", "if false then"),
    (
        "write-not-logged",
        "'cause', args[11], unpack(args, first_write))",
        "'cause', args[11], unpack(args, first_write, #args > first_write + 1 and #args - 2 or #args))",
    ),
];

/// Returns the text of the function with the bug that is planted in this process, if it is one of the function.
#[cfg(feature = "planted")]
pub(crate) fn spoil(right: &str) -> Cow<'_, str> {
    let planted = fallow_ledger::planted::planted();
    let bug = IN_FUNCTION.iter().find(|(name, ..)| Some(*name) == planted);
    bug.map_or(Cow::Borrowed(right), |(_, there, instead)| right.replace(there, instead).into())
}

/// Returns the text of the function: nothing is planted in this build.
#[cfg(not(feature = "planted"))]
pub(crate) const fn spoil(right: &str) -> Cow<'_, str> {
    Cow::Borrowed(right)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bug_of_the_function_is_listed_and_changes_one_place() {
        let right = include_str!("commit.lua");
        for (name, there, instead) in IN_FUNCTION {
            assert_eq!(right.matches(there).count(), 1, "{name}: {there} is not once in the function");
            assert_ne!(there, instead, "{name}");
            let listed = fallow_ledger::planted::BUGS.iter().any(|(listed, _)| listed == name);
            assert!(listed, "{name} is not in the list of bugs");
        }
    }
}
