-- The claim's batch is delivered and gone; its lane is in good health.
--
-- KEYS: queue, queued, later, inflight, lent, parked, entry:<id>
-- ARGV: batchId, token
-- Answer: 1, or 0 if the claim is lost or has ended
-- @include forget
if redis.call('HGET', KEYS[4], ARGV[1]) ~= ARGV[2] then return 0 end
forget({
  queue = KEYS[1], queued = KEYS[2], later = KEYS[3], inflight = KEYS[4], lent = KEYS[5],
  parked = KEYS[6], entry = KEYS[7],
}, ARGV[1])
redis.call('HDEL', KEYS[1], 'braked', 'failureCount', 'claimAtMs', 'lastFailure')
return 1
