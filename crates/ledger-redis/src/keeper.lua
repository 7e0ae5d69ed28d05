#!lua name=fallow_keeper_v1
-- What the archive alone may do: note what is archived, trim what it has noted, fill an empty region. All else is
-- written by commit.lua. Everything is checked before anything is written. Keys: see keys.rs.

-- Parts a note: history, revision, chain in hexadecimal, time in ms since 1970.
local function parts(note)
  return string.match(note or '', '^(%w+) (%d+) (%x+) (-?%d+)$')
end

-- KEYS meta · ARGV history, revision, chain, time · gives 'done' | 'history' found | 'ahead' head
local function note(keys, args)
  local history, head, before = unpack(redis.call('HMGET', keys[1], 'history', 'revision', 'archived'))
  if history ~= args[1] then
    return { 'history', history or '' }
  end
  if tonumber(head) < tonumber(args[2]) then
    return { 'ahead', head }
  end
  local of, through = parts(before)
  if of ~= history or tonumber(through) <= tonumber(args[2]) then
    redis.call('HSET', keys[1], 'archived', table.concat(args, ' '))
  end
  return { 'done' }
end

-- Trims a part: at most so many changes, for the server does nothing else meanwhile.
-- KEYS meta, log · ARGV history, last revision to go, how many at most
-- Gives 'trimmed' how many, 'more' or 'all' | 'history' found | 'unarchived' through or ''
local function trim(keys, args)
  local history, archived = unpack(redis.call('HMGET', keys[1], 'history', 'archived'))
  if history ~= args[1] then
    return { 'history', history or '' }
  end
  local of, through = parts(archived)
  if of ~= history then
    return { 'unarchived', '' }
  end
  if tonumber(through) < tonumber(args[2]) then
    return { 'unarchived', through }
  end
  local first = redis.call('XRANGE', keys[2], '-', '+', 'COUNT', 1)[1]
  first = first and tonumber(string.match(first[1], '^%d+'))
  local last = tonumber(args[2])
  if not first or first > last then
    return { 'trimmed', '0', 'all' }
  end
  local upto = math.min(last, first + tonumber(args[3]) - 1)
  local gone = redis.call('XTRIM', keys[2], 'MINID', string.format('%.0f-0', upto + 1))
  return { 'trimmed', tostring(gone), upto < last and 'more' or 'all' }
end

-- How far the region is from empty: nothing, or its last revision and how many records it has.
local function taken(meta, live, log)
  local head = redis.call('HGET', meta, 'revision') or '0'
  local records = redis.call('HLEN', live)
  if head ~= '0' or records > 0 or redis.call('EXISTS', log) == 1 then
    return { 'taken', head, tostring(records) }
  end
end

-- Puts records aside, of which `restore` makes the region.
-- KEYS meta, live, log, restoring · ARGV 'first' or 'more', then (record, revision and body) each
-- Gives 'done' | 'taken' head records
local function stage(keys, args)
  local is_taken = taken(keys[1], keys[2], keys[3])
  if is_taken then
    return is_taken
  end
  if args[1] == 'first' then
    redis.call('DEL', keys[4])
  end
  if #args > 1 then
    redis.call('HSET', keys[4], unpack(args, 2))
  end
  return { 'done' }
end

-- KEYS meta, live, log, restoring · ARGV 1-4 history, revision, chain, time, as noted; 5 how many records were put aside;
--      6 seal, 7 epoch that commits must name, '' for none; 8 the history under which the region goes on
-- Gives 'done' | 'taken' head records | 'short' records put aside
local function restore(keys, args)
  local is_taken = taken(keys[1], keys[2], keys[3])
  if is_taken then
    return is_taken
  end
  local staged = redis.call('HLEN', keys[4])
  if staged ~= tonumber(args[5]) then
    return { 'short', tostring(staged) }
  end
  if staged > 0 then
    redis.call('RENAME', keys[4], keys[2])
  end
  redis.call('HSET', keys[1], 'history', args[8], 'revision', args[2], 'archived', table.concat(args, ' ', 1, 4))
  redis.call('HSET', keys[1], 'seal', args[6], 'epoch', args[7])
  return { 'done' }
end

redis.register_function('fallow_keeper_note_v1', note)
redis.register_function('fallow_keeper_trim_v1', trim)
redis.register_function('fallow_keeper_stage_v1', stage)
redis.register_function('fallow_keeper_restore_v1', restore)
