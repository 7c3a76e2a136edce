-- The claim's batch stays where it is until its stream is resumed.
--
-- KEYS: queue, inflight, lent, parked, entry:<id>
-- ARGV: batchId, token, failure (JSON)
-- Answer: 1, also when it is repeated; 0 if the claim is lost or has ended otherwise
-- @include fail
if redis.call('HGET', KEYS[2], ARGV[1]) ~= ARGV[2] then
  local mine = redis.call('HGET', KEYS[5], 'heldBy') == ARGV[2]
  return mine and redis.call('SISMEMBER', KEYS[4], ARGV[1]) or 0
end
fail({ queue = KEYS[1], inflight = KEYS[2], lent = KEYS[3], entry = KEYS[5] }, ARGV[1], ARGV[3])
redis.call('SADD', KEYS[4], ARGV[1])
return 1
