-- The claim's batch is given back untried, and is due before all others: also before the one whose job
-- waits, which is dropped when it is taken.
--
-- KEYS: queue, due, inflight, lent, entry:<id>
-- ARGV: batchId, token
-- Answer: 1, or 0 if the claim is lost or has ended
-- @include lane
if redis.call('HGET', KEYS[3], ARGV[1]) ~= ARGV[2] then return 0 end
redis.call('HDEL', KEYS[3], ARGV[1])
redis.call('SREM', KEYS[4], ARGV[1])
redis.call('HINCRBY', KEYS[5], 'attempt', -1)
local next = redis.call('HGET', KEYS[1], 'next')
if next then
  forgetNext(KEYS[1])
  redis.call('LPUSH', KEYS[2], next)
end
redis.call('LPUSH', KEYS[2], ARGV[1])
return 1
