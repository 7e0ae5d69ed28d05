#!lua name=fallow_ledger_v2
-- The only writer of the ledger. It holds no business rule, and checks everything before it writes anything, for a
-- function that fails half-way does not roll back. Keys: see keys.rs. Its name ends in a version, so that processes
-- of two releases can each call their own.

-- Numbers of Lua are doubles: exact for integers up to 2^53, a thousand commits a second for 285,000 years.
local function decimal(number)
  return string.format('%.0f', number)
end

-- The id of the server's replication, which is another after every restart and promotion. It is asked for each time: one
-- that a caller or this library remembered could be of before the server was made a replica and a primary again.
local function replid()
  return string.match(redis.call('INFO', 'replication'), 'master_replid:(%x+)')
end

-- The server's time in ms since 1970. A caller's clock may be wrong by days, and would have outcomes of others forgotten.
local function now_ms()
  local seconds, microseconds = unpack(redis.call('TIME'))
  return tonumber(seconds) * 1000 + math.floor(tonumber(microseconds) / 1000)
end

-- Looks at how the ledger stands, see seal.rs. Refused by a replica, as every function that may write.
-- KEYS meta · gives replication id, history, revision, seal, highest revision known to be on the replicas
local function look(keys)
  local history, revision, seal, kept = unpack(redis.call('HMGET', keys[1], 'history', 'revision', 'seal', 'kept'))
  return { replid(), history or '', revision or '0', seal or '', kept or '0' }
end

-- Changes the seal, if all of it is as it was when that was decided.
-- KEYS meta · ARGV 1 replication id and 2 seal as found; 3 revision as found, or '' where it may have moved on;
--      4 new seal, 5 the epoch that commits must name, '' for none; 6 new history, or '' to keep it · gives 1 or 0
local function seal(keys, args)
  local revision, found = unpack(redis.call('HMGET', keys[1], 'revision', 'seal'))
  if replid() ~= args[1] or (found or '') ~= args[2] or (args[3] ~= '' and (revision or '0') ~= args[3]) then
    return 0
  end
  redis.call('HSET', keys[1], 'seal', args[4], 'epoch', args[5])
  if args[6] ~= '' then
    redis.call('HSET', keys[1], 'history', args[6])
  end
  if not revision then
    redis.call('HSET', keys[1], 'revision', '0')
  end
  return 1
end

-- The higher of two revisions in decimal.
local function higher(one, other)
  return tonumber(one or '0') < tonumber(other) and other or one
end

-- Writes the least there is: a wait for replicas counts nothing unless its connection has written something, and then
-- covers all that was written before.
-- KEYS meta · ARGV epoch, highest revision that the caller knows to be on the replicas
local function touch(keys, args)
  local epoch, kept = unpack(redis.call('HMGET', keys[1], 'epoch', 'kept'))
  if epoch == args[1] then
    kept = higher(kept, args[2])
  end
  redis.call('HSET', keys[1], 'kept', kept or '0')
  return 'OK'
end

local function touch_if(args, meta)
  if args[3] == '1' then
    touch({ meta }, args)
  end
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
-- ARGV 1 epoch in which the caller believes the ledger to be, and 2 highest revision that it knows; 3 '1' where replicas
--      must hold what is acknowledged
--      4 how long outcomes are remembered, in ms, and 5 how many are forgotten at most
--      6 request or '', 7 its scope, 8 digest, 9 answer, 10 how many requests a scope may have
--      11 cause, 12 number of expected records, then (record, revision) each, then (record, '=' body or '-') each
-- Gives 'committed' revision | 'replayed' revision answer | 'conflict' record… | 'reused' | 'full' | 'changed'
local function commit(keys, args)
  local meta, live, log, outcomes, times, counts = unpack(keys)
  local epoch, head, kept = unpack(redis.call('HMGET', meta, 'epoch', 'revision', 'kept'))
  if epoch ~= args[1] then
    return { 'changed' }
  end
  if string.sub(epoch, 1, 40) ~= replid() then
    return { 'changed' }
  end
  if tonumber(head) < tonumber(args[2]) then
    return { 'changed' }
  end

  local request, digest = args[6], args[8]
  if request ~= '' then
    local known = redis.call('HGET', outcomes, request)
    if known then
      if string.sub(known, 1, 32) ~= digest then
        return { 'reused' }
      end
      touch_if(args, meta)
      local space = string.find(known, ' ', 33, true)
      return { 'replayed', string.sub(known, 33, space - 1), string.sub(known, space + 1) }
    end
  end

  local now = now_ms()
  prune(outcomes, times, counts, decimal(now - tonumber(args[4])), args[5])
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
      touch_if(args, meta)
      return differ
    end
  end

  -- From here on nothing fails: the keys read above are of their types, `live` is looked at once more for commits that
  -- expect nothing, and the first write is the one that Redis itself checks (the log takes only rising ids).
  redis.call('HEXISTS', live, '')
  local revision = decimal(tonumber(head) + 1)
  redis.call('XADD', log, revision .. '-0', 'cause', args[11], unpack(args, first_write))
  if args[3] == '1' then
    redis.call('HSET', meta, 'revision', revision, 'kept', higher(kept, args[2]))
  else
    redis.call('HSET', meta, 'revision', revision)
  end
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
    redis.call('ZADD', times, decimal(now), request)
    redis.call('HINCRBY', counts, args[7], 1)
  end
  return { 'committed', revision }
end

redis.register_function('fallow_look_v2', look)
redis.register_function('fallow_seal_v2', seal)
redis.register_function('fallow_commit_v2', commit)
redis.register_function('fallow_touch_v2', touch)
