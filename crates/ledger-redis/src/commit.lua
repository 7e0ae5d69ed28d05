#!lua name=fallow_ledger_v1
-- The only writer of the ledger. It holds no business rule, and checks everything before it writes anything, for a
-- function that fails half-way does not roll back. Keys: see keys.rs. Its name ends in a version, so that processes
-- of two releases can each call their own.

-- Numbers of Lua are doubles: exact for integers up to 2^53, a thousand commits a second for 285,000 years.
local function decimal(number)
  return string.format('%.0f', number)
end

-- Opens the ledger: gives it its history if it has none.
-- KEYS meta · ARGV id of the history that it gets when it has none · gives history, revision
local function open(keys, args)
  if redis.call('HSETNX', keys[1], 'history', args[1]) == 1 then
    redis.call('HSET', keys[1], 'revision', '0')
  end
  return redis.call('HMGET', keys[1], 'history', 'revision')
end

-- Forgets outcomes from before a time, oldest first. Housekeeping: it happens whether or not the commit does.
local function prune(outcomes, times, counts, before_ms, at_most)
  local old = redis.call('ZRANGEBYSCORE', times, '-inf', '(' .. before_ms, 'LIMIT', 0, at_most)
  for _, request in ipairs(old) do
    local colon = string.find(request, ':', 1, true)
    local scope = string.sub(request, colon + 1, colon + tonumber(string.sub(request, 1, colon - 1)))
    redis.call('ZREM', times, request)
    redis.call('HDEL', outcomes, request)
    if redis.call('HINCRBY', counts, scope, -1) <= 0 then
      redis.call('HDEL', counts, scope)
    end
  end
end

-- KEYS meta, live, log, outcomes, outcome-times, outcome-counts
-- ARGV 1 history and 2 highest revision that the caller has seen
--      3 time, and 4 the time before which outcomes are forgotten, in ms since 1970; 5 how many at most
--      6 request or '', 7 its scope, 8 digest, 9 answer, 10 how many requests a scope may have
--      11 cause, 12 number of expected records, then (record, revision) each, then (record, '=' body or '-') each
-- Gives 'committed' revision | 'replayed' revision answer | 'conflict' record… | 'reused' | 'full' | 'sealed' detail
local function commit(keys, args)
  local meta, live, log, outcomes, times, counts = unpack(keys)
  local history, head = unpack(redis.call('HMGET', meta, 'history', 'revision'))
  if history ~= args[1] then
    return { 'sealed', 'the history is ' .. (history or 'gone') .. ', not ' .. args[1] }
  end
  if tonumber(head) < tonumber(args[2]) then
    return { 'sealed', 'the last commit is ' .. head .. ', but ' .. args[2] .. ' was acknowledged' }
  end

  local request, digest = args[6], args[8]
  if request ~= '' then
    local known = redis.call('HGET', outcomes, request)
    if known then
      if string.sub(known, 1, 32) ~= digest then
        return { 'reused' }
      end
      local space = string.find(known, ' ', 33, true)
      return { 'replayed', string.sub(known, 33, space - 1), string.sub(known, space + 1) }
    end
  end

  prune(outcomes, times, counts, args[4], args[5])
  if request ~= '' and tonumber(redis.call('HGET', counts, args[7]) or 0) >= tonumber(args[10]) then
    return { 'full' }
  end

  local expected = tonumber(args[12])
  local first_write = 13 + 2 * expected
  if expected > 0 then
    local names, differ = {}, { 'conflict' }
    for i = 13, first_write - 1, 2 do
      names[#names + 1] = args[i]
    end
    for i, found in ipairs(redis.call('HMGET', live, unpack(names))) do
      local revision = found and string.sub(found, 1, string.find(found, ' ', 1, true) - 1) or '0'
      if revision ~= args[12 + 2 * i] then
        differ[#differ + 1] = names[i]
      end
    end
    if #differ > 1 then
      return differ
    end
  end

  -- From here on nothing fails: the keys read above are of their types, `live` is looked at once more for commits that
  -- expect nothing, and the first write is the one that Redis itself checks (the log takes only rising ids).
  redis.call('HEXISTS', live, '')
  local revision = decimal(tonumber(head) + 1)
  redis.call('XADD', log, revision .. '-0', 'cause', args[11], unpack(args, first_write))
  redis.call('HSET', meta, 'revision', revision)
  local puts, deletions = {}, {}
  for i = first_write, #args, 2 do
    local body = args[i + 1]
    if body == '-' then
      deletions[#deletions + 1] = args[i]
    else
      puts[#puts + 1] = args[i]
      puts[#puts + 1] = revision .. ' ' .. string.sub(body, 2)
    end
  end
  if #puts > 0 then
    redis.call('HSET', live, unpack(puts))
  end
  if #deletions > 0 then
    redis.call('HDEL', live, unpack(deletions))
  end
  if request ~= '' then
    redis.call('HSET', outcomes, request, digest .. revision .. ' ' .. args[9])
    redis.call('ZADD', times, args[3], request)
    redis.call('HINCRBY', counts, args[7], 1)
  end
  return { 'committed', revision }
end

redis.register_function('fallow_open_v1', open)
redis.register_function('fallow_commit_v1', commit)
