-- Lifts pause and brake of a lane, forgets its failures, and makes batches that wait or are parked due.
--
-- KEYS: queue, due, later, parked
-- ARGV: how many batches at most of each kind
-- Answer: how many of one kind there were at most; as many as allowed: there may be more
redis.call('HDEL', KEYS[1], 'paused', 'braked', 'failureCount', 'claimAtMs')
local later = redis.call('ZRANGE', KEYS[3], 0, ARGV[1] - 1)
for _, batchId in ipairs(later) do redis.call('RPUSH', KEYS[2], batchId) end
if #later > 0 then redis.call('ZREMRANGEBYRANK', KEYS[3], 0, #later - 1) end
local parked = redis.call('SRANDMEMBER', KEYS[4], ARGV[1])
for _, batchId in ipairs(parked) do
  redis.call('SREM', KEYS[4], batchId)
  redis.call('RPUSH', KEYS[2], batchId)
end
return math.max(#later, #parked)
