-- Gives a batch to the worker that got its job from BullMQ, if it is its turn. If it isn't, the batch goes
-- back to where it belongs, and the worker drops the job.
--
-- KEYS: queue, queued, due, later, inflight, lent, parked, receipts, entry:<id>
-- ARGV: batchId, token, which of the two queues the job is from, nowMs, claims that a lane may have
-- Answer: what, whether the lane is a suspect, and
--   'claimed'    facts, attempt, failures of the lane
--   'delivered'  facts; it has a receipt, and is in the queue no more
--   'early'      not before which time
--   'unknown'    it is not in the queue
--   'dropped'
-- @include lane
-- @include forget
local batchId, token, place, nowMs = ARGV[1], ARGV[2], ARGV[3], tonumber(ARGV[4])
local keys = {
  queue = KEYS[1], queued = KEYS[2], due = KEYS[3], later = KEYS[4], inflight = KEYS[5],
  lent = KEYS[6], parked = KEYS[7], receipts = KEYS[8], entry = KEYS[9],
}
local lane = laneOf(keys)
local function answer(what, ...)
  return { what, lane.suspect and 1 or 0, ... }
end
local function claimed(entry)
  return answer('claimed', entry[1], tonumber(entry[2]), lane.failureCount)
end

local entry = redis.call('HMGET', keys.entry, 'facts', 'attempt', 'heldIn')
if not entry[1] then return answer('unknown') end
local holder = redis.call('HGET', keys.inflight, batchId)
if holder == token then return claimed(entry) end
-- That a job comes again from where it was claimed says that its lock is lost: its worker has died.
local lost = holder and entry[3] == place
if holder and not lost then return answer('dropped') end

local isNext = lane.next == batchId
if redis.call('HEXISTS', keys.receipts, batchId) == 1 then
  if isNext then forgetNext(keys.queue) else redis.call('LREM', keys.due, 1, batchId) end
  forget(keys, batchId)
  return answer('delivered', entry[1])
end
if redis.call('SISMEMBER', keys.parked, batchId) == 1 then return answer('dropped') end
local laterMs = tonumber(redis.call('ZSCORE', keys.later, batchId) or nil)
if laterMs then
  if place ~= 'probes' then return answer('dropped') end
  if laterMs > nowMs then return answer('early', string.format('%.0f', laterMs)) end
end
local inDue = not lost and not isNext and not laterMs
if inDue and (lane.next or redis.call('LINDEX', keys.due, 0) ~= batchId) then
  return answer('dropped')
end

if lost then
  redis.call('HDEL', keys.inflight, batchId)
  redis.call('SREM', keys.lent, batchId)
  lane = laneOf(keys)
end
local may = mayHaveMore(lane, tonumber(ARGV[5])) and lane.claimAtMs <= nowMs
if place == 'deliveries' and lane.suspect then may = false end
if not may then
  if isNext then forgetNext(keys.queue) end
  if isNext or lost then redis.call('LPUSH', keys.due, batchId) end
  if laterMs then
    redis.call('ZREM', keys.later, batchId)
    redis.call('RPUSH', keys.due, batchId)
  end
  return answer('dropped')
end
if isNext then forgetNext(keys.queue) end
if laterMs then redis.call('ZREM', keys.later, batchId) end
if inDue then redis.call('LPOP', keys.due) end
entry[2] = redis.call('HINCRBY', keys.entry, 'attempt', 1)
redis.call('HSET', keys.entry, 'heldBy', token, 'heldIn', place)
redis.call('HSET', keys.inflight, batchId, token)
return claimed(entry)
