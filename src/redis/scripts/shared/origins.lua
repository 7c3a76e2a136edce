-- How far the partitions of a stream's source are read, and which requests are known (chunk-origin.ts).
-- Of each: sequence, time, position.
--
-- keys: positions; requests, and requestorder by time: those that pass
-- origin: partition, sequence and atMs (wall ms) as text, position, passing

local function originsLike(keys, origin)
  return origin.passing and keys.requests or keys.positions
end

-- lastSequence(keys, origin, sinceMs): of its partition; 0: nothing is known of that, or it was a request
-- before `sinceMs` (wall ms).
local function lastSequence(keys, origin, sinceMs)
  local known = redis.call('HGET', originsLike(keys, origin), origin.partition)
  if not known then return 0 end
  local sequence, atMs = string.match(known, '^(%d+) (%S+)')
  if origin.passing and tonumber(atMs) < sinceMs then return 0 end
  return tonumber(sequence)
end

-- enterOrigin(keys, origin): it is the last of its partition now.
local function enterOrigin(keys, origin)
  redis.call(
    'HSET', originsLike(keys, origin), origin.partition,
    origin.sequence .. ' ' .. origin.atMs .. ' ' .. origin.position
  )
  if origin.passing then redis.call('ZADD', keys.requestorder, origin.atMs, origin.partition) end
end

-- forgetRequests(keys, enteredCount, kept): the oldest that are of no use any more; some more than were
-- entered, so that they go in time. All go once none was entered for as long as they are kept.
-- kept: forMs, sinceMs (wall ms), countMax
local function forgetRequests(keys, enteredCount, kept)
  if enteredCount == 0 then return end
  local surplus = redis.call('ZCARD', keys.requestorder) - kept.countMax
  local last = 2 * enteredCount + 20
  local oldest = redis.call('ZRANGE', keys.requestorder, 0, last, 'WITHSCORES')
  for i = 1, #oldest, 2 do
    local partition, atMs = oldest[i], tonumber(oldest[i + 1])
    if surplus <= 0 and atMs >= kept.sinceMs then break end
    redis.call('HDEL', keys.requests, partition)
    redis.call('ZREM', keys.requestorder, partition)
    surplus = surplus - 1
  end
  redis.call('PEXPIRE', keys.requests, kept.forMs)
  redis.call('PEXPIRE', keys.requestorder, kept.forMs)
end
